"""A FieldTrip buffer's events: each once, at its sample, in words; and whatever the peer sends, no hang.

Why it matters: the stimulus computer's triggers are in these events, and a trigger that is lost, doubled or
late moves the truth that every score is measured against.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.sources.fieldtrip import FieldTripSource
from rtdecode.sources.fieldtrip_events import HELD
from rtdecode.sources.fieldtrip_frames import NotABuffer
from tests.processes import PROMPT_S, unique_name
from tests.rtdecode.fake_buffer import GET_EVT, GET_OK, FakeBuffer, event, frame
from tests.rtdecode.test_bridge import bridge, pulling
from tests.rtdecode.test_fieldtrip import LABELS, SFREQ, opened, ramp
from tests.rtdecode.test_fieldtrip_frames import _bounded, canned, refused

pytest.importorskip("mne_realtime")


@pytest.fixture
def buffer() -> Iterator[FakeBuffer]:
    with FakeBuffer() as fake:
        fake.put_header(LABELS, SFREQ)
        yield fake


def texts(source: FieldTripSource) -> list[str]:
    source.pull(1, 0.2)
    return [text for _, text in source.take_events()]


def test_text_and_numbers_are_words(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.mark(
        event(1, "trigger", "sentence 3"),
        event(2, "trigger", np.array([5], np.int32)),
        event(3, np.array([7], np.uint8), np.array([0.5, 2], np.float64)),
        event(4, "[/b]\x1b[2J", "\xff\n"),
    )
    buffer.append(ramp(0, 10))
    assert texts(source) == ["trigger sentence 3", "trigger 5", "7 0.5 2", "[/b] [2J ÿ"]


def test_each_comes_once_at_the_stamp_of_its_sample(buffer: FakeBuffer) -> None:
    buffer.mark(event(0, "before", "the first look"))
    source = opened(buffer)
    found, stamps, at = [], [], 0
    for k in range(20):
        if k % 3 == 0:
            buffer.mark(event(at + 4, "k", np.array([k], np.int16)))
        buffer.append(ramp(at, 10))
        _, t = source.pull(1, 0.2)
        for stamp, text in source.take_events():
            found.append(text)
            stamps.append((stamp, t[4]))
        at += 10
    assert found == [f"k {k}" for k in range(0, 20, 3)]
    np.testing.assert_array_equal(*np.transpose(stamps))


def test_an_event_waits_for_a_sample_that_tells_the_time(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.mark(event(2, "early", ""))
    assert texts(source) == []
    buffer.append(ramp(0, 5))
    assert texts(source) == ["early"]


def test_many_at_once_come_in_pieces_and_what_is_gone_is_said(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.mark(*(event(k, "n", str(k)) for k in range(200)))
    buffer.append(ramp(0, 10))
    assert texts(source) == [f"n {k}" for k in range(200)]
    assert source.take_notes() == []
    buffer.mark(*(event(k, "n", str(k)) for k in range(200, 230)))
    buffer.forget_events()
    assert texts(source) == []
    assert source.take_notes() == ["30 of 30 events are no longer in the buffer"]


def test_more_than_can_be_held_is_given_up(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.mark(*(event(0, "n", str(k)) for k in range(HELD + 10)))
    buffer.append(ramp(0, 10))
    found = texts(source)
    assert (found[0], len(found)) == ("n 10", HELD)
    assert source.take_notes() == ["10 events came faster than they can be read"]


def test_a_new_measurement_begins_its_events_anew(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.mark(event(1, "old", "1"), event(2, "old", "2"))
    buffer.append(ramp(0, 50))
    assert texts(source) == ["old 1", "old 2"]
    buffer.put_header(LABELS, SFREQ)
    buffer.mark(event(1, "new", "1"))
    buffer.append(ramp(0, 10))
    assert texts(source) + texts(source) == ["new 1"]


def test_more_events_than_asked_for_are_refused(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.mark(event(1, "one", ""))
    buffer.append(ramp(0, 10))
    many = frame(GET_OK, event(1, "a", "") * 3)
    buffer.answer = lambda command, _: many if command == GET_EVT else None
    with pytest.raises(NotABuffer, match="3 events where 1 were asked for"):
        source.pull(1, 0.2)


_u32 = st.one_of(st.integers(0, 12), st.integers(0, 2**32 - 1))


@st.composite
def event_frames(draw: st.DrawFn) -> bytes:
    """Events that may lie about every length and type."""
    body = b""
    for _ in range(draw(st.integers(0, 4))):
        raw = draw(st.binary(max_size=40))
        size = draw(st.one_of(st.just(len(raw)), _u32))
        numbers = [draw(_u32) for _ in range(5)]
        body += struct.pack("IIIIIiiI", *numbers, 0, 0, size) + raw
    length = draw(st.one_of(st.just(len(body)), _u32))
    return struct.pack("HHI", 1, GET_OK, length) + body


@_bounded
@given(st.one_of(st.binary(max_size=200), event_frames()))
def test_any_event_frame_is_read_or_refused(data: bytes) -> None:
    found, said = refused(lambda: canned(data).event_block(0, 3))
    assert said.startswith("canned:1 ") if found is None else len(found) <= 4


@pytest.mark.live
def test_events_are_a_marker_stream_of_the_bridge(buffer: FakeBuffer, tmp_path: Path) -> None:
    name = unique_name()
    with (
        bridge(tmp_path, name, buffer.port) as between,
        pulling(tmp_path, between, name, 500, "markers") as pull,
    ):
        between.wait_for(lambda c: c.said("somebody listens"))
        for k in range(60):
            if k in (5, 20):
                buffer.mark(event(10 * k + 3, "word", str(k)))
            buffer.play(ramp(10 * k, 10), SFREQ, 10)
        assert pull.end() == 0, pull.err
        between.process.terminate()
        assert between.end(PROMPT_S) == 0
    with np.load(tmp_path / "got.npz", allow_pickle=False) as got:
        assert list(got["marker_text"]) == ["word 5", "word 20"]
        at = [int(np.flatnonzero(got["data"][:, 0] == sample)[0]) for sample in (53, 203)]
        np.testing.assert_allclose(got["marker_t"], got["t"][at], atol=1 / SFREQ)
    assert between.said("2 events") == 1
