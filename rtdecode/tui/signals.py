"""The signals panel: quality of every channel, a page of traces, their shared scale and time axis."""

from dataclasses import dataclass

import numpy as np

from rtdecode.snapshot import ChannelState, Snapshot, State
from rtdecode.tui.axis import write_words
from rtdecode.tui.header import look, reason
from rtdecode.tui.lines import EMPTY, Line, cell_len, clean, figure, frame, inner, pad, unit_name, wrap
from rtdecode.tui.traces import braille

LABEL, VALUE = 8, 10  # most cells of a label, and cells of the value with its unit
WIDE = 100  # cells from which a page has 16 channels: screens of 160 columns
DRIFT_HZ, SHARE = 0.1, 0.4  # as live/display.py has them
TALLEST = 6  # lines of one trace, where few channels leave room
ROLES = {"✓": "good", "▁": "bad", "▲": "bad", "×": "bad", "≈": "warn", "∿": "warn", "·": "dim"}
WORDS = {"▁": "flat", "▲": "railed", "×": "no number", "≈": "noisy", "∿": "line noise", "·": "off"}


@dataclass(frozen=True)
class View:
    """What the keys have chosen, and the picture to draw.

    picture  (C, T) of the page's channels, swept;  cursor: place of "now" in 0..1
    limit    value at the edge of a trace, in the bundle's unit;  seconds: length of the sweep
    first    first channel of the page;  page: channels on it
    mark     the word at the cursor: "now", unless the picture is old or held
    picked   numbers of the channels that may be drawn, None: all; `first` counts among them
    drawn    the filter of the drawing in words, "" without one
    marks, words   (place in 0..1, text) of marks on the time axis, and of words that begin there
    """

    picture: np.ndarray
    cursor: float
    limit: float
    seconds: float
    first: int
    page: int
    mark: str = "now"
    picked: tuple[int, ...] | None = None
    drawn: str = ""
    marks: tuple[tuple[float, str], ...] = ()
    words: tuple[tuple[float, str], ...] = ()

    def channels(self, all_channels: int) -> tuple[int, ...]:
        """Numbers of the page's channels."""
        order = range(all_channels) if self.picked is None else self.picked
        return tuple(order)[self.first : self.first + self.page]


