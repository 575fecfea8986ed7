"""The far end of a published session: a Watcher whose newest snapshot comes over TCP, read in a thread.

It only asks and reads. A session that goes away is said so in the snapshot's own state, and looked for again
by itself; times are moved onto this machine's clock.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.remote.address import TOKEN, Address
from rtdecode.remote.protocol import (
    FROM_SESSION,
    Frame,
    Frames,
    Kind,
    OtherVersion,
    ProtocolError,
    Refusal,
    Tail,
    frame,
    proof,
    read_hello,
    read_picture,
)
from rtdecode.snapshot import Decoder, Snapshot, State

FPS = 15.0
ANSWER_S = 3.0  # the session speaks twice a second: after so long it is gone
RETRY_S = (0.25, 0.5, 1.0, 2.0, 4.0)
ABSENT_S = 0.25  # between two snapshots that say so
CLOCK_S = 30.0  # the fastest way of so long tells how the clocks differ


class Gone(Exception):
    """No session there now."""


class Viewer:
    """Reads the session at `where` until `stop`.

    fps      pictures to ask for a second
    refused  why there is no use in trying on; None while there is
    """

    def __init__(
        self,
        where: Address,
        token: str = "",
        *,
        fps: float = FPS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.where = where
        self.refused: RtdecodeError | None = None
        self._token, self._period, self._clock = token, 1 / fps, clock
        self._snapshot: Snapshot | None = None
        self._absent = f"no session at {where} yet"  # empty while connected
        self._since = self._said_at = clock()
        self._said: Snapshot | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="viewer", daemon=True)

    def start(self) -> "Viewer":
        self._thread.start()
        return self

    def latest(self) -> Snapshot | None:
        """The newest snapshot; while the session is away, the last one as LOST, with the reason."""
        with self._lock:
            if not self._absent:
                return self._snapshot
            now = self._clock()
            if self._said is None or now - self._said_at >= ABSENT_S:
                self._said, self._said_at = self._away(now), now
            return self._said

    def stop(self) -> None:
        """Hang up. May be called twice."""
        self._stopping.set()
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _away(self, now: float) -> Snapshot:
        state_s, last = now - self._since, self._snapshot
        if last is None:
            return Snapshot(State.CONNECTING, state_s=state_s, detail=self._absent, published=now)
        # The session's seconds run on: what is old is said to be as old as it is. No signal: nothing new.
        return replace(
            last,
            state=State.LOST,
            state_s=state_s,
            detail=self._absent,
            retry=None,
            elapsed_s=last.elapsed_s + now - last.published,
            published=now,
            signal=np.zeros((0, last.signal.shape[1]), np.float32),
        )

    # --- the thread

    def _run(self) -> None:
        tries = 0
        while not self._stopping.is_set():
            reason = f"no session at {self.where}"
            try:
                with socket.create_connection((self.where.host, self.where.port), ANSWER_S) as line:
                    with self._lock:
                        self._socket = line
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    session = _Session(line)
                    self._join(session)
                    tries = 0
                    self._watch(session)
            except RtdecodeError as problem:
                self.refused = problem
                return
            except Gone as problem:
                reason = str(problem)
            except ProtocolError as problem:
                reason = f"unreadable: {problem}"
            except TimeoutError:
                reason = f"no answer from {self.where}"
            except OSError:
                pass
            self._lost(reason)
            self._stopping.wait(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    def _lost(self, reason: str) -> None:
        with self._lock:
            if not self._absent:
                self._since, self._said = self._clock(), None
            ended = self._absent.startswith("the session ended") and reason.startswith("no session")
            self._absent = self._absent if ended else reason
            self._socket = None

    def _join(self, session: "_Session") -> None:
        """Be let in. ConfigError when that will never be."""
        again = "rtdecode must be of the same version at both ends"
        try:
            greeting = session.next()
            if greeting.kind is Kind.REFUSED:
                self._refuse(greeting)
            if greeting.kind is not Kind.HELLO:
                raise ProtocolError("no greeting")
            nonce, guarded = read_hello(greeting.payload)
        except OtherVersion as problem:
            raise ConfigError(f"the session at {self.where} speaks {problem}", hint=again) from problem
        except ProtocolError as problem:
            hint = "`rtdecode live --watch` says where a session is"
            raise ConfigError(f"what listens at {self.where} is no rtdecode session", hint=hint) from problem
        if guarded and not self._token:
            raise ConfigError(f"the session at {self.where} asks for a token", hint=f"set {TOKEN}")
        session.send(frame(Kind.JOIN, proof(self._token, nonce)))

    def _refuse(self, said: Frame) -> None:
        if said.payload[:1] == bytes([Refusal.TOKEN]):
            raise ConfigError(
                f"the token is not the one of the session at {self.where}",
                hint=f"set {TOKEN} to what `rtdecode live --watch` was given or printed",
            )
        raise Gone(f"{self.where} has all the viewers it takes")

    def _watch(self, session: "_Session") -> None:
        decoder, tail, clocks = Decoder(), Tail(), _Clocks()
        while not self._stopping.is_set():
            asked = self._clock()
            session.send(frame(Kind.NEXT))
            said = session.next()
            if said.kind is Kind.BYE:
                raise Gone("the session ended; waiting for another")
            if said.kind is Kind.REFUSED:
                self._refuse(said)
            if said.kind is Kind.PICTURE:
                self._take(said.payload, decoder, tail, clocks)
            elif said.kind is not Kind.SAME:
                raise ProtocolError(f"{said.kind.name} instead of a picture")
            self._stopping.wait(self._period - (self._clock() - asked))

    def _take(self, payload: bytes, decoder: Decoder, tail: Tail, clocks: "_Clocks") -> None:
        picture = read_picture(payload)
        try:
            snapshot = decoder.decode(picture.data)
        except Exception as problem:  # bytes from outside may break a decoder in any way they like
            raise ProtocolError("a picture that cannot be read") from problem
        offset = clocks.offset(picture.sent, self._clock())
        snapshot = replace(snapshot, signal=tail.add(picture), published=snapshot.published + offset)
        with self._lock:
            self._snapshot, self._absent = snapshot, ""


class _Session:
    """Frames to and from a session, by a blocking socket with a time limit."""

    def __init__(self, line: socket.socket):
        self._line, self._frames = line, Frames(FROM_SESSION)
        self._waiting: list[Frame] = []

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def next(self) -> Frame:
        """The next frame. Gone when the other end hangs up; TimeoutError when it says nothing."""
        while not self._waiting and not self._take(b""):
            if not (data := self._line.recv(1 << 18)):
                raise Gone("the session hung up")
            self._take(data)
        return self._waiting.pop(0)

    def _take(self, data: bytes) -> bool:
        self._waiting += self._frames.feed(data)
        return bool(self._waiting)


class _Clocks:
    """From the session's monotonic clock to ours: what took least time on its way tells it best."""

    def __init__(self) -> None:
        self._now = self._before = float("inf")
        self._until = 0.0

    def offset(self, sent: float, received: float) -> float:
        """Seconds to add to the session's times."""
        if received >= self._until:
            self._until, self._before, self._now = received + CLOCK_S, self._now, float("inf")
        self._now = min(self._now, received - sent)
        return min(self._now, self._before)
