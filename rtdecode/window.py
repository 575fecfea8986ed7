"""Windows over a stream of preprocessed samples, by absolute sample index.

Does not know about models, threads or clocks. A window may be longer than the hop (whole-window models) or
as long as the hop (streaming steps); either way windows lie on one grid that starts at sample 0 of the run.
"""

from rtdecode.ring import Ring
from rtdecode.types import Window


class Windower:
    """Windows of `size` samples, one every `hop` samples."""

    def __init__(self, ring: Ring, size: int, hop: int):
        if not 0 < hop <= size <= ring.capacity:
            raise ValueError(f"need 0 < hop <= size <= capacity, got hop {hop}, size {size}, {ring.capacity}")
        self.ring, self.size, self.hop = ring, size, hop
        self.reset()

    def reset(self) -> None:
        self.start = 0

    def ready(self) -> bool:
        return self.start + self.size <= self.ring.stop

    def room(self) -> int:
        """How many samples may be written before one that a window still needs would be overwritten."""
        return self.ring.capacity - (self.ring.stop - self.start)

    def next(self) -> Window:
        """The next window; its samples are a view, valid until the ring is written again."""
        start = self.start
        stop = start + self.size
        self.start = start + self.hop
        return Window(self.ring.read(start, stop), start, stop)
