"""The bundle card over the start screen, or by itself."""

from pathlib import Path, PurePath
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from rtdecode.found import FoundBundle
from rtdecode.tui import card
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.keynames import names_of
from rtdecode.tui.lines import inner
from rtdecode.tui.modal_keys import CARD
from rtdecode.tui.panel import Panel

STYLES: list[str | PurePath] = [Path(__file__).with_name(name) for name in ("app.tcss", "start.tcss")]


class CardScreen(ModalScreen[None]):
    """Lies over whatever it was asked from."""

    BINDINGS: ClassVar = CARD

    def __init__(self, found: FoundBundle) -> None:
        super().__init__()
        self.found, self.first = found, 0
        self.panel = Panel(id="card")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        names = names_of(self.app)
        moves = f"{names('card-up')} {names('card-down')}"
        said = (f"{names('card-close', 2)} closes", moves)
        self.panel.show(card.render(self.found, *self.panel.size, self.first, said))

    def action_scroll(self, steps: int) -> None:
        columns, rows = inner(self.panel.size.width, self.panel.size.height)
        last = max(0, len(card.lines(self.found, columns)) - rows)
        self.first = max(0, min(self.first + steps, last))
        self.draw()

    def on_mouse_scroll_up(self) -> None:
        self.action_scroll(-3)

    def on_mouse_scroll_down(self) -> None:
        self.action_scroll(3)

    def action_close(self) -> None:
        self.dismiss()


class CardApp(ScreenApp[None]):
    """The card alone, as `rtdecode bundle` shows it on a terminal."""

    CSS_PATH = STYLES

    def __init__(self, found: FoundBundle) -> None:
        super().__init__()
        self.found = found

    def on_mount(self) -> None:
        super().on_mount()
        self.push_screen(CardScreen(self.found), lambda _: self.exit())
