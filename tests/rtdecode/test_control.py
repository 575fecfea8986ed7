"""What the screen asks of the core: read in any pieces, refused in words, done in the log and on the screen.

Why it matters: a mark is the only tie between a session and the world, and no key may ever end the decoder.
"""

import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.errors import RecordingError
from rtdecode.live import control
from rtdecode.live.config import CoreConfig
from rtdecode.live.control import (
    LIMIT,
    Command,
    Commands,
    Label,
    Mark,
    Orders,
    Parser,
    Reconnect,
    Record,
    RecordingFailed,
    Refused,
    ResetCounters,
    StopRecording,
    encode,
    one_line,
)
from rtdecode.live.desk import Desk, Joined
from rtdecode.live.feed import FAILED, READING, Feed
from rtdecode.live.redecode import compare
from rtdecode.live.sessions import Recordings, directory_for
from rtdecode.live.story import Story
from rtdecode.live.supervisor import Supervisor
from rtdecode.live.tape import Tape, apply
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import Run, SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.snapshot import Event, Recording
from rtdecode.sources.lsl import Search
from rtdecode.sources.markers import Marks
from rtdecode.types import StreamInfo

INFO = StreamInfo("EEG", "EEG", ("Fz", "Cz"), ("uV", "uV"), 100.0, "id", "uid", "lab")
EVERY: list[Command] = [
    Mark(12.5, "block 2 [/b] “start”"),
    Label("x"),
    Record("psm_1a2b", "sessions/a"),
    StopRecording(),
    RecordingFailed("no room"),
    Reconnect(),
    ResetCounters(),
]


def wire(*commands: Command) -> bytes:
    return b"".join(encode(command) + b"\n" for command in commands)


class TestMessages:
    @pytest.mark.parametrize("size", [1, 7, 100_000])
    def test_every_kind_comes_through_in_any_pieces(self, size: int) -> None:
        parser, data = Parser(), wire(*EVERY)
        found = [order for at in range(0, len(data), size) for order in parser.feed(data[at : at + size])]
        assert found == EVERY
        assert {type(command) for command in EVERY} == set(control.KINDS.values())

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            (b"hello", "not JSON"),
            (b"[1]", "not an object"),
            (b'{"kind": "exec", "text": "rm"}', "kind is 'exec'"),
            (b'{"kind": ["mark"]}', "kind is ['mark']"),
            (b'{"kind": "mark"}', "lacks the key 't'"),
            (b'{"kind": "mark", "t": true}', "of type float"),
            (b'{"kind": "mark", "t": NaN}', "no time of a clock"),
            (b'{"kind": "mark", "t": -1}', "no time of a clock"),
            (b'{"kind": "mark", "t": 1, "now": 2}', "unknown key 'now'"),
            (b'{"kind": "mark", "t": 1' + b"0" * 400 + b"}", "too large"),
            (b'{"kind": "record", "feed": "../../etc/passwd"}', "no name of shared memory"),
            (b'{"kind": "reconnect", "to": "x"}', "unknown key 'to'"),
            (b"[" * 4000, "not JSON"),
            (b"9" * 4090, "not"),
            (b"x" * LIMIT, f"more than {LIMIT} bytes"),
            (b"\xff\xfe", "not JSON"),
        ],
    )
    def test_what_is_no_message_is_refused_in_words_and_the_next_is_heard(
        self, line: bytes, why: str
    ) -> None:
        refused, after = Parser().feed(line + b"\n" + wire(Reconnect()))
        assert isinstance(refused, Refused) and why in refused.why
        assert refused.why.isprintable()
        assert after == Reconnect()

    def test_an_endless_line_is_kept_in_no_memory_and_said_once(self) -> None:
        parser = Parser()
        found = [order for _ in range(100) for order in parser.feed(b"z" * 1000)]
        assert [type(order) for order in found] == [Refused]
        assert parser.feed(b"z\n" + wire(Reconnect())) == [Reconnect()]

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([wire(c) for c in EVERY])), max_size=8)
    )
    def test_whatever_comes_nothing_is_raised_and_pieces_do_not_matter(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        whole = Parser().feed(data)
        parser = Parser()
        assert [order for byte in data for order in parser.feed(bytes([byte]))] == whole
        assert all(order.why.isprintable() for order in whole if isinstance(order, Refused))

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=2000))
    def test_a_label_fits_whatever_it_says(self, text: str) -> None:
        (found,) = Parser().feed(wire(Mark(1.0, one_line(text))))
        assert isinstance(found, Mark)
        assert found.text == one_line(text) and found.text.isprintable() and len(found.text) <= 200

    def test_a_message_that_is_too_long_is_not_sent(self) -> None:
        with pytest.raises(ValueError, match="the limit is 4096"):
            encode(Label("x" * LIMIT))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            continue


