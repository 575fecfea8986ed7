"""The ranking: which segments of the bank the signal resembles, and how far that is from chance."""

from rtdecode.snapshot import Snapshot, State
from rtdecode.tui.header import as_of, decision_age
from rtdecode.tui.lines import (
    Line,
    bar,
    box,
    clean,
    clock,
    cut,
    frame,
    inner,
    pad,
    share,
    spread,
    width_of,
)
from rtdecode.types import Hit

WIDE = 60  # cells from which a hit has room for everything on one line
NEW_S = 2.0  # a leader younger than this is marked ▲


def render(
    snapshot: Snapshot, width: int, height: int, silent_s: float = 0.0, frozen: bool = False
) -> list[Line]:
    """The framed ranking, exactly `height` lines of `width` cells."""
    columns, rows = inner(width, height)
    right = as_of(snapshot, silent_s, frozen) or decision_age(snapshot, silent_s)
    ranking = snapshot.decision.retrieved if snapshot.decision else None
    if ranking is None or not ranking.hits:
        return frame(_waiting(snapshot), width, height, (("Retrieved", "title"),), right)
    # a lead lasts while decisions come: time without any is not part of it
    held_s = max(0.0, snapshot.held_s - max(0.0, snapshot.elapsed_s - snapshot.decided_s))
    short, new = rows < 5, held_s < NEW_S
    about = f"chance {share(ranking.chance)} · window {_seconds(ranking.window_s)}"
    if short:
        shown = min(rows, len(ranking.hits))
        title: Line = (("Retrieved", "title"), (f"  {shown} of {ranking.candidates} · {about}", "dim"))
        steady = f"margin {share(ranking.margin)} · held {held_s:.1f} s · agrees {snapshot.agrees}/8 · "
        if len(steady) + width_of(title) + width_of(right) + 4 <= columns:
            right = ((steady, "dim"), *right)
        body = [_one_line(i, hit, columns, new and i == 0) for i, hit in enumerate(ranking.hits[:shown])]
        return frame(body, width, height, title, right)
    hits = _hits(ranking.hits, columns, rows - 2, new)
    shown = sum(1 for line in hits if line and line[0][1] in ("strong", "text") and line[0][0].strip())
    head: Line = ((f"top {shown} of {ranking.candidates} · {about}", "dim"),)
    tail: Line = (
        ("margin ", "dim"),
        (share(ranking.margin), "text"),
        (" · #1 held ", "dim"),
        (f"{held_s:.1f} s", "text"),
        (" · agrees ", "dim"),
        (f"{snapshot.agrees}/8", "text"),
    )
    return frame([head, *box(hits, rows - 2, columns), tail], width, height, (("Retrieved", "title"),), right)


def _seconds(window_s: float) -> str:
    said = f"{window_s:.1f}"
    return f"{said.removesuffix('.0') if window_s >= 10 else said} s"  # a long one has room for no zero


def _waiting(snapshot: Snapshot) -> list[Line]:
    if snapshot.state is State.FILLING and snapshot.bundle:
        return [((f"waiting for {_seconds(snapshot.bundle.window_s)} of signal", "dim"),)]
    return [(("no ranking yet", "dim"),)]


def _hits(hits: tuple[Hit, ...], columns: int, rows: int, new: bool) -> list[Line]:
    """As many hits as fit: wide, one line each; else the first ones in two lines, the rest in one."""
    if columns >= WIDE:
        return [_one_line(i, hit, columns, new and i == 0) for i, hit in enumerate(hits[:rows])]
    double = min(len(hits), max(rows - len(hits), min(3, (rows - 3) // 2), 0))
    lines: list[Line] = []
    for i, hit in enumerate(hits):
        lines += (
            _two_lines(i, hit, columns, new and i == 0)
            if i < double
            else [_one_line(i, hit, columns, new and i == 0)]
        )
        if len(lines) >= rows:
            break
    return lines[:rows]


def _start(rank: int, hit: Hit, cells: int, new: bool) -> Line:
    first = rank == 0
    return (
        (f"{rank + 1:<3}", "strong" if first else "text"),
        (bar(hit.prob, cells), "accent" if first else "dim"),
        (f" {share(hit.prob):>4}", "strong" if first else "text"),
        (" ▲ " if new else "   ", "accent"),
    )


def _two_lines(rank: int, hit: Hit, columns: int, new: bool) -> list[Line]:
    role = "strong" if rank == 0 else "text"
    where: Line = ((clock(hit.start, 1), "dim"),)
    score: Line = ((f"cos {hit.score:+.2f}", "dim"),)
    return [
        spread((*_start(rank, hit, 5, new), (clean(hit.source), "dim")), where, columns),
        spread((("   ", "dim"), (_quoted(hit.text, columns - 14), role)), score, columns),
    ]


def _one_line(rank: int, hit: Hit, columns: int, new: bool) -> Line:
    role = "strong" if rank == 0 else "text"
    # the column of cosines is named by the hits above that have two lines
    right: Line = ((f"{hit.score:+.2f}", "dim"),)
    start = _start(rank, hit, 8 if columns >= WIDE else 5, new)
    if columns >= WIDE:
        right = ((f"{pad(clean(hit.source), 14)} {clock(hit.start, 1):>7}  cos ", "dim"), *right)
    room = columns - width_of(start) - width_of(right) - 1
    return spread((*start, (_quoted(hit.text, room), role)), right, columns)


def _quoted(text: str, width: int) -> str:
    return f"“{cut(clean(text), max(0, width - 2))}”"
