"""The slot never shows half a picture, whoever dies or writes while it is read."""

import multiprocessing
import struct
import time
from collections.abc import Iterator

import pytest

from rtdecode.live.slot import _HEAD, Slot


@pytest.fixture
def slot() -> Iterator[Slot]:
    made = Slot(1 << 16)
    yield made
    made.close()


def test_nothing_before_the_first_picture(slot: Slot) -> None:
    assert slot.read() is None


def test_the_latest_wins(slot: Slot) -> None:
    for k in range(5):
        slot.write(b"x" * k + b"!")
    assert slot.read() == b"xxxx!"
    assert slot.read() == b"xxxx!"


def test_the_writer_knows_whether_somebody_looks(slot: Slot) -> None:
    slot.write(b"one")
    assert not slot.wanted
    Slot(name=slot.name).read()
    assert slot.wanted
    slot.write(b"two")
    slot.write(b"three")
    assert not slot.wanted


def test_another_opens_it_by_name(slot: Slot) -> None:
    other = Slot(name=slot.name)
    other.write(b"from there")
    assert slot.read() == b"from there"
    other.close()


def test_a_writer_that_died_midway_leaves_the_picture_before(slot: Slot) -> None:
    slot.write(b"whole")
    assert slot.read() == b"whole"
    struct.pack_into("<Q", slot._buffer, 0, 3)
    slot._buffer[_HEAD.size : _HEAD.size + 5] = b"broke"
    assert slot.read() == b"whole"


def test_a_torn_picture_is_not_shown(slot: Slot) -> None:
    slot.write(b"whole")
    assert slot.read() == b"whole"
    slot.write(b"other")
    slot._buffer[_HEAD.size + 2] ^= 1
    assert slot.read() == b"whole"


def test_what_does_not_fit_is_refused(slot: Slot) -> None:
    with pytest.raises(ValueError, match="does not fit into"):
        slot.write(bytes(slot.capacity + 1))
    assert slot.read() is None


def _scribble(name: str) -> None:
    slot = Slot(name=name)
    k = 0
    while True:
        k = k % 250 + 1
        slot.write(bytes([k]) * (100 * k))


@pytest.mark.live
def test_a_busy_writer_is_always_read_whole(slot: Slot) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_scribble, args=(slot.name,), daemon=True)
    writer.start()
    try:
        seen: set[int] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 100 and time.monotonic() < deadline:
            data = slot.read()
            if data is not None:
                assert data == data[:1] * (100 * data[0])
                seen.add(data[0])
        assert len(seen) >= 100
    finally:
        writer.kill()
        writer.join()
