"""The live screen: reads the newest Snapshot on a timer and draws it.

It knows a Watcher (something with the latest snapshot) and nothing else of the decoder: freezing, paging
and scaling change what is looked at, never what is decoded. Nothing queues; a slow terminal loses frames,
not samples.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from textual.app import ComposeResult, SystemCommand
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen

from rtdecode.snapshot import ChannelState, Quantiles, Snapshot
from rtdecode.tui import events, header, health, retrieved, signals, spectrum, text
from rtdecode.tui.actions import Actions, Held
from rtdecode.tui.drawn import DrawTimes
from rtdecode.tui.keybar import KeyBar, commands
from rtdecode.tui.keys import KEYS, PANELS
from rtdecode.tui.lens import Lens
from rtdecode.tui.lines import Line
from rtdecode.tui.marking import Acting, Control
from rtdecode.tui.onsets import Found
from rtdecode.tui.panel import Panel

FPS = 15
EVERY = {"lists": 3, "numbers": 4, "quality": 8}  # ticks: lists 5 Hz, numbers 4 Hz, quality 2 Hz


class Watcher(Protocol):
    """Whoever has the core's newest snapshot."""

    def latest(self) -> Snapshot | None: ...

    def stop(self) -> None: ...


class LiveApp(Acting, Actions):
    """One screen, one timer. `watcher` is stopped when the app ends.

    clock  seconds on the same clock as Snapshot.published
    off    panels hidden by their number keys;  big: the panel that has the screen to itself
    """

    BINDINGS: ClassVar = KEYS
    AUTO_FOCUS = None

    def __init__(self, watcher: Watcher, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self.watcher, self.clock = watcher, clock
        self.snapshot: Snapshot | None = None
        self.lens = Lens()
        self.held: Held | None = None
        self.quality: tuple[ChannelState, ...] = ()
        self.off: set[str] = set()
        self.big = ""
        self.tick = 0
        self.started = self.told = clock()
        self.fps: float | None = None
        self.drawn: object = None  # the decision that was drawn last
        self.draw_ms = DrawTimes()  # from a decision's publishing until it was on the screen
        self.frames = 0
        self.seen: object = None
        self.panels = {
            name: Panel(id=name)
            for name in ("header", "signals", "retrieved", "health", "text", "line", "events", "enlarge")
        }
        for name in PANELS:
            self.panels[name].can_focus = True

    def compose(self) -> ComposeResult:
        panels = self.panels
        yield panels["header"]
        yield panels["enlarge"]
        with Horizontal(id="middle"):
            yield panels["signals"]
            with Vertical(id="side"):
                yield panels["retrieved"]
                yield panels["health"]
        with Container(id="below"):
            yield panels["text"]
            yield panels["line"]
            yield panels["events"]
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(1 / FPS, self.update)

    def on_unmount(self) -> None:
        self.draw_ms.tell(self.control, self.clock())
        self.watcher.stop()

    def on_resize(self) -> None:
        # breakpoints and the layout are applied after this message
        self.call_after_refresh(self.update, True)

    # -- drawing -------------------------------------------------------------------------------------------

    @property
    def silent_s(self) -> float:
        """Seconds since the core last wrote, or since the start while it never has."""
        since = self.snapshot.published if self.snapshot else self.started
        return max(0.0, self.clock() - since)

    def update(self, everything: bool = False) -> None:
        """One tick: take the newest snapshot, draw what is due."""
        latest = self.watcher.latest()
        now = self.clock()
        self._count_frames(now)
        fresh = latest is not None and latest is not self.snapshot
        if latest is not None:
            self.snapshot = latest
        if fresh and latest is not None:
            self.lens.add(latest, self.heard(latest))
        snapshot, silent_s = self.snapshot, self.silent_s
        look = header.look(snapshot, silent_s) if snapshot else None
        seen = (look, self.held, snapshot.run if snapshot else 0)
        if seen != self.seen:  # a change of state never waits for its turn
            self.seen, everything = seen, True
        due = {name: everything or self.tick % ticks == 0 for name, ticks in EVERY.items()}
        self.tick += 1
        if due["numbers"]:
            self._draw("header", header.render(snapshot, *self._room("header"), silent_s, self.frozen))
        if snapshot is None or look is None:
            return
        if due["numbers"]:
            for name in ("health", "line"):
                self._draw(
                    name,
                    health.render(snapshot, *self._room(name), self.fps, self._drawn_ms()),
                    look is header.SILENT,
                )
            reason = f" · {why}" if look.old and (why := header.reason(snapshot)) else ""
            words = self._all_hidden() if self.hidden() else "enlarge for signals"
            self._draw("enlarge", [((f" {words}{reason}", look.role if reason else "dim"),)])
        if due["lists"]:
            self._draw("events", events.render(snapshot, *self._room("events")))
        shown, age = (self.held.snapshot, self.held.silent_s) if self.held else (snapshot, silent_s)
        old = header.look(shown, age).old
        if due["quality"]:
            self._choose(shown)
        if due["lists"]:
            self._draw("retrieved", retrieved.render(shown, *self._room("retrieved"), age, self.frozen), old)
            self._draw("text", text.render(shown, *self._room("text"), age, self.frozen), old)
            self._stamp(shown)
        if fresh or everything:
            self._draw_signals(shown, old)

    def heard(self, snapshot: Snapshot) -> Found | None:
        """Words that begin in its newest samples; None where nobody knows: those that were read are drawn."""
        return None

    def _stamp(self, shown: Snapshot) -> None:
        """Note when a new decision, handed over just now, has been painted (stamp t6)."""
        decision = shown.decision
        key = (decision.run, decision.index) if decision else None
        if self.frozen:
            self.drawn = None
        if key == self.drawn or self.frozen:
            return
        first, self.drawn = self.drawn is None, key
        if first or decision is None:  # it may have waited for a screen that was not there, or held another
            return
        decided = shown.published - (shown.elapsed_s - shown.decided_s)
        self.call_after_refresh(self._painted, decided, self.draw_ms, self.control)

    def _painted(self, decided: float, draw_ms: DrawTimes, control: Control | None) -> None:
        """The decision of that second is on the screen; by now another decoder may be the shown one."""
        now = self.clock()
        draw_ms.add(1e3 * (now - decided), now)
        if draw_ms.due(now):
            draw_ms.tell(control, now)

    def _choose(self, shown: Snapshot) -> None:
        """What follows the snapshot slowly: channel quality, and which panels there are."""
        self.quality = shown.channels
        self.arrange()

    def _draw_signals(self, shown: Snapshot, old: bool) -> None:
        width, height = self._room("signals")
        if not width:
            return
        self.lens.settle(shown)
        channels, mark = self.channels(shown), "held" if self.held else "last" if old else "now"
        view = self.lens.view(self.page_size(), channels, self.quality, mark, shown.events)
        if self.big == "signals":
            recent = self.lens.recent(view.channels(channels), self.quality)
            lines = spectrum.render(shown, width, height, view, self.quality, recent)
        else:
            lines = signals.render(shown, width, height, view, self.quality)
        self._draw("signals", lines, old)

    def page_size(self) -> int:
        """Channels on a page, as many as there is room for."""
        if self.big == "signals" or self.snapshot is None:
            return 1
        return signals.page_size(*self._room("signals"), self.channels(self.snapshot))

    def channels(self, shown: Snapshot) -> int:
        return len(self.quality) or shown.signal.shape[1]

    def _draw(self, name: str, lines: list[Line], old: bool = False) -> None:
        if lines:
            self.panels[name].show(lines, old)

    def _all_hidden(self) -> str:
        first, last = (self.key_names(f"panel-{name}") for name in (PANELS[0], PANELS[-1]))
        return f"every panel is hidden: {first}–{last} bring them back"

    def _drawn_ms(self) -> Quantiles | None:
        return self.draw_ms.quantiles(self.clock()) if self.draw_ms.last else None

    def _room(self, name: str) -> tuple[int, int]:
        return self.panels[name].size.width, self.panels[name].size.height

    def _count_frames(self, now: float) -> None:
        self.frames += 1
        if now - self.told >= 2.0:
            self.fps, self.frames, self.told = self.frames / (now - self.told), 0, now

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return [*commands(self), *self.acts()]
