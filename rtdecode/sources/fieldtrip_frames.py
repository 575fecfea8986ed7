"""One connection to a FieldTrip buffer (protocol V1): requests out, checked frames in.

The requests are made and the replies taken apart by the client that mne-realtime carries
(`mne_realtime.externals.FieldTrip.Client`). That client alone is not safe to run for hours: it allocates what
the peer announces, spins for ever when the peer closes, and waits without limit. So it never sees the socket:
it talks to a `Line`, which checks every length before it is allocated and every wait against a deadline, and
what it hands back is checked here. It does not know sample counters, clocks or LSL.
"""

import importlib
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtdecode.errors import MissingExtra, StreamError
from rtdecode.sources.line import Line, NotABuffer, connect
from rtdecode.sources.lsl import Lost

EVENT_BYTES = 256 << 10
HEADER_BYTES = 8 << 20  # a CTF or Neuromag header travels as a chunk of it: 1 to 5 MB
BLOCK_BYTES = 8 << 20
MAX_CHANNELS = 10_000
MAX_SFREQ = 1e6
REPLY_S = 3.0
NO_EVENTS = 0xFFFFFFFF  # an event count that is never reached: wait for samples only

# the protocol's numbers, from 1; 0 is text
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
CHANNEL_NAMES, RESOLUTIONS = 1, 3


class NoMeasurement(StreamError):
    """A buffer into which nobody has written a header yet."""


@dataclass(frozen=True)
class Header:
    """What a buffer says of itself. samples, events: the counts when it was asked; not part of the layout.

    labels  empty when the buffer names no channels;  resolutions  per channel, or empty
    """

    channels: int
    sfreq: float
    dtype: str
    labels: tuple[str, ...]
    resolutions: tuple[float, ...]
    samples: int
    events: int = 0

    def differences(self, other: "Header") -> list[str]:
        """In words, what another header has otherwise."""
        found = [
            f"{name} {getattr(self, key)} became {getattr(other, key)}"
            for name, key in (("channels", "channels"), ("rate in Hz", "sfreq"), ("format", "dtype"))
            if getattr(self, key) != getattr(other, key)
        ]
        if self.channels == other.channels and self.labels != other.labels:
            at = [k for k, (a, b) in enumerate(zip(self.labels, other.labels, strict=False)) if a != b]
            k = at[0] if at else 0
            now = other.labels[k] if other.labels else "no name"
            before = self.labels[k] if self.labels else "no name"
            found.append(f"{len(at) or self.channels} labels changed: channel {k + 1} {before} became {now}")
        if self.resolutions != other.resolutions:
            found.append("the resolutions changed")
        return found


