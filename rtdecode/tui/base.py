"""What every screen of rtdecode has in common: the theme, the user's keys, one pair of terminal threads."""

from pathlib import Path
from typing import Any, ClassVar, TypeVar

from textual.app import App, CSSPathType
from textual.binding import Keymap

from rtdecode.tui import keymap
from rtdecode.tui.encoding import need_utf8
from rtdecode.tui.keynames import USUAL, KeyNames
from rtdecode.tui.stopped import continue_as_before
from rtdecode.tui.theme import THEME

Result = TypeVar("Result")


class ScreenApp(App[Result]):
    """An app of one screen. What the user chose in it, if anything, is what `run` returns.

    key_names  how its keys are written, as they are mapped
    """

    CSS_PATH: ClassVar[CSSPathType | None] = Path(__file__).with_name("app.tcss")
    TITLE = "rtdecode"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide"), (160, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-lowest"), (24, "-low"), (32, "-high")]  # noqa: RUF012

    key_names = USUAL

    def set_keymap(self, keymap: Keymap) -> None:
        super().set_keymap(keymap)
        self.key_names = KeyNames(keymap)

    def refresh_bindings(self) -> None:
        """A last tick while the app ends finds no screen any more."""
        if self.screen_stack:
            super().refresh_bindings()

    def run(self, *args: Any, **options: Any) -> Result | None:
        """Run with the user's own keys. RtdecodeError, before anything is drawn, where they do not fit or the
        terminal is not UTF-8."""
        need_utf8()
        self.set_keymap(keymap.read())
        return super().run(*args, **options)

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = "rtdecode"
        continue_as_before(self)
