"""Reads one channel of a CTF recording straight from its files.

The trigger channel is needed to load a study, and MNE reads all channels to give one: gigabytes a subject. A
.meg4 file is 8 bytes of header and then, trial by trial and channel by channel, 32-bit big-endian integers;
the .res4 file says how many samples a trial and how many channels there are. Knows nothing else of CTF.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtdecode.errors import StudyError

_HEADER = 8  # bytes of a .meg4 file before its first sample
_SIZES = 1288  # byte of a .res4 file where samples a trial and channels are written


def read_counts(ds: Path, meg4: Sequence[Path], channel: int, n_channels: int, n_samples: int) -> np.ndarray:
    """(n_samples,) int32, the numbers of the channel at place `channel`, as they came from the converter.

    meg4  the recording's data files, in order. Raises StudyError when they are not of that many channels.
    """
    res4 = next(iter(sorted(ds.glob("*.res4"))), None)
    try:
        with open(res4 or ds / f"{ds.stem}.res4", "rb") as file:
            file.seek(_SIZES)
            per_trial, channels = struct.unpack(">ih", file.read(6))
    except (OSError, struct.error) as error:
        raise StudyError(f"cannot read the header (.res4) of {ds}", hint="is the folder complete?") from error
    if channels != n_channels or per_trial < 1:
        raise StudyError(f"{ds}: its header says {channels} channels, {n_channels} were expected")
    parts = []
    for path in meg4:
        trials = (path.stat().st_size - _HEADER) // (4 * per_trial * channels)
        if trials:
            data = np.memmap(path, ">i4", "r", _HEADER, (trials, channels, per_trial))
            parts.append(np.array(data[:, channel], np.int32).ravel())
    counts = np.concatenate(parts) if parts else np.empty(0, np.int32)
    if len(counts) < n_samples:
        raise StudyError(
            f"{ds} holds {len(counts)} samples of its trigger channel, {n_samples} were expected",
            hint="is the folder complete?",
        )
    return counts[:n_samples]


def onsets(counts: np.ndarray, values: Sequence[int]) -> tuple[list[int], list[int]]:
    """Places where the channel turns to one of `values`, and the values there."""
    starts = np.flatnonzero((np.diff(counts, prepend=0) != 0) & np.isin(counts, values))
    return starts.tolist(), counts[starts].tolist()
