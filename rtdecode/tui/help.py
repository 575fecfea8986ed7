"""The help: the chosen panel, every key that works (as it is mapped), and how to read the screen."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen

from rtdecode.tui.keybar import display, ours
from rtdecode.tui.keynames import USUAL, KeyNames, names_of
from rtdecode.tui.lines import EMPTY, Line, cell_len, fit, frame, inner, wrap
from rtdecode.tui.modal_keys import HELP
from rtdecode.tui.panel import Panel

Keys = Sequence[tuple[str, str]]
WIDE = 70  # cells from which keys stand in two columns
ABOUT = {
    "signals": (
        "The signal by channel, drawn once a sweep: ↑ is now, older signal stands to its right.",
        "✓ good  ▁ flat  ▲ railed  × no number  ≈ noisy  ∿ line noise  · off. One scale for all, changed "
        "by key alone.",
        "The title says what was done to the signal: the bundle's own band and reference; before them, if "
        "you chose one, the filter of the drawing. That one is for your eyes; the decoder never sees it.",
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
    "✓ good  ▁ flat  ▲ railed  × no number  ≈ noisy  ∿ line noise  · off.",
    "Delay: │ marks the budget, one hop.",
)


def keys_of(screen: Screen[Any]) -> list[tuple[str, str]]:
    """(keys, what they do) of the bindings that work on `screen`, as they are mapped now."""
    active = screen.active_bindings
    every: dict[str, list[str]] = {}
    for _, binding, _, _ in active.values():
        if binding.id:
            every.setdefault(binding.action, []).append(display(binding))
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


def scrolled(
    lines: Sequence[Line], width: int, height: int, first: int = 0, names: KeyNames = USUAL
) -> list[Line]:
    """`lines` in a frame from `first` on, exactly `height` lines of `width` cells."""
    rows = inner(width, height)[1]
    more = len(lines) - rows
    start = max(0, min(first, more))
    moves = f"{names('help-up')} {names('help-down')}"
    foot: Line = ((f"{moves} {start + rows} of {len(lines)} lines", "dim"),) if more > 0 else EMPTY
    closes: Line = ((f"{names('help-close', 2)} closes", "dim"),)
    return frame(list(lines[start : start + rows]), width, height, (("Help", "title"),), closes, foot)


def render(
    width: int, height: int, keys: Keys, panel: str = "", first: int = 0, names: KeyNames = USUAL
) -> list[Line]:
    """The framed help of the live screen."""
    return scrolled(body(keys, inner(width, height)[0], panel), width, height, first, names)


class Help(ModalScreen[None]):
    """Lies over a screen, which goes on below. keys: what they are and do (keys_of)."""

    BINDINGS: ClassVar = HELP

    def __init__(self, keys: Keys = ()) -> None:
        super().__init__()
        self.keys, self.first = keys, 0
        self.panel = Panel(id="help")

    @abstractmethod
    def lines(self, columns: int) -> list[Line]:
        """All of it at this width."""

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def action_scroll(self, steps: int) -> None:
        columns, rows = inner(*self.panel.size)
        self.first = max(0, min(len(self.lines(columns)) - rows, self.first + steps))
        self.draw()

    def draw(self) -> None:
        width, height = self.panel.size
        lines = self.lines(inner(width, height)[0])
        self.panel.show(scrolled(lines, width, height, self.first, names_of(self.app)))


class HelpScreen(Help):
    """Of the live screen. about: the chosen panel"""

    def __init__(self, keys: Keys = (), about: str = "") -> None:
        super().__init__(keys)
        self.about = about

    def lines(self, columns: int) -> list[Line]:
        return body(self.keys, columns, self.about)
