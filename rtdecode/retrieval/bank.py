"""What is searched: speech features on one timeline, and the candidates cut from it.

A bank may be larger than memory is worth: `map_features` reads nothing until a score needs it, and
candidates are spans of the one timeline, so thousands of them that overlap cost no more than the audio.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

_LONGEST_HEADER = 100_000_000  # bytes; what the format allows


@dataclass(frozen=True)
class RetrievalSpec:
    """How the bank is searched; stored in the bundle.

    frames     N, output frames per window
    delay      the estimate at frame n speaks of the stimulus at frame n - delay
    align      "search": the time in the stimulus is unknown, every offset of the bank is tried;
               "onset": stimulus time 0 is the first sample of the run, candidates are whole stimuli
    sharpness  factor on the cosine before the softmax, fitted on validation data
    """

    frames: int
    delay: int
    align: Literal["search", "onset"]
    sharpness: float


@dataclass(frozen=True)
class Candidate:
    """A span of the bank's timeline. first, frames: output frames; start, duration: seconds in `source`."""

    id: str
    text: str
    source: str
    first: int
    frames: int
    start: float
    duration: float


@dataclass(frozen=True)
class Bank:
    """Speech features on one timeline, and the candidates cut from it.

    features  (T_bank, F) float32, a row for each frame of the timeline; or, where `rows` is given, the frames
              at the features' own rate
    rows      (T_bank,) int32: which row of `features` each frame of the timeline is
    """

    features: np.ndarray
    candidates: tuple[Candidate, ...]
    rows: np.ndarray | None = None

    @property
    def frames(self) -> int:
        """Length of the timeline."""
        return len(self.features if self.rows is None else self.rows)

    @property
    def timeline(self) -> np.ndarray:
        """(T_bank, F) float32; made anew where `rows` is given."""
        return self.features if self.rows is None else np.asarray(self.features)[self.rows]


WORTH = 0.8  # share of the frames from which on keeping fewer of them is not worth a second form


def at_native_rate(bank: Bank) -> Bank:
    """The same bank with frames that repeat the one before kept once: exactly the same timeline.

    Features brought to a higher rate by taking the nearest repeat by construction. Where hardly any repeats,
    the bank is given back as it is.
    """
    if bank.rows is not None:
        return bank
    features = np.ascontiguousarray(bank.features, np.float32)
    bits = features.view(np.int32)
    fresh = np.concatenate([[True], (bits[1:] != bits[:-1]).any(axis=1)])
    if fresh.sum() > WORTH * len(features):
        return bank
    rows = (np.cumsum(fresh) - 1).astype(np.int32)
    return Bank(features[fresh], bank.candidates, rows)


def spans(bank: Bank) -> tuple[np.ndarray, np.ndarray]:
    """(firsts, lengths) of the candidates, int64 frames. ValueError when one lies outside the timeline."""
    firsts = np.array([c.first for c in bank.candidates])
    lengths = np.array([c.frames for c in bank.candidates])
    if firsts.min() < 0 or (firsts + lengths).max() > bank.frames or lengths.min() < 1:
        raise ValueError(f"a candidate lies outside the bank's {bank.frames} frames")
    return firsts, lengths


def map_features(path: Path, name: str = "features") -> np.ndarray:
    """The tensor (T, F) float32 of a safetensors file as a read-only map of the file: nothing is copied.

    The file must not change while it is mapped. ValueError or OSError when it is not such a file, KeyError
    when it lacks the tensor.
    """
    header, start = _header(path)
    shape, at = _place(path, header[name], start, name, "F32", 2)
    return np.memmap(path, np.dtype("<f4"), "r", at, shape)


def read_rows(path: Path, frames: int, name: str = "rows") -> np.ndarray | None:
    """The (T_bank,) int32 tensor of a bank's file, None where it has none; raises as `map_features`.

    frames  rows of the features that it may name
    """
    header, start = _header(path)
    if name not in header:
        return None
    shape, at = _place(path, header[name], start, name, "I32", 1)
    rows = np.fromfile(path, np.dtype("<i4"), shape[0], offset=at)
    if rows.min() < 0 or rows.max() >= frames:
        raise ValueError(f"{path.name}: {name!r} names rows outside the {frames} of the features")
    return rows


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where the first begins."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(_LONGEST_HEADER, size - 8):
            raise ValueError(f"{path.name} is no safetensors file")
        return json.loads(file.read(length)), 8 + length


def _place(
    path: Path, entry: dict[str, Any], start: int, name: str, kind: str, axes: int
) -> tuple[tuple[int, ...], int]:
    """Shape and first byte of a tensor of four-byte values that has this type and so many axes."""
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if entry["dtype"] != kind or len(shape) != axes or 0 in shape:
        wanted = "(T, F) float32" if axes == 2 else "(T,) int32"
        raise ValueError(f"{path.name}: {name!r} is {entry['dtype']} of shape {shape}, not {wanted}")
    size = path.stat().st_size
    if begin < 0 or end - begin != 4 * math.prod(shape) or start + end > size:
        raise ValueError(f"{path.name}: {name!r} does not fit the file's {size} bytes")
    return shape, start + begin
