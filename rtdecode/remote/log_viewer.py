"""A session log as a Watcher: what somebody else's decoder or recorder writes down, as its screen shows it.

Needs no socket and no part of the session: it reads the files as they grow, in a thread. A log that was
closed, or that nobody writes any more, is shown as LOST with the reason. Drawing is the screen's business.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtdecode.errors import RtdecodeError
from rtdecode.remote.log_picture import LogPicture
from rtdecode.session.manifest import load
from rtdecode.session.tail import LineTail, SampleTail, begun
from rtdecode.session.writer import EVENTS, SAMPLES
from rtdecode.snapshot import Snapshot, State

PERIOD_S = 0.1  # the recorder hands over four times a second
SILENT_S = 12.0  # health comes every five: after so long nobody writes any more
CATCH_UP_S = 15.0  # of signal shown at first: what the screen holds, and room for its filter to settle


class LogViewer:
    """Follows the log in `directory` until `stop`.

    where    what it looks at, for the screen
    refused  always None: a log that cannot be read is refused at once
    """

    refused: RtdecodeError | None = None

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ):
        """RecordingError when it is no log, or one of a newer version."""
        self.where = str(directory)
        self._directory, self._clock, self._wall = directory, clock, wall
        self._picture = LogPicture(load(directory))
        self._lines = LineTail(directory / EVENTS)
        self._samples: SampleTail | None = None
        self._read: dict[int, int] = {}  # samples shown, by stream
        self._grown = clock()
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log viewer", daemon=True)

    def start(self) -> "LogViewer":
        self._thread.start()
        return self

    def latest(self) -> Snapshot | None:
        """The newest snapshot; None before the first look."""
        with self._lock:
            return self._snapshot

    def stop(self) -> None:
        """Read no more. May be called twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    # --- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(PERIOD_S)

    def look(self) -> None:
        """Read what is new and make a snapshot of it."""
        now, reason = self._clock(), ""
        try:
            if not begun(self._directory):
                reason = f"nothing is recorded in {self.where} yet"
            elif self._take(now):
                self._grown = now
        except OSError as problem:
            reason = f"cannot read {self.where}: {problem.strerror}"
        except RtdecodeError as problem:
            reason = problem.message
        snapshot = self._said(now, reason)
        with self._lock:
            self._snapshot = snapshot

    def _take(self, now: float) -> bool:
        """Whether anything was new."""
        first = self._samples is None
        written = now - max(0.0, self._wall() - self._changed()) if first else now
        any_line = False
        while lines := self._lines.grow():
            any_line = True
            for line in lines:
                self._picture.line(line)
            if self._stopping.is_set():
                return True
        if any_line:
            self._picture.written(written)
        if self._samples is None:
            self._samples = SampleTail(self._directory / SAMPLES)
        else:
            self._samples.grow()
        new = self._signal(self._samples)
        if first:
            self._grown = written
            return False
        return any_line or new

    def _signal(self, samples: SampleTail) -> bool:
        """Show what samples are new, of the newest connection; the last seconds of a long log."""
        counts = samples.counts
        new = any(count > self._read.get(ident, 0) for ident, count in counts.items())
        ident = self._picture.stream
        if ident in counts:
            info, stop = samples.streams[ident].info, counts[ident]
            start = max(self._read.get(ident, 0), stop - round(CATCH_UP_S * (info.sfreq or 1.0)))
            if stop > start:
                self._picture.signal(info, samples.read(ident, start, stop).data, start)
        self._read = counts
        return new

    def _changed(self) -> float:
        """When the log was written last, by the wall clock."""
        return max(os.stat(self._directory / name).st_mtime for name in (EVENTS, SAMPLES))

    def _said(self, now: float, reason: str) -> Snapshot:
        if not self._picture.begun:
            return Snapshot(State.CONNECTING, detail=reason, published=now)
        snapshot = self._picture.snapshot(now)
        silent_s = now - self._grown
        if self._picture.closed:
            reason = "the session ended; its log is closed"
        elif silent_s > SILENT_S:
            reason = f"nothing was written for {silent_s:.0f} s: its writer stopped, or its disk is full"
        if not reason:
            return snapshot
        state = State.FAILED if snapshot.state is State.FAILED else State.LOST
        detail = snapshot.detail if state is State.FAILED else reason
        return replace(snapshot, state=state, state_s=max(0.0, silent_s), detail=detail)
