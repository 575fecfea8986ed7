"""The keys of a guided check: one table for the key bar and the commands of ctrl+p."""

from textual.binding import Binding, BindingType

STEP, SCALE = Binding.Group("Step", compact=True), Binding.Group("Scale", compact=True)


def _key(
    key: str,
    action: str,
    text: str,
    tooltip: str,
    shown: str | None = None,
    group: Binding.Group | None = None,
) -> Binding:
    name = f"check-{text.lower().replace(' ', '-')}"
    return Binding(key, action, text, key_display=shown, id=name, tooltip=tooltip, group=group)


KEYS: list[BindingType] = [
    _key("space,enter", "begin", "Begin", "Begin the step that is next", "space"),
    _key("s", "skip", "Skip", "Leave the step out"),
    _key("r", "repeat", "Repeat", "The step under way or chosen, or the one that ended last, once more"),
    _key("up", "choose(-1)", "Previous step", "Look at the step before", "↑", STEP),
    _key("down", "choose(1)", "Next step", "Look at the step after", "↓", STEP),
    _key("minus", "scale(1)", "Smaller", "Draw the signals smaller", "-", SCALE),
    _key("plus,equals_sign", "scale(-1)", "Larger", "Draw the signals larger", "+", SCALE),
    _key("q", "quit", "Quit", "End the check and write what was found"),
]
