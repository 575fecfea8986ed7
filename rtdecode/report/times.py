"""When a log begins, where its lines lie, and how long it is: one answer for lists, timelines and reports.

A second of a log counts from its beginning: from when the decoder started, or from when a log was begun that
joined it later, whose lines say seconds of the decoder. Knows nothing of what decisions mean.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from rtdecode.report.clock import LONGEST_S, SessionClock, number, session_clock
from rtdecode.session.index import Row, without_collection
from rtdecode.session.reader import Run, SessionLog

LATE_S = 2.0  # a log whose first line comes no later was begun with its decoder
DATED = ("event", "state", "health")  # kinds of lines that say a second of the decoder
Entry = Row | dict[str, Any]


class PlacedRun(NamedTuple):
    """t: second of the log of its first sample, None when unknown;  length_s: at the pace of the log."""

    run: Run
    t: float | None
    length_s: float


def start_s(log: SessionLog) -> float:
    """The decoder's second at which the log begins: 0 unless it was begun later. Then it is that of its first
    line, or of its first sample: samples that waited on their way are older than the log."""
    lines = [next(log.lines(kind)) for kind in DATED if log.count(kind)]
    times = [t for line in lines if (t := number(line.get("t"))) is not None and 0 <= t < LONGEST_S]
    first = min(times, default=0.0)
    if first <= LATE_S:
        return 0.0
    entries = [_since(first, entry) for entry in log.entries()]
    clock = clock_of(entries)
    runs = placed_runs(log, clock, anchors_of(timed(entries, clock)))
    return max(0.0, first + min(0.0, (runs[0].t or 0.0) if runs else 0.0))


def entries_of(log: SessionLog) -> list[Entry]:
    """All lines in order, those that say a second of the decoder with that of the log instead."""
    start = start_s(log)
    entries = list(log.entries())
    return [_since(start, entry) for entry in entries] if start else entries


def _since(start: float, entry: Entry) -> Entry:
    if isinstance(entry, Row) or entry["kind"] not in DATED or (t := number(entry.get("t"))) is None:
        return entry
    return {**entry, "t": max(0.0, t - start) if t >= 0 else t}


def clock_of(entries: Iterable[Entry]) -> SessionClock | None:
    """How stamps become seconds of the log (entries_of)."""
    return session_clock(
        {"kind": "decision", "t": entry.t, "t_local": entry.t_local} if isinstance(entry, Row) else entry
        for entry in entries
    )


def timed(entries: Iterable[Entry], clock: SessionClock | None) -> Iterator[tuple[Entry, float]]:
    """Every decision and every believable line of the kinds that are DATED, with its second of the log."""
    latest = 0.0
    for entry in entries:
        if isinstance(entry, Row):
            t = number(entry.t)
            if t is not None and clock is not None:
                t = clock.second(clock.local(t, number(entry.t_local))) if clock.steady else latest
            t = t if t is not None and abs(t) < LONGEST_S else latest
        elif entry["kind"] not in DATED:
            continue
        else:
            t = number(entry.get("t"))
            if t is None or not 0 <= t < LONGEST_S:
                continue
        latest = max(latest, t)
        yield entry, t


def anchors_of(found: Iterable[tuple[Entry, float]]) -> dict[int, tuple[float, int]]:
    """Of each run that has a decision: the second of its first one, and that one's sample."""
    anchors: dict[int, tuple[float, int]] = {}
    for entry, t in found:
        if isinstance(entry, Row) and entry.run not in anchors:
            anchors[entry.run] = (t, entry.sample)
    return anchors


def placed_runs(
    log: SessionLog, clock: SessionClock | None, anchors: dict[int, tuple[float, int]]
) -> list[PlacedRun]:
    """In order. anchors: where `anchors_of` found them."""
    pace = clock.pace if clock else 1.0
    found = []
    for run in log.runs():
        sfreq = log.streams[run.stream].info.sfreq
        length = (run.stop - run.start) / (pace * sfreq) if sfreq else 0.0
        t: float | None = None
        if run.run in anchors and sfreq:
            second, sample = anchors[run.run]
            t = second - (sample - run.before) / (pace * sfreq)
        elif run.t is not None and clock is not None and math.isfinite(run.t):
            t = clock.second(clock.local(run.t))
        found.append(PlacedRun(run, t if t is not None and abs(t) < LONGEST_S else None, length))
    return found


def whole_s(latest: float, runs: Iterable[PlacedRun]) -> float:
    """The length of a log: up to its last line or its last sample. latest: second of the last line."""
    ends = [placed.t + placed.length_s for placed in runs if placed.t is not None]
    return max([latest, *(end for end in ends if end < LONGEST_S)], default=0.0)


def length_s(log: SessionLog) -> float:
    """The length of a log, without gathering what is in it."""
    with without_collection():
        entries = entries_of(log)
        clock = clock_of(entries)
        found = list(timed(entries, clock))
        latest = max((t for _, t in found), default=0.0)
        return whole_s(latest, placed_runs(log, clock, anchors_of(found)))
