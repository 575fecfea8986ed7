"""What a recording is, and the checks that every one of them passes. Knows no file format."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtdecode.errors import RecordingError
from rtdecode.types import StreamInfo


@dataclass(frozen=True)
class Marker:
    """Something written down beside the signal. t: seconds from the first sample, negative before it."""

    t: float
    text: str


@dataclass(frozen=True, eq=False)
class Recording:
    """One multichannel signal of one file.

    data      (T, C) float32, T >= 1, all finite (a session log's as they came: perhaps float64, perhaps NaN)
    sfreq     nominal rate in Hz
    labels, units   one per channel; units are "microvolts", "femtotesla" … or "" when the file states none
    stype     what is measured: "EEG", "MEG", "ECoG" …;  name  of the stream, or of the file
    stamps    (T,) seconds on the file's own clock, or None: evenly spaced
    segments  spans [start, stop) of samples without a gap, in order, covering all of them
    notes     what a reader had to do or assume, one sentence each
    """

    data: np.ndarray
    sfreq: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    stype: str
    name: str
    stamps: np.ndarray | None = None
    markers: tuple[Marker, ...] = ()
    segments: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.segments:
            object.__setattr__(self, "segments", ((0, len(self.data)),))

    @property
    def info(self) -> StreamInfo:
        """What a stream of this recording says of itself: what a bundle's contract is compared with."""
        return StreamInfo(self.name, self.stype, self.labels, self.units, self.sfreq)

    @property
    def times(self) -> np.ndarray:
        """(T,) seconds: the stamps, or sample index / sfreq."""
        return np.arange(len(self.data)) / self.sfreq if self.stamps is None else self.stamps

    @property
    def duration_s(self) -> float:
        return len(self.data) / self.sfreq


def checked(path: Path, recording: Recording) -> Recording:
    """The recording itself; RecordingError when it has no samples or values that are not finite."""
    data = recording.data
    if not data.size:
        raise RecordingError(
            f"{path}: {recording.name!r} holds {data.shape[0]} samples of {data.shape[1]} channels"
        )
    # A sum is finite only if every value is (float32 in float64 cannot overflow): clean files need no mask.
    if not np.isfinite(data.sum(axis=0, dtype=np.float64)).all():
        bad = ~np.isfinite(data)
        sample = int(np.argmax(bad.any(axis=1)))
        channels = np.flatnonzero(bad.any(axis=0))
        more = f" and {len(channels) - 1} more channels" if len(channels) > 1 else ""
        raise RecordingError(
            f"{path} holds {int(bad.sum())} values that are not finite (NaN or infinite), in "
            f"{recording.labels[channels[0]]}{more}, first at {sample / recording.sfreq:.3f} s",
            hint="repair or cut the recording first",
        )
    return recording
