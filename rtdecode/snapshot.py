"""What the core says of itself, for whoever watches: one frozen picture, newest wins.

The core writes a Snapshot into shared memory about fifteen times a second; the screen reads the latest. This
module holds the picture and its bytes, not how it travels (live/slot.py) nor how it is drawn (tui/).
"""

import json
import struct
from dataclasses import dataclass, field
from enum import StrEnum

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
    """One channel over the last second. glyph: ✓ used, ▁ flat, ▲ railed, ≈ noisy, · off."""

    label: str
    glyph: str
    rms: float


@dataclass(frozen=True)
class Quantiles:
    """Milliseconds over the last 30 s."""

    p50: float
    p99: float
    last: float


@dataclass(frozen=True)
class Health:
    """How the core keeps up. Counters never reset by themselves.

    stages     readable -> published is "total"; its parts by stage name (preprocess, infer, heads, publish)
    load       busy share of one hop, 0..1
    rate_hz    effective sample rate over the last seconds; nominal_hz as the stream states it
    late       hops that took longer than the hop; skipped: hops not decoded; lost: samples missing by stamps
    gaps       runs of lost samples;  restarts: times the stream came back
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


@dataclass(frozen=True)
class Event:
    """One line of the story. t: session seconds. level: info, warn or error. text: a whole sentence."""

    t: float
    level: str
    text: str


@dataclass(frozen=True)
class TextLine:
    """Committed text with the session second of its first word."""

    t: float
    text: str


@dataclass(frozen=True)
class Snapshot:
    """Everything the screen shows.

    state_s    seconds spent in `state`;  detail: a sentence or progress, e.g. "1.8 / 3.0 s"
    found      names of the streams seen while connecting
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
    signal_sfreq: float = 0.0
    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))


_HEAD = struct.Struct("<III")  # bytes of JSON, signal rows, signal columns


def encode(snapshot: Snapshot) -> bytes:
    """Snapshot -> bytes: lengths, JSON, then the signal as raw float32."""
    data = {
        name: to_json(getattr(snapshot, name)) for name in Snapshot.__dataclass_fields__ if name != "signal"
    }
    text = json.dumps(data).encode()
    signal = np.ascontiguousarray(snapshot.signal, np.float32)
    return _HEAD.pack(len(text), *signal.shape) + text + signal.tobytes()


def decode(data: bytes) -> Snapshot:
    """bytes -> Snapshot: the inverse of `encode`."""
    size, rows, columns = _HEAD.unpack_from(data)
    fields = json.loads(data[_HEAD.size : _HEAD.size + size])
    fields["state"] = State(fields["state"])
    plain = from_json(Snapshot, fields, "snapshot")
    signal = np.frombuffer(data, np.float32, rows * columns, _HEAD.size + size).reshape(rows, columns)
    object.__setattr__(plain, "signal", signal)
    return plain
