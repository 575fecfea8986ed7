"""Puts decisions on the clock of the session: seconds since the decoder started.

Events, states and health carry those seconds; a decision carries the stream's stamp and, once the clocks were
compared, the same moment on this machine's clock. All lines stand in the order in which they were written, so
a decision between two such lines was published between their times: many of those narrow down the start, and
tell the pace of a stream that is replayed at another speed, whose stamps keep the recording's spacing.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

LONGEST_S = 1e8  # three years: a time beyond it is damage
NARROW_S = 0.5  # a decision between two lines this far apart helps to find the pace
LEAST, LEAST_S = 10, 3.0  # so many of them, over so long
OFF_PACE = 0.05  # a pace within 5 % of 1 is 1: no replay is that near, no sender's clock that far
ASTRAY_S = 1.0  # half of all decisions further than this from their lines: the stamps cannot be placed


def number(value: Any) -> float | None:
    """A finite number of believable size, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 1e15 else None


@dataclass(frozen=True)
class SessionClock:
    """began: this machine's LSL clock at session second 0; within: how far that may be off, in seconds.

    offset_s  from the stream's clock to this machine's, 0 where the log does not know it
    pace      seconds of stamps in a session second; 1 but for replays at another speed
    steady    whether stamps and session can be compared at all
    """

    began: float
    within: float
    offset_s: float
    pace: float = 1.0
    steady: bool = True

    def local(self, t: float, t_local: float | None = None) -> float:
        """A stamp of the stream on this machine's clock."""
        return t + self.offset_s if t_local is None else t_local

    def second(self, local: float) -> float:
        """The session second of a moment on this machine's clock."""
        return (local - self.began) / self.pace

    def stamp(self, second: float) -> float:
        """The other way round: what the stream's stamps, on this machine's clock, said at that second."""
        return self.began + self.pace * second


def session_clock(lines: Iterable[dict[str, Any]]) -> SessionClock | None:
    """From all lines of a log, in order; None without a decision or run that has a time."""
    spots, stamp, offset, age_s = _spots(lines)
    local = np.array([x for decision, x in spots if decision])
    before, after = _around(spots)
    if not len(local):
        return None if stamp is None else SessionClock(stamp + offset, 0.0, offset)
    pace = _pace(local, before, after)
    if pace == 1.0:
        local = local + age_s
    lows, highs = local - pace * after, local - pace * before
    low = float(lows[np.isfinite(lows)].max(initial=-math.inf))
    high = float(highs[np.isfinite(highs)].min(initial=math.inf))
    if math.isinf(low) and math.isinf(high):
        return SessionClock(float(local[0]), 0.0, offset)
    if math.isinf(low) or math.isinf(high):
        return SessionClock(high if math.isinf(low) else low, 0.0, offset, pace)
    began = (low + high) / 2
    second = (local - began) / pace
    astray = np.maximum(np.maximum(before - second, second - after), 0.0)
    steady = bool(np.median(astray) < ASTRAY_S)
    return SessionClock(began, abs(high - low) / 2, offset, pace, steady)


Spots = list[tuple[bool, float]]  # (is a decision, its local time or else the line's session second)


def _spots(lines: Iterable[dict[str, Any]]) -> tuple[Spots, float | None, float, float]:
    """Also the first run's stamp, the offset between the clocks, and from newest sample to line, seconds."""
    spots: Spots = []
    stamp: float | None = None
    offset: float | None = None
    age_s = 0.0
    for line in lines:
        t = number(line.get("t"))
        if t is None:
            continue
        kind = line["kind"]
        if kind == "decision":
            local = number(line.get("t_local"))
            if local is not None and offset is None:
                offset = local - t
                spots = [(decision, x + offset if decision else x) for decision, x in spots]
            spots.append((True, t + (offset or 0.0) if local is None else local))
        elif kind == "run" and stamp is None:
            stamp = t
        elif kind in ("event", "state", "health") and 0 <= t < LONGEST_S:
            spots.append((False, t))
            if kind == "health" and isinstance(age := line.get("age"), dict):
                age_s = (number(age.get("p50")) or 1e3 * age_s) / 1e3
    return spots, stamp, offset or 0.0, age_s


def _around(spots: Spots) -> tuple[np.ndarray, np.ndarray]:
    """Session second of the line before and of the line after each decision; infinite where there is none."""
    before: list[float] = []
    after: list[float] = []
    latest = -math.inf
    for decision, x in spots:
        if decision:
            before.append(latest)
        else:
            latest = x
            after += [x] * (len(before) - len(after))
    after += [math.inf] * (len(before) - len(after))
    return np.array(before), np.array(after)


def _pace(local: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    narrow = after - before < NARROW_S
    if narrow.sum() < LEAST:
        return 1.0
    middle, stamps = (before[narrow] + after[narrow]) / 2, local[narrow]
    if middle[-1] - middle[0] < LEAST_S:
        return 1.0
    slope = float(np.polyfit(middle - middle[0], stamps - stamps[0], 1)[0])
    return slope if math.isfinite(slope) and slope > 0 and abs(slope - 1) > OFF_PACE else 1.0
