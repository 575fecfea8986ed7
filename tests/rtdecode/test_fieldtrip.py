"""A FieldTrip buffer as a source: every sample once, every loss counted, every change noticed.

Why it matters: MEG rooms speak this protocol, and a loss that is not counted shifts every later decision.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.errors import StreamError
from rtdecode.sources import fieldtrip
from rtdecode.sources.fieldtrip import Changed, FieldTripSource
from rtdecode.sources.fieldtrip_frames import Header, NoMeasurement
from rtdecode.sources.lsl import Lost
from rtdecode.sources.timeline import Timeline
from tests.rtdecode.fake_buffer import GET_DAT, GET_ERR, WAIT_DAT, FakeBuffer, frame

pytest.importorskip("mne_realtime")

SFREQ = 1000.0
LABELS = ("MEG0111", "MEG0112", "EEG001")


class Clock:
    """Goes on by 10 ms whenever it is read, and by what a test adds: as if samples had taken their time."""

    def __init__(self) -> None:
        self.ahead_s = 1000.0

    def __call__(self) -> float:
        self.ahead_s += 0.01
        return self.ahead_s


@pytest.fixture
def buffer() -> Iterator[FakeBuffer]:
    with FakeBuffer() as fake:
        fake.put_header(LABELS, SFREQ)
        yield fake


def ramp(first: int, rows: int, channels: int = 3) -> np.ndarray:
    """Channel 0 counts the samples, the others are known from it."""
    return np.arange(first, first + rows)[:, None] * np.arange(1, channels + 1)[None]


def opened(fake: FakeBuffer, clock: Callable[[], float] | None = None, **options: Any) -> FieldTripSource:
    return FieldTripSource("127.0.0.1", fake.port, lambda _: "fT", clock=clock or Clock(), **options)


def drained(source: FieldTripSource, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Pull until `samples` came."""
    data, stamps, have = [], [], 0
    until = time.monotonic() + 10
    while have < samples:
        assert time.monotonic() < until, f"{have} of {samples} samples"
        d, t = source.pull(1, 0.2)
        data.append(d.copy())
        stamps.append(t)
        have += len(d)
    return np.concatenate(data), np.concatenate(stamps)


