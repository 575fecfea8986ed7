"""Reads a session log back: exactly what was flushed, and words for what was not.

A log whose writer was killed is an ordinary log: its last chunk or line may be cut, everything before counts.
Bounded in everything it believes; no eval, no pickle. Knows nothing of decoding.
"""

import json
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtdecode.errors import RecordingError
from rtdecode.session.index import Glance, Row, row_of, without_collection
from rtdecode.session.manifest import Manifest, load
from rtdecode.session.samples import LoggedStream, RawChunk, SamplesFile
from rtdecode.session.writer import EVENTS, SAMPLES

MAX_LINE = 1 << 22
_NUMBER = (int, float)
# what a line of a kind must hold to be believed; more may come
_FORMS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "decision": {"index": int, "run": int, "sample": int, "t": _NUMBER},
    "event": {"level": str, "text": str, "t": _NUMBER},
    "state": {"state": str, "t": _NUMBER},
    "connection": {"stream": int, "info": dict},
    "run": {"run": int, "stream": int, "sample": int},
    "unrecorded": {"stream": int, "samples": int, "records": int, "at": int},
}
_RETRIEVED = {"chance": _NUMBER, "candidates": int, "hits": list}
_HIT = {"id": str, "text": str, "prob": _NUMBER, "score": _NUMBER}
_TEXT = {"committed": str, "delta": str, "tentative": str}


@dataclass(frozen=True)
class Run:
    """Contiguous samples [start, stop) of one stream. t: stamp of the first, None when not recorded.

    before  samples of the run that came before the log was begun: it was joined in the middle
    """

    run: int
    stream: int
    start: int
    stop: int
    t: float | None
    before: int = 0


