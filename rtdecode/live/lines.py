"""JSON lines through a pipe that never blocks the writer.

For what must not be overwritten by newer news: every decision, events, errors. What the reader does not fetch
is kept up to a bound; beyond it the oldest lines are dropped and counted, and the count travels with the next
line. Knows nothing of what the lines say.
"""

import contextlib
import json
import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would build an encoder every time
KEPT = 4096  # lines waiting for a slow reader; at 50 decisions/s more than a minute


class LineWriter:
    """The writing end. `closed` turns true when the reader is gone."""

    def __init__(self, fd: int, keep: int = KEPT):
        self._fd = fd
        os.set_blocking(fd, False)
        self._waiting: deque[bytes] = deque()
        self._partial = b""  # the rest of a line of which the pipe took a part
        self._keep = keep
        self._untold = 0
        self.dropped = 0
        self.closed = False
        self.also: Callable[[bytes], None] | None = None  # gets every line, even those dropped here

    @property
    def held(self) -> bool:
        """Whether the pipe has not taken everything yet."""
        return bool(self._partial or self._waiting)

    def send(self, line: dict[str, Any]) -> None:
        """Queue one object (not empty) and write what the pipe takes now."""
        self.write(_ENCODE(line).encode())

    def write(self, line: bytes) -> None:
        """The same for an object that is JSON already, on one line and without its end."""
        if len(self._waiting) >= self._keep:
            self._waiting.popleft()
            self.dropped += 1
            self._untold += 1
        encoded = line + b"\n"
        if not (self.held or self.closed or self._untold):
            self._partial = encoded
        else:
            self._waiting.append(encoded)
        self.flush()
        if self.also is not None:
            self.also(encoded)

    def rehearse(self) -> None:
        """The way of a line, with none: nothing changes."""
        if not (self.held or self.closed):
            with contextlib.suppress(OSError):
                os.write(self._fd, b"")

    def flush(self) -> None:
        """Write as much as fits; never waits."""
        while not self.closed and (self._partial or self._waiting):
            data = self._partial or self._next()
            try:
                written = os.write(self._fd, data)
            except BlockingIOError:
                written = 0
            except OSError:
                self.closed = True
                return
            self._partial = data[written:]
            if self._partial:
                return

    def _next(self) -> bytes:
        """The oldest line kept. The dropped ones came just before it: it tells how many."""
        line = self._waiting.popleft()
        if self._untold:
            line = b'{"dropped": %d, ' % self._untold + line[1:]
            self._untold = 0
        return line

    def drain(self, timeout_s: float) -> None:
        """Before the end: wait up to `timeout_s` for the reader to take the rest."""
        deadline = time.monotonic() + timeout_s
        self.flush()
        while not self.closed and self._partial and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._fd], [], left)
            self.flush()


class LineReader:
    """The reading end. `closed` turns true when the writer is gone and everything was read."""

    def __init__(self, fd: int):
        self._fd = fd
        self._rest = b""
        self.closed = False

    def read(self, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        """Lines that are there, waiting up to `timeout_s` for one; the last, if cut off, is dropped."""
        lines: list[dict[str, Any]] = []
        while not self.closed and select.select([self._fd], [], [], 0.0 if lines else timeout_s)[0]:
            data = os.read(self._fd, 1 << 16)
            if not data:
                self.closed = True
                break
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                with contextlib.suppress(ValueError):
                    lines.append(json.loads(line))
            if not lines:  # a long line arrived in part: its rest is on the way
                continue
            if len(lines) >= KEPT:
                break
        return lines
