"""How the decoder keeps up: its delay against the hop budget, by stage, and what was lost on the way."""

import math

from rtdecode.snapshot import Health, Quantiles, Snapshot
from rtdecode.tui.lines import EMPTY, Line, box, clean, fit, frame, inner, width_of

SHORT = {"preprocess": "prep", "publish": "out", "total": "total"}
ROOM = 1.5  # the delay bar ends at this many budgets


def verdict(p99_ms: float, budget_ms: float) -> tuple[str, str]:
    """Word and role: ok under 70 % of the budget, tight up to all of it, over above."""
    if not budget_ms or not math.isfinite(p99_ms):
        return "", "dim"
    used = p99_ms / budget_ms
    return ("ok", "good") if used < 0.7 else ("tight", "warn") if used <= 1 else ("over", "bad")


def delay_bar(total: Quantiles, budget_ms: float, cells: int) -> Line:
    """▓ up to p50, ▒ up to p99, ░ beyond, with a tick at the budget."""
    if cells < 3 or not budget_ms:
        return EMPTY
    scale = cells / (ROOM * budget_ms)
    marks = "".join(
        "▓" if i < total.p50 * scale else "▒" if i < total.p99 * scale else "░" for i in range(cells)
    )
    tick = min(cells - 1, round(cells / ROOM))
    _, role = verdict(total.p99, budget_ms)
    return ((marks[:tick], role), ("│", "strong"), (marks[tick + 1 :], role))


def render(
    snapshot: Snapshot, width: int, height: int, fps: float | None = None, drawn: Quantiles | None = None
) -> list[Line]:
    """Framed from four lines of height on, else one bare line. fps: the screen's own frames per second;
    drawn: from publishing to being on the screen."""
    health = snapshot.health
    budget = snapshot.bundle.hop_ms if snapshot.bundle else 0.0
    if height < 4:
        return box([_one_line(health, budget, width)], height, width)
    columns, rows = inner(width, height)
    total = health.stages.get("total")
    word, role = verdict(total.p99, budget) if total else ("", "dim")
    fact: Line = ((f"budget {budget:.0f} ms", "dim"),) if budget else EMPTY
    if word:
        fact = (*fact, (" · ", "dim"), (word, role))
    body = [
        _delay(total, budget, columns),
        _stages(health, columns),
        _counts(
            ("load", f"{health.load * 100:.0f} %", _load_role(health.load)),
            _n("late", health.late),
            _n("skipped", health.skipped),
            _n("lost", health.lost),
        ),
        _counts(("rate", _rate(health), "text"), _n("gaps", health.gaps), _n("restarts", health.restarts)),
        _last(_clock(health), ("run", str(snapshot.run), "text"), _screen(fps, drawn), columns),
    ]
    return frame(body[:rows], width, height, (("Health", "title"),), fact)


def _n(name: str, count: int) -> tuple[str, str, str]:
    return name, str(count), "warn" if count else "text"


def _load_role(load: float) -> str:
    return "good" if load < 0.7 else "warn" if load <= 1 else "bad"


def _rate(health: Health) -> str:
    return (
        f"{health.rate_hz:.2f}/{health.nominal_hz:g} Hz" if health.nominal_hz else f"{health.rate_hz:.2f} Hz"
    )


def _clock(health: Health) -> list[tuple[str, str, str]]:
    return [] if health.clock_offset_ms is None else [("clock", f"{health.clock_offset_ms:+.2f} ms", "text")]


def _screen(fps: float | None, drawn: Quantiles | None) -> list[tuple[str, str, str]]:
    late = f" +{_ms(drawn.p50)} ms" if drawn else ""
    return [] if fps is None else [("screen", f"{fps:.0f} fps{late}", "text")]


def _last(
    clock: list[tuple[str, str, str]],
    run: tuple[str, str, str],
    screen: list[tuple[str, str, str]],
    columns: int,
) -> Line:
    """Whole figures only: without room for all, the run goes first, which the first line tells too."""
    lines = [_counts(*facts) for facts in ((*clock, run, *screen), (*clock, *screen), screen or clock)]
    return next((line for line in lines if width_of(line) <= columns), lines[-1])


def _counts(*facts: tuple[str, str, str]) -> Line:
    spans = [
        ((f"{'  ' if i else ''}{name} ", "dim"), (value, role)) for i, (name, value, role) in enumerate(facts)
    ]
    return tuple(span for pair in spans for span in pair)


def _ms(value: float) -> str:
    if not math.isfinite(value):
        return "?"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _delay(total: Quantiles | None, budget: float, columns: int) -> Line:
    if total is None:
        return (("delay ", "dim"), ("not measured yet", "dim"))
    words: Line = (
        ("p50 ", "dim"),
        (_ms(total.p50), "text"),
        ("  p99 ", "dim"),
        (_ms(total.p99), "text"),
        (" ms", "dim"),
    )
    marks = delay_bar(total, budget, min(40, columns - 7 - width_of(words)))
    return (("delay ", "dim"), *marks, (" ", "text"), *words)


def _stages(health: Health, columns: int) -> Line:
    parts = [
        (SHORT.get(name, clean(name)), _ms(q.p50)) for name, q in health.stages.items() if name != "total"
    ]
    if not parts:
        return EMPTY
    while len(parts) > 1 and len(" ".join(map(" ".join, parts))) + len(" ms") > columns:
        parts.pop()  # a figure that is cut would be a wrong one
    spans = [span for name, value in parts for span in ((f"{name} ", "dim"), (f"{value} ", "text"))]
    return fit((*spans[:-1], (spans[-1][0].rstrip(), "text"), (" ms", "dim")), columns)


def _one_line(health: Health, budget: float, width: int) -> Line:
    total = health.stages.get("total")
    facts = [
        ("load", f"{health.load * 100:.0f} %", _load_role(health.load)),
        _n("skipped", health.skipped),
        _n("lost", health.lost),
        _n("gaps", health.gaps),
    ]
    head: Line = ((" delay ", "dim"), ("not measured yet", "dim"))
    if total:
        word, role = verdict(total.p99, budget)
        times = f"{_ms(total.p50)}/{_ms(total.p99)}"
        head = ((" delay ", "dim"), (times, "text"), (f" of {budget:.0f} ms", "dim"))
        room = width - width_of(head) - width_of(_counts(*facts)) - len(word) - 5
        if room >= 6:
            head = (*head, (" ", "text"), *delay_bar(total, budget, min(12, room)))
        head = (*head, (f" {word}", role))
    while facts and width_of(head) + 2 + width_of(_counts(*facts)) > width:
        facts.pop()
    return (*head, ("  ", "text"), *_counts(*facts))
