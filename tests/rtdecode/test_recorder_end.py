"""The last moments of a recording, with real recorder processes: what is missing is said, and why.

Why it matters: the core raises an alarm for what fails while it runs. What fails after it ended would
otherwise be found by whoever opens the log.
"""

import os
import resource
import signal
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from rtdecode.live.config import CoreConfig
from rtdecode.live.feed import ENDED, Feed
from rtdecode.live.recorder import Recorder, recorded
from rtdecode.live.sessions import PATIENCE_S, Recordings, _Ending
from rtdecode.live.supervisor import Supervisor
from rtdecode.live.tape import Tape
from rtdecode.session.manifest import manifest
from rtdecode.session.reader import SessionLog
from rtdecode.types import StreamInfo

INFO = StreamInfo("EEG", "EEG", ("Fz", "Cz"), ("uV", "uV"), 100.0, "id", "uid", "lab")


def said_to(feed: str, samples: int = 10_000) -> None:
    """A core's end of the feed: it tells so many samples, and ends."""
    tape = Tape(Feed(name=feed))
    tape.connected(INFO, None, 1)
    tape.samples(np.ones((samples, 2), np.float32), np.arange(samples) / 100.0)
    tape.detach()


def one(folder: Path) -> Recorder:
    return Recorder(folder / "log", manifest(None, {}))


def holds_the_log(pid: int | None, folder: Path) -> None:
    """Until that process has the log open."""
    deadline = time.monotonic() + 20
    path = str((folder / "log/samples.xdf").resolve())
    while not any(file.path == path for file in psutil.Process(pid).open_files()):
        assert time.monotonic() < deadline, "the recorder never opened its log"
        time.sleep(0.01)


def ended(recorder: Recorder) -> None:
    deadline = time.monotonic() + 10
    while recorder.alive:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_of_it_was_written(tmp_path: Path) -> None:
    with one(tmp_path) as recorder:
        said_to(recorder.feed)
    assert recorder.failure == ""
    assert SessionLog(tmp_path / "log").closed
    recorder.stop()  # once more
    assert recorder.failure == ""


def test_the_disk_refuses_what_was_said_last(tmp_path: Path) -> None:
    with one(tmp_path) as recorder:
        holds_the_log(recorder.pid, tmp_path)
        assert recorder.pid
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
        said_to(recorder.feed)
    assert recorder.failure == f"the recording {tmp_path / 'log'} is not whole: disk full"


def test_the_recorder_died(tmp_path: Path) -> None:
    with one(tmp_path) as recorder:
        holds_the_log(recorder.pid, tmp_path)
        assert recorder.pid
        os.kill(recorder.pid, signal.SIGKILL)
        ended(recorder)
        said_to(recorder.feed)
    assert recorder.failure.endswith("the recorder ended with code -9, 0.2 MB were still to be written")


def test_the_recorder_hangs(tmp_path: Path) -> None:
    with one(tmp_path) as recorder:
        holds_the_log(recorder.pid, tmp_path)
        assert recorder.pid
        os.kill(recorder.pid, signal.SIGSTOP)
        said_to(recorder.feed)
        recorder.stop(0.1)
    assert recorder.failure.endswith("the recorder hung and was ended, 0.2 MB were still to be written")


def test_a_slow_disk_is_waited_for_as_long_as_it_writes(tmp_path: Path) -> None:
    class Slow:
        """A recorder that writes one record whenever it is waited for; nothing here has so slow a disk."""

        exitcode = 0
        _reader: Feed

        def is_alive(self) -> bool:
            return self._reader.waiting > 0

        def join(self, timeout_s: float) -> None:
            self._reader.take()
            if not self.is_alive():
                self._reader.say(ENDED)

        def kill(self) -> None:
            raise AssertionError("it was writing")

        def close(self) -> None:
            self._reader.close()

    recorder = one(tmp_path)
    recorder._ring = Feed(1 << 16)
    tape, slow = Tape(None), Slow()
    slow._reader = Feed(name=recorder._ring.name)
    tape.attach(Feed(name=recorder._ring.name))
    for _ in range(50):
        tape.line(b"{}\n")
    tape.detach()
    recorder._process = slow
    recorder.stop(0.1)
    assert recorder.failure == ""


def test_headless_it_is_told_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text('{"name": "b"}')
    said: list[str] = []
    with recorded(CoreConfig(str(tmp_path)), tmp_path / "log", said.append) as config:
        recorder = psutil.Process().children(recursive=True)
        deadline = time.monotonic() + 20
        while not (found := [child.pid for child in recorder if writes(child, tmp_path)]):
            assert time.monotonic() < deadline
            recorder = psutil.Process().children(recursive=True)
        os.kill(found[0], signal.SIGSTOP)
        said_to(config.feed)
        os.kill(found[0], signal.SIGKILL)
    (sentence,) = said
    assert sentence.startswith(f"error: the recording {tmp_path / 'log'} is not whole: the recorder ended")


def writes(process: psutil.Process, folder: Path) -> bool:
    try:
        return any(file.path == str(folder / "log/samples.xdf") for file in process.open_files())
    except psutil.Error:
        return False


def test_one_that_is_ending_hangs_once_it_takes_nothing_more(tmp_path: Path) -> None:
    recorder = one(tmp_path)
    recorder._ring, recorder._process = Feed(1 << 16), Alive()
    reader, tape = Feed(name=recorder.feed), Tape(Feed(name=recorder.feed))
    for _ in range(3):
        tape.line(b"{}\n")
    ending = _Ending(recorder)
    assert not ending.over(100.0)
    assert not ending.over(100.0 + PATIENCE_S)
    reader.take()
    assert not ending.over(100.0 + 1.5 * PATIENCE_S)
    assert not ending.over(100.0 + 2.5 * PATIENCE_S)
    assert ending.over(100.1 + 2.5 * PATIENCE_S)
    tape.detach()
    reader.close()
    recorder._ring.close()


class Alive:
    """A process that does not end."""

    def is_alive(self) -> bool:
        return True


class _Core:
    """A Supervisor that only listens."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def latest(self) -> None: ...

    def record(self, feed: str, into: str) -> bool:
        said_to(feed)
        return True

    def stop_recording(self) -> bool:
        return True

    def recording_failed(self, why: str) -> bool:
        self.said.append(why)
        return True


@pytest.mark.parametrize("later", [True, False])
def test_one_begun_on_the_screen_is_told_to_the_core_or_at_the_end(tmp_path: Path, later: bool) -> None:
    (tmp_path / "bundle.json").write_text('{"name": "b"}')
    core: Any = _Core()
    with Recordings(CoreConfig(str(tmp_path), "EEG"), tmp_path / "sessions") as recordings:
        assert recordings.begin(cast(Supervisor, core))
        recorder = recordings._recorder
        assert recorder and recorder.pid
        os.kill(recorder.pid, signal.SIGKILL)
        ended(recorder)
        assert recordings.end(core)
        if later:
            recordings.tick(core)
            (sentence,) = core.said
    if not later:
        assert core.said == []
        (sentence,) = recordings.failures
    assert sentence.startswith(f"the recording {recorder.directory} is not whole: the recorder ended")
    assert recordings.failures == ([] if later else [sentence])
