"""When decisions were drawn: told by the screen, written down by the core, lost where there is no screen.

Why it matters: what a person sees is late by more than what the decoder says of itself, and a log that does
not hold it cannot tell when somebody could have known.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtdecode.histogram import Histogram
from rtdecode.live.control import AT_ONCE, LIMIT, TIMES, Commands, Drawn, Mark, Orders, encode
from rtdecode.live.desk import SCREEN, Desk
from rtdecode.live.feed import Feed
from rtdecode.live.tape import Tape
from tests.rtdecode.control_room import Room, logged


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def ring() -> Iterator[Feed]:
    feed = Feed(1 << 16)
    yield feed
    feed.close()


def test_it_goes_into_the_log_and_the_session_s_histogram(ring: Feed, tmp_path: Path) -> None:
    room = Room()
    desk = Desk(None, room, Tape(ring))
    desk.do(Drawn((83.254, 90.0)))
    room.seconds = 105.0
    desk.do(Drawn((70.0,)))
    assert room.lines == []  # it is no event: nobody who looks elsewhere is told
    log = logged(ring, tmp_path / "log")
    assert list(log.lines("drawn")) == [
        {"kind": "drawn", "t": 100.0, "ms": [83.25, 90.0]},
        {"kind": "drawn", "t": 105.0, "ms": [70.0]},
    ]
    expected = Histogram()
    for ms in (83.254, 90.0, 70.0):
        expected.add(ms)
    assert desk.finish() == {SCREEN: expected.export()}


def test_without_a_screen_there_is_no_such_stage_and_without_a_log_nothing_is_kept_back() -> None:
    desk = Desk(None, Room(), Tape(None))
    assert desk.finish() == {}
    desk.do(Drawn((0.0,)))
    assert desk.finish()[SCREEN]["count"] == 1


def test_what_was_asked_last_is_done_at_the_end(pipe: tuple[int, int]) -> None:
    """A screen that leaves asks once more and ends the core at once."""
    room = Room()
    desk, screen = Desk(Orders(pipe[0]), room, Tape(None), clock=lambda: 5000.0), Commands(pipe[1])
    assert screen.send(Mark(4999.0, "last")) and screen.send(Drawn((12.0,)))
    assert desk.finish()[SCREEN]["max"] == 12.0
    assert [line["text"] for line in room.lines] == ["1 “last”"]


def test_a_core_that_had_no_time_to_look_does_all_of_it_at_the_end(pipe: tuple[int, int]) -> None:
    room = Room()
    desk, screen = Desk(Orders(pipe[0]), room, Tape(None), clock=lambda: 5000.0), Commands(pipe[1])
    told = Drawn((1e6 / 7,) * 100)
    assert all(screen.send(told) for _ in range(20)) and 20 * len(encode(told)) > 2 * AT_ONCE
    assert screen.send(Mark(4999.0, "last"))
    assert desk.finish()[SCREEN]["count"] == 2000
    assert [line["text"] for line in room.lines] == ["1 “last”"]


def test_lies_are_refused_in_one_line_and_count_nothing(pipe: tuple[int, int]) -> None:
    room = Room()
    desk = Desk(Orders(pipe[0]), room, Tape(None))
    for ms in ([-1.0], [], [1.0] * (TIMES + 1), ["x"], [[1.0]]):
        os.write(pipe[1], json.dumps({"kind": "drawn", "ms": ms}).encode() + b"\n")
    assert desk.finish() == {}
    (line,) = room.lines
    assert line["text"].startswith("5 requests were refused: ") and "no length of time" in line["text"]


def test_the_longest_message_fits_and_a_longer_one_is_not_made() -> None:
    assert len(encode(Drawn((1234567.89,) * TIMES))) < LIMIT
    with pytest.raises(ValueError, match="from 1 to 128"):
        Drawn((1.0,) * (TIMES + 1))
