"""The ring: the last samples of a stream, addressed by absolute index.

Storage wraps, time does not. Every row is written twice, `capacity` apart, so that any span still held is
one contiguous view and reading copies nothing. Knows nothing of clocks, channels or models.
"""

import numpy as np


class Ring:
    """Rows (C,) of float32 with absolute indices [first, stop).

    capacity  number of rows kept;  channels  C
    """

    def __init__(self, capacity: int, channels: int):
        if capacity < 1 or channels < 1:
            raise ValueError(
                f"a ring needs capacity and channels of at least 1, got {capacity} and {channels}"
            )
        self.capacity, self.channels = capacity, channels
        self._rows = np.zeros((2 * capacity, channels), np.float32)
        self.stop = 0

    @property
    def first(self) -> int:
        """Absolute index of the oldest row still held."""
        return max(0, self.stop - self.capacity)

    def reset(self) -> None:
        """Forget everything; the next row has index 0."""
        self.stop = 0

    def write(self, rows: np.ndarray) -> None:
        """Append (T, C) rows. More rows than the capacity leave the newest ones."""
        if rows.ndim != 2 or rows.shape[1] != self.channels:
            raise ValueError(f"expected rows of shape (T, {self.channels}), got {rows.shape}")
        capacity, held = self.capacity, self._rows
        at, end = self.stop % capacity, self.stop % capacity + len(rows)
        self.stop += len(rows)
        if end <= capacity:
            held[at:end] = rows
            if at or end < capacity:  # no span reaches from the lap before into a whole one
                held[capacity + at : capacity + end] = rows
            return
        kept = rows[-capacity:]
        at = (self.stop - len(kept)) % capacity
        head = min(len(kept), capacity - at)
        for start in (0, capacity):
            held[start + at : start + at + head] = kept[:head]
            held[start : start + len(kept) - head] = kept[head:]

    def read(self, start: int, stop: int) -> np.ndarray:
        """A (stop - start, C) view of rows [start, stop): valid until the next write."""
        if not self.first <= start <= stop <= self.stop:
            raise IndexError(f"rows [{start}, {stop}) are not held: the ring has [{self.first}, {self.stop})")
        at = start % self.capacity
        return self._rows[at : at + stop - start]
