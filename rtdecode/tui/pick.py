"""Choosing channels: a list over the screen. Letters narrow it, space toggles, Enter takes."""

from dataclasses import dataclass, field
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from rtdecode.snapshot import ChannelState
from rtdecode.tui.keynames import USUAL, KeyNames, names_of
from rtdecode.tui.lines import Line, cell_len, clean, cut, figure, frame, inner, pad
from rtdecode.tui.modal_keys import PICK
from rtdecode.tui.panel import Panel
from rtdecode.tui.signals import ROLES, WORDS

KEYS_SHORT = (("toggle", ""), ("all", " all"), ("bad", " bad"), ("none", " none"), ("take", ""))
KEYS_SAID = (
    *(("toggle", " toggle"), ("all", " all"), ("bad", " bad only"), ("none", " none")),
    *(("take", " take"), ("leave", " leave")),
)


@dataclass
class Choice:
    """What is chosen, what the list is narrowed to, and where the cursor stands."""

    channels: tuple[ChannelState, ...]
    chosen: set[int]
    typed: str = ""
    at: int = 0
    matching: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.type("")

    def type(self, letters: str, back: int = 0) -> None:
        self.typed = self.typed[: len(self.typed) - back] + letters
        found = self.typed.casefold()
        self.matching = [i for i, channel in enumerate(self.channels) if found in channel.label.casefold()]
        self.at = max(0, min(self.at, len(self.matching) - 1))

    def move(self, steps: int) -> None:
        self.at = max(0, min(len(self.matching) - 1, self.at + steps))

    def toggle(self) -> None:
        if self.matching:
            self.chosen ^= {self.matching[self.at]}
            self.move(1)

    def all(self) -> None:
        """Everything in the list, which is what was narrowed to."""
        self.chosen |= set(self.matching)

    def none(self) -> None:
        self.chosen -= set(self.matching)

    def bad(self) -> None:
        """Only what is flat, railed, noisy or off; nothing changes where there is no such channel."""
        bad = {i for i, channel in enumerate(self.channels) if channel.glyph in WORDS}
        self.chosen = bad or self.chosen

    @property
    def result(self) -> tuple[int, ...] | None:
        """Numbers in the montage's order; None for all of them, which is also what choosing none means."""
        return tuple(sorted(self.chosen)) if 0 < len(self.chosen) < len(self.channels) else None


def keys_said(names: KeyNames, columns: int) -> str:
    """What the keys do, with more words where there is room."""
    full, short = (
        " · ".join(f"{names(f'pick-{name}')}{word}" for name, word in words)
        for words in (KEYS_SAID, KEYS_SHORT)
    )
    return full if cell_len(full) <= columns else cut(short, columns)


def render(choice: Choice, width: int, height: int, unit: str = "", names: KeyNames = USUAL) -> list[Line]:
    """The framed list, exactly `height` lines of `width` cells."""
    columns, rows = inner(width, height)
    head: Line = (
        (("find ", "dim"), (clean(choice.typed) + "▏", "strong"))
        if choice.typed
        else (("type to find a channel", "dim"),)
    )
    room = max(1, rows - 1)
    first = max(0, min(choice.at - room // 2, len(choice.matching) - room))
    body: list[Line] = [head]
    for place, number in list(enumerate(choice.matching))[first : first + room]:
        channel = choice.channels[number]
        here = place == choice.at
        word = WORDS.get(channel.glyph, "good" if channel.glyph == "✓" else "")
        body.append(
            (
                ("› " if here else "  ", "accent"),
                ("■ " if number in choice.chosen else "□ ", "accent" if number in choice.chosen else "dim"),
                (pad(clean(channel.label), 14) + " ", "strong" if here else "text"),
                (f"{clean(channel.glyph)[:1]} {word:<11}", ROLES.get(channel.glyph, "text")),
                (f"{figure(channel.rms):>8} {unit}", "dim"),
            )
        )
    if not choice.matching:
        body.append(((f"no channel has {clean(choice.typed)!r} in its name", "warn"),))
    fact: Line = ((f"{len(choice.chosen)} of {len(choice.channels)}", "dim"),)
    said: Line = ((keys_said(names, columns), "dim"),)
    return frame(body[:rows], width, height, (("Channels", "title"),), fact, said)


class PickScreen(ModalScreen[tuple[tuple[int, ...] | None] | None]):
    """Lies over the live screen. Dismissed with (numbers or None for all,), or with None: nothing changes."""

    BINDINGS: ClassVar = PICK

    def __init__(self, channels: tuple[ChannelState, ...], chosen: tuple[int, ...], unit: str = "") -> None:
        super().__init__()
        self.choice, self.unit = Choice(channels, set(chosen)), unit
        self.panel = Panel(id="pick")

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        self.panel.show(render(self.choice, *self.panel.size, self.unit, names_of(self.app)))

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character and event.character != " ":
            self.choice.type(event.character)
            self.draw()
            event.stop()

    def action_back(self) -> None:
        self.choice.type("", back=1)
        self.draw()

    def action_move(self, steps: int) -> None:
        self.choice.move(steps)
        self.draw()

    def action_do(self, what: str) -> None:
        {name: getattr(self.choice, name) for name in ("toggle", "all", "none", "bad")}[what]()
        self.draw()

    def action_take(self) -> None:
        self.dismiss((self.choice.result,))

    def action_leave(self) -> None:
        self.dismiss(None)
