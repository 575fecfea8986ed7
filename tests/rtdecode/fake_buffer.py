"""A fake FieldTrip buffer for tests: protocol V1 over loopback, a ring, and ways to misbehave on purpose.

Not a server for measurements: it is filled by calls, holds one header, and serves reading clients only.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

GET_HDR, GET_DAT, GET_EVT, WAIT_DAT = 0x201, 0x202, 0x203, 0x402
GET_OK, GET_ERR, WAIT_OK, WAIT_ERR = 0x204, 0x205, 0x404, 0x405
TYPES = ("", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")


def frame(command: int, payload: bytes = b"", version: int = 1) -> bytes:
    return struct.pack("HHI", version, command, len(payload)) + payload


def header_payload(
    channels: int,
    sfreq: float,
    dtype: int,
    labels: Sequence[str] | None,
    samples: int = 0,
    resolutions: Sequence[float] = (),
    events: int = 0,
) -> bytes:
    chunks = b""
    if labels is not None:
        names = "".join(f"{label}\0" for label in labels).encode()
        chunks += struct.pack("II", 1, len(names)) + names
    if resolutions:
        chunks += struct.pack("II", 3, 8 * len(resolutions)) + np.array(resolutions, np.float64).tobytes()
    return struct.pack("IIIfII", channels, samples, events, sfreq, dtype, len(chunks)) + chunks


def event(sample: int, kind: str | np.ndarray, value: str | np.ndarray) -> bytes:
    """One event as it is on the wire: text, or numbers of one type."""
    about, raw = [], b""
    for part in (kind, value):
        data = part.encode() if isinstance(part, str) else part.tobytes()
        number = 0 if isinstance(part, str) else TYPES.index(str(part.dtype))
        about += [number, len(part.encode()) if isinstance(part, str) else part.size]
        raw += data
    return struct.pack("IIIIIiiI", *about, sample, 0, 0, len(raw)) + raw


class FakeBuffer:
    """Listens on 127.0.0.1 from the start, `port` chosen by the system unless given.

    ring    samples kept
    answer  None, or a function (command, request payload) -> raw bytes to send instead; None: as usual
    """

    def __init__(self, ring: int = 100_000, port: int = 0):
        self.answer: Callable[[int, bytes], bytes | None] | None = None
        self._ring = ring
        self._changed = threading.Condition()
        self._head: Callable[[int], bytes] | None = None
        self._data = np.zeros((0, 1), np.float32)
        self.count = 0
        self._events: list[bytes] = []
        self.events = 0
        self.requests = 0
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def put_header(
        self,
        labels: Sequence[str] | None,
        sfreq: float,
        dtype: str = "float32",
        resolutions: Sequence[float] = (),
        channels: int | None = None,
    ) -> None:
        """A new measurement: the count begins at 0."""
        count = channels or len(labels or ())
        number = TYPES.index(dtype)
        with self._changed:
            self._head = lambda samples: header_payload(
                count, sfreq, number, labels, samples, resolutions, self.events
            )
            self._data, self.count = np.zeros((0, count), dtype), 0
            self._events, self.events = [], 0
            self._changed.notify_all()

    def flush(self) -> None:
        """The measurement is over: no header any more."""
        with self._changed:
            self._head, self.count = None, 0
            self._changed.notify_all()

    def append(self, samples: np.ndarray) -> None:
        with self._changed:
            joined = np.concatenate([self._data, samples.astype(self._data.dtype)])
            self._data = joined[-self._ring :]
            self.count += len(samples)
            self._changed.notify_all()

    def mark(self, *events: bytes) -> None:
        with self._changed:
            self._events += events
            self.events += len(events)

    def forget_events(self) -> None:
        """They are overwritten: still counted, no longer given."""
        with self._changed:
            self._events = []

    def play(self, samples: np.ndarray, sfreq: float, block: int) -> None:
        """Append in blocks, each when its last sample is due."""
        start = time.monotonic()
        for at in range(0, len(samples), block):
            due = start + (at + block) / sfreq
            time.sleep(max(0.0, due - time.monotonic()))
            self.append(samples[at : at + block])

    def wait_until(self, condition: Callable[["FakeBuffer"], bool], timeout_s: float = 10.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), timeout_s)

    def drop_clients(self) -> None:
        """Close every connection; new ones are still welcome."""
        with self._changed:
            clients, self._clients = self._clients, []
            self._changed.notify_all()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_clients()

    def __enter__(self) -> "FakeBuffer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client:
            while True:
                _, command, size = struct.unpack("HHI", _exactly(client, 8))
                request = _exactly(client, size)
                told = self.answer(command, request) if self.answer else None
                client.sendall(self._reply(command, request, client) if told is None else told)
                with self._changed:
                    self.requests += 1
                    self._changed.notify_all()

    def _reply(self, command: int, request: bytes, client: socket.socket) -> bytes:
        with self._changed:
            if command == GET_HDR:
                return frame(GET_OK, self._head(self.count)) if self._head else frame(GET_ERR)
            if command == GET_DAT:
                first, last = struct.unpack("II", request)
                if self._head and self.count - len(self._data) <= first <= last < self.count:
                    rows = self._data[first - self.count + len(self._data) :][: last - first + 1]
                    about = (rows.shape[1], len(rows), TYPES.index(str(rows.dtype)), rows.nbytes)
                    return frame(GET_OK, struct.pack("IIII", *about) + rows.tobytes())
                return frame(GET_ERR)
            if command == GET_EVT:
                first, last = struct.unpack("II", request)
                at = first - self.events + len(self._events)
                if at >= 0 and first <= last < self.events:
                    return frame(GET_OK, b"".join(self._events[at : at + last - first + 1]))
                return frame(GET_ERR)
            if command == WAIT_DAT:
                samples, _, wait_ms = struct.unpack("III", request)
                if not self._head:
                    return frame(WAIT_ERR)
                before = self.count
                self._changed.wait_for(
                    lambda: (
                        self.count > samples
                        or self.count < before
                        or not self._head
                        or client not in self._clients
                    ),
                    wait_ms / 1e3,
                )
                return frame(WAIT_OK, struct.pack("II", self.count, self.events))
        return frame(GET_ERR)


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        got = client.recv(size - len(data))
        if not got:
            raise ValueError("closed")
        data += got
    return data
