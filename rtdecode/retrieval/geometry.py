"""Where windows of a timeline end inside candidates, and how long every window is as a vector.

A window whose frames hardly differ from each other has no direction: its cosine would be rounding error. Its
score is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtdecode.retrieval.bank import Candidate

SILENT = 1e-10  # share of a window's energy that must be left when its mean is removed: float32 holds no less
_COLUMNS = 16  # features at a time: one line of the processor's cache, so that a mapped file is read once


@dataclass(frozen=True)
class Geometry:
    """Windows of one length on one timeline.

    inverse  (offsets,) float32: 1 / norm of the window from each offset, 0 where it is silent
    cuts     (2 K,) int64: first offset and end of the offsets that belong to each candidate, for reduceat
    """

    inverse: np.ndarray
    cuts: np.ndarray

    def best(self, cosines: np.ndarray) -> np.ndarray:
        """(offsets + 1,) float32, the last -inf, so that the last span may reach the end -> (K,) float64."""
        return np.maximum.reduceat(cosines, self.cuts)[::2].astype(np.float64)


def geometry(
    features: np.ndarray,
    firsts: np.ndarray,
    lengths: np.ndarray,
    frames: int,
    candidates: Sequence[Candidate],
    rows: np.ndarray | None = None,
) -> Geometry:
    """Windows of `frames` that end inside each candidate. ValueError when a candidate has none.

    rows  as Bank.rows
    """
    length = len(features if rows is None else rows)
    if length < frames:
        raise ValueError(f"the bank holds {length} frames, a window needs {frames}")
    offsets = length - frames + 1
    low = np.maximum(firsts - frames + 1, 0)
    high = np.minimum(firsts + lengths - frames + 1, offsets)
    if (low >= high).any():
        lost = candidates[int(np.argmax(low >= high))]
        raise ValueError(f"candidate {lost.id} ends before the first full window of {frames} frames")
    return Geometry(inverse_norms(features, frames, rows), np.stack([low, high], axis=1).ravel())


def inverse_norms(features: np.ndarray, frames: int, rows: np.ndarray | None = None) -> np.ndarray:
    """1 / Frobenius norm of every window, each feature's mean removed: (T_bank - frames + 1,) float32."""
    raw = np.zeros(len(features if rows is None else rows) - frames + 1)
    power = np.zeros_like(raw)
    for at in range(0, features.shape[1], _COLUMNS):
        x = features[:, at : at + _COLUMNS].astype(np.float64)
        x = x if rows is None else x[rows]
        squares = _sliding((x * x).sum(axis=1), frames)
        sums = _sliding(x, frames)
        raw += squares
        power += squares - (sums * sums).sum(axis=1) / frames
    return inverse_of(power, raw)


def inverse_of(power: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """1 / sqrt(power) as float32, 0 where next to nothing of the `raw` energy is left."""
    heard = power > np.maximum(SILENT * raw, 1e-12)
    return np.where(heard, 1.0 / np.sqrt(np.where(heard, power, 1.0)), 0.0).astype(np.float32)


def _sliding(x: np.ndarray, frames: int) -> np.ndarray:
    """Sums over every `frames` successive rows of (T,) or (T, F)."""
    sums = np.concatenate([np.zeros_like(x[:1]), np.cumsum(x, axis=0)])
    return sums[frames:] - sums[:-frames]
