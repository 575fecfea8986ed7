"""Features with mean 0 and deviation 1, per column: by whole blocks (as published), or without the future.

    block    every block by its own mean and deviation over all its bins (population deviation plus 1e-8), as
             Willett et al. 2023 and those after them do: the first bin of a block is scaled by the last one
    causal   every block by what came before it: the blocks of the last BLOCKS before it on its day, or, for
             the first of a day, the last blocks of the day before; the study's very first block, which has
             nothing before it, grows its own statistics bin by bin over what it has seen so far

A column that does not vary comes out as 0, not as NaN. Knows nothing of trials or files.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from rtdecode.errors import StudyError, closest

EPSILON = 1e-8  # added to the deviation, as published
BLOCKS = 3  # that a causal scale looks back on
WARM_BINS = 50  # of a first block before its own deviation is believed
NORMS = ("block", "causal", "none")

Moments = tuple[int, np.ndarray, np.ndarray]  # bins, mean (C,), mean square around it (C,)


def check_norm(name: str) -> str:
    """`name`, when it is one of NORMS. Raises StudyError with the closest."""
    if name not in NORMS:
        raise StudyError(f"there is no normalisation {name!r}", hint=closest(name, NORMS))
    return name


def block_zscore(features: np.ndarray) -> np.ndarray:
    """(T, C) float32 of one block -> the same with mean 0 and deviation 1 per column; T may be 0."""
    if not len(features):
        return features.astype(np.float32)
    mean, deviation = _scale([moments(features)])
    return _scaled(features, mean, deviation)


def moments(features: np.ndarray) -> Moments:
    """(bins, mean (C,), mean square around it (C,)) in float64."""
    if not len(features):
        zero = np.zeros(features.shape[1])
        return 0, zero, zero
    mean = features.mean(axis=0, dtype=np.float64)
    return len(features), mean, np.square(features - mean).mean(axis=0, dtype=np.float64)


def _scale(parts: Sequence[Moments]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (C,) over all bins of `parts`."""
    counts = np.array([part[0] for part in parts], float)[:, None] / sum(part[0] for part in parts)
    means = np.array([part[1] for part in parts])
    mean = cast(np.ndarray, (counts * means).sum(axis=0))
    variance = (counts * (np.array([part[2] for part in parts]) + np.square(means - mean))).sum(axis=0)
    return mean, np.sqrt(variance)


def _scaled(features: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    # Rounding leaves a column that never changes a deviation of some 1e-9 of its value: not 1e-8 alone.
    constant = deviation <= 1e-6 * np.abs(mean)
    scaled = (features - mean) / (deviation + EPSILON)
    scaled[..., constant] = 0.0
    return scaled.astype(np.float32)


class CausalScale:
    """Scales blocks in the order they were recorded, each by the ones before it. Mutable: `reset`.

    A new day goes on with the scale of the last blocks of the day before until it has a block of its own.
    """

    def __init__(self, blocks: int = BLOCKS):
        self._keep = blocks
        self.reset()

    def reset(self) -> None:
        self._before: deque[Moments] = deque(maxlen=self._keep)
        self._day = ""

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that `load` takes: what the next block is scaled by."""
        parts = list(self._before)
        return {
            "day": np.array(self._day),
            "bins": np.array([part[0] for part in parts], np.int64),
            "mean": np.array([part[1] for part in parts], np.float64),
            "square": np.array([part[2] for part in parts], np.float64),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.reset()
        self._day = str(state["day"])
        for bins, mean, square in zip(state["bins"], state["mean"], state["square"], strict=True):
            self._before.append((int(bins), mean, square))

    def block(self, day: str, features: np.ndarray) -> np.ndarray:
        """(T, C) of one whole block, its bins in order -> (T, C) float32; a value depends on earlier bins
        alone.
        """
        known = moments(features)
        before = [part for part in self._before if part[0]]
        scaled = _scaled(features, *_scale(before)) if before else _growing(features)
        if not known[0]:
            return scaled
        if day != self._day:
            self._before.clear()
            self._day = day
        self._before.append(known)
        return scaled


def _growing(features: np.ndarray) -> np.ndarray:
    """Every bin by the mean and deviation of the bins up to it; the first WARM_BINS have deviation 1."""
    if not len(features):
        return features.astype(np.float32)
    x = features.astype(np.float64) - features[0]  # against cancellation in the sums of squares
    count = np.arange(1, len(x) + 1)[:, None]
    mean = np.cumsum(x, axis=0) / count
    deviation = np.sqrt(np.maximum(np.cumsum(x * x, axis=0) / count - mean * mean, 0.0))
    deviation[: WARM_BINS - 1] = 1.0
    steady = deviation < 1e-6 * np.maximum(np.abs(features), 1e-2)
    return np.where(steady, 0.0, (x - mean) / (deviation + EPSILON)).astype(np.float32)
