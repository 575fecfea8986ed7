"""The key table: every key of the live screen, each with an id, so that users may remap it, and a tooltip.

One table for the footer, the help, the commands of ctrl+p and keymap.py. An id may stand twice where two
actions take turns at one key (freeze and unfreeze).
"""

from textual.binding import Binding, BindingType

PANELS = ("signals", "retrieved", "health", "text", "events")  # in the order of their number keys


def _key(
    key: str,
    action: str,
    text: str,
    tooltip: str,
    shown: str = "",
    group: str = "",
    *,
    id: str = "",
    footer: bool = True,
    first: bool = False,
) -> Binding:
    """text: in the footer and as a command; id: else text in small letters; first: before a widget's own."""
    name = id or text.lower().replace(" ", "-")
    grouped = GROUPS[group] if group else None
    return Binding(
        key,
        action,
        text,
        show=footer,
        key_display=shown or None,
        id=name,
        tooltip=tooltip,
        group=grouped,
        priority=first,
    )


GROUPS = {name: Binding.Group(name) for name in ("Scale", "Channels", "Panels")}
KEYS: list[BindingType] = [
    _key("space", "freeze", "Freeze", "Hold the panels; header, health and events go on"),
    _key("space", "unfreeze", "Unfreeze", "Show what is happening now", id="freeze"),
    _key("m", "mark", "Mark", "Mark this moment, in the log and on the axis"),
    _key("M", "label", "Label", "Mark this moment, then give it a label", footer=False),
    _key("r", "record", "Record", "Write a session log from now on"),
    _key("r", "stop_recording", "Stop recording", "End the session log; decoding goes on", id="record"),
    _key("R", "reconnect", "Reconnect", "Drop the stream, look for it anew: a new run", footer=False),
    _key("minus", "scale(1)", "Smaller", "Draw the signals smaller", "-", "Scale"),
    _key("plus,equals_sign", "scale(-1)", "Larger", "Draw the signals larger", "+", "Scale"),
    _key("comma", "page(-1)", "Previous channels", "Previous page of channels", ",", "Channels"),
    _key("full_stop", "page(1)", "Next channels", "Next page of channels", ".", "Channels"),
    _key("t", "window", "Window", "Seconds of signal on the screen: 1, 2, 5 or 10"),
    _key("f", "filter", "Filter", "Band-pass of what is drawn, not of what is decoded: next of four"),
    _key(
        "F", "average", "Average", "Take the good channels' average off what is drawn, and back", footer=False
    ),
    _key("c", "pick", "Pick", "Choose the channels that are drawn"),
    *(
        _key(
            str(number),
            f"panel('{name}')",
            f"{name.capitalize()} panel",
            f"Hide or show {name.capitalize()}",
            group="Panels",
            id=f"panel-{name}",
        )
        for number, name in enumerate(PANELS, 1)
    ),
    _key("z", "zoom", "Zoom", "The chosen panel alone (Signals: one channel with its spectrum), and back"),
    _key(
        "tab",
        "next_panel(1)",
        "Next panel",
        "Choose the next panel, to zoom or to explain",
        footer=False,
        first=True,
    ),
    _key(
        "shift+tab", "next_panel(-1)", "Previous panel", "Choose the panel before", footer=False, first=True
    ),
    _key("ctrl+s", "picture", "Picture", "Save the screen as SVG in the working directory", footer=False),
    _key("question_mark", "explain", "Help", "The chosen panel, all keys, and how to read the screen", "?"),
    _key("q", "quit", "Quit", "Stop the decoder and leave"),
]
