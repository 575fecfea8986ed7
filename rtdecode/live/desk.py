"""Does what the screen asks: marks, recordings, reconnecting, counters. Between two decisions, never in one.

    control.Orders -> Desk -> Session (the core): events, the tape, the connection

Also keeps what only the screen can measure: when decisions were drawn. Knows what each request means, not how
it came nor how samples are decoded.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pylsl

from rtdecode.contract import ChannelMap
from rtdecode.histogram import Histogram
from rtdecode.live.control import (
    Command,
    Drawn,
    Label,
    Mark,
    Orders,
    Reconnect,
    Record,
    RecordingFailed,
    Refused,
    ResetCounters,
    StopRecording,
    one_line,
)
from rtdecode.live.feed import Feed
from rtdecode.live.tape import Tape
from rtdecode.snapshot import Event
from rtdecode.types import StreamInfo

AHEAD_S = 1.0  # a mark further in the future was not made by a clock of this machine
PATH_CHARS = 160
TURNS = 5  # in which all is read that a pipe holds, 64 KiB
SCREEN = "screen"  # the stage from publishing a decision until it is drawn


@dataclass(frozen=True)
class Joined:
    """What a recording needs to know that begins in the middle of a stream.

    before, total  samples so far of the run, of the connection
    """

    info: StreamInfo
    channels: ChannelMap | None
    run: int
    before: int
    total: int


class Session(Protocol):
    """What the core lets itself be asked."""

    def say(self, level: str, text: str, at: float | None = None, **more: Any) -> Event:
        """An event, on the screen and in the log. at: session second on the screen, when not now."""
        ...

    def amend(self, before: Event, after: Event, **more: Any) -> None:
        """The same event in other words."""
        ...

    def elapsed(self) -> float:
        """Seconds of the session until now."""
        ...

    def joined(self) -> Joined | None:
        """Where a recording would begin; None while no stream is open."""
        ...

    def reconnect(self) -> None: ...

    def reset_counters(self) -> dict[str, int]:
        """What the counters were."""
        ...


class Desk:
    """One session's requests. marks: how many were made;  clock: this machine's LSL clock."""

    def __init__(
        self,
        orders: Orders | None,
        session: Session,
        tape: Tape,
        clock: Callable[[], float] = pylsl.local_clock,
    ):
        self._orders, self._session, self._tape, self._clock = orders, session, tape, clock
        self.marks = 0
        self._last: tuple[Event, Mark] | None = None
        self._screen = Histogram()

    def poll(self) -> None:
        """Do what was asked since the last call. Never waits, never raises for what was asked."""
        if self._orders is None:
            return
        refused: list[Refused] = []
        for order in self._orders.poll():
            if isinstance(order, Refused):
                refused.append(order)
            else:
                self.do(order)
        if refused:  # a flood of them is one line
            count = f"{len(refused)} requests were" if len(refused) > 1 else "a request was"
            self._session.say("warn", f"{count} refused: {refused[0].why}")

    def do(self, order: Command) -> None:
        session = self._session
        if isinstance(order, Mark):
            self._mark(order)
        elif isinstance(order, Label):
            self._label(order)
        elif isinstance(order, Record):
            self._record(order)
        elif isinstance(order, StopRecording):
            self._stop_recording()
        elif isinstance(order, RecordingFailed):
            why = one_line(order.why, PATH_CHARS)
            self._tape.fail(why)
            session.say("error", f"recording failed: {why}")
        elif isinstance(order, Reconnect):
            session.reconnect()
        elif isinstance(order, ResetCounters):
            before = session.reset_counters()
            was = ", ".join(f"{name} {count}" for name, count in before.items() if count)
            session.say("info", f"counters start again from 0; they were {was or 'all 0'}", counters=before)
        elif isinstance(order, Drawn):
            self._drawn(order)

    def finish(self) -> dict[str, Any]:
        """Do what was asked last, as a mark just before leaving.

        The session's histogram of the screen's stage, for JSON; nothing where no screen told of any.
        """
        for _ in range(TURNS):
            self.poll()
        return {SCREEN: self._screen.export()} if self._screen.counts.any() else {}

    def _drawn(self, drawn: Drawn) -> None:
        """For the log, and nobody else: whoever looks at another screen sees that one's times."""
        for ms in drawn.ms:
            self._screen.add(ms)
        line = {"kind": "drawn", "t": self._session.elapsed(), "ms": [round(ms, 2) for ms in drawn.ms]}
        self._tape.line(json.dumps(line).encode() + b"\n")

    def _mark(self, mark: Mark) -> None:
        now = self._clock()
        if mark.t > now + AHEAD_S:
            ahead = f"its time is {mark.t - now:.1f} s ahead of the clock"
            self._session.say("warn", f"a mark was refused: {ahead}")
            return
        self.marks += 1
        mark = dataclasses.replace(mark, text=one_line(mark.text))
        at = max(0.0, self._session.elapsed() - max(0.0, now - mark.t))
        more = {"t_local": mark.t, "mark": self.marks, "label": mark.text}
        self._last = self._session.say("mark", _named(self.marks, mark.text), at, **more), mark

    def _label(self, label: Label) -> None:
        if self._last is None:
            self._session.say("warn", "there is no mark yet to be labelled")
            return
        before, mark = self._last
        text = one_line(label.text)
        after = dataclasses.replace(before, text=_named(self.marks, text))
        self._last = after, mark
        self._session.amend(before, after, t_local=mark.t, mark=self.marks, label=text)

    def _record(self, order: Record) -> None:
        session, tape = self._session, self._tape
        if tape.busy:
            session.say("warn", "already recording: stop it first")
            return
        try:
            feed = Feed(name=order.feed)
        except (OSError, ValueError) as problem:
            tape.fail("its memory is gone")
            session.say("error", f"recording failed: {one_line(str(problem), PATH_CHARS)}")
            return
        tape.attach(feed)
        into = f" into {one_line(order.into, PATH_CHARS)}" if order.into else ""
        joined = session.joined()
        if joined is None:
            session.say("info", f"recording{into} once the stream is there")
            return
        tape.join(joined.info, joined.channels, joined.run, joined.before, joined.total)
        late_s = joined.before / joined.info.sfreq if joined.info.sfreq else 0.0
        session.say("info", f"recording{into}: run {joined.run} is joined {late_s:.1f} s after it began")

    def _stop_recording(self) -> None:
        recording = self._tape.recording
        if not self._tape.busy and not (recording and recording.silent):
            return  # it ended by itself, which was said
        size = f" after {recording.size}" if recording else ""
        self._session.say("info", f"recording stopped{size}")
        self._tape.detach()


def _named(number: int, label: str) -> str:
    return f"{number} “{label}”" if label else str(number)
