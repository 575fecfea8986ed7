"""What the review shows of a session. Times are session seconds; everything is read, finite and bounded."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

BEYOND = 11  # stands for every rank after the ten that a log holds
SHORTEST_S = 2.0  # that a timeline shows
PLACES = ("mark", "gap")  # what `[` and `]` go to


@dataclass(frozen=True)
class Stretch:
    """A state of the stream."""

    t: float
    stop: float
    state: str


@dataclass(frozen=True)
class Event:
    """level: info, warn, error, mark; gap (text: how long); heard: a mark that tells what was heard."""

    t: float
    level: str
    text: str


@dataclass(frozen=True)
class Word:
    """at: when it was committed; start, stop: when it was heard; ends: a sentence ended with it."""

    at: float
    start: float
    stop: float
    text: str
    confidence: float | None
    delay_s: float | None
    ends: bool = False


@dataclass(frozen=True)
class Hit:
    ident: str
    text: str
    source: str
    start: float
    score: float
    prob: float


@dataclass(frozen=True)
class Decided:
    """One decision in full. heard: id and text of what was heard, empty where it is not known."""

    t: float
    run: int
    index: int
    hits: tuple[Hit, ...] = ()
    chance: float = 0.0
    candidates: int = 0
    window_s: float = 0.0
    tentative: str = ""
    total_ms: float | None = None
    warnings: tuple[str, ...] = ()
    heard: tuple[str, str] = ("", "")
    rank: int = 0
    damaged: bool = False


@dataclass(frozen=True, eq=False)
class Signal:
    """x (C, T) as recorded, NaN where nothing was; start: session second of its left edge."""

    x: np.ndarray
    start: float
    seconds: float
    labels: tuple[str, ...]
    unit: str


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Story:
    """t, prob, second, chance, rank: one value a decision, by time; rank 0 where what was heard is not known.

    summary  (what, value in words, value as a number or None), the same rows for every session
    missing  sentences about what the log does not hold;  why: why no rank is known
    """

    name: str
    started: str = ""
    stream: str = ""
    channels: int = 0
    sfreq: float = 0.0
    bundle: str = ""
    length_s: float = 0.0
    states: tuple[Stretch, ...] = ()
    events: tuple[Event, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    t: np.ndarray = field(default_factory=_none)
    prob: np.ndarray = field(default_factory=_none)
    second: np.ndarray = field(default_factory=_none)
    chance: np.ndarray = field(default_factory=_none)
    rank: np.ndarray = field(default_factory=_none)
    words: tuple[Word, ...] = ()
    missing: tuple[str, ...] = ()
    why: str = ""
    summary: tuple[tuple[str, str, float | None], ...] = ()

    def decision_at(self, t: float) -> int | None:
        """The newest decision at `t`."""
        k = int(np.searchsorted(self.t, t + 1e-6, side="right")) - 1
        return k if k >= 0 else None

    def state_at(self, t: float) -> str:
        k = bisect_right(self.states, t, key=lambda s: s.t) - 1
        return self.states[k].state if k >= 0 and t <= self.states[k].stop else ""

    def place(self, t: float, step: int) -> float | None:
        """The previous (step -1) or next (1) mark or gap from `t` on."""
        at = sorted(event.t for event in self.events if event.level in PLACES)
        if step > 0:
            k = bisect_right(at, t + 1e-6)
            return at[k] if k < len(at) else None
        k = bisect_left(at, t - 1e-6) - 1
        return at[k] if k >= 0 else None


@dataclass(frozen=True)
class View:
    """The stretch of the session that is drawn."""

    start: float
    span: float

    def zoomed(self, factor: float, around: float, length: float) -> "View":
        """factor above 1 shows more; `around` keeps its place."""
        length = max(length, SHORTEST_S)
        span = min(length, max(SHORTEST_S, self.span * factor))
        share_of = (around - self.start) / self.span if self.span else 0.5
        return replace(self, start=around - share_of * span, span=span).within(length)

    def showing(self, t: float, length: float) -> "View":
        """Moved as little as needed for `t` to be on it, with a tenth of room beside it."""
        room = self.span / 10
        start = min(max(self.start, t + room - self.span), t - room)
        return replace(self, start=start).within(length)

    def within(self, length: float) -> "View":
        return replace(self, start=max(0.0, min(self.start, max(length, SHORTEST_S) - self.span)))


class Log(Protocol):
    """A log that was opened. Everything but `story` is read when it is asked for."""

    @property
    def story(self) -> Story: ...

    def decision(self, k: int) -> Decided: ...

    def signal(self, t: float, seconds: float) -> Signal | None:
        """Around t."""

    def trouble(self, second: int) -> str | None:
        """Glyph of the worst that a used channel had in that second and " " when all were good; None where
        nothing is recorded."""


class Deeds(Protocol):
    """What the screen can have done with the log it shows. Both take their time and raise RtdecodeError."""

    def export(self, kind: str) -> Path: ...

    def report(self) -> Path: ...
