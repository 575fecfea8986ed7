"""Everything a report, an export or a review needs, gathered from a session log in one pass over its lines.

What is damaged or hostile is left out here: behind this module every number is finite and every text a text.
Times are seconds of the log (times.py). Knows nothing of HTML.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from rtdecode.report.clock import LONGEST_S, SessionClock, number
from rtdecode.report.rescored import Rescored, rescored
from rtdecode.report.times import PlacedRun, anchors_of, clock_of, entries_of, placed_runs, timed, whole_s
from rtdecode.session.index import Row, without_collection
from rtdecode.session.reader import SessionLog


@dataclass(frozen=True, slots=True)
class Word:
    """Session seconds. confidence: in 0..1;  delay_s: from first shown to committed; None where unknown."""

    start: float
    stop: float
    text: str
    confidence: float | None
    delay_s: float | None


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision at session second `t`. hits: (id, prob), best first;  first: the text of the best.

    Of a log that was opened in a hurry only the first two hits have probabilities, the others NaN, and
    stage_ms is empty.  at: where its line begins in the log, in bytes
    """

    t: float
    index: int
    run: int
    sample: int
    hits: tuple[tuple[str, float], ...]
    first: str
    chance: float
    candidates: int
    delta: str
    words: tuple[Word, ...]
    ended: str
    corrected: tuple[tuple[str, str], ...]
    stage_ms: dict[str, float]
    warnings: tuple[str, ...]
    at: int = 0


@dataclass(frozen=True)
class Happened:
    """An event. level: info, warn, error, or mark."""

    t: float
    level: str
    text: str


@dataclass(frozen=True)
class Stretch:
    """A state of the stream from t until the next."""

    t: float
    stop: float
    state: str


@dataclass(frozen=True)
class RunFacts:
    """t: session second of its first sample, None when unknown.

    gap_s  from the last sample of the run before;  why: the event that began it
    """

    run: int
    stream: int
    start: int
    samples: int
    t: float | None
    length_s: float
    gap_s: float | None
    decisions: int
    why: str


@dataclass(frozen=True)
class Session:
    """health: the lines of how the decoder kept up, as logged.  clock: None: no time is known.
    tentative: the words that were under way at the end.
    drawn: milliseconds from publishing until a decision was on the screen, of those that were drawn.
    rescored: corrections by a language model;  tally: what its opinions came to, in the decoder's words.
    """

    log: SessionLog
    clock: SessionClock | None
    length_s: float
    decisions: list[Decided] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    states: list[Stretch] = field(default_factory=list)
    runs: list[RunFacts] = field(default_factory=list)
    health: list[dict[str, Any]] = field(default_factory=list)
    tentative: str = ""
    drawn: list[float] = field(default_factory=list)
    rescored: list[Rescored] = field(default_factory=list)
    tally: str = ""

    @property
    def marks(self) -> list[Happened]:
        return [event for event in self.events if event.level == "mark"]


def gather(log: SessionLog) -> Session:
    """Read all of a log."""
    with without_collection():
        return _gather(log)


