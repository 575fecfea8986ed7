"""What a session and its viewers say to each other: frames, and nothing about sockets or pictures' meaning.

    session                                   viewer
    HELLO  flags, nonce                  ->
                                         <-   JOIN     HMAC of the nonce under the token
    REFUSED reason, and it hangs up      ->
                                         <-   NEXT     "whatever is newest now"
    PICTURE, or SAME after half a second ->            then NEXT again, and so on
    BYE     the session ended            ->

A viewer has one picture under way at most, so a slow one only misses pictures: nothing piles up anywhere.
Every frame: magic, protocol version, kind, bytes that follow. Whoever breaks these rules is hung up on.
"""

import hmac
import math
import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

VERSION = 2  # of the frames, and of what a picture holds (snapshot.py)
_MAGIC = b"rt"
_HEAD = struct.Struct("<2sBBI")
_PICTURE = struct.Struct("<dQQIIII")  # sent; signal: epoch, stop, shown, rows, columns; bytes of picture
_HELLO = struct.Struct("<B16s")
NONCE_BYTES = 16
PROOF_BYTES = 32
FROM_VIEWER = 64  # bytes of a frame's payload
FROM_SESSION = 40 << 20  # a picture and 10 s of signal of 6000 channels


class Kind(IntEnum):
    HELLO, JOIN, REFUSED, NEXT, PICTURE, SAME, BYE = range(1, 8)


class Refusal(IntEnum):
    TOKEN, FULL = 1, 2


class ProtocolError(Exception):
    """What came is not this protocol."""


class OtherVersion(ProtocolError):
    """It is, in another version."""

    def __init__(self, version: int):
        super().__init__(f"protocol {version}, not {VERSION}")
        self.version = version


@dataclass(frozen=True)
class Frame:
    kind: Kind
    payload: bytes = b""


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    return _HEAD.pack(_MAGIC, VERSION, kind, len(payload)) + payload


class Frames:
    """Bytes in any pieces -> whole frames. limit: bytes of a payload, refused before any is kept."""

    def __init__(self, limit: int):
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. ProtocolError for what cannot be one, once those before it are
        out: what comes of it does not depend on the pieces."""
        self._buffer += data
        found: list[Frame] = []
        try:
            while (next_ := self._next()) is not None:
                found.append(next_)
        except ProtocolError:
            if not found:
                raise
        return found

    def _next(self) -> Frame | None:
        if len(self._buffer) < _HEAD.size:
            return None
        magic, version, kind, size = _HEAD.unpack_from(self._buffer)
        if magic != _MAGIC:
            raise ProtocolError("not an rtdecode session")
        if version != VERSION:
            raise OtherVersion(version)
        if kind not in Kind.__members__.values() or size > self._limit:
            raise ProtocolError(f"a frame of kind {kind} and {size} bytes")
        stop = _HEAD.size + size
        if len(self._buffer) < stop:
            return None
        payload = bytes(self._buffer[_HEAD.size : stop])
        del self._buffer[:stop]
        return Frame(Kind(kind), payload)


# --- the door


def hello(nonce: bytes, guarded: bool) -> bytes:
    """guarded: whether a token is demanded."""
    return frame(Kind.HELLO, _HELLO.pack(guarded, nonce))


def read_hello(payload: bytes) -> tuple[bytes, bool]:
    """(nonce, guarded)."""
    if len(payload) != _HELLO.size:
        raise ProtocolError("a greeting of another length")
    guarded, nonce = _HELLO.unpack(payload)
    return nonce, bool(guarded)


def proof(token: str, nonce: bytes) -> bytes:
    """That one knows the token, without saying it."""
    return hmac.digest(token.encode(), nonce, "sha256")


def proven(token: str, nonce: bytes, said: bytes) -> bool:
    """Whether `said` is that proof, in a time that does not tell how nearly it is."""
    return hmac.compare_digest(proof(token, nonce), said)


# --- pictures


@dataclass(frozen=True)
class Picture:
    """sent      monotonic seconds of the session's machine
    epoch, stop  of the signal: which stretch, and rows ever written in it after `rows`
    shown        rows that are looked at;  rows (T, C) float32, the newest that the viewer lacks
    data         a Snapshot without its signal (snapshot.py)
    """

    sent: float
    epoch: int
    stop: int
    shown: int
    rows: np.ndarray
    data: bytes


def picture(p: Picture) -> bytes:
    head = _PICTURE.pack(p.sent, p.epoch, p.stop, p.shown, *p.rows.shape, len(p.data))
    return frame(Kind.PICTURE, b"".join((head, p.data, p.rows.astype("<f4", copy=False).tobytes())))


def read_picture(payload: bytes) -> Picture:
    """ProtocolError where the lengths do not add up."""
    if len(payload) < _PICTURE.size:
        raise ProtocolError("half a picture")
    sent, epoch, stop, shown, rows, columns, size = _PICTURE.unpack_from(payload)
    at = _PICTURE.size + size
    if len(payload) != at + 4 * rows * columns or rows > stop or not math.isfinite(sent):
        raise ProtocolError("a picture whose lengths do not add up")
    if 4 * shown * columns > FROM_SESSION:
        raise ProtocolError("more signal than any session shows")
    values = np.frombuffer(payload, "<f4", rows * columns, at).reshape(rows, columns)
    return Picture(
        sent, epoch, stop, shown, values.astype(np.float32, copy=False), payload[_PICTURE.size : at]
    )


class Tail:
    """The newest rows of signal at a viewer, put together from those each picture adds."""

    def __init__(self) -> None:
        self.rows = np.zeros((0, 0), np.float32)
        self._epoch = self._stop = -1

    def add(self, p: Picture) -> np.ndarray:
        """(T, C) with the rows of `p`, at most `p.shown` of them."""
        follows = p.epoch == self._epoch and p.stop - len(p.rows) == self._stop
        if follows and self.rows.shape[1:] == p.rows.shape[1:]:
            both = np.concatenate([self.rows, p.rows])
            self.rows = both[max(0, len(both) - p.shown) :]
        else:
            self.rows = p.rows
        self._epoch, self._stop = p.epoch, p.stop
        return self.rows
