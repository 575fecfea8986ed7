"""The frames of a FieldTrip buffer: what is read, what is refused, and that neither takes long.

Why it matters: whatever answers at the port, a broken or hostile peer must not hang or fill the decoder.
"""

import math
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.errors import MissingExtra, StreamError
from rtdecode.sources import fieldtrip_frames, line
from rtdecode.sources.fieldtrip import FieldTripSource
from rtdecode.sources.fieldtrip_frames import Buffer, Header, NotABuffer
from rtdecode.sources.lsl import Lost
from tests.rtdecode.fake_buffer import GET_DAT, GET_OK, WAIT_OK, FakeBuffer, frame, header_payload

pytest.importorskip("mne_realtime")

SFREQ = 1000.0
LABELS = ("MEG0111", "MEG0112", "EEG001")


@pytest.fixture
def buffer() -> Iterator[FakeBuffer]:
    with FakeBuffer() as fake:
        fake.put_header(LABELS, SFREQ)
        yield fake


def opened(fake: FakeBuffer) -> FieldTripSource:
    return FieldTripSource("127.0.0.1", fake.port, lambda _: "fT")


def answering(reply: bytes) -> Callable[[int, bytes], bytes]:
    return lambda command, request: reply


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (header_payload(0, SFREQ, 9, None), "0 channels"),
        (header_payload(2_000_000_000, SFREQ, 9, None), "2000000000 channels"),
        (header_payload(3, 0.0, 9, LABELS), "a rate of 0 Hz"),
        (header_payload(3, float("nan"), 9, LABELS), "a rate of nan Hz"),
        (header_payload(3, -5.0, 9, LABELS), "a rate of -5 Hz"),
        (header_payload(3, SFREQ, 0, LABELS), "samples of type 0"),
        (header_payload(3, SFREQ, 4_000_000, LABELS), "samples of type 4000000"),
        (header_payload(3, SFREQ, 6, LABELS, resolutions=(1.0,)), "8 bytes of resolutions for 3 channels"),
        (header_payload(3, SFREQ, 6, LABELS, resolutions=(1.0, np.nan, 1.0)), "resolutions that are zero or"),
        (header_payload(3, SFREQ, 9, LABELS)[:20], "cannot be read"),
        (header_payload(3, SFREQ, 9, LABELS).replace(b"EEG", b"\xff\xfe\xfd"), "cannot be read"),
    ],
)
def test_headers_that_cannot_be(buffer: FakeBuffer, payload: bytes, words: str) -> None:
    buffer.answer = answering(frame(GET_OK, payload))
    with pytest.raises(NotABuffer, match=words):
        opened(buffer)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "announces a reply of|cannot be read"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "announces a reply of|cannot be read"),
        (frame(GET_OK, b"", version=2), "cannot be read"),
        (struct.pack("HHI", 1, GET_OK, 0xFFFFFFFF), "announces a reply of 4294967295 bytes"),
    ],
)
def test_what_is_no_buffer_is_said_to_be_none(buffer: FakeBuffer, reply: bytes, words: str) -> None:
    buffer.answer = answering(reply)
    with pytest.raises(NotABuffer, match=words):  # and not Lost, after waiting for what was announced
        opened(buffer)


def test_a_block_of_another_shape_is_refused(buffer: FakeBuffer) -> None:
    source = opened(buffer)
    buffer.append(np.zeros((10, 3)))
    wrong = np.zeros((10, 2), np.float32)
    reply = frame(GET_OK, struct.pack("IIII", 2, 10, 9, wrong.nbytes) + wrong.tobytes())
    buffer.answer = lambda command, _: reply if command == GET_DAT else None
    with pytest.raises(NotABuffer, match="10 x 2 float32 where 10 x 3 float32 were asked for"):
        source.pull(1, 0.2)


def test_a_request_is_given_up_when_it_should_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fieldtrip_frames, "REPLY_S", math.inf)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopping: list[bool] = []
        connection = Buffer("127.0.0.1", listener.getsockname()[1], lambda: bool(stopping))
        stopping.append(True)
        with pytest.raises(Lost, match="stopped while waiting for a reply"):
            connection.header()
        connection.close()


@pytest.mark.parametrize("drip", [b"", b"\x01"])
def test_a_silent_or_dripping_peer_is_given_up(monkeypatch: pytest.MonkeyPatch, drip: bytes) -> None:
    monkeypatch.setattr(fieldtrip_frames, "REPLY_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Buffer("127.0.0.1", listener.getsockname()[1])
        peer, _ = listener.accept()
        peer.sendall(drip)
        with pytest.raises(Lost, match="does not answer"):
            connection.header()
        connection.close()
        peer.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Lost, match=f"nothing listens at 127.0.0.1:{port}"):
        Buffer("127.0.0.1", port)


