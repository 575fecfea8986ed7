"""What the screen asks of the core: small messages through a pipe that neither side ever waits for.

    screen -> Commands (writer) -> pipe -> Orders (reader) -> desk.py, at most once per picture

One JSON object a line, at most LIMIT bytes with its end, of a closed set of kinds. What is no such message is
refused in words and forgotten: nothing that comes through here can end the core. Knows not what is done.
"""

import json
import math
import os
import re
from dataclasses import dataclass
from typing import Any

from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError
from rtdecode.live.lines import LineWriter

LIMIT = 4096  # bytes of a message; a pipe takes so many whole or not at all
AT_ONCE = 4 * LIMIT  # bytes read in one turn: what a turn may cost has a bound
LONGEST = 200  # characters of a label
TIMES = 128  # in one message about what was drawn


@dataclass(frozen=True)
class Mark:
    """t: seconds on this machine's LSL clock, when the key was pressed."""

    t: float
    text: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.t) or self.t < 0:
            raise ValueError(f"t is {self.t}, no time of a clock")


@dataclass(frozen=True)
class Label:
    """Another label for the newest mark."""

    text: str


@dataclass(frozen=True)
class Record:
    """feed: name of the ring to the recorder;  into: where it writes, to be said."""

    feed: str
    into: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"/?[A-Za-z0-9_.-]{1,64}", self.feed):
            raise ValueError(f"feed is {self.feed[:64]!r}, no name of shared memory")


@dataclass(frozen=True)
class StopRecording:
    pass


@dataclass(frozen=True)
class RecordingFailed:
    """It could not even begin. why: a sentence."""

    why: str


@dataclass(frozen=True)
class Reconnect:
    pass


@dataclass(frozen=True)
class ResetCounters:
    pass


@dataclass(frozen=True)
class Drawn:
    """ms: from a decision's publishing until it was on the screen, of those drawn since the last such
    message, in their order."""

    ms: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.ms) <= TIMES:
            raise ValueError(f"ms holds {len(self.ms)} times, from 1 to {TIMES} are told at once")
        if not all(math.isfinite(ms) and ms >= 0 for ms in self.ms):
            raise ValueError("ms holds what is no length of time")


Command = Mark | Label | Record | StopRecording | RecordingFailed | Reconnect | ResetCounters | Drawn
KINDS: dict[str, type[Command]] = {
    "mark": Mark,
    "label": Label,
    "record": Record,
    "stop_recording": StopRecording,
    "recording_failed": RecordingFailed,
    "reconnect": Reconnect,
    "reset_counters": ResetCounters,
    "drawn": Drawn,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True)
class Refused:
    """why: what was wrong with a message, in words that are safe to print."""

    why: str


def one_line(text: str, most: int = LONGEST) -> str:
    """Outside text on one printable line of at most `most` characters."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * most]).strip()
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def encode(command: Command) -> bytes:
    """One message, without the end of its line. ValueError when it is longer than LIMIT."""
    line = json.dumps({"kind": _NAMES[type(command)], **to_json(command)}, allow_nan=False).encode()
    if len(line) >= LIMIT:
        raise ValueError(f"a message of {len(line)} bytes, the limit is {LIMIT}")
    return line


def decode(line: bytes) -> Command | Refused:
    """The message on one line."""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return Refused("it is not JSON")
    if not isinstance(value, dict):
        return Refused("it is not an object")
    name = value.pop("kind", None)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        return Refused(f"its kind is {one_line(repr(name), 40)}")
    try:
        return from_json(kind, value, str(name))
    except (ConfigError, OverflowError, RecursionError) as problem:
        return Refused(one_line(str(problem), LONGEST))


class Parser:
    """Bytes in any pieces -> messages. Keeps less than LIMIT bytes, whatever comes."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False  # the rest of a line that was too long

    def feed(self, data: bytes) -> list[Command | Refused]:
        found: list[Command | Refused] = []
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif len(line) >= LIMIT:
                found.append(_TOO_LONG)
            elif line:
                found.append(decode(line))
        if len(rest) >= LIMIT:
            if not self._skipping:
                found.append(_TOO_LONG)
            self._skipping = True
        self._rest = b"" if self._skipping else rest
        return found


_TOO_LONG = Refused(f"it has more than {LIMIT} bytes")


class Orders:
    """The core's end. closed: nobody will ask for anything any more."""

    def __init__(self, fd: int):
        self._fd = fd
        os.set_blocking(fd, False)
        self._parser = Parser()
        self.closed = False

    def poll(self) -> list[Command | Refused]:
        """What was asked since the last call; never waits, reads at most AT_ONCE bytes."""
        if self.closed:
            return []
        try:
            data = os.read(self._fd, AT_ONCE)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.closed = not data
        return self._parser.feed(data)


class Commands:
    """The screen's end, over the writing end of a pipe."""

    def __init__(self, fd: int):
        self._lines = LineWriter(fd)

    def send(self, command: Command) -> bool:
        """Whether it is on its way: not when the core is gone, or has not fetched what was sent before.

        ValueError when it is longer than LIMIT.
        """
        line = encode(command)
        self._lines.flush()
        if self._lines.closed or self._lines.held:
            return False
        self._lines.write(line)
        return not self._lines.closed
