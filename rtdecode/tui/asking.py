"""Two questions over the live screen: the label of a mark, and whether to leave while recording."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from rtdecode.tui.lines import Line, clean, cut, frame, inner, spread
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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", id="close-label", tooltip="Leave it as it was")
    ]

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
        keys: Line = (
            ("Enter", "accent"),
            (" take  ", "dim"),
            ("Esc", "accent"),
            (" no mark" if said else " leave", "dim"),
        )
        self.panel.show([spread(((said, "dim"),), keys, self.panel.size.width)])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())


class LeaveScreen(ModalScreen[bool]):
    """Asks whether to stop recording and leave."""

    CSS = """
    LeaveScreen { align: center middle; background: $background 60%; }
    LeaveScreen > #ask { width: 64; max-width: 100%; height: 6; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,ctrl+c", "dismiss(True)", "Leave", id="leave", tooltip="Stop recording and leave"),
        Binding("n,escape,q", "dismiss(False)", "Stay", id="stay", tooltip="Go on recording"),
    ]

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
        answers: Line = (("y", "accent"), (" yes   ", "text"), ("n", "accent"), (" no", "text"))
        body: list[Line] = [
            ((cut(clean(self.into), columns), "strong"),),
            ((self.size_said, "dim"),),
            (),
            (*question, *answers),
        ]
        self.panel.show(frame(body, width, height, title))
