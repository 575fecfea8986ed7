"""Two questions over the live screen: the label of a mark, and whether to leave while recording."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from rtdecode.tui.keynames import names_of
from rtdecode.tui.lines import Line, clean, cut, frame, inner, spread
from rtdecode.tui.modal_keys import LABEL, LEAVE
from rtdecode.tui.panel import Panel

LABEL_CHARS = 200
FOLLOW_S = 0.5


class LabelScreen(ModalScreen[str | None]):
    """Asks for one line. age_s: seconds since the mark, which was made when the key was pressed."""

    CSS = """
    LabelScreen { align: center middle; background: $background 60%; }
    LabelScreen > #box {
        width: 64; max-width: 100%; height: 4; padding: 0 1;
        border: round $accent; background: $background; border-title-color: $foreground;
    }
    LabelScreen Input { height: 1; border: none; background: $background; padding: 0; }
    LabelScreen #said { height: 1; }
    """
    BINDINGS: ClassVar = LABEL

    def __init__(self, title: str, age_s: Callable[[], float] | None = None) -> None:
        super().__init__()
        self.heading, self.age_s = title, age_s
        self.panel = Panel(id="said")
        self.input = Input(placeholder="a label", max_length=LABEL_CHARS, select_on_focus=False)

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self.heading
            yield self.input
            yield self.panel

    def on_mount(self) -> None:
        self.input.focus()
        self.call_after_refresh(self.draw)
        if self.age_s is not None:
            self.set_interval(FOLLOW_S, self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        said = "" if self.age_s is None else f"pressed {max(0.0, self.age_s()):.0f} s ago"
        names = names_of(self.app)
        keys: Line = (
            (names("label-take"), "accent"),
            (" take  ", "dim"),
            (names("label-close"), "accent"),
            (" no mark" if said else " leave", "dim"),
        )
        self.panel.show([spread(((said, "dim"),), keys, self.panel.size.width)])

    def action_take(self) -> None:
        # this key goes before those that were typed and not read yet: ask once the field has them all
        self.input.call_later(self._take)

    def _take(self) -> None:
        if self.is_active:  # the next key may have left it by now
            self.dismiss(self.input.value.strip())  # not handed on: the field would wait for its own end


class LeaveScreen(ModalScreen[bool]):
    """Asks whether to stop recording and leave."""

    CSS = """
    LeaveScreen { align: center middle; background: $background 60%; }
    LeaveScreen > #ask { width: 64; max-width: 100%; height: 6; }
    """
    # ctrl+c leaves everywhere in a terminal, so it is nobody's to remap
    BINDINGS: ClassVar = [*LEAVE, Binding("ctrl+c", "dismiss(True)", show=False)]

    def __init__(self, into: str, size: str) -> None:
        super().__init__()
        self.into, self.size_said = into, size
        self.panel = Panel(id="ask")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        width, height = self.panel.size.width, self.panel.size.height
        columns, _ = inner(width, height)
        title: Line = (("● Recording", "accent"),)
        question: Line = (("Stop recording and leave?   ", "text"),)
        yes, no = (names_of(self.app)(name) for name in ("leave", "stay"))
        answers: Line = ((yes, "accent"), (" yes   ", "text"), (no, "accent"), (" no", "text"))
        body: list[Line] = [
            ((cut(clean(self.into), columns), "strong"),),
            ((self.size_said, "dim"),),
            (),
            (*question, *answers),
        ]
        self.panel.show(frame(body, width, height, title))
