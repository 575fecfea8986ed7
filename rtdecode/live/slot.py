"""The newest picture, shared between two processes: one writer, any readers, latest wins.

A seqlock in shared memory: the writer never waits, a reader that meets a half-written picture tries again.
The checksum makes a torn read impossible to miss, also where memory is weakly ordered or the writer was
killed midway. Holds bytes; what they mean is snapshot.py's business.
"""

import contextlib
import struct
import zlib
from multiprocessing.shared_memory import SharedMemory

_HEAD = struct.Struct("<QQI4xQ")  # sequence (odd while writing), bytes, CRC-32; sequence that was last read
_PICTURE = struct.Struct("<QQI")
_SEQUENCE = struct.Struct("<Q")
_READ_AT = 24


def signal_name(slot_name: str) -> str:
    """The name of the signal memory that goes with a slot."""
    return f"{slot_name}-s"


class Slot:
    """`capacity` bytes under a name. The process that creates it unlinks it."""

    def __init__(self, capacity: int = 0, *, name: str | None = None):
        """Create a slot of `capacity` bytes, or open the one called `name`."""
        self._owner = name is None
        size = _HEAD.size + capacity if self._owner else 0
        self._memory = SharedMemory(name, create=self._owner, size=size)
        assert self._memory.buf is not None
        self._buffer = self._memory.buf
        self._sequence = 0
        self._last = b""
        self._last_sequence = 0

    @property
    def name(self) -> str:
        return self._memory.name

    @property
    def capacity(self) -> int:
        return self._memory.size - _HEAD.size

    def write(self, data: bytes) -> None:
        """Replace the picture. ValueError if it does not fit."""
        if len(data) > self.capacity:
            raise ValueError(f"a picture of {len(data)} bytes does not fit into {self.capacity}")
        memory = self._buffer
        _SEQUENCE.pack_into(memory, 0, self._sequence + 1)
        memory[_HEAD.size : _HEAD.size + len(data)] = data
        self._sequence += 2
        _PICTURE.pack_into(memory, 0, self._sequence - 1, len(data), zlib.crc32(data))
        _SEQUENCE.pack_into(memory, 0, self._sequence)

    @property
    def wanted(self) -> bool:
        """For the writer: whether somebody has read the newest picture, and so may want another."""
        return int(_SEQUENCE.unpack_from(self._buffer, _READ_AT)[0]) == self._sequence

    def read(self, tries: int = 20) -> bytes | None:
        """The newest whole picture, the one before while it is being replaced; None before the first."""
        memory = self._buffer
        for _ in range(tries):
            sequence, size, checksum = _PICTURE.unpack_from(memory)
            if sequence == self._last_sequence:
                break
            if sequence % 2 or size > self.capacity:
                continue
            data = bytes(memory[_HEAD.size : _HEAD.size + size])
            if _SEQUENCE.unpack_from(memory)[0] == sequence and zlib.crc32(data) == checksum:
                self._last, self._last_sequence = data, sequence
                _SEQUENCE.pack_into(memory, _READ_AT, sequence)
                break
        return self._last if self._last_sequence else None

    def close(self) -> None:
        """Let go; nothing may be read or written afterwards."""
        del self._buffer
        self._memory.close()
        if self._owner:
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()
