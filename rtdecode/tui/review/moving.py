"""What the screens of one and of two sessions have in common: a cursor on a timeline, and how it moves."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.screen import Screen

from rtdecode.tui.base import ScreenApp
from rtdecode.tui.go import GoScreen
from rtdecode.tui.help import keys_of
from rtdecode.tui.keybar import commands
from rtdecode.tui.panel import Panel
from rtdecode.tui.review.data import Log
from rtdecode.tui.review.modals import ReviewHelp
from rtdecode.tui.review.timeline import cells, seconds_seen, whole

TICK_S = 0.1
JUDGE_S = 0.02  # of a tick, for looking at seconds of signal


class Moving(ScreenApp[float | None]):
    """logs: at least one; the cursor is the same second of all. Returns the second to replay from, or None.

    clock  seconds, for playing and for how long a tick may take
    """

    CSS_PATH: ClassVar[Any] = [ScreenApp.CSS_PATH, Path(__file__).with_name("review.tcss")]
    AUTO_FOCUS = None

    def __init__(self, logs: list[Log], at_s: float = 0.0, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self.logs, self.clock = logs, clock
        self.length_s = max(log.story.length_s for log in logs)
        self.cursor = max(0.0, min(at_s, self.length_s))
        self.view = whole(self.length_s)
        self.played: float | None = None
        self.trouble: list[dict[int, str]] = [{} for _ in logs]
        self._asked: object = None
        self._drawn: object = None
        self._waiting: list[Iterator[int]] = []
        self.panels: dict[str, Panel] = {}

    @abstractmethod
    def draw(self) -> None: ...

    @abstractmethod
    def timeline_width(self) -> int: ...

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(TICK_S, self.tick)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def tick(self) -> None:
        """Play on, and judge some seconds of what is on the timeline."""
        now = self.clock()
        changed = self.judge(now + JUDGE_S)
        if self.played is not None:
            cursor, self.played = self.cursor + now - self.played, now
            if cursor >= self.length_s:
                self.played = None
            self.to(cursor)
        elif changed or self.sizes() != self._drawn:
            self._drawn = self.sizes()
            self.draw()

    def sizes(self) -> list[object]:
        """Breakpoints change the layout after a resize was told, and tell nothing themselves."""
        return [panel.size for panel in self.panels.values()]

    def judge(self, until: float) -> bool:
        """Look at channels until the clock says so; whether anything new is known."""
        asked = (self.view, self.timeline_width())
        if asked != self._asked:
            self._asked = asked
            self._waiting = [iter(seconds_seen(*asked)) for _ in self.logs]
        changed = False
        for log, known, waiting in zip(self.logs, self.trouble, self._waiting, strict=True):
            for second in waiting:
                if second in known:
                    continue
                found = log.trouble(second)
                if found is not None:
                    known[second] = found
                    changed = True
                if self.clock() >= until:
                    return changed
        return changed

    def to(self, t: float) -> None:
        """The cursor to this second, the timeline after it."""
        self.cursor = max(0.0, min(t, self.length_s))
        self.view = self.view.showing(self.cursor, self.length_s)
        self.draw()

    # -- keys ----------------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return commands(self)

    def action_move(self, steps: int) -> None:
        self.to(self.cursor + steps * self.view.span / cells(self.timeline_width()))

    def action_zoom(self, factor: float) -> None:
        self.view = self.view.zoomed(factor, self.cursor, self.length_s)
        self.draw()

    def action_whole(self) -> None:
        self.view = whole(self.length_s)
        self.draw()

    def action_place(self, step: int) -> None:
        found = [place for log in self.logs if (place := log.story.place(self.cursor, step)) is not None]
        if found:
            self.to(min(found) if step > 0 else max(found))

    def action_end(self, last: int) -> None:
        self.to(self.length_s if last else 0.0)

    def action_play(self) -> None:
        self.played = self.clock() if self.played is None else None
        self.draw()

    def action_go(self) -> None:
        self.push_screen(GoScreen(self.length_s), lambda t: None if t is None else self.to(t))

    def action_explain(self) -> None:
        if not isinstance(self.screen, ReviewHelp):
            self.push_screen(ReviewHelp(keys_of(self.screen_stack[0])))

    def action_leave(self) -> None:
        self.exit(None)