def _gather(log: SessionLog) -> Session:
    entries = entries_of(log)
    clock = clock_of(entries)
    decisions: list[Decided] = []
    events: list[Happened] = []
    health: list[dict[str, Any]] = []
    said: list[tuple[float, str]] = []
    drawn = [
        ms
        for line in entries
        if not isinstance(line, Row) and line["kind"] == "drawn"
        for ms in drawn_ms(line)
    ]
    corrections: list[Rescored] = []
    names: dict[str, str] = {}
    marks: dict[str, int] = {}  # where in `events` the mark of a number is
    latest, tentative, tally = 0.0, "", ""
    found = list(timed(entries, clock))
    for line, t in found:
        latest = max(latest, t)
        if isinstance(line, Row):
            decisions.append(_decided(line, t, names, clock.pace if clock else 1.0))
            tentative = line.tentative
        elif line["kind"] == "event":
            if (mark := line.get("mark")) is not None and (at := marks.get(str(mark))) is not None:
                events[at] = replace(events[at], text=line["text"])  # another label for the same mark
                continue
            if (correction := rescored(line, t)) is not None:
                corrections.append(correction)
            tally = line["text"] if isinstance(line.get("rescored"), dict) else tally
            marks[str(mark)] = len(events)
            events.append(Happened(_moment(line, t, clock), line["level"], line["text"]))
        elif line["kind"] == "state":
            said.append((t, line["state"]))
        else:
            health.append({**line, "t": t})
    placed = placed_runs(log, clock, anchors_of(found))
    length = whole_s(latest, placed)
    runs = _runs(placed, decisions, events)
    states = [
        Stretch(t, said[at + 1][0] if at + 1 < len(said) else length, state)
        for at, (t, state) in enumerate(said)
    ]
    told = (decisions, events, states, runs, health, tentative, drawn, corrections, tally)
    return Session(log, clock, length, *told)


def _moment(event: dict[str, Any], written: float, clock: SessionClock | None) -> float:
    """The session second an event speaks of: a mark says when it was set, which is before it was written."""
    local = number(event.get("t_local"))
    if local is None or clock is None or not clock.steady:
        return written
    second = clock.second(local)
    return second if 0 <= second <= written + clock.within + 1.0 else written


def _decided(row: Row, t: float, names: dict[str, str], pace: float) -> Decided:
    hits = row.hits[:10]
    stage_ms = {
        str(stage): ms
        for stage, value in (row.stage_ms.items() if isinstance(row.stage_ms, dict) else ())
        if (ms := number(value)) is not None and ms >= 0
    }
    warnings = tuple(w for w in row.warnings if isinstance(w, str)) if isinstance(row.warnings, list) else ()
    corrected = tuple(
        (str(c.get("said", "")), str(c.get("now", ""))) for c in _list(row.corrected) if isinstance(c, dict)
    )
    return Decided(
        t,
        row.number,
        row.run,
        row.sample,
        hits,
        names.setdefault(row.first, row.first),
        row.chance,
        row.candidates,
        row.delta,
        _words(row.words, t, pace) if row.words else (),
        row.ended if isinstance(row.ended, str) else "",
        corrected,
        stage_ms,
        warnings,
        row.at,
    )


def drawn_ms(line: dict[str, Any]) -> list[float]:
    """The times that one line of the screen tells, without what is none."""
    return [ms for one in _list(line.get("ms")) if (ms := number(one)) is not None and ms >= 0]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(found: Any, t: float, pace: float) -> tuple[Word, ...]:
    words = []
    for word in _list(found):
        if not isinstance(word, dict) or not isinstance(word.get("text"), str):
            continue
        start, stop = number(word.get("start")), number(word.get("stop"))
        if start is None or stop is None or stop < start or max(abs(start), abs(stop)) > LONGEST_S:
            continue
        confidence = number(word.get("confidence"))
        if confidence is not None and not 0 <= confidence <= 1:
            confidence = None
        words.append(
            Word(t + start / pace, t + stop / pace, word["text"], confidence, number(word.get("delay_s")))
        )
    return tuple(words)


def _runs(placed: list[PlacedRun], decisions: list[Decided], events: list[Happened]) -> list[RunFacts]:
    counted = Counter(decision.run for decision in decisions)
    why = {
        int(number_text): event.text
        for event in events
        if event.text.endswith(" begins")
        and (number_text := event.text.rsplit("run ", 1)[-1].removesuffix(" begins")).isdecimal()
        and len(number_text) < 12
    }
    found: list[RunFacts] = []
    stop: float | None = None
    for run, t, length in placed:
        gap = None if t is None or stop is None else max(0.0, t - stop)
        stop = None if t is None else t + length
        facts = (t, length, gap, counted[run.run], why.get(run.run, ""))
        found.append(RunFacts(run.run, run.stream, run.start, run.stop - run.start, *facts))
    return found