# --- samples


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("int8", "float32"),
        ("uint16", "float32"),
        ("int16", "float32"),
        ("int32", "float64"),
        ("int64", "float64"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
def test_every_format_arrives_as_numbers(buffer: FakeBuffer, dtype: str, kind: str) -> None:
    buffer.put_header(LABELS, SFREQ, dtype)
    source = opened(buffer)
    assert source.info.labels == LABELS
    assert source.info.sfreq == SFREQ
    assert source.info.units == ("fT",) * 3
    assert source.info.dtype == kind
    sent = ramp(0, 40) - (0 if dtype.startswith("u") else 20)
    buffer.append(sent[:25])
    buffer.append(sent[25:])
    data, stamps = drained(source, 40)
    assert data.dtype == kind
    np.testing.assert_array_equal(data, sent)
    np.testing.assert_allclose(
        np.diff(stamps), 1 / SFREQ, rtol=0.51
    )  # steps of the line: half a period at most


def test_resolutions_make_integers_physical(buffer: FakeBuffer) -> None:
    buffer.put_header(LABELS, SFREQ, "int16", resolutions=(0.5, -2.0, 0.1))
    source = opened(buffer)
    buffer.append(ramp(0, 20))
    data, _ = drained(source, 20)
    np.testing.assert_allclose(data, ramp(0, 20) * [0.5, -2.0, 0.1], rtol=1e-6)


def test_what_was_there_before_is_not_read(buffer: FakeBuffer) -> None:
    buffer.append(ramp(0, 500))
    source = opened(buffer)
    data, _ = source.pull(1, 0.0)
    assert len(data) == 0
    buffer.append(ramp(500, 10))
    data, _ = drained(source, 10)
    assert data[0, 0] == 500


def test_a_large_backlog_comes_in_pieces(buffer: FakeBuffer) -> None:
    clock = Clock()
    source = opened(buffer, clock)
    buffer.append(ramp(0, 5))
    drained(source, 5)
    clock.ahead_s += 4.5
    buffer.append(ramp(5, 4500))
    data, _ = source.pull(1, 0.2)
    assert len(data) == 1000
    assert source.waiting() == 3500
    rest, _ = drained(source, 3500)
    np.testing.assert_array_equal(np.concatenate([data, rest])[:, 0], np.arange(5, 4505))


# --- losses


def test_an_overwritten_ring_is_a_loss_counted_to_the_sample() -> None:
    clock = Clock()
    with FakeBuffer(ring=1000) as fake:
        fake.put_header(LABELS, SFREQ)
        source = opened(fake, clock)
        fake.append(ramp(0, 100))
        before, t_before = drained(source, 100)
        clock.ahead_s += 5.0
        fake.append(ramp(100, 5000))
        after, t_after = drained(source, 1000)
    assert before[-1, 0] == 99
    np.testing.assert_array_equal(after[:, 0], np.arange(4100, 5100))
    assert source.lost == 4000
    assert source.take_notes() == ["4000 samples (4.000 s) were overwritten before they were read"]
    # by the index; the line itself moves by half a period at most
    assert t_after[0] - t_before[-1] == pytest.approx(4001 / SFREQ, abs=0.51 / SFREQ)


def test_a_ring_overwritten_while_it_is_searched() -> None:
    clock = Clock()
    with FakeBuffer(ring=100) as fake:
        fake.put_header(LABELS, SFREQ)
        source = opened(fake, clock)
        fake.append(ramp(0, 10))
        drained(source, 10)
        clock.ahead_s += 0.7
        fake.append(ramp(10, 700))
        more = iter([ramp(710, 60), ramp(770, 60), ramp(830, 60)])

        def racing(command: int, request: bytes) -> None:
            if command == GET_DAT and (block := next(more, None)) is not None:
                fake.append(block)

        fake.answer = racing
        data, _ = drained(source, 50)
        assert fake.count == 890
    # whatever the race did: what was given is in order, and what was not is counted
    np.testing.assert_array_equal(data[:, 0], np.arange(data[0, 0], data[0, 0] + len(data)))
    assert source.lost == data[0, 0] - 10 >= 780


def test_a_buffer_that_counts_what_it_does_not_give(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.append(ramp(0, 10))
    buffer.answer = lambda command, _: frame(GET_ERR) if command == GET_DAT else None
    with pytest.raises(Lost, match="counts samples that it does not give"):
        source.pull(1, 0.0)


def test_a_pause_without_counting_is_a_gap_in_the_stamps(buffer: FakeBuffer) -> None:
    clock = Clock()
    source = opened(buffer, clock)
    buffer.append(ramp(0, 10))
    _, before = drained(source, 10)
    clock.ahead_s += 3.0
    buffer.append(ramp(10, 10))
    _, after = drained(source, 10)
    (note,) = source.take_notes()
    assert "paused for 3." in note
    assert after[0] - before[-1] == pytest.approx(3.0, abs=0.5)
    assert source.lost == 0


def test_samples_held_up_on_the_way_are_no_gap(buffer: FakeBuffer) -> None:
    clock = Clock()
    source = opened(buffer, clock)
    buffer.append(ramp(0, 10))
    _, before = drained(source, 10)
    clock.ahead_s += 1.0
    late = iter([ramp(10, 10), ramp(20, 990)])  # a stalled amplifier: its blocks arrive one after the other

    def catching_up(command: int, request: bytes) -> None:
        if command == WAIT_DAT and (block := next(late, None)) is not None:
            buffer.append(block)

    buffer.answer = catching_up
    _, after = drained(source, 1000)
    assert source.take_notes() == []
    assert after[0] - before[-1] == pytest.approx(1 / SFREQ, abs=0.51 / SFREQ)


class _Memory:
    """A buffer without a network, whose own clock passes only when it is told to, or waited at."""

    events = 0

    def __init__(self, ring: int):
        self.ring, self.samples, self.now = ring, 0, 100.0

    def append(self, rows: int) -> None:
        self.samples += rows
        self.now += rows / SFREQ

    def header(self) -> Header:
        return Header(1, SFREQ, "float64", ("COUNT",), (), self.samples)

    def count(self, more_than: int, wait_s: float) -> int:
        if self.samples <= more_than:
            self.now += wait_s
        return self.samples

    def block(self, first: int, rows: int, _: Header) -> np.ndarray | None:
        if self.samples - self.ring <= first and first + rows <= self.samples:
            return ramp(first, rows, 1).astype(np.float64)
        return None

    def close(self) -> None: ...


@settings(max_examples=150)
@given(
    ring=st.integers(1, 3000),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 5000)),
            st.tuples(st.just("pause"), st.integers(1, 3000)),
            st.tuples(st.just("pull"), st.integers(1, 50)),
        ),
        max_size=30,
    ),
)
def test_every_sample_is_given_once_or_counted_as_lost(ring: int, steps: list[tuple[str, int]]) -> None:
    memory = _Memory(ring)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fieldtrip, "Buffer", lambda *_: memory)
        source = FieldTripSource("memory", 1, lambda _: "fT", clock=lambda: memory.now)
    indices, stamps = [np.zeros(0)], [np.zeros(0)]
    for step, size in [*steps, *[("pull", 1)] * 20]:
        if step == "append":
            memory.append(size)
        elif step == "pause":
            memory.now += size / SFREQ
        else:
            data, t = source.pull(size, 0.05)
            indices.append(data[:, 0])
            stamps.append(t)
    index = np.concatenate(indices)
    assert len(index) + source.lost == memory.samples
    assert (np.diff(index) > 0).all()
    assert (np.diff(np.concatenate(stamps)) > 0).all()
    assert not [note for note in source.take_notes() if "faster" in note]


