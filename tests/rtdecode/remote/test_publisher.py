"""A publisher and its viewers over real sockets in one process; the core is a slot written by hand."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pytest

from rtdecode.errors import ConfigError
from rtdecode.live.signal_memory import SignalMemory
from rtdecode.live.slot import Slot, signal_name
from rtdecode.remote import publisher as module
from rtdecode.remote.address import Address, listen
from rtdecode.remote.protocol import FROM_SESSION, VERSION, Frames, Kind, ProtocolError, frame, picture
from rtdecode.remote.publisher import Publisher
from rtdecode.remote.viewer import Viewer
from rtdecode.snapshot import Snapshot, State, encode
from tests.rtdecode.remote.test_protocol import a_picture

TOKEN = "the right one"  # noqa: S105
OURS = b"rt" + bytes([VERSION])  # how every frame begins


class Published:
    """A publisher in a thread. write(k): the core's k-th picture."""

    def __init__(self, token: str = "", where: Address | None = None):
        self.slot = Slot(1 << 20)
        self.rows = SignalMemory(signal_name(self.slot.name), 1 << 20)
        self.rows.shape(20, 2)
        self._listener = listen(where or Address("127.0.0.1", 0))
        self.where = Address("127.0.0.1", self._listener.getsockname()[1])
        self._publisher = Publisher(self.slot, self.rows, token)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10.0)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self._publisher.start(self._listener)
        self._ready.set()
        await self._stop.wait()
        await self._publisher.stop()

    def write(self, k: int) -> None:
        self.rows.write(np.full((1, 2), k, np.float32))
        self.slot.write(encode(Snapshot(State.LIVE, run=k, elapsed_s=k, published=time.monotonic())))

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5.0)
            self.rows.close()
            self.slot.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtdecode.remote.viewer.RETRY_S", (0.02,))


@contextmanager
def published(*arguments: Any) -> Iterator[Published]:
    with closing(Published(*arguments)) as session:
        yield session


@contextmanager
def viewing(where: Address, token: str = "", **options: Any) -> Iterator[Viewer]:
    viewer = Viewer(where, token, **options).start()
    try:
        yield viewer
    finally:
        viewer.stop()


def until(condition: Callable[[], Any], what: str = "", timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)


def run_of(viewer: Viewer) -> int:
    snapshot = viewer.latest()
    return snapshot.run if snapshot else 0


def test_every_viewer_sees_the_newest_picture_and_the_whole_signal() -> None:
    with published() as session, viewing(session.where) as one, viewing(session.where, fps=3) as two:
        for k in range(1, 31):
            session.write(k)
            until(lambda k=k: run_of(one) == k)
        until(lambda: run_of(two) == 30)
        for viewer in (one, two):
            snapshot = viewer.latest()
            assert snapshot and snapshot.state is State.LIVE
            np.testing.assert_array_equal(snapshot.signal[:, 0], np.arange(11, 31, dtype=np.float32))
            assert abs(time.monotonic() - snapshot.published) < 5.0


def test_nobody_looks_then_nothing_is_read() -> None:
    with published() as session:
        session.write(1)
        with viewing(session.where) as viewer:
            until(lambda: run_of(viewer) == 1)
        until(lambda: not session._publisher._asked.is_set())
        session.write(2)
        assert not session.slot.wanted


def a_socket(where: Address) -> socket.socket:
    return socket.create_connection((where.host, where.port), 10.0)


def read_all(line: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            data = line.recv(1 << 16)
        except ConnectionResetError:
            return found
        if not data:
            return found
        found += data


def test_one_who_never_reads_delays_nobody() -> None:
    with published() as session, viewing(session.where) as viewer, a_socket(session.where) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        session.rows.shape(4000, 20)
        session.rows.write(np.zeros((4000, 20), np.float32))
        stuck.sendall(frame(Kind.JOIN, bytes(32)) + 2000 * frame(Kind.NEXT))
        for k in range(1, 31):
            session.slot.write(encode(Snapshot(State.LIVE, run=k)))
            until(lambda k=k: run_of(viewer) == k, f"picture {k} did not come")


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 100_000,
        frame(Kind.NEXT),
        frame(Kind.BYE) * 1000,
        frame(Kind.JOIN, bytes(32)) + frame(Kind.JOIN, bytes(32)),
        OURS + b"\x02\xff\xff\xff\xff",
    ],
)
def test_whoever_speaks_otherwise_is_hung_up_on(said: bytes) -> None:
    with published() as session:
        session.write(1)
        with a_socket(session.where) as line:
            line.sendall(said)
            read_all(line)  # ends, for the other side hangs up
        with viewing(session.where) as viewer:
            until(lambda: run_of(viewer) == 1)


def test_a_silent_visitor_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOIN_S", 0.1)
    with published() as session, a_socket(session.where) as line:
        assert [f.kind for f in Frames(64).feed(read_all(line))] == [Kind.HELLO]


def test_the_token_opens_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFUSE_S", 0.01)
    with published(TOKEN) as session:
        session.write(1)
        with viewing(session.where, TOKEN) as viewer:
            until(lambda: run_of(viewer) == 1)
        for token, words in (("wrong", "the token is not the one"), ("", "asks for a token")):
            with viewing(session.where, token) as viewer:
                until(lambda viewer=viewer: viewer.refused)
                assert isinstance(viewer.refused, ConfigError)
                assert words in str(viewer.refused) and "RTDECODE_TOKEN" in str(viewer.refused)
                assert run_of(viewer) == 0
        with a_socket(session.where) as line:  # not even one who does not wait to be let in
            line.sendall(frame(Kind.JOIN, bytes(32)) + frame(Kind.NEXT))
            line.shutdown(socket.SHUT_WR)
            kinds = [f.kind for f in Frames(FROM_SESSION).feed(read_all(line))]
            assert kinds == [Kind.HELLO, Kind.REFUSED]


