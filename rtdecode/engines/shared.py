"""One batch for the cores of several streams: the process that runs it, and the session a core has of it.

    core A -> socket -> \\
    core B -> socket ->  Batch, on the GPU if there is one

Cores stay processes of their own: one that dies gives its seat back, one that stalls has nothing asked for.
Whatever hops have come when the batch is free are run together; nobody is waited for. Bytes of arrays and one
line of JSON travel, never a pickle; the socket lies in a directory that only its user can enter.
"""

import contextlib
import json
import os
import signal
import socket
import struct
from collections.abc import Mapping
from multiprocessing.connection import Client, Connection, Listener, wait
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engines import check_golden
from rtdecode.engines.session import Base, EngineInfo, Frames, checked_state
from rtdecode.errors import ConfigError, RtdecodeError

RUN, FIRST, RESET, STATE, LOAD = b"x", b"f", b"r", b"s", b"l"  # FIRST: of a run, all before is forgotten
ANSWER_S = 5.0  # for one step; a batch that needs longer is lost
LOOK_S = 0.5
REPLY_BYTES = 100_000  # what a socket holds for a core that does not read: nobody is waited for


def serve(
    path: str, bundle: str, seats: int, threads: int, device: str, parent: int, said: Connection
) -> None:
    """Entry point of the process: until SIGTERM or the end of `parent`. Says [] once cores may ask, or why
    they may not: the error's name, message and hint.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        server = Server(path, load_bundle(bundle), seats, threads, device)
    except RtdecodeError as problem:
        said.send_bytes(json.dumps([type(problem).__name__, problem.message, problem.hint]).encode())
        os._exit(0)
    said.send_bytes(b"[]")
    while os.getppid() == parent:
        server.turn(LOOK_S)
    with contextlib.suppress(OSError):  # nobody else is left to take them away
        os.unlink(path)
        os.rmdir(os.path.dirname(path))
    os._exit(0)


class Server:
    """Answers cores in turns, in the thread that calls `turn`."""

    def __init__(self, path: str, bundle: Bundle, seats: int, threads: int, device: str):
        from rtdecode.engines import setup_of
        from rtdecode.engines.batched import Seat, open_batched

        setup = setup_of(bundle, threads=threads)
        if setup.mode != "stream":
            raise ConfigError(
                f"bundle {bundle.path} takes whole windows, and a shared batch serves streams in steps",
                hint="leave --engine batched out",
            )
        self._batch = open_batched(bundle, seats, setup=setup, device=device)
        if (size := self._batch.reply_bytes) > REPLY_BYTES:
            raise ConfigError(f"a step's output of {size} bytes is too large for a shared batch")
        self._listener = Listener(path, "AF_UNIX")
        self._seats: dict[Connection, Seat] = {}

    def turn(self, timeout_s: float) -> None:
        """Wait for somebody, then answer all who have asked."""
        door = self._listener._listener._socket  # type: ignore[attr-defined]  # there is no public way to wait
        asked: dict[Connection, np.ndarray] = {}
        for each in wait([door, *self._seats], timeout_s):
            if each is door:
                self._open()
            else:
                assert isinstance(each, Connection)
                self._hear(each, asked)
        if not asked:
            return
        by_seat = {self._seats[core].number: core for core in asked}
        frames = self._batch.run({number: asked[core] for number, core in by_seat.items()})
        for number, core in by_seat.items():
            heads = (frames[number].estimate, frames[number].log_probs)
            self._answer(core, b"".join(head.tobytes() for head in heads if head is not None))

    def _open(self) -> None:
        core = self._listener.accept()
        _never_wait(core)
        try:
            seat = self._batch.join()
        except ConfigError:
            core.close()
            return
        seat.reset()
        self._seats[core] = seat
        info = self._batch.info
        shapes = {name: list(shape) for name, shape in self._batch.heads.items()}
        said = {
            "size": seat.batch.size,
            "channels": seat.batch.channels,
            "hop": info.hop,
            "device": info.device,
            "versions": dict(info.versions),
            "threads": info.threads,
            "heads": shapes,
        }
        self._answer(core, json.dumps(said).encode())

    def _hear(self, core: Connection, asked: dict[Connection, np.ndarray]) -> None:
        seat = self._seats[core]
        try:
            message = core.recv_bytes()
            kind, rest = message[:1], message[1:]
            if kind in (RUN, FIRST):
                x = np.frombuffer(rest, np.float32).reshape(seat.batch.size, seat.batch.channels)
                asked[core] = x.copy()  # what came is read-only
                if kind == FIRST:
                    seat.reset()
                return
        except (EOFError, OSError, ValueError):  # it ended, however, or is no core of ours
            self._leave(core)
            return
        if kind == RESET:
            seat.reset()
            self._answer(core, b"")
        else:
            state = seat.state()
            if kind == LOAD:
                seat.load_state(_unpacked(rest, state))
            self._answer(core, b"".join(values.tobytes() for values in state.values()))

    def _answer(self, core: Connection, data: bytes) -> None:
        try:
            core.send_bytes(data)
        except OSError:
            self._leave(core)

    def _leave(self, core: Connection) -> None:
        self._seats.pop(core).leave()
        core.close()


def open_shared(bundle: Bundle, path: str) -> "SharedSession":
    """A core's session in the batch at `path`, compared with the golden output. ConfigError: no seat."""
    try:
        session = SharedSession(path)
    except (OSError, EOFError) as problem:
        raise ConfigError(f"the shared batch gives no seat: {problem or 'all are taken'}") from problem
    session.parity = check_golden(session, bundle, "batched")
    return session


