"""The screen of `rtdecode check`: one step after the other, at the pace of whoever sits there.

Ticks a sitting and draws what it shows; knows neither streams nor what a step computes.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

import numpy as np
from textual.app import ComposeResult, SystemCommand
from textual.containers import Horizontal
from textual.screen import Screen

from rtdecode.checks.result import Outcome
from rtdecode.checks.shown import Shown
from rtdecode.tui import check_panels
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.check_keys import KEYS
from rtdecode.tui.keybar import KeyBar, commands
from rtdecode.tui.panel import Panel
from rtdecode.tui.traces import Sweep, first_scale, step_scale

FPS = 15
SECONDS = 4.0  # of signal: a blink must be seen coming and going
WHEN = {  # phases in which a key does something, as Sitting has it; others are always there
    "begin": ("ready",),
    "skip": ("ready", "running"),
    "repeat": ("ready", "running", "over"),
    "choose": ("ready", "over"),
}


class Guided(Protocol):
    """What the keys act on (checks/sitting.py)."""

    def tick(self) -> None: ...
    def shown(self) -> Shown: ...
    def start(self) -> None: ...
    def skip(self) -> None: ...
    def repeat(self) -> None: ...
    def choose(self, steps: int) -> None: ...


class CheckApp(ScreenApp[None]):
    """clock: seconds, for the traces only."""

    CSS = """
    #steps { height: 12; }
    #work { height: 1fr; }
    #now { width: 1fr; height: 1fr; }
    #result { width: 58; height: 1fr; }
    .-narrow #steps, .-tiny #steps, .-low #steps, .-lowest #steps, .-flat #steps { height: 7; }
    .-narrow #work, .-tiny #work { layout: vertical; }
    .-narrow #result, .-tiny #result { width: 1fr; display: none; }
    .-narrow.-found #result, .-tiny.-found #result { display: block; }
    .-narrow.-found #now, .-tiny.-found #now { height: 5; }
    .-flat.-found #now { display: none; }
    .-huge #result { width: 76; }
    """
    BINDINGS: ClassVar = KEYS

    def __init__(self, sitting: Guided, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self.sitting, self.clock = sitting, clock
        self.sweep = Sweep()
        self.limit: float | None = None
        self.last: Outcome | None = None  # the step that ended last
        self.seen: tuple[Outcome | None, ...] = ()
        self.chosen = False  # by hand: its own result is shown, not the last one
        self.phase = sitting.shown().phase
        self.panels = {name: Panel(id=name) for name in ("header", "steps", "now", "result")}

    def compose(self) -> ComposeResult:
        yield self.panels["header"]
        yield self.panels["steps"]
        with Horizontal(id="work"):
            yield self.panels["now"]
            yield self.panels["result"]
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(1 / FPS, self.update)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def update(self) -> None:
        self.sitting.tick()
        self.draw()

    def draw(self) -> None:
        if not self.screen_stack:  # a last tick while the app ends
            return
        shown = self.sitting.shown()
        self._note(shown)
        if shown.phase != self.phase:
            self.phase = shown.phase
            self.refresh_bindings()
        self.sweep.add(shown.signal, shown.signal_sfreq, self.clock())
        if self.limit is None and self.sweep.count >= self.sweep.sfreq > 0:
            self.limit = first_scale(shown.signal)
        picture = self.sweep.picture(SECONDS, slice(None))[0] if self.sweep.count else np.zeros((0, 0))
        running = shown.phase in ("running", "working")
        outcome = shown.outcomes[shown.at] if self.chosen else self.last
        self.screen_stack[0].set_class(outcome is not None and not running, "-found")
        self._show("header", check_panels.header(shown, self.panels["header"].size.width))
        self._show("steps", check_panels.steps(shown, *self._room("steps")))
        signal = (picture, self.limit or 50.0)
        self._show("now", check_panels.now(shown, *self._room("now"), *signal, self.key_names))
        self._show("result", check_panels.result(shown, outcome, *self._room("result")))

    def _note(self, shown: Shown) -> None:
        """Which step ended since the last look."""
        for before, after in zip(self.seen or (None,) * len(shown.outcomes), shown.outcomes, strict=True):
            if after is not before and after is not None:
                self.last, self.chosen = after, False
        self.seen = shown.outcomes

    def _room(self, name: str) -> tuple[int, int]:
        return self.panels[name].size.width, self.panels[name].size.height

    def _show(self, name: str, lines: list[check_panels.Line]) -> None:
        self.panels[name].show(lines)

    # -- keys ----------------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return commands(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing now are neither shown nor taken."""
        return action not in WHEN or self.phase in WHEN[action]

    def action_begin(self) -> None:
        self.sitting.start()
        self.draw()

    def action_skip(self) -> None:
        self.sitting.skip()
        self.draw()

    def action_repeat(self) -> None:
        self.sitting.repeat()
        self.draw()

    def action_choose(self, steps: int) -> None:
        self.sitting.choose(steps)
        self.chosen = True
        self.draw()

    def action_scale(self, steps: int) -> None:
        self.limit = step_scale(self.limit or 50.0, steps)
        self.draw()
