"""The ring between core and recorder: nothing lost, nothing invented, nobody waits; and the alarms.

Why it matters: a record that is torn or lost in silence would make the session log a lie.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.live import feed as feed_module
from rtdecode.live.feed import FAILED, READING, Feed, capacity_here
from rtdecode.live.tape import SILENT_S, Tape, apply
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.types import StreamInfo

INFO = StreamInfo("EEG", "EEG", ("Fz", "Cz"), ("microvolts", "microvolts"), 100.0, "id", "uid", "host")


@pytest.fixture
def ring() -> Iterator[tuple[Feed, Feed]]:
    writer = Feed(4096)
    reader = Feed(name=writer.name)
    yield writer, reader
    reader.close()
    writer.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=90)), max_size=60), st.integers(100, 300))
def test_it_is_a_queue_that_refuses_what_does_not_fit(steps: list[bytes | None], capacity: int) -> None:
    ring = Feed(capacity)
    model: deque[bytes] = deque()
    try:
        for number, step in enumerate(steps):
            if step is None:
                taken = ring.take()
                assert (taken and taken[1]) == (model.popleft() if model else None)
                continue
            room = capacity - sum(8 + len(payload) for payload in model)
            accepted = ring.put(number, step[:3], step[3:])
            assert accepted == (8 + len(step) <= room)
            if accepted:
                model.append(step)
        assert ring.waiting == sum(8 + len(payload) for payload in model)
    finally:
        ring.close()


def test_two_at_once_lose_nothing(ring: tuple[Feed, Feed]) -> None:
    writer, reader = ring
    count = 4000
    payloads = [np.random.default_rng(n).bytes(n % 700) for n in range(count)]

    def write() -> None:
        for number, payload in enumerate(payloads):
            while not writer.put(number, payload):
                os.sched_yield()
        writer.finish()

    thread = threading.Thread(target=write)
    thread.start()
    found = []
    while not reader.finished:
        if (record := reader.take()) is not None:
            found.append(record)
        else:
            os.sched_yield()
    thread.join(10)
    assert found == list(enumerate(payloads))


def test_a_ring_that_is_not_one_is_refused(ring: tuple[Feed, Feed]) -> None:
    writer, reader = ring
    writer.put(1, b"abc")
    writer._ring[0:4] = b"\xff\xff\xff\x7f"
    with pytest.raises(ValueError, match="2147483647 bytes"):
        reader.take()


def test_the_ring_fits_into_small_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    small = type("Small", (), {"f_bavail": 6 << 10, "f_frsize": 4096})
    monkeypatch.setattr(feed_module.os, "statvfs", lambda _: small)
    assert capacity_here() == 6 << 20


class TestAlarms:
    def test_a_reader_that_fails_is_said_once(self, ring: tuple[Feed, Feed]) -> None:
        writer, reader = ring
        tape = Tape(writer)
        assert tape.alarms(10.0) == []
        reader.say(READING)
        assert tape.alarms(11.0) == []
        reader.say(FAILED, 28)
        said = "recording failed: disk full; what was recorded until now is kept"
        assert tape.alarms(12.0) == [("error", said)]
        assert tape.alarms(13.0) == []

    def test_a_reader_that_falls_silent_and_comes_back(
        self, ring: tuple[Feed, Feed], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer, reader = ring
        now = 5_000_000_000
        monkeypatch.setattr(feed_module.time, "monotonic_ns", lambda: now)
        tape = Tape(writer)
        reader.say(READING)
        now += int(1e9 * (SILENT_S + 0.1))
        ((level, text),) = tape.alarms(1.0)
        assert level == "error"
        assert "has not answered for 2.1 s" in text
        assert tape.alarms(2.0) == []
        reader.say(READING)
        assert tape.alarms(3.0) == [("warn", "the recorder answers again")]

    def test_what_found_no_room_is_counted_said_and_written_down(
        self, ring: tuple[Feed, Feed], tmp_path: Path
    ) -> None:
        writer, reader = ring
        tape = Tape(writer)
        create(tmp_path / "log", manifest(None, {}))
        log = LogWriter(tmp_path / "log")
        tape.connected(INFO, None, 1)
        block = np.arange(200, dtype=np.float32).reshape(100, 2)
        for number in range(5):  # 1600 bytes each into 4096
            tape.samples(block + number, np.arange(100) / 100 + number)
        tape.run(2, 500)
        assert tape.lost_samples == 300
        assert tape.alarms(1.0) == [("error", "300 samples were not recorded: the recorder is too slow")]
        assert tape.alarms(2.0) == []
        while record := reader.take():
            apply(*record, log)
        tape.samples(block + 9, np.arange(100) / 100 + 9)
        tape.finish()
        while record := reader.take():
            apply(*record, log)
        log.close()
        assert reader.finished
        found = SessionLog(tmp_path / "log")
        assert found.unrecorded() == 300
        assert found.streams[1].samples == 300
        assert [chunk.data[0, 0] for chunk in found.chunks()] == [0, 1, 9]
        (lost,) = found.lines("unrecorded")
        assert lost["at"] == 200


def test_without_a_feed_nothing_happens() -> None:
    tape = Tape(None)
    tape.connected(INFO, None, 1)
    tape.samples(np.zeros((3, 2), np.float32), np.zeros(3))
    tape.line(json.dumps({}).encode())
    tape.finish()
    assert tape.alarms(1e9) == []
