"""The key table of a replay: what moves through a recording, beside the keys of the live screen (keys.py)."""

from textual.binding import Binding, BindingType


def _key(key: str, action: str, text: str, tooltip: str, shown: str, id: str, group: str = "") -> Binding:
    grouped = GROUPS.get(group)
    return Binding(
        key, action, text, key_display=shown, id=id, tooltip=tooltip, group=grouped, show=group != "-"
    )


GROUPS = {name: Binding.Group(name) for name in ("1 s", "Marks", "Speed")}
REPLAY_KEYS: list[BindingType] = [
    _key("p", "hold(True)", "Pause", "Send nothing for a while; nothing is lost by it", "p", "pause"),
    _key("p", "hold(False)", "Play", "Go on where it was paused", "p", "pause"),
    _key("left", "by(-1)", "1 s back", "1 s back; a new run begins there", "←", "back", "1 s"),
    _key("right", "by(1)", "1 s on", "1 s forward; a new run begins there", "→", "forward", "1 s"),
    _key("shift+left", "by(-10)", "10 s back", "10 s back", "shift+←", "far-back", "-"),
    _key("shift+right", "by(10)", "10 s on", "10 s forward", "shift+→", "far-forward", "-"),
    _key("left_square_bracket", "landmark(-1)", "Previous mark", "To the mark or sentence before", "[",
         "mark-before", "Marks"),
    _key("right_square_bracket", "landmark(1)", "Next mark", "To the next mark or sentence", "]",
         "mark-after", "Marks"),
    _key("less_than_sign", "speed(-1)", "Slower", "Slower, down to ×0.25; decisions stay the same", "<",
         "slower", "Speed"),
    _key("greater_than_sign", "speed(1)", "Faster", "Faster, up to ×20; decisions stay the same", ">",
         "faster", "Speed"),
    _key("g", "go", "Go to", "To a time of the recording, as mm:ss", "g", "go"),
    _key("l", "repeat", "Loop", "Begin again at the end, or stop there", "l", "loop"),
]  # fmt: skip
