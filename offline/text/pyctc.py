"""pyctcdecode as a final pass over finished utterances, in a Python of its own.

It pins numpy < 2 and cannot search frame by frame, so it is neither imported here nor used live: a process of
that other Python gets the log-probabilities and answers with texts. What it is told are the values of a
SearchSpec. It normalises its input again, so there is no blank penalty and no acoustic scale.
"""

import json
import os
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offline.text import pyctc_worker
from rtdecode.errors import ConfigError
from rtdecode.text.arpa import write_arpa
from rtdecode.text.ngram import END, START, UNKNOWN, NGram
from rtdecode.text.search import SearchSpec, Word
from rtdecode.text.symbols import BLANK, Symbols

ANSWER_BYTES = 64 << 20
_MEND = "python3 -m venv pyctc; pyctc/bin/pip install 'numpy<2' pyctcdecode kenlm; then give pyctc/bin/python"


@dataclass(frozen=True)
class Final:
    """One hypothesis. acoustic is the natural logarithm of the acoustics alone, score that of everything."""

    text: str
    words: tuple[Word, ...]
    acoustic: float
    score: float


class PyctcDecoder:
    """Texts of whole utterances. A call starts a process, some 0.3 s: give it many at once."""

    def __init__(
        self,
        python: str | Path,
        symbols: Symbols,
        spec: SearchSpec | None = None,
        lm: NGram | str | Path | None = None,
        unigrams: Sequence[str] | None = None,
        *,
        timeout_s: float = 120.0,
    ):
        """python    interpreter of the environment that has pyctcdecode (and kenlm, for a language model)
        lm        a model, or a file KenLM reads: ARPA or its binary
        unigrams  words that count as known; None: all of an NGram's, any of a file's

        ConfigError for a spec it cannot follow, or symbols that are not single characters and <marks>.
        """
        self.python, self.symbols, self.spec = str(python), symbols, spec or SearchSpec()
        self._lm, self._unigrams, self._timeout_s = lm, unigrams, timeout_s
        if isinstance(lm, NGram) and unigrams is None:
            self._unigrams = [word for word in lm.words if word not in (START, END, UNKNOWN)]
        if not symbols.spelled:
            raise ConfigError(
                "pyctcdecode spells words letter by letter, "
                f"these symbols are {' '.join(symbols.names[1:4])} ...",
                hint="use the search of this package for phonemes",
            )
        told = self.spec
        rows = [("blank_penalty", told.blank_penalty, 0.0), ("acoustic_scale", told.acoustic_scale, 1.0)]
        if lm is None:
            rows.append(("beta without a language model", told.beta, 0.0))
        else:
            rows.append(("partial_unknown_nats", told.partial_unknown_nats, -told.unknown_log10))
        for name, value, only in rows:
            if value != only:
                raise ConfigError(f"pyctcdecode cannot have {name} {value:g}, here it is {only:g}")

    def decode(self, log_probs: np.ndarray) -> str:
        """The best text of one utterance (T, V); "" of none."""
        found = self.nbest([log_probs], 1)[0]
        return found[0].text if found else ""

    def nbest(self, utterances: Sequence[np.ndarray], n: int = 1) -> list[list[Final]]:
        """The n likeliest texts of each utterance (T, V) of natural log-probabilities, any T.

        With n = 1 beams of one recent history are merged, as the library's own `decode` does. ConfigError
        where the other Python is none, lacks a library, takes too long or answers nonsense; ValueError for
        another shape or NaN.
        """
        arrays = [np.ascontiguousarray(one, "<f4") for one in utterances]
        for place, one in enumerate(arrays):
            if one.ndim != 2 or one.shape[1] != len(self.symbols):
                raise ValueError(
                    f"utterance {place} has the shape {one.shape}, for {len(self.symbols)} symbols it is "
                    f"(T, {len(self.symbols)})"
                )
            if np.isnan(one).any():
                raise ValueError(f"utterance {place} has NaN among its log-probabilities")
        with tempfile.TemporaryDirectory() as folder:
            header = self._header(Path(folder), [len(one) for one in arrays], n)
            if sum(header["frames"]) * len(self.symbols) > pyctc_worker.VALUES:
                raise ValueError(f"too many log-probabilities for one call, {pyctc_worker.VALUES} at most")
            answer = self._ask(json.dumps(header).encode(), b"".join(one.tobytes() for one in arrays), folder)
        try:
            return [[_final(one) for one in beams] for beams in answer["utterances"]]
        except (KeyError, TypeError, ValueError) as problem:
            raise ConfigError(f"{self.python} answered something else than texts: {problem!r}") from problem

    def _header(self, folder: Path, frames: list[int], n: int) -> dict[str, Any]:
        spec = self.spec
        labels = ["" if name == BLANK else name for name in self.symbols.names]
        header: dict[str, Any] = {"labels": labels, "frames": frames, "beam": spec.beam, "n": n}
        header |= {"prune": -spec.prune_nats, "floor": max(spec.token_floor, -1e9)}
        if self._lm is None:
            return header
        path = Path(self._lm) if isinstance(self._lm, str | Path) else folder / "lm.arpa"
        if isinstance(self._lm, NGram):
            write_arpa(self._lm, path)
        elif not path.is_file():
            raise ConfigError(f"cannot read the language model {path}: there is no such file")
        unigrams = None if self._unigrams is None else list(self._unigrams)
        return header | {
            "model": str(path.resolve()), "unigrams": unigrams, "alpha": spec.alpha, "beta": spec.beta,
            "unknown": spec.unknown_log10, "boundaries": spec.boundaries,
        }  # fmt: skip

    def _ask(self, header: bytes, values: bytes, folder: str) -> dict[str, Any]:
        """One process: no shell, nothing of our environment's Python, its answer in a file of bounded
        length.
        """
        command = [self.python, "-I", str(Path(pyctc_worker.__file__).resolve())]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as said:
            try:
                code = subprocess.run(
                    command, input=struct.pack("<I", len(header)) + header + values, stdout=out, stderr=said,
                    timeout=self._timeout_s, env=clean, check=False,
                ).returncode  # fmt: skip
            except subprocess.TimeoutExpired as problem:
                raise ConfigError(
                    f"pyctcdecode took longer than {self._timeout_s:g} s and was ended",
                    hint="give fewer utterances at once, or a smaller beam",
                ) from problem
            except OSError as problem:
                raise ConfigError(
                    f"cannot run {self.python}: {problem.strerror or problem}", hint=_MEND
                ) from problem
            size = out.seek(0, os.SEEK_END)
            if size > ANSWER_BYTES:
                raise ConfigError(f"{self.python} answered {size} bytes, {ANSWER_BYTES} at most")
            out.seek(0)
            said.seek(max(0, said.seek(0, os.SEEK_END) - 2000))
            last = (said.read().decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
            try:
                answer = json.loads(out.read())
                if not isinstance(answer, dict):
                    raise ValueError("no object")
            except ValueError as problem:
                raise ConfigError(
                    f"{self.python} ended with {code} and without an answer, it said: {last}", hint=_MEND
                ) from problem
        if "error" in answer:
            raise ConfigError(f"pyctcdecode in {self.python}: {answer['error']}", hint=_MEND)
        return answer


def _final(one: dict[str, Any]) -> Final:
    words = tuple(Word(str(word), int(start), int(stop)) for word, start, stop in one["words"])
    return Final(str(one["text"]), words, float(one["acoustic"]), float(one["score"]))
