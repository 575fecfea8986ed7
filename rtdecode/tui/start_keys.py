"""The keys of the start screen, and the panel that explains them: made from the table itself."""

from textual.binding import Binding, BindingType

from rtdecode.tui.help import Help
from rtdecode.tui.lines import EMPTY, Line, wrap


def _key(key: str, action: str, text: str, tooltip: str, shown: str = "", show: bool = True) -> Binding:
    name = f"start-{text.lower().replace(' ', '-')}"
    tab = key.endswith("tab")  # which every Textual screen takes for itself
    return Binding(
        key, action, text, key_display=shown or None, id=name, tooltip=tooltip, show=show, priority=tab
    )


KEYS: list[BindingType] = [
    _key("enter", "open", "Open", "Decode the chosen stream with the chosen bundle, or say why not", "Enter"),
    _key("tab", "zone(1)", "Next", "From the streams to the bundles to the rest", "Tab"),
    _key("shift+tab", "zone(-1)", "Previous list", "The list before", "S-Tab", show=False),
    _key("up,k", "move(-1)", "Up", "The line above", "↑", show=False),
    _key("down,j", "move(1)", "Down", "The line below", "↓", show=False),
    _key("left,h", "side(-1)", "Left", "To the streams", "←", show=False),
    _key("right,l", "side(1)", "Right", "To the bundles", "→", show=False),
    _key("slash", "filter", "Filter", "Only names in this list that hold what is typed", "/"),
    _key("b", "card", "Card", "The bundle card: trained on what, on whom, how well beside chance"),
    _key("u", "unit", "Unit", "Say the unit of a stream that states none; again for the next one"),
    _key("question_mark", "explain", "Help", "These keys", "?"),
    _key("escape", "unfilter", "All", "All names again", "Esc", show=False),
    _key("q", "leave", "Quit", "Leave"),
]
READING = (
    "✓ fits, ✕ does not, beside what is chosen in the other list. Below, every channel: ✓ there, ✕ missing, "
    "? there under another name or without a known unit.",
    "Nothing is guessed: no channel by its place, no unit, no rate.",
)


class KeysScreen(Help):
    """keys: as they are mapped now"""

    def lines(self, columns: int) -> list[Line]:
        keys = [
            ((f"{key if not i else '':<9}", "accent"), (piece, "text"))
            for key, said in self.keys
            for i, piece in enumerate(wrap(said, max(1, columns - 9)))
        ]
        return [*keys, EMPTY, *(((piece, "dim"),) for note in READING for piece in wrap(note, columns))]
