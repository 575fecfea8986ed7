"""The live screen of a session that runs elsewhere: what looks is on, what acts on the session is off."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from rtdecode.remote.log_viewer import LogViewer
from rtdecode.remote.viewer import Viewer
from rtdecode.snapshot import Snapshot
from rtdecode.tui.app import LiveApp
from rtdecode.tui.several import Seat, SeveralApp, Shown

# Actions of the live screen that do something to the session. A key of the table is either here or in LOOKS.
ACTS = frozenset(
    {"mark", "label", "record", "reconnect", "reset_counters", "retry", "filter_decoder"}
) | frozenset({"relabel", "stop_recording"})
LOOKS = frozenset({"freeze", "unfreeze", "scale", "page", "window", "explain", "quit"}) | frozenset(
    {"filter", "average", "pick", "panel", "zoom", "next_panel", "picture"}
)


class Looking(LiveApp):
    """Ends by itself when no session will ever let it in, or when whoever served it is gone."""

    TITLE = "rtdecode watch"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Leave", id="quit", tooltip="Leave; the session goes on")
    ]

    viewers: tuple[Viewer | LogViewer, ...]
    _server: int  # in a browser's tab: whoever serves it

    @property
    def refused(self) -> bool:
        return all(viewer.refused for viewer in self.viewers)

    @property
    def watched(self) -> str:
        """What is watched, for people."""
        return str(self.viewers[0].where) if len(self.viewers) == 1 else f"{len(self.viewers)} decoders"

    def on_mount(self) -> None:
        self.notify(f"{self.watched}, read-only", title="watching", markup=False)

    def update(self, everything: bool = False) -> None:
        if self.refused:
            self.exit()
            return
        if self.is_web and os.getppid() != self._server:
            os._exit(0)  # whoever served this page was killed, and nobody reads what is drawn
        super().update(everything)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action in ACTS else super().check_action(action, parameters)


class WatchApp(Looking):
    """Shows `viewer`."""

    def __init__(self, viewer: Viewer | LogViewer):
        super().__init__(viewer)
        self.viewer, self.viewers = viewer, (viewer,)
        self._server = os.getppid()


class _Seen:
    """A viewer among several; whoever started them stops them all."""

    def __init__(self, viewer: Viewer):
        self._viewer = viewer

    def latest(self) -> Snapshot | None:
        return self._viewer.latest()

    @property
    def why(self) -> str:
        """Why it will never show anything; empty while it may."""
        return str(self._viewer.refused or "")

    def stop(self) -> None: ...


class WatchSeveralApp(Looking, SeveralApp):
    """Shows one of the decoders at a time, and how all are doing."""

    def __init__(self, viewers: Sequence[Viewer]):
        SeveralApp.__init__(self, [Shown(str(viewer.where), _Seen(viewer)) for viewer in viewers])
        self.viewers = tuple(viewers)
        self._server = os.getppid()

    def _seats(self) -> Iterator[Seat]:
        for seat, name in zip(super()._seats(), names([v.latest() for v in self.viewers]), strict=True):
            yield replace(seat, name=name or seat.name)


def names(pictures: Sequence[Snapshot | None]) -> list[str]:
    """What tells the decoders apart: the stream, the bundle, or both. Empty where that is not known, or tells
    nothing apart."""
    streams = [p.stream.name if p and p.stream else "" for p in pictures]
    bundles = [p.bundle.name if p and p.bundle else "" for p in pictures]
    many = len(set(bundles) - {""}) > 1
    found = [
        f"{stream} · {bundle}" if many and stream and bundle else stream
        for stream, bundle in zip(streams, bundles, strict=True)
    ]
    if many and len(set(streams) - {""}) <= 1:
        found = bundles
    return [name if found.count(name) == 1 else "" for name in found]
