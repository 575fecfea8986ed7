"""The live screen for several decoders: one of them shown, all of them in a strip above it.

The strip tells the state of each; `n` shows the next, `N` the one before. What was set for one (scale, page,
window, freeze) is kept for it. Only who is shown changes, never what is decoded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from rtdecode.snapshot import Snapshot
from rtdecode.tui import header
from rtdecode.tui.app import LiveApp, Watcher
from rtdecode.tui.lines import Line, clean, cut, fit, spread, width_of
from rtdecode.tui.marking import Control
from rtdecode.tui.panel import Panel

EVERY = 4  # ticks between two looks at those that are not shown
KEPT = ("snapshot", "lens", "held", "quality", "started", "draw_ms")  # of LiveApp, for each decoder
ENDED, NOTHING = ("✕", "ENDED", "bad"), ("○", "STARTING", "accent")


class Core(Watcher, Protocol):
    """A watcher that knows why its core ended: a sentence, empty while it goes on."""

    @property
    def why(self) -> str: ...


@dataclass(frozen=True)
class Shown:
    """A decoder by the name it has in the strip. control: acts on its session; None: nothing does"""

    name: str
    watcher: Core
    control: Control | None = None


@dataclass(frozen=True)
class Seat:
    """What the strip says of one decoder. leads: its first candidate, or its newest words, short and clean"""

    name: str
    glyph: str
    word: str
    role: str
    leads: str = ""


def seat(name: str, snapshot: Snapshot | None, silent_s: float, why: str) -> Seat:
    """silent_s: seconds since the core last wrote;  why: it ended"""
    if why:
        return Seat(name, *ENDED)
    if snapshot is None:
        return Seat(name, *NOTHING)
    look = header.look(snapshot, silent_s)
    retrieved = snapshot.decision.retrieved if snapshot.decision else None
    leads = ""
    if not look.old and retrieved and retrieved.hits:
        leads = f"{cut(clean(retrieved.hits[0].text), 20)} {retrieved.hits[0].prob:.2f}"
    elif not look.old and snapshot.text:
        leads = clean(snapshot.text[-1].text)[-24:]
    return Seat(name, look.glyph, look.word, look.role, leads)


def strip(seats: Sequence[Seat], chosen: int, width: int, key: str = "n") -> list[Line]:
    """One line: every decoder with its number, glyph and name; the shown one marked, more where it fits.

    key  shows the next one
    """
    hint: Line = ((f"{key} next ", "dim"),)
    for detail in (2, 1, 0):
        pieces = [_piece(k, each, k == chosen, detail) for k, each in enumerate(seats)]
        if sum(map(width_of, pieces)) + width_of(hint) <= width:
            return [spread(tuple(span for piece in pieces for span in piece), hint, width)]
    # too many for the line: from the shown one on, and how many there are before
    ahead: Line = ((f" ‹{chosen}", "dim"),) if chosen else ()
    return [fit((*ahead, *(span for piece in pieces[chosen:] for span in piece)), width)]


def _piece(k: int, each: Seat, shown: bool, detail: int) -> Line:
    name = cut(clean(each.name), 28 if detail else 12)
    line: list[tuple[str, str]] = [
        (" ▸" if shown else "  ", "accent"),
        (f"{k + 1} ", "dim"),
        (f"{each.glyph} ", each.role),
        (name, "title" if shown else "text"),
    ]
    if each.word != "LIVE" and (detail or each.role == "bad"):
        line.append((f" {each.word}", each.role))
    if detail == 2 and each.leads:
        line.append((f" {each.leads}", "dim"))
    return (*line, (" ", "text"))


class SeveralApp(LiveApp):
    """`shown`: at least one; the first is shown first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "n", "decoder(1)", "Next decoder", id="next-decoder", tooltip="Show the next of the decoders"
        ),
        Binding(
            "N",
            "decoder(-1)",
            "Previous decoder",
            show=False,
            id="previous-decoder",
            tooltip="Show the decoder before",
        ),
    ]

    def __init__(self, shown: Sequence[Shown], clock: Callable[[], float] = monotonic):
        super().__init__(shown[0].watcher, clock)
        self.shown, self.chosen = tuple(shown), 0
        self.control = shown[0].control
        self._looks, self._kept = 0, dict[int, dict[str, Any]]()
        self.strip = Panel(id="several")
        self.strip.styles.height = 1

    def compose(self) -> ComposeResult:
        yield self.strip
        yield from super().compose()

    def update(self, everything: bool = False) -> None:
        super().update(everything)
        core, above = self.shown[self.chosen].watcher, self.panels["header"]
        if core.why:  # the last picture stays, what became of it stands above it
            said: Line = ((" ✕ ENDED ", "bad"), (f" {clean(core.why)}", "bad"))
            above.show([fit(said, above.size.width)])
        if everything or self._looks % EVERY == 0:
            key = self.key_names("next-decoder")
            self.strip.show(strip(list(self._seats()), self.chosen, self.strip.size.width, key))
        self._looks += 1

    def _seats(self) -> Iterator[Seat]:
        for k, each in enumerate(self.shown):
            snapshot = self.snapshot if k == self.chosen else each.watcher.latest()
            silent_s = max(0.0, self.clock() - snapshot.published) if snapshot else 0.0
            yield seat(each.name, snapshot, silent_s, each.watcher.why)

    def _follow(self) -> None:
        for k, each in enumerate(self.shown):
            if each.control and k != self.chosen:
                each.control.tick()
        super()._follow()

    async def action_quit(self) -> None:
        """Leave all; where one is recorded that is not shown, it is shown, and asked about."""
        recorded = [k for k, each in enumerate(self.shown) if each.control and each.control.recording]
        if recorded and self.chosen not in recorded:
            self.action_decoder(recorded[0] - self.chosen)
        await super().action_quit()

    def action_decoder(self, steps: int) -> None:
        """Show the one that comes `steps` after the shown one."""
        number = (self.chosen + steps) % len(self.shown)
        if number == self.chosen:
            return
        fresh = vars(LiveApp(self.shown[number].watcher, self.clock))
        self.draw_ms.tell(self.control, self.clock())  # it may never be shown again
        self._kept[self.chosen] = {name: getattr(self, name) for name in KEPT}
        self.chosen, self.watcher = number, self.shown[number].watcher
        self.control = self.shown[number].control
        for name in KEPT:
            setattr(self, name, self._kept.get(number, fresh)[name])
        self.drawn = None
        # what is drawn is the other's: nothing of it may stay
        for panel in self.panels.values():
            panel.show([])
        self.refresh_bindings()
        self.update(True)
