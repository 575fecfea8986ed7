"""`rtdecode replay`: a file becomes a live stream. With `--control` a program steers it: JSON lines in, JSON
lines out (docs/replay.md)."""

import json
import math
import os
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtdecode.commands.interrupted import Interrupted
from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.live.lines import LineWriter
from rtdecode.recordings import Recording, read
from rtdecode.replay import MAX_SPEED, Replayer, parse_speed, stable_id
from rtdecode.sources.lsl import quiet

LINE_BYTES = 200  # of one command; a longer line is refused, however long
TELL_S = 0.1  # between two answers while nothing but the position changes
SLOWEST = 0.01


def run_replay(
    file: Path,
    *,
    name: str,
    select: str | None = None,
    speed: str = "1",
    loop: bool = False,
    wait: bool = True,
    at_s: float = 0.0,
    control: bool = False,
) -> int:
    """Play `file` as an LSL stream called `name`. Returns 0; RtdecodeError for a file that cannot be played.

    select   of a file with several streams, the one of this name or type
    speed    a positive number, or "max" (20 times: beyond it readers would lose samples)
    wait     hold the first sample until somebody listens
    at_s     second of the recording to begin at
    control  commands on stdin, positions on stdout; it always waits, and ends with stdin
    """
    if control:
        return _controlled(file, name=name, select=select, speed=speed, loop=loop, at_s=at_s)
    factor = parse_speed(speed)
    recording = read(file, select)
    for note in recording.notes:
        _say(f"note: {note}")
    quiet()
    with Interrupted() as interrupted:

        def stopping() -> bool:
            return interrupted.seen

        source_id = stable_id(str(file.resolve()), recording.name)
        player = Replayer(recording, name, source_id=source_id, speed=factor, loop=loop, at_s=at_s)
        what = f"{len(recording.labels)} channels at {recording.sfreq:g} Hz"
        what += f", {_length(recording, player.length_s)}"
        where = f" from {at_s:g} s" if at_s else ""
        _say(
            f"replaying {file.name} as {name!r}{where}: {what}, speed {speed}{', in a loop' if loop else ''}"
        )
        if wait:
            _say("waiting for a listener")
            player.wait_for_consumer(stopping)
        began = time.monotonic()
        sent = player.play(stopping)
        _say(f"{sent} samples sent in {time.monotonic() - began:.1f} s")
        player.linger(stopping)
    return 0


def _length(recording: Recording, length_s: float) -> str:
    """How long it plays, gaps included, and how much of that was recorded."""
    missing_s = length_s - recording.duration_s
    return f"{length_s:.1f} s" + (f", {missing_s:.1f} s of them gaps" if missing_s >= 0.05 else "")


def _controlled(file: Path, *, name: str, select: str | None, speed: str, loop: bool, at_s: float) -> int:
    lines = LineWriter(sys.stdout.fileno())
    with Interrupted() as interrupted:
        try:
            factor, recording = parse_speed(speed), read(file, select)
            quiet()
            source_id = stable_id(str(file.resolve()), recording.name)
            player = Replayer(recording, name, source_id=source_id, speed=factor, loop=loop, at_s=at_s)
        except RtdecodeError as problem:
            lines.send({"kind": "error", "message": problem.message, "hint": problem.hint})
            lines.drain(1.0)
            return 2
        lines.send({"kind": "recording", **_about(recording, player.length_s)})
        player.waiting = True
        control = Control(player, lines, sys.stdin.fileno())
        player.play(lambda: interrupted.seen or control.over, control.wait)
    return 0


def _about(recording: Recording, length_s: float) -> dict[str, Any]:
    return {
        "name": recording.name,
        "channels": len(recording.labels),
        "sfreq": recording.sfreq,
        "length_s": length_s,
        "markers": [[marker.t, marker.text] for marker in recording.markers],
        "notes": list(recording.notes),
    }


