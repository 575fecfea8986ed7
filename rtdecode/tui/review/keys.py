"""The keys of the review: one table for the key bar, the help and the commands of ctrl+p."""

from textual.binding import Binding, BindingType


def _key(key: str, action: str, text: str, tooltip: str, shown: str = "", *, group: str = "", id: str = "",
         footer: bool = True) -> Binding:  # fmt: skip
    name = "review-" + (id or text.lower().replace(" ", "-"))
    return Binding(key, action, text, show=footer, key_display=shown or None, id=name, tooltip=tooltip,
                   group=GROUPS[group] if group else None)  # fmt: skip


GROUPS = {name: Binding.Group(name) for name in ("Move", "Zoom", "Marks", "Channels", "Scale")}
PANELS = ("ranking", "text", "signals", "events")
MOVING: list[BindingType] = [
    _key("left", "move(-1)", "Back", "A cell of the timeline back", "←", group="Move"),
    _key("right", "move(1)", "Forth", "A cell of the timeline forth", "→", group="Move"),
    _key("shift+left", "move(-10)", "Far back", "Ten cells back", "shift+←", footer=False),
    _key("shift+right", "move(10)", "Far forth", "Ten cells forth", "shift+→", footer=False),
    _key("plus,equals_sign", "zoom(0.5)", "Closer", "Half as much time on the timeline", "+", group="Zoom"),
    _key("minus", "zoom(2)", "Wider", "Twice as much time on the timeline", "-", group="Zoom"),
    _key("0", "whole", "Whole session", "The whole session on the timeline", footer=False),
    _key("left_square_bracket", "place(-1)", "Previous mark", "The previous mark or gap", "[", group="Marks"),
    _key("right_square_bracket", "place(1)", "Next mark", "The next mark or gap", "]", group="Marks"),
    _key("g", "go", "Go to", "Go to a time, written 90, 1:30 or 1:02:03"),
    _key("home", "end(0)", "Start", "To the start of the session", footer=False),
    _key("end", "end(1)", "End", "To the end of the session", footer=False),
    _key("space", "play", "Play", "Play from here in real time, and stop"),
]
LAST: list[BindingType] = [
    _key("question_mark", "explain", "Help", "All keys, and how to read the screen", "?"),
    _key("q,escape", "leave", "Quit", "Leave; from a list, back to it", "q"),
]
KEYS: list[BindingType] = [
    *MOVING,
    _key("enter", "replay", "Replay", "Decode again from here on, in the live screen"),
    _key("e", "export", "Export", "Write decisions, words or events as a table: CSV, TextGrid, BIDS"),
    _key("h", "report", "Report", "Write the HTML report"),
    _key("comma", "page(-1)", "Previous channels", "Previous page of channels", ",", group="Channels"),
    _key("full_stop", "page(1)", "Next channels", "Next page of channels", ".", group="Channels"),
    _key("s", "scale(1)", "Smaller", "Draw the signals smaller", "s", group="Scale"),
    _key("S", "scale(-1)", "Larger", "Draw the signals larger", "S", group="Scale"),
    _key("t", "window", "Window", "Seconds of signal around the cursor: 1, 2, 5 or 10", footer=False),
    *(
        _key(str(n), f"panel('{name}')", f"{name.capitalize()} panel", f"Hide or show {name.capitalize()}",
             id=f"panel-{name}", footer=False)
        for n, name in enumerate(PANELS, 1)
    ),
    *LAST,
]  # fmt: skip
