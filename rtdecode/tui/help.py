"""The help: the chosen panel, every key that works (as it is mapped), and how to read the screen."""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from rtdecode.tui.keybar import display, ours
from rtdecode.tui.lines import EMPTY, Line, cell_len, fit, frame, inner, wrap
from rtdecode.tui.panel import Panel

Keys = Sequence[tuple[str, str]]
WIDE = 70  # cells from which keys stand in two columns
ABOUT = {
    "signals": (
        "The signal by channel, drawn once a sweep: ↑ is now, older signal stands to its right.",
        "✓ good  ▁ flat  ▲ railed  ≈ noisy  ∿ line noise  · off. One scale for all, changed by key alone.",
        "The title says what was done to the signal: the bundle's own band and reference, and after `f` the "
        "filter of the drawing. That one is for your eyes; the decoder never sees it.",
    ),
    "retrieved": (
        "Which candidate the last window resembles. Read a probability beside chance, which is 1 of N.",
        "▲ leads since less than 2 s. Margin: #1 above #2. Agrees: how many of the last 8 decisions had it.",
    ),
    "health": (
        "Delay is from a sample being readable to the decision being published: ▓ half of all hops, ▒ 99 %, "
        "│ the budget, one hop. ok below 70 % of it, tight up to all of it, over beyond.",
        "late: hops that took longer than a hop. skipped: not decoded. lost: samples missing by stamps.",
        "Screen +90 ms: from publishing until it is drawn, which is no part of the delay.",
    ),
    "text": (
        "Committed words stay for good. What stands in ‹ › may still change.",
        "certain after: from a word's first sight until it can no longer change; revised: words that did.",
    ),
    "events": ("What happened and what was done about it, newest first; the session log has the same.",),
}
READING = (
    "Read a probability beside chance. Text in ‹ › may still change; the rest never does.",
    "✓ good  ▁ flat  ▲ railed  ≈ noisy  ∿ line noise  · off.  Delay: │ marks the budget, one hop.",
)


def keys_of(app: App[Any], screen: Any) -> list[tuple[str, str]]:
    """(keys, what they do) of the bindings that work on `screen`, as they are mapped now."""
    active = screen.active_bindings
    every: dict[str, list[str]] = {}
    for _, binding, _, _ in active.values():
        if binding.id:
            every.setdefault(binding.action, []).append(display(app, binding))
    return [(" ".join(dict.fromkeys(every[b.action])), b.tooltip or b.description) for b in ours(active)]


def body(keys: Keys, columns: int, panel: str = "") -> list[Line]:
    """All lines of the help at this width."""
    about = ABOUT.get(panel, ())
    lines: list[Line] = []
    if about:
        lines = [((panel.capitalize(), "strong"),), *_notes(about, columns, "text"), EMPTY]
    everything = [*keys, ("ctrl+p", "All commands; themes")]
    longest = min(12, max((cell_len(key) for key, _ in everything), default=1)) + 2
    arranged = _two_columns if columns >= WIDE else _one
    lines += arranged(everything, columns, longest)
    return [*lines, EMPTY, *_notes(READING, columns, "dim")]


def _notes(notes: Sequence[str], columns: int, role: str) -> list[Line]:
    return [((piece, role),) for note in notes for piece in wrap(note, columns)]


def _one(keys: Keys, columns: int, longest: int) -> list[Line]:
    lines: list[Line] = []
    for key, text in keys:
        for i, piece in enumerate(wrap(text, max(1, columns - longest))):
            lines.append(((f"{key if not i else '':<{longest}}", "accent"), (piece, "text")))
    return lines


def _two_columns(keys: Keys, columns: int, longest: int) -> list[Line]:
    room = (columns - 2) // 2
    cells = _one(keys, room, longest)
    half = -(-len(cells) // 2)
    # a key and its second line stay together
    while half < len(cells) and not cells[half][0][0].strip():
        half += 1
    left, right = cells[:half], cells[half:] + [EMPTY] * half
    return [(*fit(a, room), ("  ", "text"), *b) for a, b in zip(left, right, strict=False)]


def render(width: int, height: int, keys: Keys, panel: str = "", first: int = 0) -> list[Line]:
    """The framed help, exactly `height` lines of `width` cells, from line `first` on."""
    columns, rows = inner(width, height)
    lines = body(keys, columns, panel)
    more = len(lines) - rows
    foot: Line = ((f"↑ ↓ {min(first, more) + rows} of {len(lines)} lines", "dim"),) if more > 0 else EMPTY
    start = max(0, min(first, more))
    title: Line = (("Help", "title"),)
    return frame(lines[start : start + rows], width, height, title, (("? or Esc closes", "dim"),), foot)


class HelpScreen(ModalScreen[None]):
    """Lies over the live screen, which goes on below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close", id="close", tooltip="Back to the screen"),
        Binding("up,k", "scroll(-1)", "Up", id="help-up", tooltip="A line up"),
        Binding("down,j", "scroll(1)", "Down", id="help-down", tooltip="A line down"),
        Binding("pageup", "scroll(-10)", "Up", id="help-page-up", tooltip="A page up"),
        Binding("pagedown,space", "scroll(10)", "Down", id="help-page-down", tooltip="A page down"),
    ]

    def __init__(self, keys: Keys = (), about: str = "") -> None:
        super().__init__()
        self.keys, self.about, self.first = keys, about, 0
        self.panel = Panel(id="help")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def action_scroll(self, lines: int) -> None:
        columns, rows = inner(*self.panel.size)
        most = len(body(self.keys, columns, self.about)) - rows
        self.first = max(0, min(most, self.first + lines))
        self.draw()

    def draw(self) -> None:
        width, height = self.panel.size
        self.panel.show(render(width, height, self.keys, self.about, self.first))
