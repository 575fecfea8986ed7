"""The question for a time of the recording, over the screen. It knows how people write times, no replay."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Input

from rtdecode.tui.keynames import names_of
from rtdecode.tui.lines import EMPTY, Line, clock, frame
from rtdecode.tui.modal_keys import GO
from rtdecode.tui.panel import Panel


def seconds_of(text: str) -> float | None:
    """ "62.5", "1:02.5", "1:00:00" -> seconds; None for anything else."""
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 3 or not all(
        part.isascii() and part.replace(".", "", 1).isdecimal() for part in parts
    ):
        return None
    if any("." in part for part in parts[:-1]) or any(float(part) >= 60 for part in parts[1:]):
        return None
    return sum(float(part) * 60**k for k, part in enumerate(reversed(parts)))


class GoScreen(ModalScreen[float | None]):
    """Asks for a time of the recording."""

    CSS = """
    GoScreen { align: center middle; background: $background 60%; }
    GoScreen > #ask { width: 44; max-width: 100%; height: 4; background: $surface; }
    GoScreen > Input { width: 40; max-width: 95%; height: 1; border: none; padding: 0; offset-y: -3; }
    GoScreen > Input { background: $surface; }
    """
    BINDINGS: ClassVar = GO

    def __init__(self, length_s: float) -> None:
        super().__init__()
        self.length_s = length_s
        self.panel = Panel(id="ask")
        self.input = Input(placeholder="mm:ss", restrict=r"[0-9:.]*", max_length=12)

    def compose(self) -> ComposeResult:
        yield self.panel
        yield self.input

    def on_mount(self) -> None:
        self.input.cursor_blink = False
        self.input.focus()
        self.call_after_refresh(self.draw)

    def on_resize(self, _: Resize) -> None:
        self.call_after_refresh(self.draw)

    def draw(self, problem: str = "") -> None:
        said: Line = ((problem, "bad"),) if problem else ((f"00:00 to {clock(self.length_s)}", "dim"),)
        width, height = self.panel.size.width, self.panel.size.height
        keys = " · ".join(map(names_of(self.app), ("go-take", "go-close")))
        self.panel.show(frame([EMPTY, said], width, height, (("Go to", "title"),), ((keys, "dim"),)))

    def action_take(self) -> None:
        # this key goes before those that were typed and not read yet: ask once the field has them all
        self.input.call_later(self._take)

    def _take(self) -> None:
        value = self.input.value
        at_s = seconds_of(value)
        if at_s is None:
            self.draw(f"{value or 'nothing'} is no time like 12:34")
        elif at_s >= self.length_s:
            self.draw(f"{clock(at_s)} is beyond the end, {clock(self.length_s)}")
        elif self.is_active:  # the next key may have left it by now
            self.dismiss(at_s)
