"""Recordings that begin and end while the core runs: the parent's side.

    screen -> Recordings -> Recorder (a process) and Supervisor.record (its ring, to the core)

Knows how a recording is begun and ended without anybody waiting; not who asks for it.
"""

import dataclasses
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from rtdecode.config import to_json
from rtdecode.errors import RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.recorder import Recorder
from rtdecode.live.supervisor import Supervisor
from rtdecode.session.manifest import manifest

PATIENCE_S = 3.0  # with a recorder that was told to end and takes nothing more


def directory_for(sessions: Path, stream: str, now: datetime) -> Path:
    """A name that does not exist: the moment and the stream. now: in UTC"""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stream).strip(".-")[:40] or "stream"
    base = f"{now:%Y%m%dT%H%M%SZ}-{name}"
    found, number = sessions / base, 2
    while found.exists():
        found, number = sessions / f"{base}-{number}", number + 1
    return found


@dataclasses.dataclass
class _Ending:
    """A recorder that was told to end. waiting: bytes it had still to take;  until: when it hangs if they are
    still as many"""

    recorder: Recorder
    waiting: int = -1
    until: float = 0.0

    def over(self, now: float) -> bool:
        """Whether it ended, or hangs."""
        if self.recorder.alive and self.recorder.waiting != self.waiting:
            self.waiting, self.until = self.recorder.waiting, now + PATIENCE_S
        return not self.recorder.alive or now > self.until


class Recordings:
    """The recordings of one session, one at a time.

        with Recordings(config, sessions) as recordings:
            with Supervisor(recordings.first(directory)) as core: ...

    sessions  where those go that are begun later
    failures  after `stop`: of the logs that are not whole, why; those found before were told to the core
    """

    def __init__(self, config: CoreConfig, sessions: Path):
        self._config, self._sessions = config, sessions
        self._recorder: Recorder | None = None
        self._ending: list[_Ending] = []
        self.failures: list[str] = []

    @property
    def directory(self) -> Path | None:
        return self._recorder.directory if self._recorder else None

    @property
    def active(self) -> bool:
        """Whether a recorder is at work, and was not told to end."""
        return self._recorder is not None and self._recorder.alive

    def first(self, directory: Path | None) -> CoreConfig:
        """The configuration of a core that records into `directory` from its first sample on.

        RecordingError when that cannot take a log.
        """
        if directory is None:
            return self._config
        self._start(directory)
        assert self._recorder is not None
        return dataclasses.replace(self._config, feed=self._recorder.feed)

    def begin(self, core: Supervisor) -> bool:
        """Record from now on, into a new directory. False when the core took no request.

        Why a recording could not begin is for the core to say, to all who watch.
        """
        if self.active:
            return True
        if self._recorder is not None:  # it ended by itself, which the core may not have noticed yet
            core.stop_recording()
            self._end_recorder()
        if self._config.batch:
            return core.recording_failed("a log is decoded again by one engine, not by a batch of several")
        if self._config.engine == "auto":
            return core.recording_failed("a log names its engine, and auto chooses one anew each time")
        snapshot = core.latest()
        stream = snapshot.stream.name if snapshot and snapshot.stream else self._config.stream or "stream"
        directory = directory_for(self._sessions, stream, datetime.now(UTC))
        try:
            self._start(directory)
        except RtdecodeError as problem:
            reason = problem.__cause__.strerror if isinstance(problem.__cause__, OSError) else ""
            return core.recording_failed(reason or problem.message)
        except OSError as problem:
            return core.recording_failed(f"{problem.strerror or problem}")
        assert self._recorder is not None
        taken = core.record(self._recorder.feed, str(directory))
        if not taken:
            self._end_recorder()
        return taken

    def end(self, core: Supervisor) -> bool:
        """Stop recording. The recorder ends by itself once it has written everything."""
        taken = core.stop_recording()
        self._end_recorder()
        return taken

    def tick(self, core: Supervisor) -> None:
        """Let go of recorders that have ended; end those that hang."""
        for ending in [each for each in self._ending if each.over(time.monotonic())]:
            self._ending.remove(ending)
            ending.recorder.stop(0.1)
            if ending.recorder.failure:
                core.recording_failed(ending.recorder.failure)

    def stop(self) -> None:
        """After the core: let every recorder write what it has."""
        self._end_recorder()
        for ending in self._ending:
            ending.recorder.stop()
            if ending.recorder.failure:
                self.failures.append(ending.recorder.failure)
        self._ending.clear()

    def _start(self, directory: Path) -> None:
        recorder = Recorder(directory, manifest(Path(self._config.bundle), to_json(self._config)))
        try:
            recorder.start()
        except BaseException:
            recorder.stop()
            raise
        self._recorder = recorder

    def _end_recorder(self) -> None:
        if self._recorder is not None:
            self._ending.append(_Ending(self._recorder))
            self._recorder = None

    def __enter__(self) -> "Recordings":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
