"""Lines of text with roles: what every panel is made of.

A line is a tuple of spans, a span is (text, role). Roles are names ("good", "dim"); the style sheet gives
them colours, so nothing here knows one. Widths are terminal cells, not characters: wide letters take two.
Text that comes from outside (streams, labels, decoded words) goes through `clean`, never through markup.
"""

import math

from rich.cells import cell_len, chop_cells, set_cell_size

from rtdecode.wording import clean as clean
from rtdecode.wording import clock as clock
from rtdecode.wording import figure as figure
from rtdecode.wording import share as share
from rtdecode.wording import unit_name as unit_name

ROLES = ("text", "strong", "dim", "frame", "title", "accent", "good", "warn", "bad", "trace", "tentative")

Span = tuple[str, str]
Line = tuple[Span, ...]

EMPTY: Line = ()


def cut(text: str, width: int, end: str = "…") -> str:
    """The longest beginning of `text` that fits `width` cells; a cut is shown by `end`."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(end)
    return set_cell_size(text, room).rstrip() + end if room >= 0 else ""


def pad(text: str, width: int) -> str:
    """Exactly `width` cells: cut or filled with spaces on the right."""
    text = cut(text, width)
    return text + " " * (width - cell_len(text))


def width_of(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def plain(line: Line) -> str:
    """The line's text without roles."""
    return "".join(text for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """Exactly `width` cells, whatever came in."""
    spans: list[Span] = []
    left = width
    for text, role in line:
        size = cell_len(text)
        if size > left:
            short = cut(text, left)
            spans.append((short, role))
            left -= cell_len(short)
            break
        spans.append((text, role))
        left -= size
    if left:
        spans.append((" " * left, "text"))
    return tuple(spans)


def spread(left: Line, right: Line, width: int) -> Line:
    """`left` at the left, `right` at the right edge; the left side is cut where both do not fit."""
    room = max(0, width - width_of(right) - (1 if right else 0))
    return fit((*fit(left, room), *((" ", "text"), *right)) if right else left, width)


def box(body: list[Line], height: int, width: int) -> list[Line]:
    """Exactly `height` lines of exactly `width` cells."""
    return [fit(line, width) for line in (body + [EMPTY] * height)[:height]]


def frame(
    body: list[Line], width: int, height: int, title: Line, fact: Line = EMPTY, foot: Line = EMPTY
) -> list[Line]:
    """A box of rounded lines: title at the top left, live fact at the top right, foot at the bottom left."""
    if height < 2 or width < 6:
        return box(body, height, width)
    rows = box(body, height - 2, width - 4)
    return [
        _edge("╭", "╮", title, fact, width),
        *((("│ ", "frame"), *row, (" │", "frame")) for row in rows),
        _edge("╰", "╯", foot, EMPTY, width),
    ]


def inner(width: int, height: int) -> tuple[int, int]:
    """Room inside a frame, as (width, height)."""
    return max(0, width - 4), max(0, height - 2)


def _edge(start: str, end: str, left: Line, right: Line, width: int) -> Line:
    room = width - 4
    if right:
        right = fit_within(right, room - 4)
        right = ((" ", "frame"), *right, (" ", "frame")) if width_of(right) else EMPTY
    if left:
        left = fit_within(left, room - width_of(right) - 2)
        left = ((" ", "frame"), *left, (" ", "frame")) if width_of(left) else EMPTY
    rule = "─" * (room - width_of(left) - width_of(right))
    return ((start + "─", "frame"), *left, (rule, "frame"), *right, ("─" + end, "frame"))


def fit_within(line: Line, width: int) -> Line:
    """Cut to at most `width` cells, without padding."""
    return line if width_of(line) <= width else fit(line, max(0, width))


def wrap(text: str, width: int) -> list[str]:
    """Break at spaces into lines of at most `width` cells; a longer word is broken where it must be."""
    if width < 1:
        return []
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, word = chop_cells(word, width) or [""]
        lines += full
        line = word
    return [*lines, line] if line or not lines else lines


def bar(fraction: float, width: int) -> str:
    """A horizontal bar in eighths of a cell, padded to `width`."""
    eighths = round(max(0.0, min(1.0, fraction if math.isfinite(fraction) else 0.0)) * width * 8)
    part = " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return ("█" * (eighths // 8) + part).ljust(width)
