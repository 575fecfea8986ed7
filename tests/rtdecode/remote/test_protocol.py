"""Frames and pictures, whole and broken: whatever comes, an answer or a ProtocolError, never a crash."""

import dataclasses
import hashlib
import struct
from itertools import pairwise
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.remote.protocol import (
    FROM_SESSION,
    FROM_VIEWER,
    VERSION,
    Frame,
    Frames,
    Kind,
    OtherVersion,
    Picture,
    ProtocolError,
    Tail,
    frame,
    hello,
    picture,
    proof,
    proven,
    read_hello,
    read_picture,
)
from rtdecode.snapshot import Snapshot

FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=FROM_VIEWER)), max_size=8)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@settings(max_examples=100, deadline=None)
@given(sent=FRAMES, cuts=st.lists(st.integers(0, 1000), max_size=20))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(sent: list[Frame], cuts: list[int]) -> None:
    frames = Frames(FROM_VIEWER)
    data = b"".join(frame(f.kind, f.payload) for f in sent)
    assert [f for piece in in_pieces(data, cuts) for f in frames.feed(piece)] == sent


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 1000), max_size=5))
def test_garbage_is_refused_or_waited_for(data: bytes, cuts: list[int]) -> None:
    frames = Frames(FROM_VIEWER)
    try:
        for piece in in_pieces(data, cuts):
            frames.feed(piece)
    except ProtocolError:
        return
    assert data[:2] in (b"", b"r", b"rt") or len(data) < 8


def test_what_is_too_long_is_refused_by_its_head_alone() -> None:
    with pytest.raises(ProtocolError, match="bytes"):
        Frames(FROM_VIEWER).feed(struct.pack("<2sBBI", b"rt", VERSION, Kind.JOIN, FROM_VIEWER + 1))


def test_another_version_is_told_from_garbage() -> None:
    with pytest.raises(OtherVersion, match=f"protocol 9, not {VERSION}"):
        Frames(FROM_VIEWER).feed(struct.pack("<2sBBI", b"rt", 9, 99, 0))
    with pytest.raises(ProtocolError, match="not an rtdecode session"):
        Frames(FROM_VIEWER).feed(b"HTTP/1.1 200 OK\r\n")


def test_the_token_is_proven_without_being_said() -> None:
    nonce = bytes(range(16))
    said = proof("a token", nonce)
    assert proven("a token", nonce, said)
    assert not proven("another", nonce, said)
    assert not proven("a token", bytes(16), said)
    assert not proven("a token", nonce, b"")
    assert b"a token" not in said
    assert read_hello(hello(nonce, True)[8:]) == (nonce, True)
    with pytest.raises(ProtocolError):
        read_hello(b"short")


def a_picture(rows: int = 3, columns: int = 2, stop: int = 100, shown: int = 50, epoch: int = 1) -> Picture:
    values = np.arange(stop - rows, stop, dtype=np.float32)[:, None] + np.zeros((1, columns), np.float32)
    return Picture(1.5, epoch, stop, shown, values, b"the rest")


def test_a_picture_survives_the_way() -> None:
    (said,) = Frames(FROM_SESSION).feed(picture(a_picture()))
    back = read_picture(said.payload)
    assert (back.sent, back.epoch, back.stop, back.shown, back.data) == (1.5, 1, 100, 50, b"the rest")
    np.testing.assert_array_equal(back.rows, a_picture().rows)


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 72), flips=st.lists(st.tuples(st.integers(0, 71), st.integers(1, 255)), max_size=4))
def test_a_broken_picture_is_refused_or_read_within_its_bytes(cut: int, flips: list[tuple[int, int]]) -> None:
    payload = bytearray(picture(a_picture())[8:])
    for at, bits in flips:
        payload[at % len(payload)] ^= bits
    try:
        back = read_picture(bytes(payload[:cut]))
    except ProtocolError:
        return
    assert back.rows.nbytes + len(back.data) <= cut
    Tail().add(back)


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=30))
def test_the_tail_is_the_signal_however_it_was_sent(steps: list[tuple[int, bool]]) -> None:
    """Each step: rows written since the last picture, and whether the stretch began anew."""
    tail, epoch, stop, seen = Tail(), 1, 0, 0
    for rows, anew in steps:
        if anew:
            epoch, stop, seen = epoch + 1, 0, 0
        stop += rows
        sent = min(stop - seen, 50)
        seen = stop
        found = tail.add(a_picture(sent, 2, stop, 50, epoch))
        np.testing.assert_array_equal(found[:, 0], np.arange(max(0, stop - 50), stop, dtype=np.float32))


def test_rows_that_do_not_follow_are_not_glued_together() -> None:
    tail = Tail()
    tail.add(a_picture(5, stop=10))
    np.testing.assert_array_equal(tail.add(a_picture(5, stop=30))[:, 0], np.arange(25, 30))
    np.testing.assert_array_equal(tail.add(a_picture(5, stop=35))[:, 0], np.arange(25, 35))


def layout(kind: Any, known: dict[str, str]) -> dict[str, str]:
    """Every dataclass that a picture may hold, with its fields in order."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__name__ not in known:
        hints = get_type_hints(kind)
        known[kind.__name__] = ", ".join(f"{f.name}: {hints[f.name]}" for f in dataclasses.fields(kind))
        for hint in hints.values():
            layout(hint, known)
    for part in get_args(kind):
        layout(part, known)
    return known


def test_another_picture_is_another_version() -> None:
    """A viewer of before must hear of a version, not of damage."""
    text = repr(sorted(layout(Snapshot, {}).items()))
    now = VERSION, hashlib.sha256(text.encode()).hexdigest()[:12]
    assert now == (2, "ff9ceab3381a"), "raise VERSION, and note it here with the new layout"
