"""The rows of the timeline, one function each: a picture of the session in, lines of cells out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rtdecode.tui.lines import EMPTY, Line, Span, clean, pad, share
from rtdecode.tui.review.data import BEYOND, Story, View
from rtdecode.tui.traces import braille

LABEL, VALUE = 10, 11  # cells before and after the rows
HELD_S = 1.5  # for so long a curve goes on without a decision
# later ones win a cell
STATES = {"": (" ", "dim"), "live": ("━", "good"), "filling": ("╍", "accent"), "connecting": ("┈", "accent"),
          "stale": ("▒", "warn"), "lost": ("╳", "bad"), "failed": ("╳", "bad")}  # fmt: skip
GLYPHS = {"heard": ("┊", "dim"), "info": ("·", "dim"), "warn": ("!", "warn"), "mark": ("◆", "accent"),
          "error": ("✕", "bad")}  # fmt: skip
TROUBLE = " ·≈∿▁▲×"  # from the least to the worst
TROUBLE_WORDS = {
    " ": "all good",
    "≈": "noisy",
    "∿": "line noise",
    "▁": "flat",
    "▲": "railed",
    "×": "no number",
}


@dataclass(frozen=True)
class Picture:
    """count: cells of time;  here: the cursor's, -1 outside;  k: the decision at the cursor"""

    story: Story
    view: View
    cursor: float
    trouble: Mapping[int, str]
    count: int
    here: int
    k: int | None


def row_cells(texts: list[str], roles: list[str], here: int) -> Line:
    """Cells of one character each as spans; the cursor goes through all rows."""
    if 0 <= here < len(texts):
        texts, roles = list(texts), list(roles)
        texts[here] = "│" if texts[here] in " ─" else texts[here]
        roles[here] = "accent"
    spans: list[Span] = []
    for text, role in zip(texts, roles, strict=True):
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + text, role)
        else:
            spans.append((text, role))
    return tuple(spans)


def row_line(label: str, middle: Line, value: str = "", role: str = "text") -> Line:
    return ((pad(label, LABEL), "dim"), *middle, (f" {value:>{VALUE - 1}.{VALUE - 1}}", role))


def blank(count: int, here: int) -> Line:
    return row_line("", row_cells([" "] * count, ["dim"] * count, here))


def _span(view: View, count: int, start: float, stop: float) -> slice:
    """The cells that a stretch of time touches."""
    first, last = ((x - view.start) / view.span * count for x in (start, stop))
    if last < 0 or first >= count:
        return slice(0, 0)
    return slice(max(0, int(first)), min(count, max(int(first), int(np.ceil(last)) - 1) + 1))


def _worst(count: int, found: list[tuple[slice, int]]) -> list[int]:
    level = np.zeros(count, int)
    for where, size in found:
        level[where] = np.maximum(level[where], size)
    return [int(x) for x in level]


def _state(p: Picture, lines: int) -> list[Line]:
    order = list(STATES)
    found = [
        (_span(p.view, p.count, s.t, s.stop), order.index(s.state) if s.state in STATES else 0)
        for s in p.story.states
    ]
    looks = [STATES[order[level]] for level in _worst(p.count, found)]
    now = p.story.state_at(p.cursor)
    role = STATES[now][1] if now in STATES else "text"
    middle = row_cells([glyph for glyph, _ in looks], [look for _, look in looks], p.here)
    return [row_line("state", middle, clean(now) or "–", role)]


def _gaps(p: Picture, lines: int) -> list[Line]:
    level = _worst(p.count, [(_span(p.view, p.count, start, stop), 1) for start, stop in p.story.gaps])
    inside = next((stop - start for start, stop in p.story.gaps if start <= p.cursor < stop), None)
    value = f"{inside:.1f} s" if inside is not None else f"{len(p.story.gaps)}"
    marks = [("░" if x else " ") for x in level]
    return [
        row_line("gaps", row_cells(marks, ["warn"] * p.count, p.here), value, "warn" if inside else "dim")
    ]


def _marks(p: Picture, lines: int) -> list[Line]:
    looks = _looks(p.story, p.view, p.count)
    known = sum(event.level == "mark" for event in p.story.events)
    return [
        row_line("marks", row_cells([g for g, _ in looks], [r for _, r in looks], p.here), f"{known}", "dim")
    ]


def _both(p: Picture, lines: int) -> list[Line]:
    looks = _looks(p.story, p.view, p.count)
    gone = _worst(p.count, [(_span(p.view, p.count, start, stop), 1) for start, stop in p.story.gaps])
    looks = [("░", "warn") if gap and glyph in " ·┊" else (glyph, role) for (glyph, role), gap in
             zip(looks, gone, strict=True)]  # fmt: skip
    return [row_line("events", row_cells([g for g, _ in looks], [r for _, r in looks], p.here))]


