"""What is asked over the review: a kind of export; and its help."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from rtdecode.tui.help import Help, Keys
from rtdecode.tui.keynames import names_of
from rtdecode.tui.lines import EMPTY, Line, frame, wrap
from rtdecode.tui.modal_keys import EXPORT
from rtdecode.tui.panel import Panel

KINDS = {
    "csv": ("CSV", "one row a decision: ranks, probabilities, text, times"),
    "textgrid": ("TextGrid", "words read and heard, for Praat"),
    "bids": ("BIDS", "events.tsv: words, marks, runs"),
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


class ExportScreen(ModalScreen[str | None]):
    """Asks what to write; None when it was left."""

    BINDINGS: ClassVar = EXPORT

    def __init__(self) -> None:
        super().__init__()
        self.panel = Panel(id="export")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        names = names_of(self.app)
        body: list[Line] = [
            ((f"{names(f'export-{kind}'):<6} ", "accent"), (f"{name:<10}", "strong"), (said, "dim"))
            for kind, (name, said) in KINDS.items()
        ]
        fact: Line = ((f"{names('export-close')} leaves", "dim"),)
        width, height = self.panel.size
        self.panel.show(frame(body, width, height, (("Export, beside the log", "title"),), fact))

    def action_write(self, kind: str) -> None:
        self.dismiss(kind)


def help_lines(keys: Keys, columns: int) -> list[Line]:
    lines: list[Line] = [((f"{key:<9}", "accent"), (said, "text")) for key, said in keys]
    notes = [[((piece, "dim"),) for piece in wrap(note, columns)] for note in READING]
    return [*lines, *(line for note in notes for line in (EMPTY, *note))]


class ReviewHelp(Help):
    """Of the screens of a review."""

    def lines(self, columns: int) -> list[Line]:
        return help_lines(self.keys, columns)
