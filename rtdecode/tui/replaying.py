"""The live screen on a recording: one more panel, the bar, and keys that move through the file.

The decoder under it is the live one on a real stream. It knows a Player (where the recording is, what was
heard, somebody who takes commands) and nothing of files or processes.
"""

import time
from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from rtdecode.snapshot import Snapshot, State
from rtdecode.tracking import Figures
from rtdecode.tui.app import LiveApp, Watcher
from rtdecode.tui.bar import Landmarks, Play, bar, factor, look, second_at
from rtdecode.tui.go import GoScreen
from rtdecode.tui.lines import Line, clock, fit, plain
from rtdecode.tui.onsets import Found, Heard
from rtdecode.tui.panel import Panel
from rtdecode.tui.replay_keys import REPLAY_KEYS

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0)
BAR_TICKS = 3  # 5 Hz
TEXT_S, TEXT_CHARACTERS = 1.0, 5000  # error rates are counted once a second, of longer texts more rarely
LIVE = " ● LIVE"
SILENT = (" ◐ STALE", " ✕ LOST")


class Player(Protocol):
    """Whoever plays the recording. landmarks: what lies in it."""

    @property
    def landmarks(self) -> Landmarks: ...

    def play(self) -> Play:
        """As it is now."""
        ...

    def figures(self, fresh: bool) -> Figures | None:
        """How right the decoder is, None where nobody knows what was heard; fresh: count error rates anew."""
        ...

    def second_of(self, stream: str, t: float) -> float | None:
        """Second of the recording of a sample with the stamp `t` of this stream; None while not known."""
        ...

    def tell(self, do: str, **values: float | bool) -> None:
        """One command, as docs/replay.md has them. Never waits."""
        ...


def next_speed(speed: float, steps: int) -> float:
    """The next of SPEEDS above or below; the last one stays."""
    if steps > 0:
        return next((s for s in SPEEDS if s > speed), max(speed, SPEEDS[-1]))
    return next((s for s in reversed(SPEEDS) if s < speed), min(speed, SPEEDS[0]))


def state(play: Play) -> Line:
    """What stands at the head of the header: `▶ REPLAY ×2  03:12 / 41:07`."""
    glyph, word, role = look(play)
    speed = f" {factor(play.speed)}" if play.speed != 1 else ""
    place = f"  {clock(play.at_s)} / {clock(play.length_s)}"
    return ((f" {glyph} {word}{speed}", role), (place, "strong"))


def headed(play: Play, line: Line) -> Line:
    """The live header of a replay. Nobody says of a recording that it is live, nor that it is lost where the
    silence is our own."""
    word = line[0][0] if line else ""
    if word.startswith(LIVE):
        line = ((word.removeprefix(LIVE), line[0][1]), *line[1:])
    elif word in SILENT and (play.paused or play.waiting or play.ended):
        rest = next((k for k, span in enumerate(line) if span[1] != line[0][1]), len(line))
        line = ((" ○ moving" if play.waiting else "", "accent"), *line[rest:])
    return (*state(play), *line)


class BarPanel(Panel):
    """A click on the track goes there."""

    class Clicked(Message):
        def __init__(self, cell: int) -> None:
            super().__init__()
            self.cell = cell

    def on_click(self, event: Click) -> None:
        if event.y == 0:
            self.post_message(self.Clicked(event.x))


