"""A TCP connection that cannot be made to wait for ever, nor to hold more than was agreed.

Made for the client of a FieldTrip buffer, which expects a socket. It knows frames only by their length.
"""

import functools
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from rtdecode.errors import StreamError
from rtdecode.sources.lsl import Lost

CONNECT_S = 1.0
LOOK_UP_S = 3.0
GLANCE_S = 0.1  # how soon a call under way sees that it should stop


class NotABuffer(StreamError):
    """What answers does not speak the protocol, or sent a frame that contradicts itself."""


class Line:
    """A socket as that client expects one, with a limit for every frame and a deadline for every wait.

    stopping  asked every 0.1 s: a request under way is given up when it says so
    """

    def __init__(self, sock: socket.socket, where: str, stopping: Callable[[], bool]):
        self._sock, self._where, self._stopping = sock, where, stopping
        self._limit, self._deadline = 0, 0.0
        sock.settimeout(GLANCE_S)

    def expect(self, limit: int, wait_s: float) -> None:
        """The next reply holds at most `limit` bytes and is complete within `wait_s` seconds."""
        self._limit, self._deadline = max(limit, 8), time.monotonic() + wait_s

    def send(self, request: bytes) -> int:
        return int(self._patiently(lambda: self._sock.send(request)))

    def recv(self, count: int) -> bytes:
        """Exactly `count` bytes: what the client asks for is what the peer announced."""
        if count > self._limit:
            raise NotABuffer(
                f"{self._where} announces a reply of {count} bytes where at most {self._limit} fit",
                hint="is that a FieldTrip buffer?",
            )
        data = bytearray(count)
        left = memoryview(data)
        while left:
            got = self._patiently(functools.partial(self._sock.recv_into, left))
            if not got:
                raise Lost(f"{self._where} closed the connection")
            left = left[got:]
        return bytes(data)

    def close(self) -> None:
        self._sock.close()

    def _patiently(self, call: Callable[[], int]) -> int:
        while True:
            if self._stopping():
                raise Lost(f"{self._where}: stopped while waiting for a reply")
            if time.monotonic() > self._deadline:
                raise Lost(f"{self._where} does not answer")
            try:
                return call()
            except TimeoutError:
                continue
            except OSError as problem:
                raise Lost(f"{self._where} closed the connection") from problem


def connect(host: str, port: int, stopping: Callable[[], bool]) -> socket.socket:
    """A connection to host:port, or Lost with the reason, within a few seconds."""
    where = f"{host}:{port}"
    try:
        sock = socket.create_connection((_address(host, stopping), port), CONNECT_S)
        if sock.getsockname() == sock.getpeername():  # a connection to itself: nobody listens
            sock.close()
            raise ConnectionRefusedError
    except ConnectionRefusedError as problem:
        raise Lost(
            f"nothing listens at {where}", hint="is the FieldTrip buffer running, at this port?"
        ) from problem
    except TimeoutError as problem:
        raise Lost(f"{where} cannot be reached", hint="is the host on, a firewall between?") from problem
    except (OSError, OverflowError) as problem:
        raise Lost(f"{where} cannot be reached: {problem}") from problem
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _address(host: str, stopping: Callable[[], bool]) -> str:
    """A name as an address, looked up aside because the system's look-up cannot be interrupted."""
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as problem:
            found.append(problem)

    thread = threading.Thread(target=look_up, name="look-up", daemon=True)
    thread.start()
    until = time.monotonic() + LOOK_UP_S
    while thread.is_alive() and time.monotonic() < until and not stopping():
        thread.join(GLANCE_S)
    if not found:
        raise TimeoutError
    if isinstance(found[0], Exception):
        raise OSError(f"no host of the name {host!r} is known") from found[0]
    return str(found[0])
