"""The timeline: states, gaps, marks, channel trouble, probability, margin and rank over the session.

A cell of text is the same stretch of time in every row. What is worst in a cell is shown: a short loss does
not vanish at any zoom. A curve reaches from the lower to the upper quartile of half a cell's decisions.
"""

from collections.abc import Mapping

from rtdecode.tui.lines import EMPTY, Line, clean, clock, fit, frame, inner
from rtdecode.tui.review.data import SHORTEST_S, Story, View
from rtdecode.tui.review.timeline_rows import LABEL, ROWS, VALUE, Picture, blank, row_cells, row_line

WAYS = ("state", "gaps", "marks", "channels")


def whole(length: float) -> View:
    return View(0.0, max(length, SHORTEST_S))


def cells(width: int) -> int:
    """How many cells of time a panel of this width has."""
    return max(1, inner(width, 0)[0] - LABEL - VALUE)


def seconds_seen(view: View, width: int) -> list[int]:
    """Whole seconds, one a cell and then those between: in the order in which they are worth judging."""
    count, first, last = cells(width), int(view.start), int(view.start + view.span)
    found: dict[int, None] = {}
    parts = max(1, min(64, -(-(last - first) // count)))
    for part in _halving(parts):
        for cell in range(count):
            found.setdefault(int(view.start + view.span * (cell + part / parts) / count))
    return list(found)


def _halving(count: int) -> list[int]:
    """0, count/2, count/4, 3 count/4, …"""
    order, step = [0], 1
    while len(order) < count:
        step *= 2
        order += [count * odd // step for odd in range(1, step, 2)]
    return list(dict.fromkeys(order))


def render(
    story: Story,
    view: View,
    cursor: float,
    trouble: Mapping[int, str],
    width: int,
    height: int,
    title: str = "Timeline",
) -> list[Line]:
    """Framed, exactly `height` lines. trouble: glyph by second, as far as seconds were judged."""
    count = cells(width)
    columns, rows = inner(width, height)
    if columns < LABEL + VALUE + 4 or rows < 1:
        return frame([], width, height, ((title, "title"),))
    here = int((cursor - view.start) / view.span * count)
    here = min(here, count - 1) if 0 <= cursor - view.start <= view.span else -1
    picture = Picture(story, view, cursor, trouble, count, here, story.decision_at(cursor))
    body: list[Line] = []
    for name, lines in _plan(rows - 1, bool(len(story.prob)), bool((story.rank > 0).any())):
        body += ROWS[name](picture, lines)
    body += [blank(count, here)] * (rows - 1 - len(body))
    body.append(_axis(view, cursor, count, here))
    shown = f"{clock(view.start)}–{clock(view.start + view.span)} of {clock(story.length_s)}"
    each = view.span / count
    fact: Line = ((f"{shown} · {f'{each:.1f}' if each < 10 else f'{each:.0f}'} s a cell", "dim"),)
    foot: Line = ((f"rank unknown: {clean(story.why)}", "dim"),) if story.why and len(story.prob) else EMPTY
    return frame(body, width, height, ((title, "title"),), fact, foot)


def _plan(rows: int, ranked: bool, told: bool) -> list[tuple[str, int]]:
    """Which rows there are, and how high: facts first, then curves as high as there is room."""
    plan = [(name, 1) for name in WAYS]
    if rows < 9 and ranked:  # marks and gaps share a row
        plan = [("state", 1), ("both", 1), ("channels", 1)]
    plan = plan[: max(0, rows)]
    curves = (["prob"] if ranked else []) + (["rank"] if told else []) + (["margin"] if ranked else [])
    left = rows - len(plan)
    curves = curves[: left if left < 3 else max(1, left // 2)]
    each, more = divmod(min(left, 4 * len(curves)), len(curves)) if curves else (0, 0)
    heights = {name: each + (i < more) for i, name in enumerate(curves)}
    return plan + [(name, heights[name]) for name in ("prob", "margin", "rank") if heights.get(name)]


def _axis(view: View, cursor: float, count: int, here: int) -> Line:
    """Session times; the cursor's goes before the others."""
    texts, roles = [" "] * count, ["dim"] * count

    def write(label: str, place: int, role: str) -> None:
        room = slice(max(0, place - 1), place + len(label) + 1)
        if 0 <= place <= count - len(label) and not "".join(texts[room]).strip():
            texts[place : place + len(label)] = label
            roles[place : place + len(label)] = [role] * len(label)

    if here >= 0:
        label = f"▲{clock(cursor, 1)}"
        if here + len(label) <= count:
            write(label, here, "accent")
        else:
            write(f"{clock(cursor, 1)}▲", here + 1 - len(label), "accent")
    ticks = max(2, count // 14)
    for i in range(ticks + 1):
        label = clock(view.start + view.span * i / ticks, 1 if view.span < 60 else 0)
        write(label, min(round(count * i / ticks), count - len(label)), "dim")
    return fit(row_line("", row_cells(texts, roles, -1)), LABEL + count + VALUE)
