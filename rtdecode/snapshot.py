"""What the core says of itself, for whoever watches: one frozen picture, newest wins.

The core writes a Snapshot into shared memory about fifteen times a second; the screen reads the latest. This
module holds the picture and its bytes, not how it travels (live/slot.py) nor how it is drawn (tui/).
"""

import json
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from rtdecode.config import from_json, to_json
from rtdecode.types import Decision, StreamInfo


class State(StrEnum):
    """The state of the stream, as the header says it."""

    CONNECTING = "connecting"  # resolving, opening
    FILLING = "filling"  # samples arrive, the first window is not complete
    LIVE = "live"
    STALE = "stale"  # nothing for max(250 ms, 3 hops)
    LOST = "lost"  # nothing for 2 s, or the inlet says so; looking for it again
    FAILED = "failed"  # the decoder itself stopped; the screen stays up


@dataclass(frozen=True)
class BundleCard:
    """What the screen says of the bundle. `times_real`: planted response over real EEG's, None when real."""

    name: str
    unit: str
    band_hz: tuple[float, ...]
    reference: tuple[str, ...]
    hop_ms: float
    window_s: float
    candidates: int
    delay_ms: float
    has_retrieval: bool
    has_text: bool
    times_real: float | None = None


@dataclass(frozen=True)
class ChannelState:
    """One channel over the last second.

    glyph  ✓ used, ▁ flat, ▲ railed, × no number, ≈ noisy, ∿ line noise, · off
    """

    label: str
    glyph: str
    rms: float


@dataclass(frozen=True)
class Quantiles:
    """Milliseconds over the last 30 s."""

    p50: float
    p99: float
    last: float
    p90: float = 0.0
    p999: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Health:
    """How the core keeps up. Counters never reset by themselves.

    stages     readable -> published is "total"; its parts by stage name (preprocess, infer, heads, publish)
    load       busy share of one hop, 0..1
    rate_hz    effective sample rate over the last seconds; nominal_hz as the stream states it
    late       hops that took longer than the hop; skipped: hops not decoded; lost: samples missing by stamps
    gaps       runs of lost samples;  restarts: times the stream came back
    age        of what a decision speaks of when published: from its newest sample's own stamp, None while the
               sender's clock is unknown
    extra      "total" without "infer": what the decoder adds to its network
    clock      of the stream's stamps: "synced" with ours, "unsynced" while the offset is unknown, "arrival"
               when they are of no clock and samples are timed by arrival
    clock_steps, backward   times that the sender's clock was set; samples stamped before their predecessor
    cpu        share of one core, all threads;  rss_mb  memory in use;  backlog_s  seconds of samples waiting
    """

    stages: dict[str, Quantiles] = field(default_factory=dict)
    load: float = 0.0
    rate_hz: float = 0.0
    nominal_hz: float = 0.0
    late: int = 0
    skipped: int = 0
    lost: int = 0
    gaps: int = 0
    restarts: int = 0
    clock_offset_ms: float | None = None
    age: Quantiles | None = None
    extra: Quantiles | None = None
    cpu: float = 0.0
    rss_mb: float = 0.0
    backlog_s: float = 0.0
    clock: str = "unsynced"
    clock_steps: int = 0
    backward: int = 0


@dataclass(frozen=True)
class Event:
    """One line of the story. t: session seconds. level: info, warn, error, or mark (of a marker stream)."""

    t: float
    level: str
    text: str


@dataclass(frozen=True)
class Recording:
    """What becomes of the session log. size_mb: in its files, in 1e6 bytes.

    failed  why nothing is recorded any more, in words; stays until a new recording is begun
    silent  the recorder does not answer;  lost  samples that it was too slow for
    """

    size_mb: float = 0.0
    failed: str = ""
    silent: bool = False
    lost: int = 0

    @property
    def size(self) -> str:
        return f"{self.size_mb:.1f} MB" if self.size_mb >= 1 else f"{1e3 * self.size_mb:.0f} kB"


@dataclass(frozen=True)
class Onset:
    """A committed word. t: session second at which it was committed; start: when it was read, in seconds of
    signal from then (negative: before it)."""

    t: float
    start: float
    text: str