class SessionLog:
    """One log directory.

    manifest  session.json;  streams  the connections by number, from 1
    cut       sentences about what could not be read; empty for a log that was closed
    """

    def __init__(self, directory: str | Path, *, hurry: bool = False):
        """RecordingError when it is no log, or one of a newer version.

        hurry  believe a decision after a glance (index.py): an hour opens several times faster, and a line
               that is damaged inside is found when it is read, not now
        """
        self.path = Path(directory)
        self.manifest: Manifest = load(self.path)
        for name in (SAMPLES, EVENTS):
            if not (self.path / name).is_file():
                raise RecordingError(f"{self.path} has no {name}: nothing was recorded, or it was taken away")
        self._samples = SamplesFile(self.path / SAMPLES)
        self.streams: dict[int, LoggedStream] = self._samples.streams
        self._at: dict[str, array[int]] = {}  # where the lines of each kind begin
        self._glances: dict[int, Row] = {}
        with without_collection():
            self.closed, cut = self._index(hurry)
        self.cut = tuple(filter(None, (self._samples.cut, cut)))

    def chunks(self) -> Iterator[RawChunk]:
        """Every chunk as the decoder was given it, in order."""
        return self._samples.chunks()

    def samples(self, stream: int, start: int, stop: int) -> RawChunk:
        """Samples [start, stop) of a stream, counted as they lie in the file; fewer where it has fewer."""
        return self._samples.read(stream, start, stop)

    def count(self, kind: str) -> int:
        """How many lines of a kind there are."""
        return len(self._at.get(kind, ()))

    def lines(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """The JSON objects of events.jsonl, of these kinds only if any are given."""
        for _, line in self._read(*kinds):
            yield line

    def line(self, at: int) -> dict[str, Any] | None:
        """The line that begins at byte `at`; None when it is damaged."""
        with (self.path / EVENTS).open("rb") as file:
            file.seek(at)
            return _parsed(file.readline(MAX_LINE + 1))

    def entries(self) -> Iterator[Row | dict[str, Any]]:
        """Every line in order: decisions as rows, all else as JSON objects."""
        hurried = [(at, row) for at, row in self._glances.items()]
        others = self._read(*(kind for kind in self._at if kind != "decision" or not hurried))
        later = next(others, None)
        for at, row in hurried:
            while later is not None and later[0] < at:
                yield _entry(*later)
                later = next(others, None)
            yield row
        while later is not None:
            yield _entry(*later)
            later = next(others, None)

    def _read(self, *kinds: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each line with where it begins."""
        wanted = dict.fromkeys(kinds) if kinds else self._at
        chosen = [self._at[kind] for kind in wanted if kind in self._at]
        with (self.path / EVENTS).open("rb") as file:
            here = 0
            for at in chosen[0] if len(chosen) == 1 else sorted(at for some in chosen for at in some):
                if at != here:
                    file.seek(at)
                line = file.readline()
                here = at + len(line)
                yield at, json.loads(line)

    def runs(self) -> list[Run]:
        """In order. A stream without a line about its runs is one run."""
        starts = list(self.lines("run"))
        found: list[Run] = []
        for ident, stream in self.streams.items():
            own = [line for line in starts if line["stream"] == ident and line["sample"] >= 0]
            own = own or [{"run": 1, "sample": 0, "t": None}]
            own[0] = {**own[0], "sample": 0}
            lost = list(self._unrecorded(ident))
            places = [_kept(line["sample"], lost) for line in own]
            for line, start, stop in zip(own, places, [*places[1:], stream.samples], strict=True):
                if 0 <= start < stop <= stream.samples:
                    t, before = line.get("t"), line.get("before", 0)
                    t = t if isinstance(t, _NUMBER) else None
                    before = before if type(before) is int and 0 < before < 1 << 62 else 0
                    found.append(Run(line["run"], ident, start, stop, t, before))
        return found

    def unrecorded(self) -> int:
        """Samples that reached the decoder and not the log."""
        return sum(line["samples"] for line in self.lines("unrecorded"))

    def _unrecorded(self, ident: int) -> Iterator[tuple[int, int]]:
        for line in self.lines("unrecorded"):
            if line["stream"] == ident:
                yield line["at"], line["samples"]

    def _index(self, hurry: bool) -> tuple[bool, str]:
        """Note where every whole line begins; whether the last is the end, and what is cut."""
        file = self.path / EVENTS
        count = at = 0
        closed = False
        glance = Glance()
        with file.open("rb") as handle:
            while line := handle.readline(MAX_LINE + 1):
                row = glance(line, at) if hurry else None
                if row is not None:
                    kind = "decision"
                    self._glances[at] = row
                elif (value := _parsed(line)) is not None:
                    kind = value["kind"]
                    if hurry and kind == "decision":
                        self._glances[at] = row_of(value, at)
                else:
                    size = file.stat().st_size
                    said = f"{EVENTS}: {size - at} bytes from line {count + 1} on are cut off or damaged"
                    return False, f"{said}, and left out"
                closed = kind == "end"
                if kind not in self._at:
                    self._at[kind] = array("q")
                self._at[kind].append(at)
                count, at = count + 1, at + len(line)
        return closed, ""


def _entry(at: int, line: dict[str, Any]) -> Row | dict[str, Any]:
    return row_of(line, at) if line["kind"] == "decision" else line


def _kept(sample: int, lost: list[tuple[int, int]]) -> int:
    """Where the file holds a sample that is counted with those that were lost."""
    return sample - sum(min(samples, sample - at) for at, samples in lost if at < sample)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object of a whole line, or None."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return None
    form = _FORMS.get(value["kind"], {})
    if not _holds(value, form):
        return None
    if value["kind"] == "decision" and not _decision(value):
        return None
    return value


def _decision(line: dict[str, Any]) -> bool:
    retrieved, text = line.get("retrieved"), line.get("text")
    if retrieved is not None and not (
        _holds(retrieved, _RETRIEVED) and all(_holds(hit, _HIT) for hit in retrieved["hits"])
    ):
        return False
    return text is None or _holds(text, _TEXT)


def _holds(value: Any, form: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return False
    for key, kind in form.items():
        found = value.get(key)
        if not isinstance(found, kind) or isinstance(found, bool):
            return False
        if isinstance(found, float) and not math.isfinite(found) and key != "t":
            return False
        if isinstance(found, int) and abs(found) > 1 << 62:
            return False
    return True
