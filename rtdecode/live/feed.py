"""A byte ring in shared memory from one writing process to one reading process. The writer never waits.

    core: put -> [ ring ] -> take: recorder

Unlike the slot, nothing is overwritten: a record that finds no room is refused, and whoever wanted to write
it counts it. A few words travel back: whether the reader lives (its heartbeat), what stopped it, and how much
it has written.
Carries records of bytes with a kind; what they mean is tape.py's business.
"""

import contextlib
import os
import struct
import threading
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

CAPACITY = 64 << 20  # 50 s of 306 channels at 1 kHz; 2 s of 256 channels at 30 kHz
LEAST = 1 << 20
_RECORD = struct.Struct("<II")  # bytes of payload, kind
_WORDS = 8
_CAPACITY, _WRITTEN, _READ, _FINISHED, _BEAT, _STATE, _ERRNO, _STORED = range(_WORDS)
_HEAD = 8 * _WORDS
_PAGE = 4096

WAITING, READING, FAILED, ENDED = range(4)  # states of the reader


def capacity_here(wanted: int = CAPACITY) -> int:
    """Bytes for a ring: less than wanted where the machine's shared memory is small.

    Memory that is promised and then not there ends the process that touches it; containers often have 64 MB.
    """
    place = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory; elsewhere nothing is known
    if not place.is_dir():
        return wanted
    found = os.statvfs(place)
    return max(LEAST, min(wanted, found.f_bavail * found.f_frsize // 4))


class Feed:
    """`capacity` bytes under a name. The process that creates it unlinks it."""

    def __init__(self, capacity: int = 0, *, name: str | None = None):
        """Create a ring of `capacity` bytes, or open the one called `name`: ValueError when it is none."""
        self._owner = name is None
        self._memory = SharedMemory(name, create=self._owner, size=_HEAD + capacity if self._owner else 0)
        if self._memory.size <= _HEAD:
            self._memory.close()
            raise ValueError(f"{name} is no ring")
        assert self._memory.buf is not None
        # eight bytes at once: a position is never seen half-written
        self._words = self._memory.buf[:_HEAD].cast("Q")
        if self._owner:
            self._words[_CAPACITY] = capacity
        self._capacity = self._words[_CAPACITY]  # some systems round the memory's own size up to pages
        if not 0 < self._capacity <= self._memory.size - _HEAD:
            self._words.release()
            self._memory.close()
            raise ValueError(f"{name} is no ring")
        self._ring = self._memory.buf[_HEAD : _HEAD + self._capacity]
        self._barrier = threading.Lock()

    @property
    def name(self) -> str:
        return self._memory.name

    @property
    def waiting(self) -> int:
        """Bytes written and not taken yet."""
        return self._words[_WRITTEN] - self._words[_READ]

    # --- the writer

    def warm(self) -> None:
        """Touch every page, before the first record: a page's first touch costs more than copying into it."""
        np.frombuffer(self._ring, np.uint8)[::_PAGE] = 0

    def touch(self) -> None:
        """Have the system lay out every page, by reading, while records are put. For the reader, where the
        writer has no time for `warm`: to map a page that is there costs a fraction of its first touch."""
        np.frombuffer(self._ring, np.uint8)[::_PAGE].max()

    def put(self, kind: int, *parts: bytes | memoryview) -> bool:
        """Append one record made of `parts` (of bytes); False when there is no room: nothing happened."""
        size = sum(map(len, parts))
        if not self.has_room(size):
            return False
        at = self._words[_WRITTEN]
        at = self._copy_in(at, _RECORD.pack(size, kind))
        for part in parts:
            at = self._copy_in(at, part)
        self._order()
        self._words[_WRITTEN] = at
        return True

    def has_room(self, *sizes: int) -> bool:
        """Whether records of these payload sizes fit now."""
        return self.waiting + sum(sizes) + _RECORD.size * len(sizes) <= self._capacity

    def finish(self) -> None:
        """Nothing more will be put."""
        self._order()
        self._words[_FINISHED] = 1

    def reader(self) -> tuple[int, int, float]:
        """State of the reader, the error number that stopped it, seconds since it was last heard of."""
        beat = self._words[_BEAT]
        silent = (time.monotonic_ns() - beat) / 1e9 if beat else 0.0
        return self._words[_STATE], self._words[_ERRNO], silent

    @property
    def stored(self) -> int:
        """Bytes that the reader said it has written to its files."""
        return self._words[_STORED]

    # --- the reader

    def take(self) -> tuple[int, bytes] | None:
        """The oldest record (kind, payload), or None. ValueError when the ring is not what it should be."""
        at, written = self._words[_READ], self._words[_WRITTEN]
        if at == written:
            return None
        self._order()
        size, kind = _RECORD.unpack(self._copy_out(at, _RECORD.size))
        if size > written - at - _RECORD.size:
            raise ValueError(f"a record of {size} bytes in {written - at} that were written")
        payload = self._copy_out(at + _RECORD.size, size)
        self._order()
        self._words[_READ] = at + _RECORD.size + size
        return kind, payload

    @property
    def finished(self) -> bool:
        """Whether the writer said its last and all of it was taken."""
        return bool(self._words[_FINISHED]) and not self.waiting

    def say(self, state: int, errno: int = 0, stored: int | None = None) -> None:
        """The reader is alive, and this is its state. stored: bytes in its files, unchanged if not given."""
        if stored is not None:
            self._words[_STORED] = stored
        self._words[_ERRNO] = errno
        self._words[_STATE] = state
        self._words[_BEAT] = time.monotonic_ns()

    # ---

    def close(self) -> None:
        """Let go; nothing may be put or taken afterwards."""
        self._words.release()
        self._ring.release()
        self._memory.close()
        if self._owner:
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()

    def _order(self) -> None:
        # payload before position: a lock's barrier orders the two also where memory is weakly ordered
        with self._barrier:
            pass

    def _copy_in(self, at: int, data: bytes | memoryview) -> int:
        start = at % self._capacity
        head = min(len(data), self._capacity - start)
        self._ring[start : start + head] = data[:head]
        if head < len(data):
            self._ring[: len(data) - head] = data[head:]
        return at + len(data)

    def _copy_out(self, at: int, size: int) -> bytes:
        start = at % self._capacity
        head = min(size, self._capacity - start)
        data = bytes(self._ring[start : start + head])
        return data + bytes(self._ring[: size - head]) if head < size else data
