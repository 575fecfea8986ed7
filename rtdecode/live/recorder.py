"""The recorder: a process of its own that drains the feed into a session log. The core never waits for it.

    core -> Feed -> recorder_main -> session.writer.LogWriter -> disk

Whatever reached the feed is handed to the system within FLUSH_S, so that it survives the death of any process
here; fsync follows every 5 s and at the end, for a loss of power. A disk that refuses ends the recording and
nothing else: the state in the feed tells the core, which raises the alarm.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rtdecode.config import to_json
from rtdecode.errors import RecordingError
from rtdecode.live.config import CoreConfig
from rtdecode.live.feed import ENDED, FAILED, READING, Feed, capacity_here
from rtdecode.live.tape import apply, reason_of
from rtdecode.session.manifest import NAME, Manifest, create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import EVENTS, SAMPLES, LogWriter

FLUSH_S = 0.25
FLUSH_BYTES = 4 << 20
IDLE_S = 0.01
LAST_S = 1.0  # at the end, for what is still in the feed
PATIENCE_S = 1.5  # with one that writes no more, before it is ended


class Recorder:
    """The parent's side. Start it before the core, stop it after.

        with recorded(config, directory, say) as config, Supervisor(config) as core: ...

    feed     name of the ring for CoreConfig.feed
    failure  after `stop`: why the log is not whole, in a sentence; empty when all of it was written. The core
             raises an alarm for what fails while it runs; what fails in the last moments only this one sees
    """

    def __init__(self, directory: Path, about: Manifest):
        self.directory, self._about = directory, about
        self.failure = ""
        self._ring: Feed | None = None
        self._process: Any = None

    @property
    def feed(self) -> str:
        return self._ring.name if self._ring else ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Make the directory and spawn the recorder. RecordingError when the directory is taken."""
        create(self.directory, self._about)
        self._ring = Feed(capacity_here())
        context = multiprocessing.get_context("spawn")
        arguments = (self._ring.name, str(self.directory), os.getpid())
        process = context.Process(target=recorder_main, args=arguments, name="rtdecode-recorder", daemon=True)
        # Ctrl-C while the child imports would end it with a traceback: it inherits this, then ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            process.start()
            self._process = process
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @property
    def waiting(self) -> int:
        """Bytes that it was told and has not taken yet."""
        return self._ring.waiting if self._ring else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def stop(self, patience_s: float = PATIENCE_S) -> None:
        """Let it write what it has, then end it: also before, once it has written nothing for `patience_s`.
        May be called twice."""
        if self._process is not None and self._ring is not None:
            self._ring.finish()
            waiting = -1
            while self._process.is_alive() and waiting != self._ring.waiting:
                waiting = self._ring.waiting
                self._process.join(patience_s)
            hung = self._process.is_alive()
            if hung:
                self._process.kill()
                self._process.join()
            why = self._why(self._ring, hung)
            self.failure = f"the recording {self.directory} is not whole: {why}" if why else ""
            self._process.close()
            self._process = None
        if self._ring is not None:
            self._ring.close()
            self._ring = None
            discard_empty(self.directory)

    def _why(self, ring: Feed, hung: bool) -> str:
        state, errno, _ = ring.reader()
        if state == ENDED:
            return ""
        if state == FAILED:
            return reason_of(errno)
        if hung:
            why = "the recorder hung and was ended"
        else:
            why = f"the recorder ended with code {self._process.exitcode}"
        return f"{why}, {ring.waiting / 1e6:.1f} MB were still to be written"

    def __enter__(self) -> "Recorder":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def recorded(config: CoreConfig, directory: Path | None, say: Callable[[str], None]) -> Iterator[CoreConfig]:
    """The configuration for a core whose session goes into `directory`; as it is without one.

    say  is told, at the end, why the log is not whole. RecordingError when the directory cannot take a log.
    """
    if directory is None:
        yield config
        return
    recorder = Recorder(directory, manifest(Path(config.bundle), to_json(config)))
    try:
        with recorder:
            yield dataclasses.replace(config, feed=recorder.feed)
    finally:
        if recorder.failure:
            say(f"error: {recorder.failure}")


def discard_empty(directory: Path) -> None:
    """Take a log away that never met a stream, so that the same name serves the next try."""
    with contextlib.suppress(RecordingError, OSError):
        if SessionLog(directory).streams:
            return
        for name in (SAMPLES, EVENTS, NAME):
            (directory / name).unlink()
        directory.rmdir()


def recorder_main(feed_name: str, directory: str, parent: int) -> None:
    """Entry point of the spawned process: until the feed is finished, the parent ends, or the disk refuses.

    SIGTERM is no reason to end before the feed is: whoever ends the session ends the core first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    feed = Feed(name=feed_name)
    feed.say(READING)
    feed.touch()
    try:
        log = LogWriter(Path(directory))
    except OSError as problem:
        feed.say(FAILED, problem.errno or 0)
        os._exit(1)
    try:
        _drain(feed, log, parent)
        log.close()
        feed.say(ENDED)
    except OSError as problem:
        with contextlib.suppress(OSError):
            log.abandon()
        feed.say(FAILED, problem.errno or 0)
        os._exit(1)
    except Exception:
        feed.say(FAILED)
        raise
    os._exit(0)


def _drain(feed: Feed, log: LogWriter, parent: int) -> None:
    flush_at, orphaned = 0.0, float("inf")
    while True:
        record = feed.take()
        if record is not None:
            apply(*record, log)
        now = time.monotonic()
        if now >= flush_at or log.waiting() > FLUSH_BYTES:
            flush_at = now + FLUSH_S
            log.flush()
            feed.say(READING, stored=log.size)
            if os.getppid() != parent:
                # the core ends as soon as it sees that, too: what it says until then still belongs here
                orphaned = min(orphaned, now + LAST_S)
        if record is None:
            if feed.finished or now > orphaned:
                return
            time.sleep(IDLE_S)
