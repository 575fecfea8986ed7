"""A session's pictures for viewers elsewhere: a small process of its own that reads the slot like a screen.

    core -> shared memory -> this process -> TCP -> any number of viewers

The core knows nothing of it and never waits for it. Nor does a viewer wait for another: each asks for the
newest picture when it is ready for one. Pictures are looked for only while somebody asks. Several decoders
are published by one such process, each on a port of its own.
"""

import asyncio
import contextlib
import multiprocessing
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rtdecode.live.signal_memory import SignalMemory
from rtdecode.live.slot import Slot, signal_name
from rtdecode.live.supervisor import Supervisor
from rtdecode.remote import address
from rtdecode.remote.address import Address
from rtdecode.remote.protocol import (
    FROM_VIEWER,
    NONCE_BYTES,
    Frame,
    Frames,
    Kind,
    Picture,
    ProtocolError,
    Refusal,
    frame,
    hello,
    picture,
    proven,
)

LOOK_S = 1 / 30  # between two looks at the slot while somebody waits
SAME_S = 0.5  # after which a viewer hears that nothing is new
JOIN_S, IDLE_S = 5.0, 60.0  # to say who one is; to ask for the next picture, or to take one
REFUSE_S = 0.5  # before a wrong token is answered
VIEWERS = 32
END_S = 0.3  # for the last words


@dataclass(frozen=True)
class Published:
    """where: what viewers are to ask for, one of each decoder;  token: what they must know, empty: nothing"""

    where: tuple[Address, ...]
    token: str

    @property
    def command(self) -> str:
        """What to type elsewhere; a token that was given is known there."""
        told = self.token and self.token != address.given_token()
        return f"{address.TOKEN}={self.token} {self.plain}" if told else self.plain

    @property
    def plain(self) -> str:
        return f"rtdecode watch {' '.join(map(str, self.where))}"


