"""The signals panel: quality of every channel, a page of traces, their shared scale and time axis."""

from dataclasses import dataclass

import numpy as np

from rtdecode.snapshot import ChannelState, Snapshot, State
from rtdecode.tui.header import look
from rtdecode.tui.lines import EMPTY, Line, cell_len, clean, figure, frame, inner, pad, unit_name, wrap
from rtdecode.tui.traces import braille

LABEL, VALUE = 8, 10  # most cells of a label, and cells of the value with its unit
ROLES = {"✓": "good", "▁": "bad", "▲": "bad", "≈": "warn", "∿": "warn", "·": "dim"}
WORDS = {"▁": "flat", "▲": "railed", "≈": "noisy", "∿": "line noise", "·": "off"}


@dataclass(frozen=True)
class View:
    """What the keys have chosen, and the picture to draw.

    picture  (C, T) of the page's channels, swept;  cursor: place of "now" in 0..1
    limit    value at the edge of a trace, in the bundle's unit;  seconds: length of the sweep
    first    first channel of the page;  page: channels on it
    mark     the word at the cursor: "now", unless the picture is old or held
    """

    picture: np.ndarray
    cursor: float
    limit: float
    seconds: float
    first: int
    page: int
    mark: str = "now"


def page_size(width: int, height: int, channels: int) -> int:
    """How many channels of two lines each fit: at most 8, on very wide screens 16."""
    _, rows = inner(width, height)
    room = rows - strip_lines(width, channels)
    most = 16 if width > 110 else 8
    return max(1, min(most, room // 2))


def strip_lines(width: int, channels: int) -> int:
    columns, _ = inner(width, 0)
    return max(1, -(-channels // max(1, columns - len(f"all {channels} "))))


def render(
    snapshot: Snapshot, width: int, height: int, view: View, quality: tuple[ChannelState, ...]
) -> list[Line]:
    """The framed signals. quality: channel states to show (a calmer rhythm than the traces)."""
    columns, rows = inner(width, height)
    bundle = snapshot.bundle
    unit = unit_name(bundle.unit) if bundle else ""
    channels = len(quality) or snapshot.signal.shape[1]
    title: Line = (("Signals", "title"), *_filter(snapshot))
    now = look(snapshot, 0.0)
    if not channels or not view.picture.size:
        return frame(_waiting(snapshot, columns, now.role), width, height, title)
    shown = min(view.page, channels - view.first)
    where = f"{view.first + 1}–{view.first + shown} of {channels}" if channels > shown else f"{channels} ch"
    fact: Line = ((f"{where} · ±{view.limit:g} {unit} · {view.seconds:g} s", "dim"),)
    strip = _strip(quality, columns)
    if now.old and snapshot.detail:
        strip = [((clean(snapshot.detail), now.role),)]
    body = list(strip)
    traces = _traces(view, quality, unit, columns)
    spare = rows - len(strip) - len(traces)
    if spare > 2:
        body.append(EMPTY)
    body += traces
    if spare > 0:
        body += [EMPTY] * (rows - 1 - len(body)) if spare <= 4 else []
        body.append(_axis(view, columns, _margin(quality)))
    return frame(body, width, height, title, fact, _summary(quality))


def _filter(snapshot: Snapshot) -> Line:
    if not (bundle := snapshot.bundle):
        return EMPTY
    band = "–".join(f"{edge:g}" for edge in bundle.band_hz)
    parts = [f"{band} Hz"] if band else []
    if bundle.reference:
        names = "+".join(map(clean, bundle.reference)) if len(bundle.reference) < 4 else "average"
        parts.append(f"ref {names}")
    return (("  " + " · ".join(parts), "dim"),) if parts else EMPTY


def _waiting(snapshot: Snapshot, columns: int, role: str) -> list[Line]:
    lines: list[Line] = []
    if snapshot.detail:
        lines = [
            ((piece, role if role == "bad" else "text"),) for piece in wrap(clean(snapshot.detail), columns)
        ]
    if snapshot.state is State.CONNECTING:
        lines.append((("streams found:" if snapshot.found else "no stream found yet", "dim"),))
        lines += [((f"  {clean(name)}", "text"),) for name in snapshot.found]
    return lines or [(("no signal yet", "dim"),)]


def _strip(quality: tuple[ChannelState, ...], columns: int) -> list[Line]:
    """One glyph per channel, in groups of eight where there is room."""
    head = f"all {len(quality)} "
    room = max(1, columns - len(head))
    grouped = len(quality) + (len(quality) - 1) // 8 <= room
    lines: list[Line] = []
    for start in range(0, len(quality), room):
        spans = [(head if not start else " " * len(head), "dim")]
        for i, channel in enumerate(quality[start : start + room]):
            gap = " " if grouped and i and i % 8 == 0 else ""
            role = ROLES.get(channel.glyph, "text")
            text = gap + (clean(channel.glyph)[:1] or "?")
            if spans[-1][1] == role:
                spans[-1] = (spans[-1][0] + text, role)
            else:
                spans.append((text, role))
        lines.append(tuple(spans))
    return lines


def _summary(quality: tuple[ChannelState, ...]) -> Line:
    """How many channels are used, and which are not, by name and reason."""
    if not quality:
        return EMPTY
    bad = [channel for channel in quality if channel.glyph in WORDS]
    used = sum(channel.glyph == "✓" for channel in quality)
    line: Line = ((f"{used} of {len(quality)} good", "dim"),)
    for channel in bad[:4]:
        line = (
            *line,
            (" · ", "dim"),
            (f"{clean(channel.label)} {WORDS[channel.glyph]}", ROLES[channel.glyph]),
        )
    return (*line, (f" · {len(bad) - 4} more", "dim")) if len(bad) > 4 else line


def _margin(quality: tuple[ChannelState, ...]) -> int:
    """Cells in front of a trace: glyph and longest label of all channels, so that paging moves nothing."""
    return 3 + min(LABEL, max([4, *(cell_len(channel.label) for channel in quality)]))


def _traces(view: View, quality: tuple[ChannelState, ...], unit: str, columns: int) -> list[Line]:
    margin = _margin(quality)
    width = max(1, columns - margin - VALUE)
    drawn = braille(view.picture, width, 2, view.limit)
    lines: list[Line] = []
    for i in range(len(view.picture)):
        state = (
            quality[view.first + i] if view.first + i < len(quality) else ChannelState("?", " ", float("nan"))
        )
        role = ROLES.get(state.glyph, "text")
        trace = "dim" if state.glyph in "▁▲·" else "trace"
        value = f"{figure(state.rms)} {unit}"
        lines.append(
            (
                (pad(clean(state.label), margin - 3) + " ", "text"),
                (clean(state.glyph)[:1] + " ", role),
                (drawn[2 * i], trace),
                (" " * max(0, VALUE - cell_len(value)) + value, "dim"),
            )
        )
        lines.append(((" " * margin, "dim"), (drawn[2 * i + 1], trace)))
    return lines


def _axis(view: View, columns: int, margin: int) -> Line:
    """Seconds of the sweep from its left edge, and where "now" is."""
    width = max(1, columns - margin - VALUE)
    cells = [" "] * width
    halves = 4 if view.seconds <= 2 else 5
    for i in range(halves + 1):
        seconds = view.seconds * i / halves
        label = f"{seconds:g}" + (" s" if i == halves else "")
        place = min(round(width * i / halves), width - len(label))
        cells[place : place + len(label)] = label
    mark = f"{view.mark}↑"
    at = min(width - 1, int(view.cursor * width))
    start = at + 1 - len(mark)
    if start < 0:
        mark, start = f"↑{view.mark}", at
    left, right = "".join(cells[:start]), "".join(cells[start + len(mark) :])
    return ((" " * margin + left, "dim"), (mark, "accent"), (right, "dim"))
