"""The keys of the live screen that act on the session: marks, recording, reconnecting, leaving.

    Acting (mix-in of the app) -> Control -> the core, elsewhere

Without a Control nothing here is offered, as where one only looks. Knows neither processes nor files.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from textual import events
from textual.app import SystemCommand

from rtdecode.snapshot import Snapshot
from rtdecode.tui.asking import LabelScreen, LeaveScreen
from rtdecode.tui.base import ScreenApp

OLD_S = 2.0  # a key longer ago than this is not what asked for the mark
FOLLOW_S = 0.5
ACTIONS = ("mark", "label", "relabel", "record", "stop_recording", "reconnect", "reset_counters")


class Control(Protocol):
    """Whoever acts on the session. What returns a bool says whether the core took it.

    recording  whether something is being recorded;  into: where, for people
    """

    @property
    def recording(self) -> bool: ...

    @property
    def into(self) -> str: ...

    def now(self) -> float:
        """Seconds on this machine's LSL clock."""
        ...

    def mark(self, text: str, t: float) -> bool: ...

    def label(self, text: str) -> bool: ...

    def record(self) -> bool: ...

    def stop_recording(self) -> bool: ...

    def reconnect(self) -> bool: ...

    def reset_counters(self) -> bool: ...

    def drawn(self, ms: Sequence[float]) -> bool:
        """How long decisions took to be on the screen, for the log (drawn.py)."""
        ...

    def tick(self) -> None:
        """Called twice a second."""
        ...


class Acting(ScreenApp[None]):
    """control: None: nothing acts."""

    snapshot: Snapshot | None

    control: Control | None = None
    _pressed: float | None = None  # when the newest key was, on the clock of messages
    _was: object = None

    def on_mount(self) -> None:
        self.set_interval(FOLLOW_S, self._follow)

    def _follow(self) -> None:
        if self.control is None:
            return
        self.control.tick()
        now = self.control.recording
        if now != self._was:
            self._was = now
            self.refresh_bindings()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown):
            self._pressed = event.time  # when it was read, by a thread that never waits for drawing
        await super().on_event(event)

    def pressed(self, control: Control) -> float:
        """The LSL time of the key that is being answered."""
        age_s = 0.0 if self._pressed is None else events.Idle().time - self._pressed
        return control.now() - (age_s if 0 <= age_s < OLD_S else 0.0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ACTIONS:
            if self.control is None:
                return False
            if action in ("record", "stop_recording"):
                return self.control.recording is (action == "stop_recording")
        return super().check_action(action, parameters)

    def acts(self) -> Iterable[SystemCommand]:
        """What acts on the session and has no key, for the palette."""
        if self.control is None:
            return
        yield SystemCommand("Label the last mark", "Another label for the newest mark", self.action_relabel)
        yield SystemCommand(
            "Reset counters",
            "Late, skipped, lost, gaps: from 0; what they were stays in the log",
            self.action_reset_counters,
        )

    def action_mark(self) -> None:
        if control := self.control:
            self._told(control.mark("", self.pressed(control)))

    def action_label(self) -> None:
        if control := self.control:
            t = self.pressed(control)
            self._ask_label("Mark", lambda text: control.mark(text, t), lambda: control.now() - t)

    def action_relabel(self) -> None:
        if control := self.control:
            self._ask_label("Label of the last mark", control.label)

    def _ask_label(
        self, title: str, then: Callable[[str], bool], age_s: Callable[[], float] | None = None
    ) -> None:
        def answered(text: str | None) -> None:
            if text is not None:
                self._told(then(text))

        self.push_screen(LabelScreen(title, age_s), answered)

    def action_record(self) -> None:
        if self.control:
            self._told(self.control.record())
            self._follow()

    def action_stop_recording(self) -> None:
        if self.control:
            self._told(self.control.stop_recording())
            self._follow()

    def action_reconnect(self) -> None:
        if self.control:
            self._told(self.control.reconnect())

    def action_reset_counters(self) -> None:
        if self.control:
            self._told(self.control.reset_counters())

    def _told(self, taken: bool) -> None:
        if not taken:
            said = "the decoder takes no requests: it has stopped, or hangs"
            self.notify(said, severity="error", markup=False)

    async def action_quit(self) -> None:
        """Leave; while something is recorded, only after a yes."""
        control = self.control
        if control is None or not control.recording:
            await super().action_quit()
            return
        if not isinstance(self.screen, LeaveScreen):
            recording = self.snapshot.recording if self.snapshot else None
            size = f"{recording.size} so far" if recording else ""
            self.push_screen(LeaveScreen(control.into, size), self._leave)

    def _leave(self, yes: bool | None) -> None:
        if yes:
            self.exit()

    def action_help_quit(self) -> None:
        """Ctrl-C leaves at once, as everywhere in a terminal: what was recorded is kept."""
        self.exit()
