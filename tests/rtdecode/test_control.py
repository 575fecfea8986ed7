"""What the screen asks of the core: read in any pieces, refused in words, done in the log and on the screen.

Why it matters: a mark is the only tie between a session and the world, and no key may ever end the decoder.
"""

import math
import os
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.live import control
from rtdecode.live.control import (
    LIMIT,
    Command,
    Commands,
    Drawn,
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
from rtdecode.live.desk import Desk
from rtdecode.live.tape import Tape
from rtdecode.sources.lsl import Search
from rtdecode.sources.markers import Marks
from tests.rtdecode.control_room import Room

EVERY: list[Command] = [
    Mark(12.5, "block 2 [/b] “start”"),
    Label("x"),
    Record("psm_1a2b", "sessions/a"),
    StopRecording(),
    RecordingFailed("no room"),
    Reconnect(),
    ResetCounters(),
    Drawn((83.25, 0.0, 1.5)),
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
            (b'{"kind": "drawn", "ms": []}', "holds 0 times"),
            (b'{"kind": "drawn", "ms": [' + b"1," * 128 + b"1]}", "holds 129 times, from 1 to 128"),
            (b'{"kind": "drawn", "ms": [1, -0.5]}', "no length of time"),
            (b'{"kind": "drawn", "ms": [1e999]}', "no length of time"),
            (b'{"kind": "drawn", "ms": [NaN]}', "no length of time"),
            (b'{"kind": "drawn", "ms": ["1"]}', "of type float"),
            (b'{"kind": "drawn", "ms": 5}', "should be a list"),
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


def test_a_stream_marker_has_its_own_time_and_ours() -> None:
    marks = Marks("none", search=cast(Search, _NoSearch()))
    marks.close()
    marks.put(12.0, ["word"])
    marks.put(13.0, ["word"], offset_s=0.5)
    marks.put(math.nan, ["word"], offset_s=0.5)
    said = [times for level, _, times in marks.news() if level == "mark"]
    assert said == [{"stamp": 12.0}, {"stamp": 13.0, "t_local": 13.5}, {"stamp": 0.0}]


class _NoSearch:
    def take(self) -> None: ...

    def stop(self) -> None: ...