def test_there_is_an_end_to_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VIEWERS", 1)
    with published() as session:
        session.write(1)
        with viewing(session.where) as one:
            until(lambda: run_of(one) == 1)
            with viewing(session.where) as two:
                until(lambda: "all the viewers" in said(two))
                one.stop()
                until(lambda: run_of(two) == 1)


def said(viewer: Viewer) -> str:
    snapshot = viewer.latest()
    return snapshot.detail if snapshot else ""


def test_a_session_that_ends_is_said_so_and_the_next_is_found() -> None:
    clock = [100.0]
    with published() as session:
        where = session.where
        with viewing(where, clock=lambda: clock[0]) as viewer:
            session.slot.write(
                encode(Snapshot(State.LIVE, run=7, elapsed_s=60.0, published=time.monotonic()))
            )
            until(lambda: run_of(viewer) == 7)
            session.close()
            until(lambda: said(viewer) == "the session ended; waiting for another")
            clock[0] += 5.0
            snapshot = viewer.latest()
            assert snapshot and snapshot.state is State.LOST and snapshot.run == 7
            assert snapshot.state_s == pytest.approx(5.0)
            assert snapshot.elapsed_s == pytest.approx(65.0, abs=1.0)  # so that its age is told
            assert snapshot.published == clock[0]  # the viewer itself answers
            with published("", where) as after:
                after.write(8)
                until(lambda: run_of(viewer) == 8)
                assert viewer.latest().state is State.LIVE


def test_the_end_of_a_session_says_nothing_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAME_S", 60.0)  # the viewer is still waited for when the session ends
    complaints: list[dict[str, Any]] = []
    with published() as session:
        session._loop.set_exception_handler(lambda _, context: complaints.append(context))
        session.write(1)
        with a_socket(session.where) as line:
            line.sendall(frame(Kind.JOIN) + 2 * frame(Kind.NEXT))
            until(lambda: session._publisher._fresh._waiters)  # for a second picture, which never comes
            session.close()
            assert not session._thread.is_alive()
    assert not complaints


def test_a_session_may_start_after_its_viewer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = Address("127.0.0.1", taken.getsockname()[1])
    with viewing(where) as viewer:
        snapshot = viewer.latest()
        assert snapshot and snapshot.state is State.CONNECTING and f"no session at {where}" in snapshot.detail
        with published("", where) as session:
            session.write(1)
            until(lambda: run_of(viewer) == 1)


@contextmanager
def impostor(*answers: bytes) -> Iterator[Address]:
    """A server that says these things to one visitor after the other, whatever they say."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    line.sendall(answer)
                    line.shutdown(socket.SHUT_WR)
                    read_all(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Address("127.0.0.1", server.getsockname()[1])
        thread.join(5.0)


HELLO = frame(Kind.HELLO, bytes(17))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no rtdecode session"),
        (frame(Kind.PICTURE), "is no rtdecode session"),
        (frame(Kind.HELLO, b"short"), "is no rtdecode session"),
        (b"rt\x09\x01\x00\x00\x00\x00", f"speaks protocol 9, not {VERSION}"),
    ],
)
def test_what_is_no_session_is_said_so(answer: bytes, words: str) -> None:
    with impostor(answer) as where, viewing(where) as viewer:
        until(lambda: viewer.refused)
        assert words in str(viewer.refused)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        HELLO[:5],
        HELLO,
        HELLO + frame(Kind.JOIN),
        HELLO + frame(Kind.PICTURE, b"garbage"),
        HELLO + picture(a_picture()),  # its Snapshot is no JSON
        HELLO + OURS + b"\x05\xff\xff\xff\xff",
        HELLO + b"\x00" * 1000,
    ],
)
def test_a_viewer_survives_any_session_and_goes_on_looking(answer: bytes) -> None:
    after = HELLO + 3 * frame(Kind.SAME) + frame(Kind.BYE)
    with impostor(answer, after) as where, viewing(where) as viewer:
        until(lambda: "the session ended" in said(viewer))
        assert viewer.refused is None


def test_a_session_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtdecode.remote.viewer.ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        where = Address("127.0.0.1", mute.getsockname()[1])
        with viewing(where) as viewer:
            until(lambda: f"no answer from {where}" in said(viewer))


def test_frames_of_a_session_are_bounded() -> None:
    with pytest.raises(ProtocolError):
        Frames(FROM_SESSION).feed(OURS + b"\x05" + (FROM_SESSION + 1).to_bytes(4, "little"))


def test_one_who_waits_hears_that_nothing_is_new() -> None:
    with published() as session, a_socket(session.where) as line:
        line.sendall(frame(Kind.JOIN, bytes(32)) + 2 * frame(Kind.NEXT))
        line.shutdown(socket.SHUT_WR)
        kinds = [f.kind for f in Frames(FROM_SESSION).feed(read_all(line))]
        assert kinds == [Kind.HELLO, Kind.SAME, Kind.SAME]