class ReplayApp(LiveApp):
    """`player` plays what `watcher` watches."""

    BINDINGS: ClassVar[list[BindingType]] = REPLAY_KEYS
    CSS = """
    #bar { height: 2; background: $surface; }
    .-tiny #bar, .-flat #bar { height: 1; }
    """

    def __init__(self, watcher: Watcher, player: Player, clock: Callable[[], float] = time.monotonic):
        super().__init__(watcher, clock)
        self.player = player
        self.panels["bar"] = BarPanel(id="bar")
        self._header: list[Line] = []
        self._paused = False
        self._counted_at = float("-inf")
        self._characters = 0
        self._words = Heard(player.landmarks.words)

    def compose(self) -> ComposeResult:
        yield from _after(super().compose(), self.panels["header"], self.panels["bar"])

    def update(self, everything: bool = False) -> None:
        # the header leaves room for what is said before it: facts give way, not what the signal is
        play = self.player.play()
        if play.paused is not self._paused:
            self._paused = play.paused
            self.refresh_bindings()
        super().update(everything)
        header = self.panels["header"]
        if header.lines is not self._header and header.lines:
            header.show([fit(headed(play, header.lines[0]), header.size.width), *header.lines[1:]])
            self._header = header.lines
        panel = self.panels["bar"]
        if panel.size.width and (everything or self.tick % BAR_TICKS == 0):
            figures = self.player.figures(self._due())
            self._characters = figures.characters if figures else 0
            panel.show(bar(play, self.player.landmarks, figures, panel.size.width, panel.size.height))

    def heard(self, snapshot: Snapshot) -> Found | None:
        """What was really heard, where the recording tells it."""
        stream, decision, bundle = snapshot.stream, snapshot.decision, snapshot.bundle
        if not self.player.landmarks.words:
            return None
        if not stream or not decision or not bundle or decision.run != snapshot.run:
            return []
        at_s = self.player.second_of(stream.uid, decision.t)
        if at_s is None:
            return []
        # since that decision less than a hop of signal came, at any speed
        later_s = (snapshot.elapsed_s - snapshot.decided_s) * self.player.play().speed
        ahead_s = min(max(0.0, later_s), 1e-3 * bundle.hop_ms)
        run = f"{stream.uid} {decision.run}"
        return self._words.new(at_s + ahead_s, run, at_s - decision.sample / stream.sfreq)

    def _due(self) -> bool:
        """Whether to count error rates anew: what that costs grows with the square of the text."""
        now = self.clock()
        if now - self._counted_at < TEXT_S * max(1.0, self._characters / TEXT_CHARACTERS) ** 2:
            return False
        self._counted_at = now
        return True

    def _room(self, name: str) -> tuple[int, int]:
        width, height = super()._room(name)
        if name != "header":
            return width, height
        live = self.snapshot is not None and self.snapshot.state is State.LIVE and not self.frozen
        before = len(plain(state(self.player.play()))) - (len(LIVE) if live else 0)
        return max(0, width - before), height

    # -- keys ----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "hold":
            return self.player.play().paused is not parameters[0]
        return super().check_action(action, parameters)

    def _tell(self, do: str, **values: float | bool) -> None:
        self.player.tell(do, **values)
        self.update(True)

    def action_hold(self, paused: bool) -> None:
        self._tell("pause", to=paused)

    def action_by(self, seconds: float) -> None:
        self._tell("seek", by=seconds)

    def action_landmark(self, steps: int) -> None:
        place = self.player.landmarks.beside(self.player.play().at_s, steps)
        if place is not None:
            self._tell("seek", to=place)
        elif steps < 0:
            self._tell("seek", to=0.0)

    def on_bar_panel_clicked(self, clicked: BarPanel.Clicked) -> None:
        lines = self.panels["bar"].lines
        play, landmarks = self.player.play(), self.player.landmarks
        place = second_at(lines[0], clicked.cell, play, landmarks) if lines else None
        if place is not None:
            self._tell("seek", to=place)

    def action_speed(self, steps: int) -> None:
        self._tell("speed", to=next_speed(self.player.play().speed, steps))

    def action_repeat(self) -> None:
        self._tell("loop", to=not self.player.play().loop)

    def action_go(self) -> None:
        def chosen(at_s: float | None) -> None:
            if at_s is not None:
                self._tell("seek", to=at_s)

        self.push_screen(GoScreen(self.player.play().length_s), chosen)


def _after(widgets: Iterable[Widget], place: Widget, more: Widget) -> Iterable[Widget]:
    for widget in widgets:
        yield widget
        if widget is place:
            yield more
