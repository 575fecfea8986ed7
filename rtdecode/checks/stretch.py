"""Samples as they came: what a stream hands to a step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of one connection, in order.

    data     (T, C) in the stream's own channel order and unit
    stamps   (T,) raw, seconds on the sender's clock;  arrived: (T,) seconds on ours when they could be read
    offsets  what was to be added to a stamp to compare it with our clock, as measured meanwhile
    """

    data: np.ndarray
    stamps: np.ndarray
    arrived: np.ndarray
    offsets: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.stamps)


def nothing(channels: int) -> Stretch:
    return Stretch(np.zeros((0, channels), np.float32), np.zeros(0), np.zeros(0))


def joined(parts: Sequence[Stretch]) -> Stretch:
    """One stretch of several; at least one."""
    return Stretch(
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.stamps for part in parts]),
        np.concatenate([part.arrived for part in parts]),
        tuple(offset for part in parts for offset in part.offsets),
    )
