"""When each sample was pushed, in memory shared by the sender and whoever measures.

Times are on the machine's monotonic clock, which every process reads alike. The same memory tells the
sender how far the consumer has come, so that it can be throttled without loss.
"""

import contextlib
from multiprocessing.shared_memory import SharedMemory

import numpy as np

_PUSHED, _TAKEN, _STOP, _START = range(4)
_HEAD = 4


class PushLog:
    """One time per chunk. `chunk` samples share it; the process that creates the log unlinks it."""

    def __init__(self, chunk: int, chunks: int = 0, *, name: str | None = None):
        self._owner = name is None
        size = 8 * (_HEAD + chunks) if self._owner else 0
        self._memory = SharedMemory(name, create=self._owner, size=size)
        values = np.ndarray((self._memory.size // 8,), np.float64, self._memory.buf)
        self._head, self._times, self.chunk = values[:_HEAD], values[_HEAD:], chunk

    @property
    def name(self) -> str:
        return self._memory.name

    @property
    def start(self) -> float:
        """Stamp of sample 0, 0 before the first push. Later stamps follow at the nominal rate, exactly."""
        return float(self._head[_START])

    @start.setter
    def start(self, value: float) -> None:
        self._head[_START] = value

    @property
    def pushed(self) -> int:
        """Samples pushed so far."""
        return int(self._head[_PUSHED])

    def push(self, chunk_index: int, now: float) -> None:
        self._times[chunk_index] = now
        self._head[_PUSHED] = (chunk_index + 1) * self.chunk

    def times(self, samples: np.ndarray) -> np.ndarray:
        """Monotonic seconds at which these samples (absolute indices) were pushed."""
        return np.asarray(self._times[np.asarray(samples) // self.chunk])

    @property
    def capacity(self) -> int:
        """Chunks there is room for."""
        return len(self._times)

    @property
    def taken(self) -> int:
        """Samples the consumer says it has taken."""
        return int(self._head[_TAKEN])

    @taken.setter
    def taken(self, samples: int) -> None:
        self._head[_TAKEN] = samples

    @property
    def stopping(self) -> bool:
        return bool(self._head[_STOP])

    def stop(self) -> None:
        """Ask the sender to end."""
        self._head[_STOP] = 1.0

    def close(self) -> None:
        del self._head, self._times
        self._memory.close()
        if self._owner:
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()