class Control:
    """Between two pipes and a Replayer: does what lines of `commands` say, writes where it is to `answers`.

    over  nobody is at the other end any more, or it said stop
    """

    def __init__(
        self,
        player: Replayer,
        answers: LineWriter,
        commands: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._player, self._answers, self._fd, self._clock = player, answers, commands, clock
        self.over = False
        self._rest, self._skipping = b"", False
        self._told: dict[str, Any] = {}
        self._told_at = -math.inf

    def wait(self, seconds: float) -> None:
        """Up to `seconds`, or until a command was done."""
        self._tell()
        if select.select([self._fd], [], [], seconds)[0]:
            data = os.read(self._fd, 1 << 12)
            self.over = self.over or not data
            for line in self._lines(data):
                self._do(line)
            self._tell(at_once=True)

    def _lines(self, data: bytes) -> list[bytes]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._skipping and whole:  # the end of a line that was refused already
            whole, self._skipping = whole[1:], False
        if len(self._rest) > LINE_BYTES:
            if not self._skipping:
                self._refuse(f"a line is longer than {LINE_BYTES} bytes")
            self._rest, self._skipping = b"", True
        return whole

    def _do(self, line: bytes) -> None:
        player = self._player
        try:
            said = command(line)
        except ConfigError as problem:
            self._refuse(str(problem))
            return
        if said.do == "seek":
            player.seek(said.value)
        elif said.do == "skip":
            player.seek(player.at_s + said.value)
        elif said.do == "speed":
            player.pace(said.value)
        elif said.do == "pause":
            player.pause(bool(said.value))
        elif said.do == "loop":
            player.loop = bool(said.value)
        else:
            self.over = True

    def _refuse(self, why: str) -> None:
        self._answers.send({"kind": "refused", "why": why})

    def _tell(self, at_once: bool = False) -> None:
        """Where it is: at once when more than the position changed, else ten times a second."""
        self._answers.flush()
        status, now = self._player.status(), self._clock()
        settings = {**status, "at_s": None}
        if at_once or settings != self._told or now - self._told_at >= TELL_S:
            self._told, self._told_at = settings, now
            self._answers.send({"kind": "position", **status})
        self.over = self.over or self._answers.closed


@dataclass(frozen=True)
class Command:
    """do: seek (to a second), skip (by seconds), speed, pause, loop, stop."""

    do: str
    value: float = 0.0


def command(line: bytes) -> Command:
    """What a line asks for; ConfigError for anything that is not one of

    {"do": "seek", "to": 62.5}   {"do": "seek", "by": -10}   {"do": "speed", "to": 4}
    {"do": "pause", "to": true}  {"do": "loop", "to": false}  {"do": "stop"}
    """
    try:
        said = json.loads(line) if len(line) <= LINE_BYTES else {}
    except (ValueError, RecursionError):
        said = {}
    match said:
        case {"do": "stop"} if len(said) == 1:
            return Command("stop")
        case {"do": "pause" | "loop" as do, "to": bool() as on} if len(said) == 2:
            return Command(do, float(on))
        case {"do": "seek", "to": to} if len(said) == 2 and _number(to):
            return Command("seek", float(to))
        case {"do": "seek", "by": by} if len(said) == 2 and _number(by):
            return Command("skip", float(by))
        case {"do": "speed", "to": to} if len(said) == 2 and _number(to) and SLOWEST <= to <= MAX_SPEED:
            return Command("speed", float(to))
    hint = f"seek to or by seconds, speed {SLOWEST:g} to {MAX_SPEED:g}, pause and loop true or false, stop"
    raise ConfigError(f"not a command: {line[:60].decode(errors='replace')!r}", hint=hint)


def _number(value: object) -> bool:
    """Whether it is a number that may be a time; JSON has NaN, and integers without end."""
    return type(value) in (int, float) and abs(value) < 1e9  # type: ignore[arg-type]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