def _looks(story: Story, view: View, count: int) -> list[Span]:
    order = list(GLYPHS)
    found = [
        (_span(view, count, e.t, e.t), order.index(e.level) + 1) for e in story.events if e.level in GLYPHS
    ]
    return [GLYPHS[order[level - 1]] if level else (" ", "dim") for level in _worst(count, found)]


def _channels(p: Picture, lines: int) -> list[Line]:
    level = [-1] * p.count
    for second, glyph in p.trouble.items():
        for cell in range(p.count)[_span(p.view, p.count, second, second + 1)]:
            level[cell] = max(level[cell], TROUBLE.find(glyph))
    texts = ["─" if x == 0 else " " if x < 0 else TROUBLE[x] for x in level]
    roles = ["dim" if x < 1 else "warn" if TROUBLE[x] in "≈∿" else "bad" for x in level]
    now = p.trouble.get(int(p.cursor))
    word = "" if now is None else TROUBLE_WORDS.get(now, "")
    return [
        row_line("channels", row_cells(texts, roles, p.here), word, "dim" if now in (None, " ") else "warn")
    ]


def _curve(p: Picture, label: str, name: str, lines: int, value: Line) -> list[Line]:
    found: list[Line] = []
    for i, text in enumerate(_drawn(p.story, name, p.view, p.count, lines)):
        middle = row_cells(list(text), ["trace"] * p.count, p.here)
        found.append(((pad(label if not i else "", LABEL), "dim"), *middle, *(value if not i else EMPTY)))
    return found


@lru_cache(maxsize=32)  # of a view, wherever the cursor is
def _drawn(story: Story, name: str, view: View, count: int, lines: int) -> list[str]:
    """The curve of prob, margin or rank. A story is one by identity: it never changes."""
    y = _values(story, name)
    dots = 2 * count
    place = np.floor((story.t - view.start) / view.span * dots)
    inside = (place >= 0) & (place < dots) & np.isfinite(y)
    low, high = _quartiles(place[inside].astype(int), y[inside], dots)
    # between decisions that are further apart than a dot the curve goes on; over a gap it does not
    most = max(1, int(HELD_S / view.span * dots))
    both = np.stack([_held(low, most), _held(high, most)], axis=1).reshape(1, -1)
    return braille(both - 0.5, count, lines, 0.5)


def _values(story: Story, name: str) -> np.ndarray:
    """One value a decision in 0..1, NaN where there is none."""
    if name == "prob":
        return story.prob
    if name == "margin":
        return story.prob - story.second
    return np.where(story.rank > 0, 1 - (np.minimum(story.rank, BEYOND) - 1) / (BEYOND - 1), np.nan)


def _quartiles(place: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper quartile of the values at each place, NaN where there is none."""
    order = np.lexsort((y, place))
    place, y = place[order], y[order]
    times = np.bincount(place, minlength=count)
    starts = np.cumsum(times) - times
    known, quarter = times > 0, np.maximum(times - 1, 0) // 4
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    low[known] = y[(starts + quarter)[known]]
    high[known] = y[(starts + times - 1 - quarter)[known]]
    return low, high


def _held(x: np.ndarray, most: int) -> np.ndarray:
    """NaN filled with the value before, over at most so many places."""
    known = np.isfinite(x)
    last = np.maximum.accumulate(np.where(known, np.arange(len(x)), -1))
    near = (last >= 0) & (np.arange(len(x)) - last <= most)
    return np.where(near, x[np.maximum(last, 0)], np.nan)


def _value(x: float | None, role: str = "text") -> Line:
    return ((f" {'–' if x is None or not np.isfinite(x) else share(x):>{VALUE - 1}}", role),)


def _prob(p: Picture, lines: int) -> list[Line]:
    value = _value(None if p.k is None else float(p.story.prob[p.k]), "strong")
    return _curve(p, "p of #1", "prob", lines, value)


def _margin(p: Picture, lines: int) -> list[Line]:
    value = None if p.k is None else float(p.story.prob[p.k] - p.story.second[p.k])
    return _curve(p, "margin", "margin", lines, _value(value))


def _rank(p: Picture, lines: int) -> list[Line]:
    rank = 0 if p.k is None else int(p.story.rank[p.k])
    said = "–" if not rank else "> 10" if rank >= BEYOND else f"{rank}"
    role = "good" if rank == 1 else "dim" if rank in (0, BEYOND) else "text"
    return _curve(p, "rank 1–10", "rank", lines, ((f" {said:>{VALUE - 1}}", role),))


ROWS: dict[str, Callable[[Picture, int], list[Line]]] = {
    "state": _state,
    "gaps": _gaps,
    "marks": _marks,
    "both": _both,
    "channels": _channels,
    "prob": _prob,
    "margin": _margin,
    "rank": _rank,
}
