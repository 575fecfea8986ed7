"""A recording begun and ended by a running session: where it starts, why it cannot, what its log then holds.

Why it matters: what was recorded cannot be recorded again, and a log that is compared with a decoding later
must say from where it is whole.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from rtdecode.errors import RecordingError
from rtdecode.live.config import CoreConfig
from rtdecode.live.control import Record, RecordingFailed, StopRecording
from rtdecode.live.desk import Desk, Joined
from rtdecode.live.feed import FAILED, READING, Feed
from rtdecode.live.redecode import compare
from rtdecode.live.sessions import Recordings, directory_for
from rtdecode.live.supervisor import Supervisor
from rtdecode.live.tape import Tape
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import Run, SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.snapshot import Recording
from rtdecode.types import StreamInfo
from tests.rtdecode.control_room import Room, logged

INFO = StreamInfo("EEG", "EEG", ("Fz", "Cz"), ("uV", "uV"), 100.0, "id", "uid", "lab")


class _Core:
    """A Supervisor that only listens."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def latest(self) -> None: ...

    def recording_failed(self, why: str) -> bool:
        self.said.append(why)
        return True


class TestRecording:
    @pytest.fixture
    def ring(self) -> Iterator[Feed]:
        feed = Feed(1 << 16)
        yield feed
        feed.close()

    def test_begun_in_the_middle_it_says_so_and_counts_from_there(self, ring: Feed, tmp_path: Path) -> None:
        room, tape = Room(), Tape(None)
        desk = Desk(None, room, tape)
        room.where = Joined(INFO, None, 3, 250, 1250)
        tape.samples(np.ones((5, 2), np.float32), np.arange(5.0))  # before: nowhere
        desk.do(Record(ring.name, "sessions/x"))
        assert room.lines[-1]["text"] == "recording into sessions/x: run 3 is joined 2.5 s after it began"
        tape.clock(1.0, 0.5)  # no sample is there yet that it could belong to
        tape.samples(np.zeros((100, 2), np.float32), np.arange(100) / 100)
        tape.clock(2.0, 0.5)
        tape.run(4, 1310)  # of the connection; the 60th of the log
        tape.connected(INFO, None, 5)
        tape.samples(np.zeros((10, 2), np.float32), 50 + np.arange(10) / 100)
        tape.run(6, 5)
        desk.do(StopRecording())
        assert room.lines[-1]["text"] == "recording stopped after 0 kB"
        assert tape.recording is None and ring.finished is False
        log = logged(ring, tmp_path / "log")
        assert [(r.run, r.stream, r.start, r.stop, r.before) for r in log.runs()] == [
            (3, 1, 0, 60, 250),
            (4, 1, 60, 100, 0),
            (5, 2, 0, 5, 0),
            (6, 2, 5, 10, 0),
        ]
        assert log.streams[1].offsets == ((2.0, 0.5),)
        assert log.unrecorded() == 0

    @pytest.mark.parametrize("size", [0, 16, 4096])
    def test_what_is_no_ring_is_refused(self, size: int) -> None:
        room, tape = Room(), Tape(None)
        other = SharedMemory(create=True, size=size) if size else None
        Desk(None, room, tape).do(Record(other.name if other else "no-such-memory-here"))
        assert room.lines[-1]["level"] == "error"
        assert tape.recording and tape.recording.failed and not tape.busy
        if other:
            other.close()
            other.unlink()

    def test_a_failure_stays_until_the_next_recording(self, ring: Feed) -> None:
        room, tape = Room(), Tape(None)
        desk = Desk(None, room, tape)
        desk.do(Record(ring.name))
        desk.do(Record(ring.name))
        assert room.lines[-1]["text"] == "already recording: stop it first"
        reader = Feed(name=ring.name)
        reader.say(READING, stored=38_240_000)
        assert tape.alarms(10.0) == []
        assert tape.recording == Recording(38.24)
        reader.say(FAILED, 28)
        assert tape.alarms(11.0)[0][1].startswith("recording failed: disk full")
        assert tape.recording == Recording(failed="disk full")
        desk.do(StopRecording())
        assert tape.recording == Recording(failed="disk full")
        desk.do(Record(ring.name))
        assert tape.recording == Recording()
        reader.close()
        tape.detach()

    def test_it_could_not_even_begin(self) -> None:
        room, tape = Room(), Tape(None)
        Desk(None, room, tape).do(RecordingFailed("cannot record into x: No space left on device"))
        assert tape.recording == Recording(failed="cannot record into x: No space left on device")
        assert room.lines[-1]["level"] == "error"

    @pytest.mark.parametrize(
        ("engine", "why"), [("auto", "auto chooses one anew"), ("onnx", "Not a directory")]
    )
    def test_why_it_cannot_begin_reaches_the_core(self, tmp_path: Path, engine: str, why: str) -> None:
        (tmp_path / "taken").write_text("a file where the sessions should go")
        (tmp_path / "bundle.json").write_text('{"name": "b"}')
        core = _Core()
        with Recordings(CoreConfig(str(tmp_path), engine=engine), tmp_path / "taken") as recordings:
            assert recordings.begin(cast(Supervisor, core))
            assert not recordings.active and recordings.directory is None
        (said,) = core.said
        assert why in said

    def test_names_of_directories(self, tmp_path: Path) -> None:
        now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
        first = directory_for(tmp_path, "../EEG [x]/..", now)
        assert first == tmp_path / "20260304T050607Z-EEG-x"
        first.mkdir()
        assert directory_for(tmp_path, "../EEG [x]/..", now).name == "20260304T050607Z-EEG-x-2"
        assert directory_for(tmp_path, "///", now).name == "20260304T050607Z-stream"


def test_a_directory_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match="No space left"):
        create(tmp_path / "log", manifest(None, {}))
    assert list(tmp_path.iterdir()) == []


def test_only_what_the_log_holds_from_its_beginning_is_compared() -> None:
    """Run 3 was joined, run 4 is of the same connection, run 5 of the next."""
    runs = [Run(3, 1, 0, 60, 0.0, 250), Run(4, 1, 60, 100, 1.0), Run(5, 2, 0, 50, 2.0)]

    def decided(run: int, t: float, text: str = "a") -> dict[str, Any]:
        return {"index": 0, "run": run, "sample": 32, "t": t, "retrieved": None, "text": text, "warnings": []}

    logged = [decided(3, 1.0), decided(4, 2.0), decided(5, 3.0)]
    found = compare(logged, [decided(4, 2.001), decided(5, 3.0)], runs=runs)
    assert found.same and found.logged == 2 and found.joined == 1 and found.untimed
    assert not compare(logged, [decided(4, 2.0), decided(5, 3.001)], runs=runs).same
    assert not compare(logged, [decided(4, 2.0, "b"), decided(5, 3.0)], runs=runs).same
    assert not compare(logged, logged[1:]).same


def test_the_log_line_of_a_mark_reads_back(tmp_path: Path) -> None:
    create(tmp_path / "log", manifest(None, {}))
    writer = LogWriter(tmp_path / "log")
    line = {
        "kind": "event",
        "t": 100.0,
        "level": "mark",
        "text": "1",
        "t_local": 4999.5,
        "mark": 1,
        "label": "",
    }
    writer.line(json.dumps(line).encode() + b"\n")
    writer.close()
    (found,) = SessionLog(tmp_path / "log").lines("event")
    assert found == line
