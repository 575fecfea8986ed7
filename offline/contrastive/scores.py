"""Scores of brain windows against candidate speech segments: what metrics, baselines, curves, reports take.

One row a trial, one column a de-duplicated candidate. Knows nothing of models, signals or studies; it says
which candidate was heard, by whom, and which words and seconds of sound the candidates are. On disk: one npz
file, numbers as arrays, strings as JSON inside it, nothing pickled.
"""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import StudyError

SCHEMA = 1


@dataclass(frozen=True)
class Scores:
    """N trials against K candidates.

    scores           (N, K) float32: a higher one is a better match; a softmax over a row gives probabilities
    target           (N,) column of the candidate that was heard
    subject          (N,) stable id of who heard it;  recording (N,) in which recording
    word             (N,) the word at the middle of the trial
    candidate_word   (K,) the same of every candidate
    candidate_id     (K,) identity: (sentence uid, place of the word in it); no two are equal
    candidate_start  (K,) (stimulus id, seconds inside it) where the candidate's word begins: tells overlap
    about            what made them, for reports: plain strings and numbers

    Raises StudyError when shapes disagree, a target is no column, a score is not a number, or two candidates
    share an identity. Strings may come as any sequence and are kept as tuples.
    """

    scores: np.ndarray
    target: np.ndarray
    subject: tuple[str, ...]
    word: tuple[str, ...]
    candidate_word: tuple[str, ...]
    candidate_id: tuple[tuple[str, int], ...]
    candidate_start: tuple[tuple[str, float], ...]
    recording: tuple[str, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keep = object.__setattr__  # the one way to set a field of a frozen dataclass
        keep(self, "scores", np.asarray(self.scores, np.float32))
        target = np.asarray(self.target)
        if target.dtype.kind not in "iu":
            raise StudyError(f"targets are {target.dtype}, expected whole numbers")
        keep(self, "target", target.astype(np.int64))
        for name in ("subject", "word", "recording", "candidate_word"):
            keep(self, name, tuple(str(value) for value in getattr(self, name)))
        keep(self, "candidate_id", tuple((str(uid), int(index)) for uid, index in self.candidate_id))
        keep(self, "candidate_start", tuple((str(name), float(s)) for name, s in self.candidate_start))
        _check(self)

    @property
    def trials(self) -> int:
        return len(self.target)

    @property
    def candidates(self) -> int:
        return len(self.candidate_id)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Those that have trials, sorted."""
        return tuple(sorted(set(self.subject)))

    def with_scores(self, scores: np.ndarray, target: np.ndarray | None = None) -> "Scores":
        """The same trials and candidates with other scores, (N, K) or one row (K,) for all trials."""
        wide = np.broadcast_to(np.asarray(scores, np.float32), (self.trials, self.candidates))
        return replace(self, scores=wide, target=self.target if target is None else target)

    def of_trials(self, rows: np.ndarray | Sequence[int]) -> "Scores":
        """Some trials (indices or a mask), all candidates."""
        index = np.arange(self.trials)[_index(rows)]
        return replace(
            self,
            scores=self.scores[index],
            target=self.target[index],
            subject=_picked(self.subject, index),
            word=_picked(self.word, index),
            recording=_picked(self.recording, index),
        )

    def of_candidates(self, columns: np.ndarray | Sequence[int]) -> "Scores":
        """Some candidates (indices or a mask), and the trials whose target is among them."""
        kept = np.arange(self.candidates)[_index(columns)]
        place = np.full(self.candidates, -1)
        place[kept] = np.arange(len(kept))
        rows = np.flatnonzero(place[self.target] >= 0)
        return replace(
            self,
            scores=self.scores[np.ix_(rows, kept)],
            target=place[self.target[rows]],
            subject=_picked(self.subject, rows),
            word=_picked(self.word, rows),
            recording=_picked(self.recording, rows),
            candidate_word=_picked(self.candidate_word, kept),
            candidate_id=_picked(self.candidate_id, kept),
            candidate_start=_picked(self.candidate_start, kept),
        )

    def save(self, path: str | Path) -> Path:
        """Write one file, whole or not at all; its name gets ".npz" where it has none. Raises OSError."""
        path = Path(path)
        path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
        strings: dict[str, Any] = {"schema": SCHEMA, "about": dict(self.about)}
        arrays: dict[str, np.ndarray] = {"scores": np.ascontiguousarray(self.scores), "target": self.target}
        for name in ("subject", "recording", "word"):  # each of few values, repeated over many trials
            values, codes = np.unique(np.array(getattr(self, name), dtype=str), return_inverse=True)
            strings[name], arrays[name] = values.tolist(), codes.astype(np.int32)
        strings["candidate_word"] = list(self.candidate_word)
        strings["candidate_uid"] = [uid for uid, _ in self.candidate_id]
        strings["candidate_stimulus"] = [name for name, _ in self.candidate_start]
        arrays["candidate_index"] = np.array([index for _, index in self.candidate_id], np.int64)
        arrays["candidate_seconds"] = np.array([seconds for _, seconds in self.candidate_start], np.float64)
        arrays["strings"] = np.frombuffer(json.dumps(strings).encode(), np.uint8)
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path


def load_scores(path: str | Path) -> Scores:
    """Read what `Scores.save` wrote; StudyError when it is something else or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        strings = json.loads(arrays.pop("strings").tobytes())
        if strings["schema"] != SCHEMA:
            raise StudyError(f"{path} holds scores of schema {strings['schema']}, this reads {SCHEMA}")
        trial = {
            name: _picked(strings[name], _codes(arrays[name], len(strings[name])))
            for name in ("subject", "recording", "word")
        }
        return Scores(
            arrays["scores"],
            arrays["target"],
            candidate_word=tuple(strings["candidate_word"]),
            candidate_id=tuple(
                zip(strings["candidate_uid"], arrays["candidate_index"].tolist(), strict=True)
            ),
            candidate_start=tuple(
                zip(strings["candidate_stimulus"], arrays["candidate_seconds"].tolist(), strict=True)
            ),
            about=strings["about"],
            **trial,
        )
    except FileNotFoundError as missing:
        raise StudyError(f"there are no scores at {path}", hint="`offline evaluate` writes them") from missing
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as problem:
        raise StudyError(f"{path} is not a file of scores: {problem}", hint="evaluate again") from problem


def _index(chosen: np.ndarray | Sequence[int]) -> np.ndarray:
    found = np.asarray(chosen)
    return found if found.size else np.zeros(0, np.int64)  # numpy takes an empty list for floats


def _codes(codes: np.ndarray, count: int) -> np.ndarray:
    if codes.size and not (codes.min() >= 0 and codes.max() < count):
        raise ValueError(f"a code of {codes.max()} for {count} strings")
    return codes


def _picked(values: Sequence[Any], index: np.ndarray) -> tuple[Any, ...]:
    return tuple(values[i] for i in index)


def _check(found: Scores) -> None:
    n, k = len(found.target), len(found.candidate_id)
    if found.scores.shape != (n, k):
        raise StudyError(f"scores of shape {found.scores.shape} for {n} targets and {k} candidates")
    if not k:
        raise StudyError("scores without a candidate")
    per_trial, per_candidate = ("subject", "word", "recording"), ("candidate_word", "candidate_start")
    for name, expected in [*((name, n) for name in per_trial), *((name, k) for name in per_candidate)]:
        if len(getattr(found, name)) != expected:
            raise StudyError(f"{len(getattr(found, name))} entries of {name}, expected {expected}")
    if n and not (found.target.min() >= 0 and found.target.max() < k):
        raise StudyError(f"a target of {found.target.max()} with {k} candidates")
    if len(set(found.candidate_id)) != k:
        raise StudyError(
            f"{k} candidates have {len(set(found.candidate_id))} identities: duplicates would count as wrong",
            hint="keep the first occurrence of each",
        )
    # a row that all trials share is checked once
    once = found.scores[:1] if n and found.scores.strides[0] == 0 else found.scores
    if not np.isfinite(once).all():
        raise StudyError(f"{int((~np.isfinite(once)).sum())} of {once.size} scores are not numbers")
