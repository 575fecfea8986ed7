"""The list of sessions in a folder, newest first. Damaged ones stand in it with the reason."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from rtdecode.tui import listing
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.help import keys_of
from rtdecode.tui.keybar import KeyBar, commands
from rtdecode.tui.lines import EMPTY, Line, clean, clock, frame, pad, spread, width_of
from rtdecode.tui.listing import Listing
from rtdecode.tui.panel import Panel
from rtdecode.tui.review.modals import ReviewHelp
from rtdecode.tui.review.panels import LOOKS
from rtdecode.tui.review.timeline_rows import STATES

LOOK_HZ = 5.0


@dataclass(frozen=True)
class Listed:
    """One log. read: whether the facts after `bundle` are known by now; problem: why it cannot be opened."""

    path: Path
    started: str
    stream: str = ""
    bundle: str = ""
    read: bool = False
    length_s: float = 0.0
    decisions: int = 0
    lost: int = 0
    gaps: int = 0
    marks: int = 0
    ended: str = ""
    closed: bool = True
    problem: str = ""


KEYS: list[BindingType] = [
    Binding("up,k", "move(-1)", "Up", id="sessions-up", tooltip="The session above", show=False),
    Binding("down,j", "move(1)", "Down", id="sessions-down", tooltip="The session below", show=False),
    Binding("pageup", "move(-10)", "Page up", id="sessions-page-up", tooltip="Ten up", show=False),
    Binding("pagedown", "move(10)", "Page down", id="sessions-page-down", tooltip="Ten down", show=False),
    Binding("home", "move(-100000)", "First", id="sessions-first", tooltip="The newest", show=False),
    Binding("end", "move(100000)", "Last", id="sessions-last", tooltip="The oldest", show=False),
    Binding(
        "enter", "open", "Open", id="sessions-open", tooltip="Review it; with one marked, both side by side"
    ),
    Binding("space", "mark", "Compare", id="sessions-compare", tooltip="Mark it, to open it beside another"),
    Binding("question_mark", "explain", "Help", key_display="?", id="sessions-help", tooltip="All keys"),
    Binding("q,escape", "leave", "Quit", key_display="q", id="sessions-quit", tooltip="Leave"),
]


class SessionsApp(ScreenApp[tuple[Path, ...] | None]):
    """Returns one path, or two to be compared, or None. latest: the newest list, newest session first.

    at  the session that is chosen first;  notice: what went wrong where the user comes from
    """

    CSS_PATH: ClassVar[Any] = [ScreenApp.CSS_PATH, Path(__file__).with_name("review.tcss")]
    BINDINGS: ClassVar = KEYS
    AUTO_FOCUS = None

    def __init__(
        self, folder: Path, latest: Callable[[], tuple[Listed, ...]], at: Path | None = None, notice: str = ""
    ):
        super().__init__()
        self.folder, self.latest, self.notice = folder, latest, notice
        self.sessions = Listing[Listed](lambda item: item.path, lambda item: f"{item.path} {item.stream}")
        self.sessions.at = at
        self.marked: Path | None = None
        self._drawn: object = None
        self.panels = {name: Panel(id=name) for name in ("header", "sessions", "about")}

    def compose(self) -> ComposeResult:
        yield from self.panels.values()
        yield KeyBar()

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1 / LOOK_HZ, self.update)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def update(self) -> None:
        """One tick: what has been read meanwhile."""
        latest = self.latest()
        sizes = [panel.size for panel in self.panels.values()]
        if latest != self.sessions.items or sizes != self._drawn:
            self._drawn = sizes
            self.sessions.set(latest)
            self.draw()

    def draw(self) -> None:
        if not self.screen_stack:
            return
        unread = sum(not item.read and not item.problem for item in self.sessions.items)
        right: Line = ((f"reading {unread} more ", "accent"),) if unread else EMPTY
        left: Line = ((" ◧ REVIEW", "accent"), (f"  {clean(str(self.folder))}", "strong"))
        width = self.panels["header"].size.width
        self.panels["header"].show([spread(left, right, width)])
        size = self.panels["sessions"].size
        empty: list[Line] = [(("no session log here", "dim"),)]
        lines = listing.render(
            self.sessions, "Sessions", lambda item, room: row(item, room, item.path == self.marked),
            empty, (size.width, size.height), True,
        )  # fmt: skip
        self.panels["sessions"].show(lines)
        self.panels["about"].show(about(self.sessions.current, self.notice, *self.panels["about"].size))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return commands(self)

    def action_move(self, steps: int) -> None:
        self.sessions.move(steps)
        self.draw()

    def action_mark(self) -> None:
        if (item := self.sessions.current) and not item.problem:
            self.marked = None if self.marked == item.path else item.path
            self.draw()

    def action_open(self) -> None:
        item = self.sessions.current
        if item is None or item.problem:
            return
        other = self.marked
        self.exit((item.path,) if other is None or other == item.path else (other, item.path))

    def action_explain(self) -> None:
        if not isinstance(self.screen, ReviewHelp):
            self.push_screen(ReviewHelp(keys_of(self.screen_stack[0])))

    def action_leave(self) -> None:
        self.exit(None)


def row(item: Listed, width: int, marked: bool = False) -> Line:
    """One session: when, which, how long, how it went; what does not fit gives way from the right."""
    first: Line = (
        ("◆ " if marked else "  ", "accent"),
        (f"{clean(item.started):<16}  ", "text"),
    )
    name = clean(item.path.name)
    if item.problem:
        return (*first, ("✕ damaged  ", "bad"), (f"{name}  ", "text"), (clean(item.problem), "dim"))
    if not item.read:
        return (*first, (f"{name}  ", "text"), ("… reading", "dim"))
    state = "no end" if not item.closed else item.ended or "ended"
    role = "warn" if not item.closed else STATES.get(item.ended, ("", "dim"))[1]
    glyph = "…" if not item.closed else LOOKS.get(item.ended, "·")
    facts: list[Line] = [
        ((f"{clock(item.length_s):>8}", "strong"),),
        ((f"{glyph} {state:<10}", role),),
        ((f"{item.decisions:>6} decisions", "text" if item.decisions else "dim"),),
        ((f"{item.gaps:>3} gaps", "warn" if item.gaps else "dim"),),
        ((f"{item.lost:>5} lost", "warn" if item.lost else "dim"),),
        ((f"{item.marks:>3} marks", "text" if item.marks else "dim"),),
        ((pad(clean(item.bundle or "no bundle"), 14), "dim"),),
    ]
    shown: Line = (*first, (pad(name, 18), "text"))
    stream = clean(item.stream or "no stream")
    if width > 130:
        shown = (*shown, (" ", "text"), (pad(stream, 18), "text"))
    for fact in facts:
        if width_of(shown) + 2 + width_of(fact) > width:
            break
        shown = (*shown, ("  ", "text"), *fact)
    return shown


def about(item: Listed | None, notice: str, width: int, height: int) -> list[Line]:
    """The chosen session in a line of its own: what its row had no room for."""
    if notice:
        return frame([((f"✕ {clean(notice)}", "bad"),)], width, height, EMPTY)
    if item is None:
        return frame([], width, height, EMPTY)
    line: Line = ((clean(str(item.path)), "text"),)
    if item.stream:
        line = (*line, (f" · stream {clean(item.stream)}", "dim"))
    if item.bundle:
        line = (*line, (f" · bundle {clean(item.bundle)}", "dim"))
    if item.problem:
        line = ((clean(item.problem), "bad"),)
    return frame([line], width, height, EMPTY)