@contextmanager
def published(cores: Sequence[Supervisor], where: Address | None) -> Iterator[Published | None]:
    """Publish the pictures of started cores; without an address, not at all. ConfigError when it is taken.

    where  of the first; the others have the ports after it
    """
    if where is None:
        yield None
        return
    with ExitStack() as stack:
        listeners = [stack.enter_context(each) for each in address.listen_all(where, len(cores))]
        token = address.token_for(listeners[0])
        about = Published(tuple(address.bound(listener, where) for listener in listeners), token)
        process = multiprocessing.get_context("spawn").Process(
            target=_main,
            args=(listeners, [core.slot_name for core in cores], token, os.getpid()),
            name="rtdecode-publisher",
            daemon=True,
        )
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield about
    finally:
        process.terminate()
        process.join(2 * END_S + 1.0)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _main(listeners: list[socket.socket], slots: list[str], token: str, parent: int) -> None:
    """Entry point of the spawned process: runs until SIGTERM or the end of `parent`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to answer
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with contextlib.suppress(OSError):
        os.nice(5)
    asyncio.run(_run(listeners, slots, token, parent))
    os._exit(0)


async def _run(listeners: list[socket.socket], slots: list[str], token: str, parent: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    publishers = [Publisher(Slot(name=name), SignalMemory(signal_name(name)), token) for name in slots]
    for publisher, listener in zip(publishers, listeners, strict=True):
        await publisher.start(listener)
    while not stopping.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.5)
    await asyncio.gather(*(publisher.stop() for publisher in publishers))


class Publisher:
    """Serves viewers in the running event loop. token: empty lets everybody in."""

    def __init__(self, slot: Slot, rows: SignalMemory, token: str = ""):
        self._slot, self._rows, self._token = slot, rows, token
        self._newest: bytes | None = None
        self._fresh = asyncio.Condition()
        self._asked = asyncio.Event()
        self._asked_at = 0.0
        self._viewers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        self._looking = asyncio.create_task(self._look())
        self._server = await asyncio.start_server(self._door, sock=listener)

    async def stop(self) -> None:
        """Say goodbye and hang up."""
        if self._server:
            self._server.close()
        if self._looking:
            self._looking.cancel()
        viewers = list(self._viewers)
        for viewer in viewers:
            viewer.write(frame(Kind.BYE))
            viewer.close()
        if viewers:
            leaving = [asyncio.create_task(viewer.wait_closed()) for viewer in viewers]
            await asyncio.wait(leaving, timeout=END_S)

    async def _look(self) -> None:
        """Keep the newest picture while somebody asks for it."""
        while True:
            await self._asked.wait()
            data = self._slot.read()
            if data is not self._newest:
                async with self._fresh:
                    self._newest = data
                    self._fresh.notify_all()
            if time.monotonic() - self._asked_at > 1.0:
                self._asked.clear()
            await asyncio.sleep(LOOK_S)

    async def _after(self, seen: bytes | None) -> bytes | None:
        """A picture that is not `seen`; None when none comes in time."""
        self._asked_at = time.monotonic()
        self._asked.set()
        try:
            async with asyncio.timeout(SAME_S), self._fresh:
                await self._fresh.wait_for(lambda: self._newest is not None and self._newest is not seen)
                return self._newest
        except TimeoutError:
            return None

    async def _door(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._viewers.add(writer)
        try:
            viewer = _Line(reader, writer)
            if len(self._viewers) > VIEWERS:
                await self._refuse(viewer, Refusal.FULL)
            elif await self._joined(viewer):
                await self._show(viewer)
        except (ProtocolError, OSError, EOFError, TimeoutError):
            pass  # it left, or is no viewer of ours: nobody else need know
        except asyncio.CancelledError:
            pass  # the session ends; before Python 3.12 asyncio prints a traceback where this leaves
        finally:
            self._viewers.discard(writer)
            writer.transport.abort()

    async def _joined(self, viewer: "_Line") -> bool:
        nonce = secrets.token_bytes(NONCE_BYTES)
        await viewer.send(hello(nonce, bool(self._token)))
        said = await viewer.next(JOIN_S)
        if said.kind is not Kind.JOIN:
            raise ProtocolError("did not join")
        if not self._token or proven(self._token, nonce, said.payload):
            return True
        await asyncio.sleep(REFUSE_S)
        await self._refuse(viewer, Refusal.TOKEN)
        return False

    async def _refuse(self, viewer: "_Line", why: Refusal) -> None:
        if len(self._viewers) > 2 * VIEWERS:
            return
        await viewer.send(frame(Kind.REFUSED, bytes([why])))
        async with asyncio.timeout(JOIN_S):
            while True:  # until it hangs up, having read that
                await viewer.next(JOIN_S)

    async def _show(self, viewer: "_Line") -> None:
        seen, epoch, stop = None, 0, 0
        while (await viewer.next(IDLE_S)).kind is Kind.NEXT:
            data = await self._after(seen)
            if data is None:
                await viewer.send(frame(Kind.SAME))
                continue
            signal_ = self._rows.after(epoch, stop)
            seen, epoch, stop = data, signal_.epoch, signal_.stop
            now = time.monotonic()
            await viewer.send(picture(Picture(now, epoch, stop, signal_.shown, signal_.rows, data)))


class _Line:
    """Frames to and from one viewer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer
        self._frames = Frames(FROM_VIEWER)
        self._waiting: list[Frame] = []

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(IDLE_S):
            self._writer.write(data)
            await self._writer.drain()

    async def next(self, timeout_s: float) -> Frame:
        async with asyncio.timeout(timeout_s):
            while not self._waiting and not self._take(b""):
                if not (data := await self._reader.read(4096)):
                    raise EOFError
                self._take(data)
        return self._waiting.pop(0)

    def _take(self, data: bytes) -> bool:
        self._waiting += self._frames.feed(data)
        return bool(self._waiting)
