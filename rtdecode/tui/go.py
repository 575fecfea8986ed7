"""The question for a time of a recording or a session, over the screen. It knows how people write times, and
neither replays nor logs."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Input

from rtdecode.tui.keynames import names_of
from rtdecode.tui.lines import Line, clock, spread
from rtdecode.tui.modal_keys import GO
from rtdecode.tui.panel import Panel


def seconds_of(text: str) -> float | None:
    """ "62.5", "1:02,5", "1:00:00" -> seconds; None for anything else."""
    parts = text.strip().replace(",", ".").split(":")
    if not 1 <= len(parts) <= 3 or not all(
        part.isascii() and part.replace(".", "", 1).isdecimal() for part in parts
    ):
        return None
    if any("." in part for part in parts[:-1]) or any(float(part) >= 60 for part in parts[1:]):
        return None
    return sum(float(part) * 60**k for k, part in enumerate(reversed(parts)))


class GoScreen(ModalScreen[float | None]):
    """Asks for a time; None when it was left."""

    CSS = """
    GoScreen { align: center middle; background: $background 60%; }
    GoScreen > #box {
        width: 60; max-width: 100%; height: 4; padding: 0 1;
        border: round $accent; background: $background; border-title-color: $foreground;
    }
    GoScreen Input { height: 1; border: none; background: $background; padding: 0; }
    GoScreen #said { height: 1; }
    """
    BINDINGS: ClassVar = GO

    def __init__(self, length_s: float) -> None:
        super().__init__()
        self.length_s = length_s
        self.panel = Panel(id="said")
        self.input = Input(placeholder="mm:ss", restrict=r"[0-9:.,]*", max_length=12)

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Go to"
            yield self.input
            yield self.panel

    def on_mount(self) -> None:
        self.input.cursor_blink = False
        self.input.focus()
        self.call_after_refresh(self.draw)

    def on_resize(self, _: Resize) -> None:
        self.call_after_refresh(self.draw)

    def draw(self, problem: str = "") -> None:
        said: Line = ((problem, "bad"),) if problem else ((f"00:00 to {clock(self.length_s)}", "dim"),)
        names = names_of(self.app)
        keys: Line = (
            (names("go-take"), "accent"),
            (" go  ", "dim"),
            (names("go-close"), "accent"),
            (" leave", "dim"),
        )
        self.panel.show([spread(said, keys, self.panel.size.width)])

    def action_take(self) -> None:
        # this key goes before those that were typed and not read yet: ask once the field has them all
        self.input.call_later(self._take)

    def _take(self) -> None:
        value = self.input.value
        at_s = seconds_of(value)
        if at_s is None:
            self.draw(f"{value or 'nothing'} is no time like 12:34")
        elif at_s > self.length_s:
            self.draw(f"{clock(at_s)} is beyond the end, {clock(self.length_s)}")
        elif self.is_active:  # the next key may have left it by now
            self.dismiss(at_s)
