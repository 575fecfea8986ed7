"""The displayed signal in shared memory: one writer appends rows, any reader copies the newest.

Written row by row as the signal comes, so that a picture costs the decoder nothing per channel. Latest
wins and nobody waits; a reader that was overtaken tries again. Only for eyes: on a machine with weakly
ordered memory the newest rows may lag their count by a moment. Holds numbers; what they mean is
display.py's business.
"""

import contextlib
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np

SIGNAL_BYTES = 32 << 20  # 10 s of 6000 channels; pages that are never written cost nothing
SPARE = 1.25  # rows held per row shown: what may be written while a reader copies
_HEAD = 40  # five uint64: epoch, rows ever written in it, rows held, rows shown, channels
_EPOCH, _STOP, _ROWS, _SHOWN, _CHANNELS = range(5)


@dataclass(frozen=True)
class Rows:
    """rows (T, C) end at row `stop` of `epoch`, counted from its first; `shown` of them are looked at."""

    rows: np.ndarray
    epoch: int
    stop: int
    shown: int


class SignalMemory:
    """A ring of float32 rows under a name. The process that creates it unlinks it."""

    def __init__(self, name: str, capacity: int = 0):
        """Create it with `capacity` bytes of rows, or open the one called `name`."""
        self._owner = capacity > 0
        self._memory = SharedMemory(name, create=self._owner, size=_HEAD + capacity if self._owner else 0)
        self._head = np.ndarray((5,), np.uint64, self._memory.buf)
        self._values = np.ndarray(((self._memory.size - _HEAD) // 4,), np.float32, self._memory.buf, _HEAD)
        self._rows = np.zeros((1, 0), np.float32)

    # --- the writer

    def shape(self, shown: int, channels: int) -> None:
        """Make room to show `shown` rows, fewer if they do not fit, and forget everything."""
        rows = max(2, min(int(SPARE * shown) + 1, len(self._values) // channels))
        self._rows = self._values[: rows * channels].reshape(rows, channels)
        self._head[_EPOCH] += np.uint64(1)
        self._head[_STOP] = 0
        self._head[_ROWS:] = rows, max(1, min(shown, int(rows / SPARE))), channels

    def reset(self) -> None:
        """Forget the rows."""
        self._head[_EPOCH] += np.uint64(1)
        self._head[_STOP] = 0

    def write(self, rows: np.ndarray) -> None:
        """Append (T, C)."""
        capacity = len(self._rows)
        kept = rows[-capacity:]
        stop = int(self._head[_STOP]) + len(rows)
        at = (stop - len(kept)) % capacity
        head = min(len(kept), capacity - at)
        self._rows[at : at + head] = kept[:head]
        self._rows[: len(kept) - head] = kept[head:]
        self._head[_STOP] = stop

    # --- a reader

    def newest(self) -> np.ndarray:
        """A copy of the newest rows shown: (T, C); empty before the first."""
        return self.after(0, 0).rows

    def after(self, epoch: int, stop: int, tries: int = 5) -> "Rows":
        """Of the newest rows shown, those that whoever has read up to `stop` in `epoch` lacks; else all."""
        for _ in range(tries):
            now, end, rows, shown, channels = (int(v) for v in self._head)
            if not end or not channels or rows * channels > len(self._values):
                break
            held = self._values[: rows * channels].reshape(rows, channels)
            first = max(0, end - shown)
            if now == epoch:
                first = min(max(first, stop), end)
            copy = held.take(np.arange(first, end), axis=0, mode="wrap")
            if int(self._head[_EPOCH]) == now and int(self._head[_STOP]) - rows <= first:
                return Rows(copy, now, end, shown)
        return Rows(np.zeros((0, 0), np.float32), 0, 0, 0)

    def close(self) -> None:
        """Let go; nothing may be read or written afterwards."""
        del self._head, self._values, self._rows
        self._memory.close()
        if self._owner:
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()
