"""One session on the screen: the timeline, and what was decoded, heard, measured and said at the cursor."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal

from rtdecode.errors import RtdecodeError
from rtdecode.tui.keybar import KeyBar
from rtdecode.tui.lines import Line, clean, fit
from rtdecode.tui.panel import Panel
from rtdecode.tui.review import panels, timeline, traces
from rtdecode.tui.review.data import Decided, Deeds, Log
from rtdecode.tui.review.keys import KEYS, PANELS
from rtdecode.tui.review.modals import ExportScreen
from rtdecode.tui.review.moving import Moving
from rtdecode.tui.traces import first_scale, step_scale

WINDOWS_S = (1.0, 2.0, 5.0, 10.0)


class ReviewApp(Moving):
    """Returns the second from which the session is to be decoded again, or None.

    at_s  where the cursor stands first;  notice: what went wrong where the user comes from
    """

    BINDINGS: ClassVar = KEYS

    def __init__(
        self,
        log: Log,
        deeds: Deeds,
        at_s: float = 0.0,
        notice: str = "",
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__([log], at_s, clock)
        self.opened, self.deeds = log, deeds
        self.said: Line = ((f" ✕ {clean(notice)}", "bad"),) if notice else ()
        self.seconds, self.first = 2.0, 0
        self.limit: float | None = None
        self.off: set[str] = set()
        self.busy = False
        self._decided: tuple[int | None, Decided | None] = (None, None)
        ids = ("header", "timeline", "ranking", "review-signals", "review-text", "review-events", "notice")
        self.panels = {name: Panel(id=name) for name in ids}

    def compose(self) -> ComposeResult:
        p = self.panels
        yield p["header"]
        yield p["timeline"]
        with Horizontal(id="upper"):
            yield p["review-signals"]
            yield p["ranking"]
        with Horizontal(id="lower"):
            yield p["review-text"]
            yield p["review-events"]
        yield p["notice"]
        yield KeyBar()

    def timeline_width(self) -> int:
        return max(1, self.panels["timeline"].size.width)

    # -- drawing -------------------------------------------------------------------------------------------

    def decided(self) -> Decided | None:
        """The decision at the cursor; its line is read once."""
        k = self.opened.story.decision_at(self.cursor)
        if k != self._decided[0]:
            self._decided = (k, None if k is None else self.opened.decision(k))
        return self._decided[1]

    def draw(self) -> None:
        if not self.screen_stack:
            return
        story, t, decided = self.opened.story, self.cursor, self.decided()
        self._show("header", panels.header(story, t, self.played is not None, *self._room("header")))
        self._show("timeline", timeline.render(story, self.view, t, self.trouble[0], *self._room("timeline")))
        self._show("ranking", panels.ranking(decided, *self._room("ranking")))
        tentative = decided.tentative if decided else ""
        self._show("review-text", panels.text(story, t, tentative, *self._room("review-text")))
        self._show("review-events", panels.events(story, t, *self._room("review-events")))
        self._draw_signals()
        self.panels["notice"].set_class(bool(self.said), "-shown")
        self.panels["notice"].show([fit(self.said, self.size.width)])  # it may have no room until now

    def _draw_signals(self) -> None:
        width, height = self._room("review-signals")
        if not width or height < 4:
            return
        signal = self.opened.signal(self.cursor, self.seconds)
        if signal is not None:
            if self.limit is None:
                self.limit = first_scale(signal.x.T)
            if self.first >= len(signal.labels):
                self.first = 0
        self._show("review-signals", traces.signals(signal, self.first, self.limit or 50.0, width, height))

    def _show(self, name: str, lines: list[Line]) -> None:
        if self.panels[name].size.height:
            self.panels[name].show(lines)

    def _room(self, name: str) -> tuple[int, int]:
        return self.panels[name].size.width, self.panels[name].size.height

    # -- keys ----------------------------------------------------------------------------------------------

    def action_replay(self) -> None:
        self.exit(self.cursor)

    def action_window(self) -> None:
        after = [seconds for seconds in WINDOWS_S if seconds > self.seconds]
        self.seconds = after[0] if after else WINDOWS_S[0]
        self.draw()

    def action_scale(self, steps: int) -> None:
        self.limit = step_scale(self.limit or 50.0, steps)
        self.draw()

    def action_page(self, pages: int) -> None:
        signal = self.opened.signal(self.cursor, self.seconds)
        if signal is None:
            return
        page = traces.page_size(self._room("review-signals")[1], len(signal.labels))
        last = (len(signal.labels) - 1) // page
        self.first = min(last, max(0, self.first // page + pages)) * page
        self.draw()

    def action_panel(self, name: str) -> None:
        self.off ^= {name}
        for panel in PANELS:
            self.screen_stack[0].set_class(panel in self.off, f"-no-{panel}")
        self.call_after_refresh(self.draw)

    def action_export(self) -> None:
        def write(kind: str | None) -> None:
            if kind is not None:
                self._do(f"{kind} export", lambda: self.deeds.export(kind))

        self.push_screen(ExportScreen(), write)

    def action_report(self) -> None:
        self._do("report", self.deeds.report)

    def _do(self, what: str, deed: Callable[[], Path]) -> None:
        """In a thread of its own: a long log takes seconds to read."""
        if self.busy:
            return
        self.busy = True
        self.say(((f" … writing the {what}", "accent"),))

        def work() -> None:
            try:
                line: Line = ((" ✓ wrote ", "good"), (clean(str(deed())), "text"))
            except RtdecodeError as problem:
                line = ((f" ✕ {clean(str(problem))}", "bad"),)
            except Exception as problem:  # what nobody expected ends the writing, not the screen
                line = ((f" ✕ the {what} failed: {clean(repr(problem))}", "bad"),)
            self.call_from_thread(self._done, line)

        self.run_worker(work, thread=True, exit_on_error=False)

    def _done(self, line: Line) -> None:
        self.busy = False
        self.say(line)

    def say(self, line: Line) -> None:
        self.said = line
        self.panels["notice"].set_class(True, "-shown")
        self.call_after_refresh(self.draw)
