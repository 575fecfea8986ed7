"""Two sessions side by side: the same second of both, and where their figures differ."""

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from rtdecode.tui.keybar import KeyBar
from rtdecode.tui.lines import Line, clean, clock, spread
from rtdecode.tui.panel import Panel
from rtdecode.tui.review import panels, timeline
from rtdecode.tui.review.data import Decided, Log
from rtdecode.tui.review.keys import LAST, MOVING
from rtdecode.tui.review.moving import Moving
from rtdecode.tui.review.summary import difference


class PairApp(Moving):
    """The cursor is seconds from the start of each."""

    BINDINGS: ClassVar = [*MOVING, *LAST]

    def __init__(self, logs: tuple[Log, Log], clock: Callable[[], float] = time.monotonic):
        super().__init__(list(logs), 0.0, clock)
        self._decided: list[tuple[int | None, Decided | None]] = [(None, None), (None, None)]
        sides = [f"{side}-{what}" for side in ("first", "second") for what in ("timeline", "ranking")]
        self.panels = {name: Panel(id=name) for name in ("header", *sides, "difference")}

    def compose(self) -> ComposeResult:
        p = self.panels
        yield p["header"]
        with Horizontal(id="pair"):
            for side in ("first", "second"):
                with Vertical(id=side):
                    yield p[f"{side}-timeline"]
                    yield p[f"{side}-ranking"]
        yield p["difference"]
        yield KeyBar()

    def timeline_width(self) -> int:
        return max(1, self.panels["first-timeline"].size.width)

    def draw(self) -> None:
        if not self.screen_stack:
            return
        t = self.cursor
        left: Line = (
            (" ▶ PLAYING" if self.played is not None else " ◧ REVIEW", "accent"),
            (f"  {clock(t, 1)}", "strong"),
            (f" / {clock(self.length_s)}  from the start of each", "dim"),
        )
        names = " · ".join(clean(log.story.name) for log in self.logs)
        width = self.panels["header"].size.width
        self.panels["header"].show([spread(left, ((names + " ", "text"),), width)])
        for i, (side, log) in enumerate(zip(("first", "second"), self.logs, strict=True)):
            panel, below = self.panels[f"{side}-timeline"], self.panels[f"{side}-ranking"]
            title = f"{i + 1}  {clean(log.story.name)}"
            panel.show(timeline.render(log.story, self.view, t, self.trouble[i], *panel.size, title))
            if below.size.height:
                below.show(panels.ranking(self._at(i, log, t), *below.size))
        table = self.panels["difference"]
        if table.size.height:
            table.show(difference(self.logs[0].story, self.logs[1].story, *table.size))

    def _at(self, i: int, log: Log, t: float) -> Decided | None:
        k = log.story.decision_at(t) if t <= log.story.length_s else None
        if k != self._decided[i][0]:
            self._decided[i] = (k, None if k is None else log.decision(k))
        return self._decided[i][1]
