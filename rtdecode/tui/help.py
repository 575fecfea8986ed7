"""The help panel: every key, and how to read what is on the screen. Made from the key table itself."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from rtdecode.tui.keys import KEYS
from rtdecode.tui.lines import EMPTY, Line, frame, inner, wrap
from rtdecode.tui.panel import Panel

READING = (
    "Traces sweep: ↑ is now, older signal stands to its right. ✓ good  ▁ flat  ▲ railed  ≈ noisy  · off.",
    "Read a probability beside chance. Margin: #1 above #2. Agrees: of the last 8 decisions.",
    "Text in ‹ › may still change; the rest never does.",
    "Delay is from a sample being readable to the decision being published; │ marks the budget, one hop.",
    "Screen +90 ms: from then until the decision is drawn, which is no part of the delay.",
)


def render(width: int, height: int) -> list[Line]:
    """The framed help, exactly `height` lines of `width` cells."""
    columns, _ = inner(width, height)
    keys: list[Line] = [
        ((f"{binding.key_display or binding.key:<7}", "accent"), (f"{binding.tooltip}", "text"))
        for binding in KEYS
        if isinstance(binding, Binding) and binding.id != "unfreeze"
    ]
    keys.append((("ctrl+p ", "accent"), ("All commands: themes, screenshot", "text")))
    notes = [((piece, "dim"),) for note in READING for piece in wrap(note, columns)]
    return frame([*keys, EMPTY, *notes], width, height, (("Help", "title"),), (("? or Esc closes", "dim"),))


class HelpScreen(ModalScreen[None]):
    """Lies over the live screen, which goes on below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close", id="close", tooltip="Back to the screen")
    ]

    def __init__(self) -> None:
        super().__init__()
        self.panel = Panel(id="help")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        self.panel.show(render(self.panel.size.width, self.panel.size.height))
