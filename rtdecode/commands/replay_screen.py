"""`rtdecode replay FILE --bundle BUNDLE`: a recording decoded as if it were live, on the screen or headless.

Two processes beside this one, as live: `rtdecode replay --control` publishes the file on a stream of a name
that nobody else has, the core decodes it. This one steers the first and compares what the second says with
what was really heard.
"""

import sys
import time
import uuid
from pathlib import Path
from typing import Any

from rtdecode.commands.live import run_headless, say
from rtdecode.commands.player import Player
from rtdecode.commands.screen import run_screen
from rtdecode.errors import RecordingError
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import reserved
from rtdecode.live.supervisor import Supervisor
from rtdecode.snapshot import State
from rtdecode.tracking import Figures
from rtdecode.tui.bar import NO_TRUTH
from rtdecode.tui.encoding import need_utf8
from rtdecode.tui.lines import share
from rtdecode.tui.replaying import ReplayApp

WAIT_S = 15.0  # for the stream, which is on this machine
QUIET_S = 0.5  # at the end, without a word from the decoder


def run_replay_decoded(
    file: Path,
    bundle: Path,
    *,
    headless: bool,
    name: str | None = None,
    select: str | None = None,
    speed: str = "1",
    loop: bool = False,
    at_s: float = 0.0,
    assume_unit: str = "",
) -> int:
    """Decode `file` with `bundle`: the live screen with a bar, or JSON lines until the file ends.

    name  of the stream; None: one of its own;  others as in run_replay, run_screen
    Returns 0, or 1 when the decoder broke. Raises RtdecodeError for what the user can mend.
    """
    name = name or f"{file.name}-{uuid.uuid4().hex[:8]}"
    headless = headless or not sys.stdout.isatty()
    if not headless:
        need_utf8()
    wait_s = WAIT_S if headless else None
    # every hop, however late: what is decided must not depend on the speed
    config = CoreConfig(
        str(bundle),
        name,
        wait_s=wait_s,
        assume_unit=assume_unit,
        policy="every",
        processor="auto",
        played=True,
    )
    with (
        reserved(config) as config,  # before the player starts, which keeps off the core's processor, too
        Player(file, name, select=select, speed=speed, loop=loop, at_s=at_s) as player,
    ):
        player.compare(bundle)
        for note in player.notes:
            say(f"note: {note}")
        if not headless:
            return run_screen(
                config,
                core=lambda fed: ReplayCore(fed, player),
                app=lambda watcher: ReplayApp(watcher, player),
            )
        code = run_headless(config, core=lambda fed: ReplayCore(fed, player, ends=True))
        if player.broken:
            raise RecordingError(player.broken)
        figures = player.figures(True)
        say(_summary(figures) if figures else NO_TRUTH)
        return code


def _summary(figures: Figures) -> str:
    ranked, said = figures.ranked, []
    if ranked:
        said.append(f"top-1 {share(ranked.top1)} (chance {share(ranked.chance1)})")
        said.append(f"top-10 {share(ranked.top10)} (chance {share(ranked.chance10)}), n = {ranked.n}")
    if figures.cer is not None:
        beside = f" (chance {figures.cer_chance:.2f})" if figures.cer_chance is not None else ""
        said.append(f"CER {figures.cer:.2f}{beside} of {figures.characters} characters")
    return f"since {figures.since_s:.1f} s: {', '.join(said) or 'nothing that was heard was decoded'}"


class ReplayCore(Supervisor):
    """A core whose words go by the Player first.

    ends  `ended` once the file was sent and decoded
    """

    def __init__(self, config: CoreConfig, player: Player, ends: bool = False):
        super().__init__(config)
        self._player, self._ends = player, ends
        self._over = False
        self._state, self._heard_at = "", time.monotonic()

    @property
    def ended(self) -> bool:
        return self._over or super().ended

    def messages(self, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        self._player.read()
        lines = super().messages(timeout_s)
        snapshot = self.latest()
        if snapshot and snapshot.stream and snapshot.run:
            self._player.connected(snapshot.run, snapshot.stream.uid)
        for line in lines:
            if line.get("kind") == "decision":
                self._player.decided(line)
            elif line.get("kind") == "state":
                self._state = line["state"]
        self._player.settle()
        if self._ends:
            self._see_end(bool(lines), time.monotonic())
        return lines

    def _see_end(self, spoke: bool, now: float) -> None:
        play = self._player.play()
        if spoke or not (play.ended or play.broken):
            self._heard_at = now
        # stale: every sample that was sent has been decoded
        silent = self._state in (State.STALE.value, State.LOST.value, State.FAILED.value)
        self._over = bool(play.broken) or (silent and now - self._heard_at > QUIET_S)