def page_size(width: int, height: int, channels: int) -> int:
    """How many channels of two lines each fit, and the axis: at most 8, on very wide screens 16."""
    _, rows = inner(width, height)
    room = rows - strip_lines(width, channels) - (rows >= 8)  # a low panel rather has a channel than an axis
    most = 16 if width >= WIDE else 8
    return max(1, min(most, room // 2))


def strip_lines(width: int, channels: int) -> int:
    columns, _ = inner(width, 0)
    return max(1, -(-channels // max(1, columns - len(f"all {channels} "))))


def render(
    snapshot: Snapshot, width: int, height: int, view: View, quality: tuple[ChannelState, ...]
) -> list[Line]:
    """The framed signals. quality: channel states to show (a calmer rhythm than the traces)."""
    columns, rows = inner(width, height)
    unit = unit_name(snapshot.bundle.unit) if snapshot.bundle else ""
    channels = len(quality) or snapshot.signal.shape[1]
    title = heading(snapshot, view.drawn)
    now = look(snapshot, 0.0)
    if not channels or not view.picture.size:
        return frame(waiting(snapshot, columns, now.role), width, height, title)
    pool = channels if view.picked is None else len(view.picked)
    shown = min(view.page, pool - view.first)
    where = f"{view.first + 1}–{view.first + shown} of {pool}" if pool > shown else f"{pool} ch"
    if view.picked is not None:
        where += f" picked of {channels}"
    fact: Line = ((f"{where} · ±{view.limit:g} {unit} · {view.seconds:g} s", "dim"),)
    strip = _strip(quality, columns)
    if now.old and (why := reason(snapshot)):
        strip = [((why, now.role),)]
    body = list(strip)
    room = rows - len(strip)
    tall = max(2, min(TALLEST, (room - 1) // max(1, len(view.picture))))
    traces = _traces(view, quality, unit, columns, tall)
    spare = room - len(traces)
    if spare > 2:
        body.append(EMPTY)
    body += traces
    if spare > 0:
        body += [EMPTY] * (rows - 1 - len(body)) if spare <= 4 else []
        body.append(axis(view, columns, margin(quality)))
    return frame(body, width, height, title, fact, _summary(quality))


def heading(snapshot: Snapshot, drawn: str) -> Line:
    """What is done to the signal before it is seen: the bundle's band and reference, then the eye's own."""
    title: Line = (("Signals", "title"),)
    base = ""
    if bundle := snapshot.bundle:
        parts = [_base(bundle.band_hz, snapshot.signal_sfreq)]
        if bundle.reference:
            names = "+".join(map(clean, bundle.reference)) if len(bundle.reference) < 4 else "average"
            parts.append(f"ref {names}")
        base = " · ".join(parts)
    if drawn:
        title = (*title, (f"  {drawn}", "accent"))
    if base:
        title = (*title, (f"  {'after ' if drawn else ''}{base}", "dim"))
    return title


def _base(band_hz: tuple[float, ...], sfreq: float) -> str:
    """What the core does before it shows a signal: the bundle's band, as far as the display's rate goes.

    See live/display.py: without a band, drift is taken off; nothing above 0.4 of the rate is shown.
    """
    if not band_hz:
        return f"from {DRIFT_HZ:g} Hz"
    low, high = band_hz[0], band_hz[-1]
    return f"{low:g}–{min(high, round(SHARE * sfreq, 1)) if sfreq > 0 else high:g} Hz"


def waiting(snapshot: Snapshot, columns: int, role: str) -> list[Line]:
    """What stands in the place of traces that are not there yet."""
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


def margin(quality: tuple[ChannelState, ...]) -> int:
    """Cells in front of a trace: glyph and longest label of all channels, so that paging moves nothing."""
    return 3 + min(LABEL, max([4, *(cell_len(channel.label) for channel in quality)]))


def state_of(quality: tuple[ChannelState, ...], channel: int) -> ChannelState:
    return quality[channel] if channel < len(quality) else ChannelState("?", " ", float("nan"))


def _traces(
    view: View, quality: tuple[ChannelState, ...], unit: str, columns: int, tall: int = 2
) -> list[Line]:
    """`tall` lines for each channel; name, glyph and value stand beside the upper one of the middle."""
    before = margin(quality)
    width = max(1, columns - before - VALUE)
    drawn = braille(view.picture, width, tall, view.limit)
    channels = view.channels(max(len(quality), view.first + len(view.picture)))
    named = (tall - 1) // 2
    lines: list[Line] = []
    for i in range(len(view.picture)):
        state = state_of(quality, channels[i] if i < len(channels) else len(quality))
        trace = "dim" if state.glyph in "▁▲×·" else "trace"
        value = f"{figure(state.rms)} {unit}"
        for row, text in enumerate(drawn[tall * i : tall * (i + 1)]):
            if row != named:
                lines.append(((" " * before, "dim"), (text, trace)))
                continue
            lines.append(
                (
                    (pad(clean(state.label), before - 3) + " ", "text"),
                    (clean(state.glyph)[:1] + " ", ROLES.get(state.glyph, "text")),
                    (text, trace),
                    (" " * max(0, VALUE - cell_len(value)) + value, "dim"),
                )
            )
    return lines


def axis(view: View, columns: int, before: int) -> Line:
    """Seconds of the sweep from its left edge, its words and marks, and where "now" is."""
    width = max(1, columns - before - VALUE)
    cells = [" "] * width
    mark = f"{view.mark}↑"
    here = min(width - 1, int(view.cursor * width))
    start = here + 1 - len(mark)
    if start < 0:
        mark, start = f"↑{view.mark}", here
    write_words(cells, view.words, range(start, start + len(mark)))
    halves = 4 if view.seconds <= 2 else 5
    for i in range(0, halves + 1, halves if view.words else 1):  # words need the room of the numbers between
        seconds = view.seconds * i / halves
        label = f"{seconds:g}" + (" s" if i == halves else "")
        at = min(round(width * i / halves), width - len(label))
        if not "".join(cells[max(0, at - 1) : at + len(label)]).strip():
            cells[at : at + len(label)] = label
    for place, text in view.marks:
        label = f"● {clean(text)[:12]}"
        at = min(width - 1, int(place * width))
        label = label if at + cell_len(label) <= width and cell_len(label) == len(label) else "●"
        cells[at : at + len(label)] = label
    left, right = "".join(cells[:start]), "".join(cells[start + len(mark) :])
    return ((" " * before + left, "dim"), (mark, "accent"), (right, "dim"))
