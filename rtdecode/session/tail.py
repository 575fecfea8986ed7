"""The growing end of a session log: lines and samples that became whole since the last look.

Somebody else writes the log. A line or a chunk that is cut is under way, not damaged: it is read when the
rest has come. What is not what the decoder writes is passed over and counted. Knows no screen.
"""

import os
import struct
from pathlib import Path
from typing import Any

from rtdecode.session.reader import MAX_LINE, _parsed
from rtdecode.session.samples import MAX_CHUNK, SamplesFile, _varlen
from rtdecode.xdf_writer import MAGIC

_TAKE = 8 << 20  # bytes of lines looked at in one go: a log of hours is met in steps


class LineTail:
    """events.jsonl. damaged: lines that were passed over."""

    def __init__(self, path: Path):
        self._path, self._at, self._rest = path, 0, b""
        self.damaged = 0

    def grow(self) -> list[dict[str, Any]]:
        """The lines that became whole; OSError when the file is not there."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(_TAKE)
        self._at += len(data)
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        if len(rest) > MAX_LINE:  # no line of ours: skip it, so that it does not pile up
            rest, self.damaged = b"", self.damaged + 1
        self._rest = rest
        found = [_parsed(line + b"\n") for line in whole.split(b"\n")] if newline else []
        self.damaged += found.count(None)
        return [line for line in found if line is not None]


class SampleTail(SamplesFile):
    """samples.xdf. `counts` of each stream grows; what was read once stays indexed."""

    _whole = 0

    def _index(self, file: Any, size: int) -> int:
        self._whole = super()._index(file, size)
        return self._whole

    @property
    def counts(self) -> dict[int, int]:
        """Samples that are whole, by stream."""
        return dict(self._counts)

    def grow(self) -> None:
        """Index the chunks that became whole. OSError when the file is not there."""
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not self._whole:
                self._whole = self._index(file, size)
                return
            while self._whole < size:
                file.seek(self._whole)
                head = file.read(11)
                length = _varlen(head, 0)
                if length is None or len(head) < length[1] + 2:
                    return
                start, stop = self._whole + length[1] + 2, self._whole + length[1] + length[0]
                if not 2 <= length[0] <= MAX_CHUNK or stop > size:
                    return
                (tag,) = struct.unpack_from("<H", head, length[1])
                file.seek(start)
                if not self._take(tag, file, start, stop):
                    return
                self._whole = stop


def begun(directory: Path) -> bool:
    """Whether the log's writer has begun: the first thing it writes is the mark of an XDF file."""
    try:
        return (directory / "samples.xdf").stat().st_size >= len(MAGIC)
    except OSError:
        return False
