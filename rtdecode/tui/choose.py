"""A list over the screen, to choose one thing from: with a filter, by keys or by mouse."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from rtdecode.tui.keynames import names_of
from rtdecode.tui.lines import EMPTY, Line
from rtdecode.tui.listing import Listing, render
from rtdecode.tui.modal_keys import CHOOSE
from rtdecode.tui.panel import Panel

Item = TypeVar("Item")


class ChooseScreen(ModalScreen[Item | None], Generic[Item]):
    """Returns the item, or None. row: an item as a line of so many cells; foot: what taking one will do."""

    BINDINGS: ClassVar = CHOOSE

    def __init__(
        self,
        listing: Listing[Item],
        title: str,
        row: Callable[[Item, int], Line],
        empty: Sequence[Line],
        foot: str,
    ) -> None:
        super().__init__()
        self.listing, self.heading, self.row = listing, title, row
        self.empty, self.foot = empty, foot
        self.panel = Panel(id="choose")

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.panel
            yield Input(id="filter", placeholder="filter")

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        size = self.panel.size
        if size.height < 3:
            return
        lines = render(self.listing, self.heading, self.row, self.empty, (size.width, size.height - 1), True)
        names = names_of(self.app)
        back = f"{names('choose-back')} goes back"
        if self.listing.items:
            back = f"{names('choose-take')} {self.foot} · {names('choose-filter')} filters · {back}"
        self.panel.show([*lines, ((f" {back}", "dim"),), EMPTY])

    def action_move(self, steps: int) -> None:
        self.listing.move(steps)
        self.draw()

    def action_filter(self) -> None:
        box = self.query_one(Input)
        box.add_class("-shown")
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.listing.filter(event.value)
        self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        if self.listing.current is not None:
            self.dismiss(self.listing.current)

    def action_leave(self) -> None:
        box = self.query_one(Input)
        if box.has_class("-shown"):  # first out of the filter, then out of the list
            box.value = ""
            box.remove_class("-shown")
            self.set_focus(None)
        else:
            self.dismiss(None)

    def on_click(self, event: events.Click) -> None:
        region = self.panel.region
        row = event.screen_y - region.y - 1
        rows = region.height - 3
        if not region.contains(event.screen_x, event.screen_y) or not 0 <= row < rows:
            return
        index = self.listing.top(rows) + row
        if index < len(self.listing.shown):
            self.listing.choose(index)
            self.draw()
            if event.chain > 1:
                self.action_take()

    def on_mouse_scroll_up(self) -> None:
        self.action_move(-1)

    def on_mouse_scroll_down(self) -> None:
        self.action_move(1)
