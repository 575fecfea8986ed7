"""The key table: every key of the live screen, each with an id, so that users may remap it, and a tooltip."""

from textual.binding import Binding, BindingType


def _key(key: str, action: str, text: str, tooltip: str, shown: str = "", group: str = "") -> Binding:
    name = text.lower().replace(" ", "-")
    groups = {"Scale": SCALE, "Channels": CHANNELS, "": None}
    return Binding(
        key, action, text, key_display=shown or None, id=name, tooltip=tooltip, group=groups[group]
    )


SCALE, CHANNELS = Binding.Group("Scale"), Binding.Group("Channels")
KEYS: list[BindingType] = [
    _key("space", "freeze", "Freeze", "Hold the panels; header, health and events go on"),
    _key("space", "unfreeze", "Unfreeze", "Show what is happening now"),
    _key("minus", "scale(1)", "Smaller", "Draw the signals smaller", "-", "Scale"),
    _key("plus,equals_sign", "scale(-1)", "Larger", "Draw the signals larger", "+", "Scale"),
    _key("comma", "page(-1)", "Previous channels", "Previous page of channels", ",", "Channels"),
    _key("full_stop", "page(1)", "Next channels", "Next page of channels", ".", "Channels"),
    _key("t", "window", "Window", "Seconds of signal on the screen: 1, 2, 5 or 10"),
    _key("question_mark", "explain", "Help", "Keys, and how to read the panels", "?"),
    _key("q", "quit", "Quit", "Stop the decoder and leave"),
]
