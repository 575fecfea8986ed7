"""A list to choose from: what is chosen stays chosen while the list changes below it, a filter narrows it.

Pure: items in, lines out. Knows neither widgets nor what the items are.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from rtdecode.tui.lines import Line, box, clean, frame, inner

Item = TypeVar("Item")
MARK = "▸ "


class Listing(Generic[Item]):
    """key: what makes an item the same one after a change;  name: what the filter looks into"""

    def __init__(self, key: Callable[[Item], Hashable], name: Callable[[Item], str]):
        self.key, self.name = key, name
        self.items: tuple[Item, ...] = ()
        self.words = ""
        self.at: Hashable = None
        self._index = 0

    def set(self, items: Sequence[Item]) -> None:
        self.items = tuple(items)
        self._settle()

    def filter(self, words: str) -> None:
        self.words = words
        self._settle()
        if (current := self.current) is not None:  # what the user looks for is what he chooses
            self.at = self.key(current)

    @property
    def shown(self) -> tuple[Item, ...]:
        """The items that hold every word of the filter."""
        words = self.words.casefold().split()
        if not words:
            return self.items
        return tuple(item for item in self.items if all(w in self.name(item).casefold() for w in words))

    @property
    def current(self) -> Item | None:
        shown = self.shown
        return shown[self._index] if self._index < len(shown) else None

    @property
    def index(self) -> int:
        return self._index

    def choose(self, index: int) -> None:
        """The one at this place of the shown, as near as there is one."""
        shown = self.shown
        self._index = max(0, min(index, len(shown) - 1))
        if shown:
            self.at = self.key(shown[self._index])

    def move(self, steps: int) -> None:
        self.choose(self._index + steps)

    def take(self, key: Hashable) -> bool:
        """Choose the item with this key; whether it is there."""
        for index, item in enumerate(self.shown):
            if self.key(item) == key:
                self.choose(index)
                return True
        return False

    def top(self, rows: int) -> int:
        """The first of the items that are drawn on so many rows: the chosen one is always among them."""
        return max(0, min(self._index - rows // 2, len(self.shown) - rows))

    def _settle(self) -> None:
        # the one that was chosen wherever it has moved to, else its neighbour
        if not self.take(self.at):
            self._index = max(0, min(self._index, len(self.shown) - 1))


def rows_of(width: int, height: int) -> int:
    """How many items fit a panel of this size."""
    return inner(width, height)[1] if height >= 3 else height


def render(
    listing: Listing[Item],
    title: str,
    row: Callable[[Item, int], Line],
    empty: Sequence[Line],
    size: tuple[int, int],
    focused: bool,
) -> list[Line]:
    """Framed from three lines of height on. row: an item as a line of so many cells; empty: without items."""
    width, height = size
    columns = inner(width, height)[0] if height >= 3 else width
    rows = rows_of(width, height)
    shown, first = listing.shown, listing.top(rows)
    body: list[Line] = []
    for index, item in enumerate(shown[first : first + rows], first):
        chosen = index == listing.index
        mark = (MARK if chosen else "  ", "accent" if focused else "dim")
        line = row(item, columns - len(MARK))
        if chosen and focused:
            line = tuple((text, "strong" if role == "text" else role) for text, role in line)
        body.append((mark, *line))
    if not shown:
        body = [((f"nothing holds “{clean(listing.words)}”", "dim"),)] if listing.items else list(empty)
    if height < 3:
        return box(body, height, width)
    count = f"{len(shown)} of {len(listing.items)}" if listing.words else f"{len(listing.items)}"
    fact: Line = ((count, "dim"),)
    if listing.words:
        fact = (("/", "accent"), (f"{clean(listing.words)} ", "text"), *fact)
    heading: Line = ((f"▸ {title}", "accent"),) if focused else ((title, "title"),)
    lines = frame(body, width, height, heading, fact)
    if not focused:
        return lines
    return [tuple((text, "accent" if role == "frame" else role) for text, role in line) for line in lines]
