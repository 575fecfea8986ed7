"""A command of rtdecode as its user has it: in a pseudo-terminal that is read all the time.

Measures the memory of its processes, presses keys, and sees what was drawn. Knows nothing of streams.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

WARM_SHARE = 0.5  # of the time, before growth is judged: caches of 30 s and the allocator fill first
SIZE, LARGE = (36, 120), (45, 180)
SOON_S = 60.0  # for what must come: the screen, a listener, the last samples
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def until(holds: Callable[[], bool], seconds: float = SOON_S) -> None:
    """Until it holds, or so many seconds are over."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


class Terminal:
    """`rtdecode ARGUMENTS` in a pseudo-terminal that is read all the time."""

    def __init__(self, arguments: list[str]):
        self._master, slave = os.openpty()
        self._process: Any = None
        self._resize(*SIZE)
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):  # the terminal has a size of its own
            env.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rtdecode", *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=env,
        )  # fmt: skip
        os.close(slave)
        self.seen, self.traceback = bytearray(), False  # what was drawn last; whether one ever was
        self._memory: dict[str, list[tuple[float, float]]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
        self._reader.join(2.0)
        os.close(self._master)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if self._process is not None:  # the terminal is not the one that controls it: nobody else tells it
            self._process.send_signal(signal.SIGWINCH)

    def _read(self) -> None:
        while True:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._master, 1 << 16)
                except OSError:  # the other end is closed
                    return
                self.traceback = self.traceback or b"Traceback" in self.seen
                del self.seen[: -(1 << 17)]
            elif not self.alive:
                return

    def drawn_anew(self, counters: dict[str, int]) -> list[str]:
        """Make it draw everything, by another size; which counters it does not show then."""
        self.seen.clear()
        missing = {f"{what} {n}" for what, n in counters.items()}

        def shown() -> bool:
            text = self.text()
            missing.difference_update([words for words in missing if words in text])
            return not missing or not self.alive

        self._resize(*LARGE)
        until(shown, SOON_S / 4)
        return sorted(missing)

    def leave(self) -> int:
        """Press q, and y where it asks whether the recording may end; the exit code."""
        self.seen.clear()
        self._press(b"q")
        until(lambda: not self.alive or "leave?" in self.text(), SOON_S / 4)
        self._press(b"y")
        until(lambda: not self.alive, SOON_S / 4)
        found = self._process.poll()
        return -1 if found is None else found

    def _press(self, key: bytes) -> None:
        if self.alive:
            with suppress(OSError):
                os.write(self._master, key)

    def text(self) -> str:
        """What was drawn, without colours and places."""
        return _ESCAPES.sub("", self.seen.decode(errors="replace"))

    def measure(self) -> None:
        """Note the memory of the screen and of its children."""
        now = time.monotonic()
        for pid, what in self._parts().items():
            with suppress(OSError, ValueError, IndexError):
                # without what is shared: the ring between core and recorder is touched page by page
                _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
                mb = (resident - shared) * os.sysconf("SC_PAGE_SIZE") / 1e6
                self._memory.setdefault(what, []).append((now, mb))

    def _parts(self) -> dict[int, str]:
        """Process ids with names: a decoder has a network loaded, a recorder has none."""
        found = {self._process.pid: "screen"}
        with suppress(OSError):
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
            for pid in map(int, children.split()):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    maps = Path(f"/proc/{pid}/maps").read_text()
                    found[pid] = "core" if "onnxruntime" in maps else "recorder"
        return found

    def rss(self) -> dict[str, float]:
        return {what: values[-1][1] for what, values in self._memory.items()}

    def slopes(self) -> dict[str, float]:
        """MB per minute after warming up, by process."""
        found = {}
        for what, values in self._memory.items():
            t, mb = np.array(values).T
            warm = t > t[0] + WARM_SHARE * (t[-1] - t[0])
            if warm.sum() >= 8:
                found[what] = float(np.polyfit(t[warm] / 60, mb[warm], 1)[0])
        return found

    def said(self) -> str:
        return ", ".join(f"{what} {mb:.0f} MB" for what, mb in self.rss().items())
