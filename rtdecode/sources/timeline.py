"""Sample counts as time: for sources that count their samples but do not stamp them. Pure: time is given."""

import math

import numpy as np


class Timeline:
    """Seconds of absolute sample indices: nominal spacing, on a line that follows the arrivals over 30 s.

    The newest sample is `late` by the difference between its arrival and the line. A mean over 30 s forgives
    drifting clocks (100 ppm: 3 ms) and does not wander. Beyond a quarter second the caller anchors anew.
    """

    JUMP_S = 0.25
    MEMORY_S = 30.0

    def __init__(self, sfreq: float):
        self.period_s = 1.0 / sfreq
        self._memory = max(1.0, self.MEMORY_S * sfreq)
        self.reset()

    def reset(self) -> None:
        """A new measurement: its indices have nothing to do with those before."""
        self._origin, self._newest, self._seen = math.nan, 0, 0

    def late(self, index: int, at: float) -> float:
        """Seconds by which sample `index`, seen at `at`, is behind the line; 0 before there is one."""
        return 0.0 if math.isnan(self._origin) else at - (self._origin + index * self.period_s)

    def anchor(self, index: int, at: float) -> None:
        """Sample `index` is at `at`, whatever was before."""
        self._origin, self._newest, self._seen = at - index * self.period_s, index, 0

    def follow(self, index: int, at: float) -> None:
        """Take in that sample `index` was the newest at `at`."""
        if math.isnan(self._origin):
            self.anchor(index, at)
            return
        fresh, self._newest = index - self._newest, index
        self._seen += fresh
        step = fresh / min(max(self._seen, 1), self._memory) * self.late(index, at)
        half = 0.5 * self.period_s  # a step shows between two samples: they stay in order
        self._origin += min(max(step, -half), half)

    def stamps(self, first: int, rows: int) -> np.ndarray:
        """Seconds (rows,) of consecutive samples."""
        return self._origin + np.arange(first, first + rows) * self.period_s
