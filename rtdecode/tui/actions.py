"""What the keys of the live screen do. Each is also a command of ctrl+p.

A mix-in, so that app.py holds what is drawn and when, and this what is chosen. Nothing here reaches the
decoder.
"""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from textual.screen import ModalScreen, SystemModalScreen

from rtdecode.snapshot import Snapshot
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.help import HelpScreen, keys_of
from rtdecode.tui.keys import PANELS
from rtdecode.tui.lens import Lens
from rtdecode.tui.lines import unit_name
from rtdecode.tui.panel import Panel
from rtdecode.tui.pick import PickScreen


@dataclass(frozen=True)
class Held:
    """What the panels show while frozen."""

    snapshot: Snapshot
    silent_s: float


class Actions(ScreenApp[None]):
    """The actions of keys.KEYS.

    off  panels hidden by their number keys;  big: the panel that has the screen to itself
    """

    snapshot: Snapshot | None
    held: Held | None
    lens: Lens
    panels: dict[str, Panel]
    off: set[str]
    big: str

    @abstractmethod
    def update(self, everything: bool = False) -> None: ...

    @abstractmethod
    def page_size(self) -> int: ...

    @abstractmethod
    def channels(self, shown: Snapshot) -> int: ...

    @property
    @abstractmethod
    def silent_s(self) -> float: ...

    @property
    def frozen(self) -> bool:
        return self.held is not None

    # -- which panels there are ----------------------------------------------------------------------------

    def lacking(self) -> set[str]:
        """Panels for which the bundle has nothing."""
        bundle = self.snapshot.bundle if self.snapshot else None
        if bundle is None:
            return set()
        return {
            name for name, has in (("text", bundle.has_text), ("retrieved", bundle.has_retrieval)) if not has
        }

    def hidden(self) -> bool:
        return self.off | self.lacking() >= set(PANELS)

    def arrange(self) -> None:
        """Tell the style sheet which panels are off and which one has the screen to itself."""
        if not self.screen_stack:  # a last tick while the app ends
            return
        screen, off = self.screen_stack[0], self.off | self.lacking()
        for name in PANELS:
            screen.set_class(name in off, f"-no-{name}")
        screen.set_class(self.hidden(), "-nothing")
        screen.set_class(bool(self.big), "-zoom")
        big = self.panels[self.big] if self.big else None
        for widget in screen.walk_children():
            widget.set_class(big is not None and widget in big.ancestors_with_self, "-big")

    # -- keys ----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next_panel" and self._covered():
            return False  # its key goes before others: what lies over the screen has it
        if action == "freeze":
            return not self.frozen
        return self.frozen if action == "unfreeze" else True

    def _covered(self) -> bool:
        """Whether something of ours lies over the screen; the palette offers what works without it."""
        top = self.screen_stack[-1] if self.screen_stack else None
        return isinstance(top, ModalScreen) and not isinstance(top, SystemModalScreen)

    def action_freeze(self) -> None:
        if self.snapshot is None:
            return
        self.held = Held(self.snapshot, self.silent_s)
        self.lens.hold()
        self.refresh_bindings()
        self.update(True)

    def action_unfreeze(self) -> None:
        self.held = None
        self.lens.release()
        self.refresh_bindings()
        self.update(True)

    def action_scale(self, steps: int) -> None:
        self.lens.scale(steps)
        self.update(True)

    def action_page(self, pages: int) -> None:
        if self.snapshot is None or not (channels := self.channels(self.snapshot)):
            return
        self.lens.page(pages, self.page_size(), channels)
        self.update(True)

    def action_window(self) -> None:
        self.lens.window()
        self.update(True)

    def action_filter(self) -> None:
        self.lens.filter()
        self.update(True)

    def action_average(self) -> None:
        self.lens.average = not self.lens.average
        self.update(True)

    def action_pick(self) -> None:
        if self.snapshot is None or not self.snapshot.channels:
            self.notify("there are no channels yet", markup=False)
            return
        unit = unit_name(self.snapshot.bundle.unit) if self.snapshot.bundle else ""
        every = self.snapshot.channels
        self.push_screen(PickScreen(every, self.lens.order(len(every)), unit), self._picked)

    def _picked(self, result: tuple[tuple[int, ...] | None] | None) -> None:
        if result is not None:
            self.lens.pick(result[0])
            self.update(True)

    def action_panel(self, name: str) -> None:
        self.off ^= {name}
        self.big = ""
        if name in self.off and self.panels[name].has_focus:
            self.set_focus(None)
        self._rearranged()

    def action_zoom(self) -> None:
        chosen = next((name for name in PANELS if self.panels[name].has_focus), "")
        self.big = "" if self.big else chosen or next(iter(self._there()), "")
        self._rearranged()

    def action_next_panel(self, steps: int) -> None:
        """Choose the next panel that is there, which takes the place of one that has the screen to itself."""
        there = self._there()
        if not there:
            return
        chosen = self.big or next((name for name in PANELS if self.panels[name].has_focus), "")
        at = (there.index(chosen) + steps) if chosen in there else min(0, steps)
        name = there[at % len(there)]
        if self.big:
            self.big = name
        self._rearranged()
        self.set_focus(self.panels[name], scroll_visible=False)

    def _there(self) -> list[str]:
        """Panels that can be chosen, in the order of their keys."""
        away = self.off | self.lacking()
        return [name for name in PANELS if name not in away]

    def _rearranged(self) -> None:
        self.arrange()
        # the new sizes are there after the layout
        self.call_after_refresh(self.update, True)

    def action_explain(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            about = self.big or next((name for name in PANELS if self.panels[name].has_focus), "")
            self.push_screen(HelpScreen(keys_of(self.screen_stack[0]), about))

    def action_picture(self) -> None:
        name = f"rtdecode-{datetime.now():%Y%m%d-%H%M%S}.svg"
        if self.is_web:
            self.deliver_screenshot(name)
            return
        try:
            self.save_screenshot(name, str(Path.cwd()))
        except OSError as problem:
            said = f"no picture: {Path.cwd()} cannot be written to ({problem.strerror})"
            self.notify(said, severity="error", markup=False)
            return
        self.notify(f"{name} is in {Path.cwd()}", title="Picture", markup=False)