class SharedSession(Base):
    """A seat in another process's batch. Raises ConnectionError when that is gone, or does not answer."""

    def __init__(self, path: str):
        self._batch, self._begins = Client(path, "AF_UNIX"), True
        said: dict[str, Any] = json.loads(self._heard())
        self._shapes = {name: tuple(shape) for name, shape in said["heads"].items()}
        info = EngineInfo(
            "batched", "stream", said["hop"], "fp32", said["threads"], said["device"], said["versions"]
        )
        super().__init__(info, said["size"], said["channels"])

    def run(self, x: np.ndarray) -> Frames:
        kind, self._begins = FIRST if self._begins else RUN, False
        values = np.frombuffer(self._asked(kind + np.ascontiguousarray(x, np.float32).tobytes()), np.float32)
        at, heads = 0, {}
        for name, shape in self._shapes.items():
            count = int(np.prod(shape))
            heads[name], at = values[at : at + count].reshape(shape), at + count
        return Frames(heads.get("estimate"), heads.get("log_probs"))

    def rehearse(self, x: np.ndarray) -> None:
        """Nothing: the batch is warm by its other streams, and would make them wait."""

    def reset(self) -> None:
        """Told with the next step: a batch that has ended is for that to say."""
        self._begins = True

    def state(self) -> dict[str, np.ndarray]:
        if self._begins:
            self._asked(RESET)
            self._begins = False
        return {"state": np.frombuffer(self._asked(STATE), np.float32).copy()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._asked(LOAD + checked_state(state, self.state())["state"].tobytes())

    def _asked(self, message: bytes) -> bytes:
        try:
            self._batch.send_bytes(message)
            return self._heard()
        except (EOFError, OSError) as problem:
            raise ConnectionError("the batch that several decoders share has ended") from problem

    def _heard(self) -> bytes:
        if not self._batch.poll(ANSWER_S):
            self._batch.close()  # a late answer must not be taken for the next one's
            raise ConnectionError(f"the batch that several decoders share did not answer in {ANSWER_S:g} s")
        return self._batch.recv_bytes()


def _never_wait(core: Connection) -> None:
    """A core that stops in the middle of a message is let go: reads and writes end after a second."""
    with socket.socket(fileno=os.dup(core.fileno())) as own:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            own.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 1, 0))


def _unpacked(data: bytes, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    values, at, found = np.frombuffer(data, np.float32), 0, {}
    for name, array in like.items():
        found[name], at = values[at : at + array.size].reshape(array.shape), at + array.size
    return found
