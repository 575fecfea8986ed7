"""What is asked over the review: a time to go to, a kind of export; and its help."""

import re
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from rtdecode.tui.help import keys_of
from rtdecode.tui.lines import EMPTY, Line, frame, inner, wrap
from rtdecode.tui.panel import Panel

KINDS = {
    "c": ("csv", "CSV", "one row a decision: ranks, probabilities, text, times"),
    "t": ("textgrid", "TextGrid", "words read and heard, for Praat"),
    "b": ("bids", "BIDS", "events.tsv: words, marks, runs"),
}
READING = (
    "A cell of the timeline is the same stretch of time in every row, and shows the worst of it. Curves "
    "reach from quartile to quartile of the decisions there; the numbers at the right are the cursor's.",
    "state ━ live  ╍ filling  ┈ connecting  ▒ stale  ╳ lost or failed.  marks ◆ mark  ! warning  ✕ error  "
    "┊ something was heard.  gaps ░.",
    "channels: the worst that a channel in use had in that second: ─ all good  ≈ noisy  ∿ line noise  "
    "▁ flat  ▲ railed  × no number. Judged from the samples, coarse first and then every second.",
    "Read a probability beside chance. ✓ marks what was really heard, where markers in the log tell it; its "
    "rank is 1 on top. Neighbouring decisions share most of their signal: they are not independent.",
    "A small figure at a word is its confidence in percent where that is below 95; certain after: from its "
    "first sight until it could no longer change.",
)


def seconds(text: str) -> float | None:
    """ "90", "1:30", "1:02:03.5" in seconds; None for anything else."""
    if not re.fullmatch(r"(\d{1,3}:)?(\d{1,4}:)?\d{1,7}([.,]\d{1,6})?", text.strip(), re.ASCII):
        return None
    total = 0.0
    for part in text.strip().replace(",", ".").split(":"):
        total = 60 * total + float(part)
    return total


class GoScreen(ModalScreen[float | None]):
    """Asks for a time; None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", id="close")]

    def compose(self) -> ComposeResult:
        yield Input(id="go", placeholder="mm:ss", restrict=r"[0-9:.,]*", max_length=16)

    def on_mount(self) -> None:
        box = self.query_one(Input)
        box.border_title = "Go to"
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        found = seconds(event.value)
        if found is not None:
            self.dismiss(found)

    def action_leave(self) -> None:
        self.dismiss(None)


class ExportScreen(ModalScreen[str | None]):
    """Asks what to write; None when it was left."""

    def __init__(self) -> None:
        super().__init__()
        self.panel = Panel(id="export")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        body: list[Line] = [
            ((f"{key}  ", "accent"), (f"{name:<10}", "strong"), (said, "dim"))
            for key, (_, name, said) in KINDS.items()
        ]
        fact: Line = (("Esc leaves", "dim"),)
        self.panel.show(frame(body, 72, 5, (("Export, beside the log", "title"),), fact))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key in KINDS:
            self.dismiss(KINDS[event.key][0])
        elif event.key in ("escape", "q", "e"):
            self.dismiss(None)


def help_lines(keys: list[tuple[str, str]], columns: int) -> list[Line]:
    lines: list[Line] = [((f"{key:<9}", "accent"), (said, "text")) for key, said in keys]
    notes = [[((piece, "dim"),) for piece in wrap(note, columns)] for note in READING]
    return [*lines, *(line for note in notes for line in (EMPTY, *note))]


class ReviewHelp(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close", id="close", tooltip="Back to the screen"),
        Binding("up,k", "scroll(-1)", "Up", id="help-up", show=False),
        Binding("down,j,space", "scroll(1)", "Down", id="help-down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", id="help-page-up", show=False),
        Binding("pagedown", "scroll(10)", "Page down", id="help-page-down", show=False),
    ]

    def __init__(self, app: App[Any], screen: Any) -> None:
        super().__init__()
        self.keys, self.first = keys_of(app, screen), 0
        self.panel = Panel(id="help")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def action_scroll(self, lines: int) -> None:
        self.first += lines
        self.draw()

    def draw(self) -> None:
        width, height = self.panel.size
        columns, rows = inner(width, height)
        lines = help_lines(self.keys, columns)
        self.first = max(0, min(self.first, len(lines) - rows))
        more: Line = ((f"↑ ↓ {min(len(lines), self.first + rows)} of {len(lines)} lines", "dim"),)
        foot = more if len(lines) > rows else EMPTY
        shown = lines[self.first : self.first + rows]
        self.panel.show(frame(shown, width, height, (("Help", "title"),), (("Esc closes", "dim"),), foot))