class TestPipe:
    def test_asked_and_fetched(self, pipe: tuple[int, int]) -> None:
        orders, commands = Orders(pipe[0]), Commands(pipe[1])
        assert orders.poll() == []
        for command in EVERY:
            assert commands.send(command)
        assert orders.poll() == EVERY
        assert orders.poll() == [] and not orders.closed

    def test_a_core_that_fetches_nothing_is_told_no_more(self, pipe: tuple[int, int]) -> None:
        orders, commands = Orders(pipe[0]), Commands(pipe[1])
        sent = 0
        while commands.send(Label("x" * 190)):
            sent += 1
        assert 100 < sent < 2000
        found: list[Any] = []
        while got := orders.poll():
            found += got
            commands.send(Label("later")) if not found[100:] else None
        assert all(isinstance(order, Label) for order in found)
        assert len(found) >= sent

    def test_both_ends_survive_the_other(self, pipe: tuple[int, int]) -> None:
        orders, commands = Orders(pipe[0]), Commands(pipe[1])
        os.close(pipe[1])
        assert orders.poll() == [] and orders.closed and orders.poll() == []
        reading, writing = os.pipe()
        commands = Commands(writing)
        os.close(reading)
        assert not commands.send(Reconnect())
        os.close(writing)


class Room:
    """A session whose clocks stand where the test puts them."""

    def __init__(self) -> None:
        self.story = Story()
        self.lines: list[dict[str, Any]] = []
        self.seconds = 100.0
        self.where: Joined | None = None
        self.asked: list[str] = []

    def say(self, level: str, text: str, at: float | None = None, **more: Any) -> Event:
        event = self.story.event(self.seconds if at is None else at, level, text)
        self.lines.append({"level": level, "text": text, **more})
        return event

    def amend(self, before: Event, after: Event, **more: Any) -> None:
        self.story.amend(before, after)
        self.lines.append({"level": after.level, "text": after.text, **more})

    def elapsed(self) -> float:
        return self.seconds

    def joined(self) -> Joined | None:
        return self.where

    def reconnect(self) -> None:
        self.asked.append("reconnect")

    def reset_counters(self) -> dict[str, int]:
        return {"late": 3, "lost": 0, "gaps": 1}


class TestDesk:
    @pytest.fixture
    def room(self) -> Room:
        return Room()

    @pytest.fixture
    def desk(self, room: Room) -> Desk:
        return Desk(None, room, Tape(None), clock=lambda: 5000.0)

    def test_a_mark_stands_where_the_key_was_pressed(self, room: Room, desk: Desk) -> None:
        desk.do(Mark(4999.75))
        desk.do(Mark(4990.0, "block 2"))
        assert [(event.t, event.level, event.text) for event in room.story.events] == [
            (99.75, "mark", "1"),
            (90.0, "mark", "2 “block 2”"),
        ]
        assert room.lines[1] == {
            "level": "mark",
            "text": "2 “block 2”",
            "t_local": 4990.0,
            "mark": 2,
            "label": "block 2",
        }

    def test_the_newest_mark_is_labelled_anew_and_keeps_its_time(self, room: Room, desk: Desk) -> None:
        desk.do(Label("too early"))
        desk.do(Mark(4999.0))
        desk.do(Label("a"))
        desk.do(Label("b [/b]"))
        assert [event.text for event in room.story.events] == [
            "there is no mark yet to be labelled",
            "1 “b [/b]”",
        ]
        assert room.story.events[1].t == 99.0
        assert room.lines[-1] == {"level": "mark", "text": "1 “b [/b]”", "t_local": 4999.0, "mark": 1,
                                  "label": "b [/b]"}  # fmt: skip

    def test_a_mark_from_the_future_is_refused(self, room: Room, desk: Desk) -> None:
        desk.do(Mark(5002.0))
        assert desk.marks == 0
        assert "2.0 s ahead" in room.lines[0]["text"]

    def test_a_flood_of_nonsense_is_one_line(self, room: Room, pipe: tuple[int, int]) -> None:
        desk = Desk(Orders(pipe[0]), room, Tape(None), clock=lambda: 5000.0)
        os.write(pipe[1], b"nonsense\n" * 400)
        os.write(pipe[1], wire(Mark(4999.0)))
        desk.poll()
        assert [line["text"] for line in room.lines] == ["1", "400 requests were refused: it is not JSON"]

    def test_counters_and_connection(self, room: Room, desk: Desk) -> None:
        desk.do(Reconnect())
        desk.do(ResetCounters())
        assert room.asked == ["reconnect"]
        assert room.lines[-1]["text"] == "counters start again from 0; they were late 3, gaps 1"
        assert room.lines[-1]["counters"] == {"late": 3, "lost": 0, "gaps": 1}


class TestRecording:
    @pytest.fixture
    def ring(self) -> Iterator[Feed]:
        feed = Feed(1 << 16)
        yield feed
        feed.close()

    def log(self, feed: Feed, path: Path) -> SessionLog:
        create(path, manifest(None, {}))
        writer = LogWriter(path)
        while record := feed.take():
            apply(*record, writer)
        writer.close()
        return SessionLog(path)

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
        log = self.log(ring, tmp_path / "log")
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


def test_a_stream_marker_has_its_own_time_and_ours() -> None:
    marks = Marks("none", search=cast(Search, _NoSearch()))
    marks.close()
    marks.put(12.0, ["word"])
    marks.put(13.0, ["word"], offset_s=0.5)
    marks.put(math.nan, ["word"], offset_s=0.5)
    said = [times for level, _, times in marks.news() if level == "mark"]
    assert said == [{"stamp": 12.0}, {"stamp": 13.0, "t_local": 13.5}, {"stamp": 0.0}]


class _Core:
    """A Supervisor that only listens."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def latest(self) -> None: ...

    def recording_failed(self, why: str) -> bool:
        self.said.append(why)
        return True


class _NoSearch:
    def take(self) -> None: ...

    def stop(self) -> None: ...


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
