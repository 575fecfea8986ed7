"""`rtdecode live` with its screen: the core in a process of its own, the screen in this one."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rtdecode.errors import RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import reserved
from rtdecode.live.sessions import Recordings
from rtdecode.live.supervisor import CoreStopped, Supervisor
from rtdecode.remote.address import Address
from rtdecode.remote.publisher import published
from rtdecode.snapshot import Snapshot
from rtdecode.tui import keymap
from rtdecode.tui.app import LiveApp
from rtdecode.tui.encoding import need_utf8

SESSIONS = Path("sessions")  # where recordings go that are begun from the screen


class _Watched:
    """The core as the screen sees it: its newest picture; its lines are read so that they do not pile up."""

    def __init__(self, core: Supervisor):
        self.core = core
        self.app: LiveApp | None = None

    def latest(self) -> Snapshot | None:
        self.core.messages(0.0)
        # What the user can mend ends the screen and is said in one sentence. A fault of the decoder does not:
        # the screen stays up and shows it.
        if self.app and self.core.error and not isinstance(self.core.error, CoreStopped):
            self.app.exit()
        return self.core.latest()

    def stop(self) -> None:
        self.core.stop()


class SessionControl:
    """What acts on the session, for the screen's keys (tui.marking.Control)."""

    def __init__(self, core: Supervisor, recordings: Recordings):
        from pylsl import local_clock  # once the core is on its way: it takes as long as the screen itself

        from rtdecode.sources.lsl import quiet

        quiet()
        self._core, self._recordings, self._clock = core, recordings, local_clock

    @property
    def recording(self) -> bool:
        return self._recordings.active

    @property
    def into(self) -> str:
        return str(self._recordings.directory or "")

    def now(self) -> float:
        return float(self._clock())

    def mark(self, text: str, t: float) -> bool:
        return self._core.mark(text, t)

    def label(self, text: str) -> bool:
        return self._core.label(text)

    def record(self) -> bool:
        return self._recordings.begin(self._core)

    def stop_recording(self) -> bool:
        return self._recordings.end(self._core)

    def reconnect(self) -> bool:
        return self._core.reconnect()

    def reset_counters(self) -> bool:
        return self._core.reset_counters()

    def drawn(self, ms: Sequence[float]) -> bool:
        return self._core.drawn(ms)

    def tick(self) -> None:
        self._recordings.tick(self._core)


def run_screen(
    config: CoreConfig,
    *,
    record: Path | None = None,
    watch: Address | None = None,
    core: Callable[[CoreConfig], Supervisor] = Supervisor,
    app: Callable[[_Watched], LiveApp] = LiveApp,
    sessions: Path = SESSIONS,
) -> int:
    """Show the decoder until the user quits. Raises RtdecodeError for what the user can mend.

    record  directory of a session log to write;  watch: where to publish the pictures
    core, app  what decodes and what shows it, when they are others than live
    sessions   where the recordings go that are begun from the screen
    """
    if not sys.stdout.isatty():
        raise RtdecodeError("stdout is not a terminal", hint="--headless prints decisions as JSON lines")
    need_utf8()
    keymap.read()  # what is wrong with the user's keys is said before anything starts
    with (
        reserved(config) as config,
        Recordings(config, sessions) as recordings,
        core(recordings.first(record)) as decoder,
        published([decoder], watch) as seen,
    ):
        watched = _Watched(decoder)
        watched.app = app(watched)
        watched.app.control = SessionControl(decoder, recordings)
        if seen:
            print(f"rtdecode: elsewhere: {seen.command}", file=sys.stderr, flush=True)
            watched.app.call_later(
                watched.app.notify, seen.command, title="elsewhere", timeout=30, markup=False
            )
        watched.app.run()
        error = decoder.error
    for failure in recordings.failures:
        print(f"rtdecode: error: {failure}", file=sys.stderr)
    if error and not isinstance(error, CoreStopped):
        raise error
    return int(error is not None)