@dataclass(frozen=True)
class TextLine:
    """Committed text with the session second of its first word. words: those of the last seconds."""

    t: float
    text: str
    words: tuple[Onset, ...] = ()


@dataclass(frozen=True)
class Retry:
    """The search for a stream that is not there.

    wanted  which stream, in words: "named 'EEG'";  tried  searches that ended so far
    next_s  seconds until the next one begins, 0 while one is under way
    """

    wanted: str
    tried: int = 0
    next_s: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """Everything the screen shows.

    state_s    seconds spent in `state`;  detail: a sentence or progress, e.g. "1.8 / 3.0 s"
    found      names of the streams seen while connecting;  retry: None while nothing is looked for
    elapsed_s  session seconds;  published  monotonic seconds when this was written
    decision   newest decision; decided_s  session second at which it was published
    held_s     how long the current top-1 has led;  agrees  of the last 8 decisions, how many had this top-1
    signal     (T, C) float32, newest seconds of the model's channels in the bundle's unit, band-passed, for
               display
    """

    state: State
    state_s: float = 0.0
    detail: str = ""
    found: tuple[str, ...] = ()
    stream: StreamInfo | None = None
    bundle: BundleCard | None = None
    run: int = 0
    elapsed_s: float = 0.0
    published: float = 0.0
    decision: Decision | None = None
    decided_s: float = 0.0
    held_s: float = 0.0
    agrees: int = 0
    text: tuple[TextLine, ...] = ()
    tentative: str = ""
    channels: tuple[ChannelState, ...] = ()
    health: Health = field(default_factory=Health)
    events: tuple[Event, ...] = ()
    event_count: int = 0
    recording: Recording | None = None
    retry: Retry | None = None
    signal_sfreq: float = 0.0
    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))


_NAMES = tuple(name for name in Snapshot.__dataclass_fields__ if name != "signal")
_HEAD = struct.Struct(f"<{len(_NAMES)}III")  # bytes of each field's JSON, then signal rows and columns
_UNKNOWN = object()


class Encoder:
    """Snapshot -> bytes: lengths, each field as JSON, then the signal as raw float32.

    Fields that did not change since the last picture, above all hundreds of channels, are not written anew.
    """

    def __init__(self) -> None:
        self._values: list[Any] = [_UNKNOWN] * len(_NAMES)
        self._texts = [b""] * len(_NAMES)

    def encode(self, snapshot: Snapshot) -> bytes:
        for i, name in enumerate(_NAMES):
            value = getattr(snapshot, name)
            if value is not self._values[i] and value != self._values[i]:
                self._values[i], self._texts[i] = value, json.dumps(to_json(value)).encode()
        signal = np.ascontiguousarray(snapshot.signal, np.float32)
        head = _HEAD.pack(*map(len, self._texts), *signal.shape)
        return b"".join((head, *self._texts, signal.tobytes()))


class Decoder:
    """bytes -> Snapshot: the inverse of Encoder. Fields whose JSON did not change keep their object."""

    def __init__(self) -> None:
        self._texts = [b""] * len(_NAMES)
        self._values: dict[str, Any] = {}

    def decode(self, data: bytes) -> Snapshot:
        *sizes, rows, columns = _HEAD.unpack_from(data)
        at, fresh = _HEAD.size, {}
        for i, (name, size) in enumerate(zip(_NAMES, sizes, strict=True)):
            text = data[at : at + size]
            if text != self._texts[i]:
                fresh[name], self._texts[i] = json.loads(text), text
            at += size
        if fresh:
            fresh["state"] = State(fresh["state"] if "state" in fresh else self._values["state"])
            plain = from_json(Snapshot, fresh, "snapshot")
            self._values.update({name: getattr(plain, name) for name in fresh})
        signal = np.frombuffer(data, np.float32, rows * columns, at).reshape(rows, columns)
        return Snapshot(**self._values, signal=signal)


def encode(snapshot: Snapshot) -> bytes:
    """Snapshot -> bytes, on its own."""
    return Encoder().encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """bytes -> Snapshot: the inverse of `encode`."""
    return Decoder().decode(data)
