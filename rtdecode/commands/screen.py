"""`rtdecode live` with its screen: the core in a process of its own, the screen in this one."""

import sys
from pathlib import Path

from rtdecode.errors import RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.recorder import recorded
from rtdecode.live.supervisor import CoreStopped, Supervisor
from rtdecode.remote.address import Address
from rtdecode.remote.publisher import published
from rtdecode.snapshot import Snapshot
from rtdecode.tui.app import LiveApp


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


def run_screen(config: CoreConfig, *, record: Path | None = None, watch: Address | None = None) -> int:
    """Show the decoder until the user quits. Raises RtdecodeError for what the user can mend.

    record  directory of a session log to write;  watch: where to publish the pictures
    """
    if not sys.stdout.isatty():
        raise RtdecodeError("stdout is not a terminal", hint="--headless prints decisions as JSON lines")
    with recorded(config, record) as fed, Supervisor(fed) as core, published(core, watch) as seen:
        watched = _Watched(core)
        watched.app = LiveApp(watched)
        if seen:
            print(f"rtdecode: elsewhere: {seen.command}", file=sys.stderr, flush=True)
            watched.app.call_later(
                watched.app.notify, seen.command, title="elsewhere", timeout=30, markup=False
            )
        watched.app.run()
        error = core.error
    if error and not isinstance(error, CoreStopped):
        raise error
    return int(error is not None)
