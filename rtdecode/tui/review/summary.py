"""A session in a few figures, each beside what it must be read with; two sessions' figures side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtdecode.tui.lines import Line, clean, clock, cut, frame, inner, pad, share
from rtdecode.tui.review.data import Story

Row = tuple[str, str, float | None]


@dataclass(frozen=True, eq=False)
class Counted:
    """Pairs are (value, what chance or reversed words give). None: not known."""

    length_s: float
    decisions: int
    top1: tuple[float, float] | None
    top10: tuple[float, float] | None
    probs: np.ndarray
    chance: float
    changes: int
    confidences: np.ndarray
    delays: np.ndarray
    words: int
    wer: tuple[float, float] | None
    gaps: Sequence[float]
    lost: float | None
    skipped: float | None
    load: float | None
    warnings: int
    marks: int


def summary(c: Counted) -> tuple[Row, ...]:
    """(what, in words, as a number or None), the same rows for every session."""
    lost = sum(c.gaps)
    return (
        ("length", clock(c.length_s), c.length_s),
        ("decisions", f"{c.decisions}", float(c.decisions)),
        ("first (chance)", *_beside(c.top1)),
        ("in ten (chance)", *_beside(c.top10)),
        ("p of #1 (chance)", *_middle(c.probs, f"({share(c.chance)})")),
        ("leader changed", f"{c.changes} times", float(c.changes)),
        ("words", f"{c.words}", float(c.words)),
        ("WER (reversed)", *_beside(c.wer)),
        ("confidence", *_middle(c.confidences)),
        ("certain, p90", *_seconds(c.delays)),
        ("gaps", f"{len(c.gaps)}" + (f", {lost:.1f} s" if c.gaps else ""), float(len(c.gaps))),
        ("samples lost", *_count(c.lost)),
        ("hops not ranked", *_count(c.skipped)),
        ("largest load", "–" if c.load is None else f"{100 * c.load:.0f} %", c.load),
        ("warnings, errors", f"{c.warnings}", float(c.warnings)),
        ("marks", f"{c.marks}", float(c.marks)),
    )


def _beside(pair: tuple[float, float] | None) -> tuple[str, float | None]:
    if not pair:
        return "–", None
    return f"{100 * pair[0]:.1f} % ({100 * pair[1]:.1f} %)", pair[0]


def _middle(x: np.ndarray, beside: str = "") -> tuple[str, float | None]:
    if not len(x):
        return "–", None
    middle = float(np.median(x))
    return f"{share(middle)} {beside}".rstrip(), middle


def _seconds(x: np.ndarray) -> tuple[str, float | None]:
    if not len(x):
        return "–", None
    p50, p90 = (float(p) for p in np.percentile(x, [50, 90]))
    return f"{p50:.2f}, {p90:.2f} s", p50


def _count(x: float | None) -> tuple[str, float | None]:
    return ("–", None) if x is None else (f"{x:g}", x)


def difference(first: Story, second: Story, width: int, height: int) -> list[Line]:
    """Two sessions' figures beside each other, framed; the difference is second less first."""
    columns, rows = inner(width, height)
    wide = columns >= 100
    half = (columns - 4) // 2 if wide else columns
    table = [_row(a, b, half) for a, b in zip(first.summary, second.summary, strict=True)]
    body: list[Line] = []
    if wide:
        part = -(-len(table) // 2)
        right = table[part:] + [((" " * half, "text"),)] * (2 * part - len(table))
        head = _head(first, second, half)
        body = [(*head, ("    ", "text"), *head)]
        body += [(*a, ("  │ ", "frame"), *b) for a, b in zip(table[:part], right, strict=True)]
    else:
        body = [_head(first, second, half), *table]
    title: Line = (("Difference", "title"),)
    return frame(body[:rows], width, height, title, (("second less first", "dim"),))


def _widths(width: int) -> tuple[int, int, int]:
    name, less = min(17, width // 3), 7
    return name, max(4, (width - name - less) // 2), less


def _head(first: Story, second: Story, width: int) -> Line:
    name, value, less = _widths(width)
    titles = [pad(cut(clean(story.name), value - 1), value) for story in (first, second)]
    return ((" " * name, "dim"), (titles[0], "accent"), (titles[1], "accent"), (f"{'2 - 1':>{less}}", "dim"))


def _row(a: Row, b: Row, width: int) -> Line:
    name, value, less = _widths(width)
    said = "" if a[2] is None or b[2] is None else _signed(b[2] - a[2])
    return (
        (pad(a[0], name), "dim"),
        *((pad(cut(side[1], value - 1), value), "text") for side in (a, b)),  # they never touch
        (f"{said:>{less}}", "dim" if said in ("", "=") else "strong"),
    )


def _signed(x: float) -> str:
    if abs(x) < 5e-4:
        return "="
    return f"{x:+.0f}" if abs(x) >= 100 else f"{x:+.1f}" if abs(x) >= 10 or x == int(x) else f"{x:+.3f}"
