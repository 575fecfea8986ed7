"""Who says what was heard, and when: a marker stream, the recording that is being replayed, or a table.

All of it ends as `Heard` on the stream's own clock. Pure: marks, recordings and tables are given.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from rtdecode.checks.stretch import Stretch
from rtdecode.errors import RecordingError
from rtdecode.recordings import Recording
from rtdecode.score import Heard, heard
from rtdecode.types import StreamInfo

MATCH = 8  # samples in a row that must be the recording's own
KINDS = ("sentence", "word")


class Teller(Protocol):
    """name: in words, for "told by …"."""

    @property
    def name(self) -> str: ...

    def tell(self, stretch: Stretch, info: StreamInfo) -> tuple[Heard, ...]:
        """What was heard, with seconds on the stream's clock. RecordingError says why nobody knows."""
        ...


class Replayed:
    """The recording that the stream is a replay of: found sample by sample, or not at all."""

    def __init__(self, path: Path, recording: Recording):
        self.name = f"{path.name}, which is being replayed"
        self._path, self._recording = path, recording
        self._events = heard((marker.t, marker.text) for marker in recording.markers)
        if not self._events:
            raise RecordingError(
                f"{path} does not tell what was heard: none of its {len(recording.markers)} markers does",
                hint="--story takes a recording with sentence markers, or a table of events",
            )

    def tell(self, stretch: Stretch, info: StreamInfo) -> tuple[Heard, ...]:
        recording = self._recording
        missing = [label for label in info.labels if label not in recording.labels]
        if missing or not info.labels:
            raise self._foreign(f"the stream has {missing[0] if missing else 'no'} channel that it lacks")
        data = recording.data[:, [recording.labels.index(label) for label in info.labels]]
        at = find(data.astype(stretch.data.dtype), stretch.data)
        if at is None:
            raise self._foreign("none of the stream's samples is in it")
        sample, row = at
        times = recording.times - float(recording.times[0])
        length = float(times[-1]) + 1.0 / recording.sfreq
        begin = float(stretch.stamps[row]) - float(times[sample])
        # a replay in a loop begins anew with the recording's own spacing
        rounds = range(-1, 2 + int((stretch.stamps[-1] - begin) // length))
        return tuple(replace(e, start=e.start + begin + k * length) for k in rounds for e in self._events)

    def _foreign(self, why: str) -> RecordingError:
        return RecordingError(f"the stream is no replay of {self._path}: {why}")


def find(whole: np.ndarray, part: np.ndarray) -> tuple[int, int] | None:
    """(sample of whole, row of part) where MATCH rows of both are equal, and nowhere else; None: nowhere."""
    for row in range(0, len(part) - MATCH + 1, max(1, len(part) // 16)):
        piece = part[row : row + MATCH]
        starts = np.flatnonzero((whole[: len(whole) - MATCH + 1] == piece[0]).all(axis=1))
        found = [int(s) for s in starts if np.array_equal(whole[s : s + MATCH], piece)]
        if len(found) == 1:
            return found[0], row
    return None


class Table:
    """A table of events whose zero is the moment at which the step began."""

    def __init__(self, path: Path):
        self.name = f"{path.name}, from the step's first sample"
        self._events = read_table(path)

    def tell(self, stretch: Stretch, info: StreamInfo) -> tuple[Heard, ...]:
        begin = float(stretch.stamps[0])
        return tuple(replace(event, start=event.start + begin) for event in self._events)


def read_table(path: Path) -> tuple[Heard, ...]:
    """Sentences and words of an events table: onset, duration, trial_type, value, stimulus; tab-separated.

    RecordingError for one that is none, or tells nothing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        found = [
            Heard(
                row["trial_type"], float(row["onset"]), float(row["duration"]), row["value"], row["stimulus"]
            )
            for row in rows
            if row["trial_type"] in KINDS
        ]
    except OSError as problem:
        raise RecordingError(f"cannot read {path}: {problem.strerror}") from problem
    except (KeyError, ValueError, TypeError, csv.Error) as problem:
        raise RecordingError(
            f"{path} is no table of events: {type(problem).__name__} {problem}",
            hint="tab-separated, with columns onset, duration, trial_type, value, stimulus",
        ) from problem
    if not any(event.kind == "sentence" for event in found):
        raise RecordingError(
            f"{path} has {len(rows)} rows, none of trial_type sentence", hint="docs/check.md"
        )
    return tuple(sorted(found, key=lambda event: event.start))


def on_stream(
    marks: Sequence[tuple[float, str]], to_ours_s: float, stream_to_ours_s: float
) -> tuple[Heard, ...]:
    """Marks on their sender's clock -> Heard on the stream's. to_ours_s: from the marks' clock to ours."""
    found = heard((t + to_ours_s - stream_to_ours_s, text) for t, text in marks)
    return tuple(
        e for e in found if isinstance(e.text, str) and isinstance(e.stimulus, str) and e.duration > 0
    )
