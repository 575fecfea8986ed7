"""The one widget the screen is made of: lines with roles in, strips out.

Few widgets with many lines: what costs in a terminal screen is work per widget. Only lines that changed are
drawn again, and colours come from the style sheet by role, so the panel knows neither data nor colours.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from rtdecode.tui.lines import ROLES, Line, plain


class Panel(Widget):
    """Shows the lines it was given last."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"panel--{role}" for role in ROLES}
    can_focus = False

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.lines: list[Line] = []
        self._styles_by_role: dict[str, Style] = {}

    def show(self, lines: Sequence[Line], old: bool = False) -> None:
        """Draw `lines`; old: dimmed, as what was true once."""
        if old is not self.has_class("-old"):
            self.set_class(old, "-old")
        before, self.lines = self.lines, list(lines)
        if len(before) != len(self.lines):
            self.refresh()
            return
        changed = [y for y, (was, now) in enumerate(zip(before, self.lines, strict=True)) if was != now]
        if changed:  # one region from the first to the last: each costs more than the lines between
            self.refresh(Region(0, changed[0], self.size.width, changed[-1] - changed[0] + 1))

    @property
    def text(self) -> str:
        """What is on the panel, as plain text."""
        return "\n".join(plain(line) for line in self.lines)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles_by_role.clear()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self.lines):
            return Strip.blank(width, self._style(""))
        segments = [Segment(text, self._style(role)) for text, role in self.lines[y] if text]
        return Strip(segments).adjust_cell_length(width, self._style(""))

    def _style(self, role: str) -> Style:
        """Of a role, or of the panel itself for "". Kept: to work it out costs more than to draw the line."""
        style = self._styles_by_role.get(role)
        if style is None:
            style = self.get_component_rich_style(f"panel--{role}") if role else self.rich_style
            self._styles_by_role[role] = style
        return style
