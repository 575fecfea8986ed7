"""What is searched: speech features on one timeline, and the candidates cut from it.

A bank may be larger than memory is worth: `map_features` reads nothing until a score needs it, and
candidates are spans of the one timeline, so thousands of them that overlap cost no more than the audio.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    """Speech features on one timeline, (T_bank, F) float32, and the candidates cut from it."""

    features: np.ndarray
    candidates: tuple[Candidate, ...]


def spans(bank: Bank) -> tuple[np.ndarray, np.ndarray]:
    """(firsts, lengths) of the candidates, int64 frames. ValueError when one lies outside the timeline."""
    firsts = np.array([c.first for c in bank.candidates])
    lengths = np.array([c.frames for c in bank.candidates])
    if firsts.min() < 0 or (firsts + lengths).max() > len(bank.features) or lengths.min() < 1:
        raise ValueError(f"a candidate lies outside the bank's {len(bank.features)} frames")
    return firsts, lengths


def map_features(path: Path, name: str = "features") -> np.ndarray:
    """The tensor (T, F) float32 of a safetensors file as a read-only map of the file: nothing is copied.

    The file must not change while it is mapped. ValueError or OSError when it is not such a file, KeyError
    when it lacks the tensor.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(_LONGEST_HEADER, size - 8):
            raise ValueError(f"{path.name} is no safetensors file")
        entry = json.loads(file.read(length))[name]
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if entry["dtype"] != "F32" or len(shape) != 2 or 0 in shape:
        raise ValueError(f"{path.name}: {name!r} is {entry['dtype']} of shape {shape}, not (T, F) float32")
    if begin < 0 or end - begin != 4 * shape[0] * shape[1] or 8 + length + end > size:
        raise ValueError(f"{path.name}: {name!r} does not fit the file's {size} bytes")
    return np.memmap(path, np.dtype("<f4"), "r", 8 + length + begin, shape)