# --- connections


def test_reconnecting_to_the_same_measurement_loses_nothing(buffer: FakeBuffer) -> None:
    clock = Clock()
    source = opened(buffer, clock)
    buffer.append(ramp(0, 10))
    _, before = drained(source, 10)
    buffer.drop_clients()
    with pytest.raises(Lost, match="closed the connection"):
        source.pull(1, 0.2)
    assert not source.connected
    clock.ahead_s += 2.0
    buffer.append(ramp(10, 2000))
    source.reconnect()
    data, after = drained(source, 2000)
    np.testing.assert_array_equal(data[:, 0], np.arange(10, 2010))
    assert after[0] - before[-1] == pytest.approx(1 / SFREQ, abs=0.51 / SFREQ)
    assert source.take_notes() == []


def test_a_new_measurement_of_the_same_layout_is_read_from_its_start(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.append(ramp(0, 100))
    drained(source, 100)
    buffer.put_header(LABELS, SFREQ)
    buffer.append(ramp(0, 30))
    data, _ = drained(source, 30)
    np.testing.assert_array_equal(data[:, 0], np.arange(30))
    assert "began a new measurement" in source.take_notes()[0]
    assert source.lost == 0


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"labels": LABELS, "sfreq": 500.0}, "rate in Hz 1000.0 became 500.0"),
        ({"labels": LABELS[:2], "sfreq": SFREQ}, "channels 3 became 2"),
        ({"labels": LABELS[::-1], "sfreq": SFREQ}, "2 labels changed: channel 1 MEG0111 became EEG001"),
        ({"labels": LABELS, "sfreq": SFREQ, "dtype": "int16"}, "format float32 became int16"),
    ],
)
def test_another_layout_is_said_and_not_read(buffer: FakeBuffer, header: dict[str, Any], words: str) -> None:
    source = opened(buffer)
    buffer.append(ramp(0, 100))
    drained(source, 100)
    buffer.put_header(**header)
    with pytest.raises(Changed, match=words):
        source.pull(1, 0.2)
    with pytest.raises(Changed, match=words):
        source.reconnect()


def test_before_and_after_a_measurement(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.flush()
    with pytest.raises(Lost, match="ended its measurement"):
        source.pull(1, 0.2)
    with pytest.raises(NoMeasurement, match="holds no measurement yet"):
        source.reconnect()
    with pytest.raises(NoMeasurement):
        opened(buffer)


# --- labels


@pytest.mark.parametrize(
    ("labels", "channels", "words"),
    [
        (None, 3, "gives no channel names"),
        (("A", "B", "A"), None, "2 channels named 'A'"),
        (("A", "", "C"), None, "a channel without a name"),
        (("A", "B\x1b[2J", "C"), None, "channel name"),
        (("A",), 3, "fewer channel names than its 3 channels"),
    ],
)
def test_labels_that_name_nothing(
    buffer: FakeBuffer, labels: tuple[str, ...] | None, channels: int | None, words: str
) -> None:
    buffer.put_header(labels, SFREQ, channels=channels)
    with pytest.raises(StreamError, match=words):
        opened(buffer)


def test_labels_can_be_given_and_not_contradicted(buffer: FakeBuffer) -> None:
    with pytest.raises(StreamError, match="leave --labels out"):
        opened(buffer, labels=("A", "B", "C"))
    buffer.put_header(None, SFREQ, channels=3)
    assert opened(buffer, labels=("A", "B", "C")).info.labels == ("A", "B", "C")
    with pytest.raises(StreamError, match="2 labels were given"):
        opened(buffer, labels=("A", "B"))


# --- time


def test_the_line_follows_a_drifting_clock_without_wandering() -> None:
    timeline, rng = Timeline(SFREQ), np.random.default_rng(0)
    blocks = np.arange(20, 300_000, 20)
    true = blocks / SFREQ * (1 + 100e-6)
    late = []
    for index, at in zip(blocks, true + rng.exponential(0.003, len(blocks)), strict=True):
        timeline.follow(int(index), float(at))
        late.append(timeline.stamps(int(index), 1)[0] - true[index // 20 - 1])
    settled = np.array(late[5000:])
    # 3 ms of delay on average, and 3 ms behind a clock that is off by 100 ppm
    assert np.abs(settled).max() < 0.006
    assert settled.std() < 0.001


def test_stamps_stay_in_order_whatever_the_arrivals() -> None:
    timeline, rng = Timeline(SFREQ), np.random.default_rng(1)
    last = -np.inf
    for k in range(500):
        timeline.follow(20 * k + 19, 0.02 * k + float(rng.uniform(0, 0.2)))
        stamps = timeline.stamps(20 * k, 20)
        assert stamps[0] > last
        assert (np.diff(stamps) > 0).all()
        last = stamps[-1]
