"""The live screen: reads the newest Snapshot on a timer and draws it.

It knows a Watcher (something with the latest snapshot) and nothing else of the decoder: freezing, paging
and scaling change what is looked at, never what is decoded. Nothing queues; a slow terminal loses frames,
not samples.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer

from rtdecode.histogram import Times
from rtdecode.snapshot import ChannelState, Quantiles, Snapshot
from rtdecode.tui import events, header, health, retrieved, signals, text
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.help import HelpScreen
from rtdecode.tui.keys import KEYS
from rtdecode.tui.lines import Line, clean
from rtdecode.tui.panel import Panel
from rtdecode.tui.traces import Sweep, first_scale, step_scale

FPS = 15
EVERY = {"lists": 3, "numbers": 4, "quality": 8}  # ticks: lists 5 Hz, numbers 4 Hz, quality 2 Hz
WINDOWS_S = (1.0, 2.0, 5.0, 10.0)


class Watcher(Protocol):
    """Whoever has the core's newest snapshot."""

    def latest(self) -> Snapshot | None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Held:
    """What the panels show while frozen."""

    snapshot: Snapshot
    silent_s: float
    sweep: Sweep


class LiveApp(ScreenApp[None]):
    """One screen, one timer. `watcher` is stopped when the app ends.

    clock  seconds on the same clock as Snapshot.published
    """

    BINDINGS: ClassVar = KEYS

    def __init__(self, watcher: Watcher, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self.watcher, self.clock = watcher, clock
        self.snapshot: Snapshot | None = None
        self.sweep = Sweep()
        self.held: Held | None = None
        self.quality: tuple[ChannelState, ...] = ()
        self.limit: float | None = None
        self.seconds, self.first = 2.0, 0
        self.tick = 0
        self.started = self.told = clock()
        self.fps: float | None = None
        self.drawn: object = None  # the decision that was drawn last
        self.draw_ms = Times()  # from a decision's publishing until it was on the screen
        self.frames = 0
        self.seen: object = None
        self.panels = {
            name: Panel(id=name)
            for name in ("header", "signals", "retrieved", "health", "text", "line", "events", "enlarge")
        }

    def compose(self) -> ComposeResult:
        panels = self.panels
        yield panels["header"]
        yield panels["enlarge"]
        with Horizontal(id="middle"):
            yield panels["signals"]
            with Vertical(id="side"):
                yield panels["retrieved"]
                yield panels["health"]
        yield panels["text"]
        yield panels["line"]
        yield panels["events"]
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(1 / FPS, self.update)

    def on_unmount(self) -> None:
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

    @property
    def frozen(self) -> bool:
        return self.held is not None

    def update(self, everything: bool = False) -> None:
        """One tick: take the newest snapshot, draw what is due."""
        latest = self.watcher.latest()
        now = self.clock()
        self._count_frames(now)
        fresh = latest is not None and latest is not self.snapshot
        if latest is not None:
            self.snapshot = latest
        if fresh and latest is not None:
            self.sweep.add(latest.signal, latest.signal_sfreq, latest.elapsed_s)
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
            reason = f" · {clean(snapshot.detail)}" if look.old and snapshot.detail else ""
            self._draw("enlarge", [((f" enlarge for signals{reason}", look.role if reason else "dim"),)])
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

    def _stamp(self, shown: Snapshot) -> None:
        """Note when a new decision, handed over just now, has been painted (stamp t6)."""
        decision = shown.decision
        key = (decision.run, decision.index) if decision else None
        if key == self.drawn or self.frozen:
            return
        first, self.drawn = self.drawn is None, key
        if first or decision is None:  # it may have waited for a screen that was not there yet
            return
        decided = shown.published - (shown.elapsed_s - shown.decided_s)
        self.call_after_refresh(lambda: self.draw_ms.add(1e3 * (self.clock() - decided), self.clock()))

    def _choose(self, shown: Snapshot) -> None:
        """What follows the snapshot slowly: channel quality, and which panels there are."""
        self.quality = shown.channels
        if bundle := shown.bundle:
            self.screen_stack[0].set_class(not bundle.has_text, "-without-text")
            self.screen_stack[0].set_class(not bundle.has_retrieval, "-without-retrieval")

    def _draw_signals(self, shown: Snapshot, old: bool) -> None:
        width, height = self._room("signals")
        if not width:
            return
        sweep = self.held.sweep if self.held else self.sweep
        if self.limit is None and sweep.count >= sweep.sfreq > 0:
            self.limit = first_scale(shown.signal)
        page = signals.page_size(width, height, self._channels(shown))
        if self.first >= self._channels(shown):
            self.first = 0
        picture, cursor = sweep.picture(self.seconds, slice(self.first, self.first + page))
        mark = "held" if self.held else "last" if old else "now"
        view = signals.View(picture, cursor, self.limit or 50.0, self.seconds, self.first, page, mark)
        self._draw("signals", signals.render(shown, width, height, view, self.quality), old)

    def _channels(self, shown: Snapshot) -> int:
        return len(self.quality) or shown.signal.shape[1]

    def _draw(self, name: str, lines: list[Line], old: bool = False) -> None:
        if lines:
            self.panels[name].show(lines, old)

    def _drawn_ms(self) -> Quantiles | None:
        return self.draw_ms.quantiles(self.clock()) if self.draw_ms.last else None

    def _room(self, name: str) -> tuple[int, int]:
        return self.panels[name].size.width, self.panels[name].size.height

    def _count_frames(self, now: float) -> None:
        self.frames += 1
        if now - self.told >= 2.0:
            self.fps, self.frames, self.told = self.frames / (now - self.told), 0, now

    # -- keys ----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "freeze":
            return not self.frozen
        return self.frozen if action == "unfreeze" else True

    def action_freeze(self) -> None:
        if self.snapshot is None:
            return
        self.held = Held(self.snapshot, self.silent_s, copy.deepcopy(self.sweep))
        self.refresh_bindings()
        self.update(True)

    def action_unfreeze(self) -> None:
        self.held = None
        self.refresh_bindings()
        self.update(True)

    def action_scale(self, steps: int) -> None:
        self.limit = step_scale(self.limit or 50.0, steps)
        self.update(True)

    def action_page(self, pages: int) -> None:
        if self.snapshot is None or not (channels := self._channels(self.snapshot)):
            return
        page = signals.page_size(*self._room("signals"), channels)
        last = (channels - 1) // page
        self.first = min(last, max(0, self.first // page + pages)) * page
        self.update(True)

    def action_window(self) -> None:
        after = [seconds for seconds in WINDOWS_S if seconds > self.seconds]
        self.seconds = after[0] if after else WINDOWS_S[0]
        self.update(True)

    def action_explain(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())
