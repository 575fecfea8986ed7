"""The bottom line: the keys that work now, as many as fit. One widget, so that it costs what a line costs.

Textual's own footer is a widget a key, and stays empty in a page that has not had the focus yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from textual import events
from textual.app import App, SystemCommand
from textual.binding import ActiveBinding, Binding

from rtdecode.tui.keynames import written
from rtdecode.tui.keys import KEYS
from rtdecode.tui.lines import Line, cell_len, fit, width_of
from rtdecode.tui.panel import Panel

KEPT = ("freeze", "help", "quit", "close")  # ids that stay to the last
EASY = ("zoom", "pick", "window")  # actions that give way first, in this order
ORDER = {key.id: place for place, key in enumerate(KEYS) if isinstance(key, Binding)}
ROOMS = ("start-", "review-", "sessions-", "check-")  # how ids begin that other screens have for themselves
GAP = "  "


@dataclass(frozen=True)
class Entry:
    """One thing a key does. action: what a click on it runs."""

    keys: str
    text: str
    action: str
    kept: bool = False

    @property
    def cells(self) -> int:
        return cell_len(self.keys) + 1 + cell_len(self.text)


def display(binding: Binding) -> str:
    """The key as people write it: "ctrl+s", "space", "?", "Enter"."""
    return binding.key_display or written(binding.key)


def ours(active: dict[str, ActiveBinding]) -> list[Binding]:
    """Bindings of the key tables (those with an id), one for each action, in their order."""
    first: dict[str, Binding] = {}
    for _, binding, _, _ in active.values():
        if binding.id:
            first.setdefault(binding.action, binding)
    # a remapped key comes last at Textual; ids that only some screens have stand after the first
    return sorted(first.values(), key=lambda binding: ORDER.get(_plain(binding), ORDER["freeze"] + 0.5))


def _plain(binding: Binding) -> str:
    name = binding.id or ""
    room = next((room for room in ROOMS if name.startswith(room)), "")
    return name.removeprefix(room)


def entries(app: App[Any], active: dict[str, ActiveBinding]) -> list[Entry]:
    """What the line may say. Keys of one group stand together: "- + Scale", "1-5 Panels"."""
    bindings = [binding for binding in ours(active) if binding.show]
    found: list[Entry] = []
    for group, members in groupby(bindings, key=lambda binding: binding.group):
        several = list(members)
        if group is None or len(several) == 1:
            found += [_entry(binding) for binding in several]
            continue
        keys = [display(binding) for binding in several]
        apart = keys[0] + "-" + keys[-1] if len(keys) > 2 else " ".join(keys)
        found.append(Entry(apart, group.description, several[-1].action if len(keys) == 2 else ""))
    if palette := active.get(app.COMMAND_PALETTE_BINDING):
        at = next((i for i, entry in enumerate(found) if entry.kept and i), len(found))
        found.insert(at, Entry(display(palette.binding), "Commands", palette.binding.action))
    return found


def _entry(binding: Binding) -> Entry:
    return Entry(display(binding), binding.description, binding.action, _plain(binding) in KEPT)


def fitting(found: list[Entry], width: int) -> list[Entry]:
    """Those for which there is room: the easy ones give way first, the palette and the kept ones last."""
    shown = list(found)
    easy = sorted((e for e in found if e.action in EASY), key=lambda e: EASY.index(e.action))
    order = easy + [e for e in reversed(found) if e not in easy and not e.kept and e.text != "Commands"]
    order += [e for e in found if e.text == "Commands"] + [e for e in reversed(found) if e.kept]
    for entry in order:
        if 1 + sum(e.cells for e in shown) + len(GAP) * (len(shown) - 1) <= width:
            break
        shown.remove(entry)
    return shown


def line(shown: list[Entry], width: int) -> Line:
    spans = [
        span
        for i, e in enumerate(shown)
        for span in ((GAP if i else " ", "dim"), (e.keys, "accent"), (f" {e.text}", "dim"))
    ]
    return fit(tuple(spans), width)


def commands(app: App[Any]) -> Iterable[SystemCommand]:
    """Every key of the tables that works now, by name, and the themes."""
    yield SystemCommand(
        "Theme", "Other colours: ours, Textual's, the terminal's own", app.action_change_theme
    )
    for binding in ours(app.screen_stack[0].active_bindings):
        said = f"{binding.tooltip} ({display(binding)})"
        yield SystemCommand(binding.description, said, partial(app.run_action, binding.action))


class KeyBar(Panel):
    """Follows the bindings of its screen; a click does what the key does."""

    def __init__(self) -> None:
        super().__init__(id="keys")
        self.shown: list[Entry] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.call_after_refresh(self.draw))
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        if not self.is_attached:
            return
        width = self.size.width
        self.shown = fitting(entries(self.app, self.screen.active_bindings), width)
        self.show([line(self.shown, width)])

    async def on_click(self, event: events.Click) -> None:
        left = 1
        for entry in self.shown:
            if left <= event.x < left + entry.cells:
                if entry.action:
                    await self.app.run_action(entry.action)
                return
            left += entry.cells + width_of(((GAP, ""),))