class Buffer:
    """A connection. Every call may raise Lost (gone, or silent) or NotABuffer (nonsense); then close it.

    events  their number, as of the last `count`
    """

    def __init__(self, host: str, port: int, stopping: Callable[[], bool] = lambda: False):
        client = _library().Client()
        self.where = f"{host}:{port}"
        self._line = Line(connect(host, port, stopping), self.where, stopping)
        client.sock, client.isConnected = self._line, True
        self._client = client
        self.events = 0

    def header(self) -> Header | None:
        """What is measured; None before anybody wrote a header."""
        raw = self._ask(HEADER_BYTES, REPLY_S, self._client.getHeader)
        return None if raw is None else checked_header(raw, self.where)

    def count(self, more_than: int, wait_s: float) -> int:
        """The sample count, as soon as it is above `more_than`, after `wait_s` seconds at the latest."""
        wait_ms = max(0, round(1e3 * wait_s))
        samples, events = self._ask(
            8, wait_s + REPLY_S, lambda: self._client.wait(more_than, NO_EVENTS, wait_ms), ends=True
        )
        self.events = int(events)
        return int(samples)

    def block(self, first: int, rows: int, header: Header) -> np.ndarray | None:
        """Samples (rows, C) from `first` on, in the buffer's format; None when it does not hold them."""
        expected = 16 + rows * header.channels * np.dtype(header.dtype).itemsize
        data = self._ask(expected, REPLY_S, lambda: self._client.getData((first, first + rows - 1)))
        if data is None:
            return None
        if data.shape != (rows, header.channels) or data.dtype != np.dtype(header.dtype):
            got = f"{data.shape[0]} x {data.shape[1]} {data.dtype}"
            raise NotABuffer(
                f"{self.where} sent {got} where {rows} x {header.channels} {header.dtype} were asked for",
                hint="the header changed, or its sender contradicts itself",
            )
        return np.asarray(data)

    def event_block(self, first: int, last: int) -> list[Any]:
        """Events `first` to `last` as the library takes them apart; none where the buffer lacks them."""
        found = self._ask(EVENT_BYTES, REPLY_S, lambda: self._client.getEvents((first, last)))
        if len(found) > last - first + 1:
            raise NotABuffer(f"{self.where} sent {len(found)} events where {last - first + 1} were asked for")
        return list(found)

    def close(self) -> None:
        self._line.close()

    def _ask(self, limit: int, wait_s: float, call: Callable[[], Any], ends: bool = False) -> Any:
        self._line.expect(limit, wait_s)
        try:
            return call()
        except (OSError, struct.error, ValueError, TypeError, IndexError, OverflowError) as problem:
            if ends and self._client.isConnected:
                raise Lost(f"{self.where} ended its measurement") from problem
            raise NotABuffer(
                f"{self.where} sent a reply that cannot be read: {problem}",
                hint="is that a FieldTrip buffer, protocol version 1?",
            ) from problem


def checked_header(raw: Any, where: str) -> Header:
    """The library's header as ours; NotABuffer with the first thing that is wrong in it."""

    def refuse(what: str) -> NotABuffer:
        return NotABuffer(f"{where} sent a header that cannot be: {what}")

    if not 1 <= raw.nChannels <= MAX_CHANNELS:
        raise refuse(f"{raw.nChannels} channels, where 1 to {MAX_CHANNELS} can be read")
    if not 0 < raw.fSample <= MAX_SFREQ:
        raise refuse(f"a rate of {raw.fSample:g} Hz")
    if not 1 <= raw.dataType <= len(DTYPES):
        raise refuse(f"samples of type {raw.dataType}, where 1 to {len(DTYPES)} are numbers")
    labels = tuple(label.strip() for label in raw.labels)
    if CHANNEL_NAMES in raw.chunks and len(labels) != raw.nChannels:
        raise refuse(f"fewer channel names than its {raw.nChannels} channels")
    if wrong := [label for label in labels if not label.isprintable()]:
        raise refuse(f"channel name {wrong[0]!r}")
    resolutions = raw.chunks.get(RESOLUTIONS, b"")
    scale: tuple[float, ...] = ()
    if resolutions and DTYPES[raw.dataType - 1] not in ("float32", "float64"):
        if len(resolutions) != 8 * raw.nChannels:
            raise refuse(f"{len(resolutions)} bytes of resolutions for {raw.nChannels} channels")
        values = np.frombuffer(resolutions, np.float64)
        if not (np.isfinite(values).all() and (values != 0).all()):
            raise refuse("resolutions that are zero or no numbers")
        scale = tuple(values.tolist())
    dtype = DTYPES[raw.dataType - 1]
    return Header(raw.nChannels, float(raw.fSample), dtype, labels, scale, raw.nSamples, raw.nEvents)


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # it says that mne-realtime is discontinued
            return importlib.import_module("mne_realtime.externals.FieldTrip")
    except ModuleNotFoundError as problem:
        raise MissingExtra("mne-realtime", "fieldtrip") from problem
    except ImportError as problem:  # an MNE that is older than its SciPy, say
        raise StreamError(f"mne-realtime cannot be used: {problem}", hint="pip install -U mne") from problem