def test_an_unknown_host() -> None:
    with pytest.raises(Lost, match="cannot be reached"):
        Buffer("no-such-host.invalid", 1972)


class _Canned:
    """A socket that has received these bytes, then the peer's end."""

    def __init__(self, data: bytes):
        self._left = memoryview(data)

    def settimeout(self, _: float) -> None: ...

    def close(self) -> None: ...

    def send(self, request: bytes) -> int:
        return len(request)

    def recv_into(self, into: memoryview) -> int:
        got = min(len(into), len(self._left))
        into[:got] = self._left[:got]
        self._left = self._left[got:]
        return got


def canned(data: bytes) -> Buffer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fieldtrip_frames, "connect", lambda *_: _Canned(data))
        return Buffer("canned", 1)


_u32 = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1))
_rates = st.floats(width=32)
_chunks = st.lists(st.tuples(st.integers(0, 9), _u32, st.binary(max_size=40)), max_size=4)


@st.composite
def header_frames(draw: st.DrawFn) -> bytes:
    """Frames that look like headers: every number free, chunks that may lie about their length."""
    chunks = b"".join(struct.pack("II", kind, size) + data for kind, size, data in draw(_chunks))
    size = draw(st.one_of(st.just(len(chunks)), _u32))
    body = struct.pack("IIIfII", draw(_u32), draw(_u32), 0, draw(_rates), draw(_u32), size) + chunks
    length = draw(st.one_of(st.just(len(body)), _u32))
    return struct.pack("HHI", 1, GET_OK, length) + body + draw(st.binary(max_size=8))


@st.composite
def data_frames(draw: st.DrawFn) -> bytes:
    body = struct.pack("IIII", draw(_u32), draw(_u32), draw(_u32), draw(_u32)) + draw(st.binary(max_size=100))
    length = draw(st.one_of(st.just(len(body)), _u32))
    return struct.pack("HHI", 1, GET_OK, length) + body


_bounded = settings(max_examples=300, deadline=10_000)  # ms; what was announced must not be made room for


def refused(call: Callable[[], Any]) -> tuple[Any, str]:
    """What the call gave, or the sentence it was refused with; any other exception fails the test."""
    try:
        return call(), ""
    except StreamError as problem:
        return None, str(problem)


@_bounded
@given(st.one_of(st.binary(max_size=200), header_frames()))
def test_any_header_frame_is_read_or_refused(data: bytes) -> None:
    header, words = refused(canned(data).header)
    assert not words or words.startswith("canned:1 ")
    assert header is None or (1 <= header.channels <= 10_000 and header.sfreq > 0)


@_bounded
@given(st.one_of(st.binary(max_size=200), data_frames()))
def test_any_data_frame_is_read_or_refused(data: bytes) -> None:
    header = Header(3, SFREQ, "int16", LABELS, (), 0)
    block, words = refused(lambda: canned(data).block(0, 4, header))
    assert not words or words.startswith("canned:1 ")
    assert block is None or block.shape == (4, 3)


@_bounded
@given(st.one_of(st.binary(max_size=40), st.binary(max_size=20).map(lambda b: frame(WAIT_OK, b))))
def test_any_count_is_read_or_refused(data: bytes) -> None:
    count, words = refused(lambda: canned(data).count(1, 0.1))
    assert words.startswith("canned:1 ") if count is None else 0 <= count < 2**32


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mne_realtime")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mne_realtime", None)
    with pytest.raises(MissingExtra, match=r"rtdecode\[fieldtrip\]"):
        Buffer("127.0.0.1", 1)


def test_importing_it_says_nothing(recwarn: pytest.WarningsRecorder) -> None:
    with FakeBuffer() as fake:
        fake.put_header(LABELS, SFREQ)
        opened(fake).close()
    assert [w for w in recwarn if w.category is FutureWarning] == []


def test_what_upstream_does_without_our_guard() -> None:
    """Why FieldTripClient itself is not used: it guesses units from names, and fails on others."""
    import mne_realtime
    from mne_realtime.externals import FieldTrip

    client = mne_realtime.FieldTripClient()
    client.ft_header = FieldTrip.Header()
    client.ft_header.nChannels, client.ft_header.fSample, client.ft_header.labels = 1, 100.0, ["Fz"]
    with pytest.raises(ValueError, match="Fz"), pytest.warns(RuntimeWarning):
        client._create_info()


def test_the_look_up_of_a_name_can_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def slow(*_: object, **__: object) -> None:
        answered.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(line, "LOOK_UP_S", math.inf)
    with pytest.raises(Lost, match="cannot be reached"):
        line.connect("slow.invalid", 1972, lambda: True)  # waits for no answer: there is none
    answered.set()
