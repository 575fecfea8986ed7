"""The live screen of a session that runs elsewhere: what looks is on, what acts on the session is off."""

import os
from typing import ClassVar

from textual.binding import Binding, BindingType

from rtdecode.remote.log_viewer import LogViewer
from rtdecode.remote.viewer import Viewer
from rtdecode.tui.app import LiveApp

# Actions of the live screen that do something to the session. A key of the table is either here or in LOOKS.
ACTS = frozenset(
    {"mark", "label", "record", "reconnect", "reset_counters", "retry", "filter_decoder"}
) | frozenset({"relabel", "stop_recording"})
LOOKS = frozenset({"freeze", "unfreeze", "scale", "page", "window", "explain", "quit"}) | frozenset(
    {"filter", "average", "pick", "panel", "zoom", "next_panel", "picture"}
)


class WatchApp(LiveApp):
    """Shows `viewer`; ends by itself when the session will never let it in."""

    TITLE = "rtdecode watch"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Leave", id="quit", tooltip="Leave; the session goes on")
    ]

    def __init__(self, viewer: Viewer | LogViewer):
        super().__init__(viewer)
        self.viewer = viewer
        self._server = os.getppid()

    def on_mount(self) -> None:
        self.notify(f"{self.viewer.where}, read-only", title="watching", markup=False)

    def update(self, everything: bool = False) -> None:
        if self.viewer.refused:
            self.exit()
            return
        if self.is_web and os.getppid() != self._server:
            os._exit(0)  # whoever served this page was killed, and nobody reads what is drawn
        super().update(everything)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action in ACTS else super().check_action(action, parameters)
