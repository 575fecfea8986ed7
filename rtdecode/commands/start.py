"""`rtdecode` alone: the start screen, and from it to a live decoder, a recording or a session, and back."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.finding import broken_last, check_bundle, look, peek_bundle
from rtdecode.found import Disk, Findings, FoundBundle, FoundStream
from rtdecode.tui import keymap
from rtdecode.tui.encoding import need_utf8
from rtdecode.tui.start import StartApp
from rtdecode.tui.start_choice import Choice, Live, Memory, Replay

if TYPE_CHECKING:
    from rtdecode.live.config import CoreConfig

EVERY_S, DISK_EVERY_S = 1.0, 5.0  # rest between two looks at the network, and at the disk
KEPT = 2  # looks at the network that a stream may miss, as one does now and then that is still there
JOIN_S = 3.0
REST = 3.0  # times as long as a look took, at least


class Looker:
    """Looks at the network and at the disk on two threads; `latest` waits for neither.

    A screen of somebody else's is no time to look: `rest` until `go_on`.
    """

    def __init__(self) -> None:
        self._streams: tuple[FoundStream, ...] | None = None
        self._disk: Disk | None = None
        self._trouble = ""
        self._ears: Ears | None = None
        self._ending, self._awake = threading.Event(), threading.Event()
        self._awake.set()
        self._checked: dict[Path, tuple[object, FoundBundle]] = {}
        self._threads = [
            threading.Thread(target=self._work, args=work, name="look", daemon=True)
            for work in ((self._network, EVERY_S), (self._folders, DISK_EVERY_S))
        ]

    def latest(self) -> Findings:
        return Findings(self._streams, self._disk, self._trouble)

    def rest(self) -> None:
        self._awake.clear()

    def go_on(self) -> None:
        self._awake.set()

    def __enter__(self) -> "Looker":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """liblsl must not be looking when the process ends around it."""
        self._ending.set()
        self._awake.set()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _work(self, look_once: Callable[[], None], every_s: float) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                look_once()
            except Exception as problem:  # the screen goes on with what was seen before, and says so
                self._trouble = f"looking failed: {_why(problem)}"
            # folders far away take long: most of the time is theirs
            self._ending.wait(max(every_s, REST * (time.monotonic() - began)))
            self._awake.wait()

    def _folders(self) -> None:
        """First what the manifests say, at once; then each bundle as its files have been compared."""
        self._disk = look(check=self._known)
        for bundle in self._disk.bundles:
            if not bundle.checked and not self._ending.is_set():
                found = self._check(bundle.path)
                bundles = (found if b.path == bundle.path else b for b in self._disk.bundles)
                self._disk = replace(self._disk, bundles=broken_last(bundles))

    def _known(self, path: Path) -> FoundBundle:
        """A bundle is hashed again only once one of its files has changed."""
        known = self._checked.get(path)
        return known[1] if known and known[0] == _state(path) else peek_bundle(path)

    def _check(self, path: Path) -> FoundBundle:
        state = _state(path)
        found = check_bundle(path)
        self._checked[path] = state, found
        return found

    def _network(self) -> None:
        try:
            self._ears = self._ears or Ears()
            self._streams, self._trouble = self._ears.hear(), ""
        except (ImportError, RuntimeError, OSError) as problem:
            self._streams, self._trouble = (), f"LSL cannot be used: {_why(problem)}"


class Ears:
    """The network, look after look: a stream is asked for its description until it has answered once."""

    def __init__(self) -> None:
        # liblsl takes a moment to load, so it is loaded on the thread that looks
        from rtdecode.sources import lsl

        self._lsl = lsl
        lsl.quiet()
        self._known: dict[str, FoundStream] = {}
        self._missed: dict[str, int] = {}

    def hear(self) -> tuple[FoundStream, ...]:
        found = {one.info.uid: one for one in self._lsl.resolve()}
        for uid in list(self._known):
            self._missed[uid] = 0 if uid in found else self._missed.get(uid, 0) + 1
            if self._missed[uid] > KEPT:
                del self._known[uid]
        for uid, one in found.items():
            if uid not in self._known or not self._known[uid].described:
                try:
                    self._known[uid] = FoundStream(self._lsl.describe(one, timeout_s=1.0))
                except RtdecodeError:
                    self._known[uid] = FoundStream(one.info, described=False)
        # a sender that came back is shown once, as what it is now
        alive = {stream.key for uid, stream in self._known.items() if uid in found}
        kept = [s for uid, s in self._known.items() if uid in found or s.key not in alive]
        # what can be decoded before what cannot
        return tuple(sorted(kept, key=lambda s: (s.info.dtype == "string" or not s.info.sfreq, s.key)))


def _state(path: Path) -> object:
    try:
        stats = ((file.name, file.stat()) for file in sorted(path.iterdir()))
        return tuple((name, about.st_size, about.st_mtime_ns) for name, about in stats)
    except OSError as problem:
        return problem.errno


def _why(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]


def run_start(hand_over: Callable[[Sequence[str]], int]) -> int:
    """Show the start screen until the user leaves. ConfigError without a terminal.

    hand_over  runs another command of the command line; raises RtdecodeError as it does
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "no command was given, and there is no terminal for the start screen",
            hint="`rtdecode --help` lists the commands",
        )
    memory, notice = Memory(), ""
    need_utf8()
    keymap.read()  # what is wrong with the user's keys is said before anything starts
    with Looker() as looker:
        while True:
            app = StartApp(looker.latest, memory, notice)
            choice = app.run()
            if choice is None:
                return app.return_code or 0
            looker.rest()
            notice = _follow(choice, hand_over)
            looker.go_on()


def _follow(choice: Choice, hand_over: Callable[[Sequence[str]], int]) -> str:
    """Do what was chosen; what there is to say afterwards, "" when all went well."""
    try:
        if isinstance(choice, Live):
            from rtdecode.commands.screen import run_screen

            code = run_screen(config_of(choice))
        elif isinstance(choice, Replay):
            code = hand_over(["replay", _said(choice.file), "--bundle", _said(choice.bundle)])
        else:
            code = hand_over(["review", _said(choice.log)])
    except RtdecodeError as problem:
        return str(problem)
    return "" if code == 0 else f"it ended with exit code {code}: `rtdecode doctor` looks at this machine"


def _said(path: Path) -> str:
    """A path as an argument: not an option, whatever its first letter."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def config_of(choice: Live) -> "CoreConfig":
    """What the core is started with: as `rtdecode live` with the stream's name, type and source_id."""
    from rtdecode.live.config import CoreConfig
    from rtdecode.sources.lsl import recognisable

    info = choice.stream.info
    return CoreConfig(
        str(choice.bundle),
        info.name,
        info.stype or None,
        wait_s=None,
        assume_unit=choice.assume_unit,
        processor="auto",
        # an id that is another one after each start of the sender would keep it from being found again
        source_id=info.source_id if recognisable(info.source_id) else None,
    )
