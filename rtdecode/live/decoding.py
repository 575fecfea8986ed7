"""Samples as a stream sends them, through the engine: repaired, broken into runs at gaps, decoded by hops.

    raw samples, stamps -> StampLine -> Channels -> Engine -> decisions and events

Pure: no stream, no clock of its own, so that every fault is tested without LSL. What to do with decisions and
events is the listener's business.
"""

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.contract import ChannelMap
from rtdecode.engine import Engine
from rtdecode.engines import Session
from rtdecode.live.channels import Channels, Policy, some
from rtdecode.live.clock import ArrivalTimes, Gap, Pace, StampLine
from rtdecode.live.display import Display, Sink
from rtdecode.live.pressure import Pressure
from rtdecode.snapshot import ChannelState
from rtdecode.text.rescore import Sentence
from rtdecode.types import Chunk, Decision, StreamInfo

__all__ = ["Decoding", "Listener", "decision_window_s", "some"]

FAILURES = 3  # of the network in a row, then it is left alone
STEPS, STEPS_S = 5, 10.0  # so many clock steps in so many seconds: these stamps are no clock


class Listener(Protocol):
    """Hears what decoding brings forth, as it happens."""

    def decided(self, decision: Decision, began: float) -> None:
        """began: timer seconds at which the work on this decision's last samples began."""
        ...

    def broke(self, gap: Gap, lost: int) -> None:
        """The run ended at a gap and a new one began; lost: samples that are missing."""
        ...

    def stepped(self, seconds: float) -> None:
        """The sender's clock was set, by so much. No sample is missing, the run goes on."""
        ...

    def restarted(self, why: str) -> None:
        """The run ended for a reason of our own and a new one began."""
        ...

    def failed(self, why: str) -> None:
        """The network cannot be used any more: nothing will be decided from now on."""
        ...

    def noted(self, level: str, text: str) -> None: ...


@dataclasses.dataclass(frozen=True)
class Script:
    """What happened when these samples were decoded live, to be followed instead of found again.

    breaks  total samples of the connection at which a new run began
    ranked  whether a hop was ranked: (run, samples of the run after it)
    """

    breaks: frozenset[int]
    ranked: Callable[[int, int], bool]


class Decoding:
    """One stream's samples. run: counts contiguous runs, from 1.

    total       samples since the stream was opened, whatever broke in between
    display     the newest signal, for eyes;  sink  where it goes besides
    pressure    what to leave out when behind; None: nothing
    script      set when samples of a log are decoded again
    bad         what becomes of bad channels: "mask" holds them still, "interpolate" makes them of the good
                ones, "keep" only says so
    by_arrival  times of decisions are arrivals on our clock, the stamps being of no use
    stopped     why nothing is decoded any more; empty while all is well
    """

    def __init__(
        self,
        bundle: Bundle,
        session: Session,
        channels: ChannelMap,
        info: StreamInfo,
        listener: Listener,
        timer: Callable[[], float] = time.perf_counter,
        sink: Sink | None = None,
        pressure: Pressure | None = None,
        bad: Policy = "mask",
    ):
        spec = bundle.spec
        self._sfreq, self._model_labels = spec.stream.sfreq, spec.stream.labels
        self._listener, self._timer, self._pressure, self._policy = listener, timer, pressure, bad
        self._engine = Engine(bundle, channels, session, timer)
        self.display = Display(spec.preprocess, spec.stream.labels, sink)
        self._line, self._pace = StampLine(self._sfreq), Pace(self._sfreq)
        self._window = round(decision_window_s(bundle) * self._sfreq)
        self._failures = 0
        self.stopped = ""
        self.script: Script | None = None
        self._bind(channels, info)

    @property
    def run(self) -> int:
        return self._engine.run

    @property
    def in_run(self) -> int:
        """Samples since the run began."""
        return self._sample

    @property
    def filled_s(self) -> tuple[float, float]:
        return self._engine.filled_s

    @property
    def skipped(self) -> int:
        """Hops that were left out because newer ones followed already."""
        return self._engine.skipped

    @property
    def backward(self) -> int:
        """Samples with a stamp before that of the sample before."""
        return self._line.backward

    @property
    def sfreq(self) -> float:
        """Samples per second by the stream's own stamps, in Hz; the nominal rate until that is known."""
        return self._sfreq / (1.0 + self._line.skew)

    @property
    def states(self) -> tuple[ChannelState, ...]:
        """The model's channels when last looked at."""
        return self._channels.states

    def sentences(self) -> list[Sentence]:
        """Of the run's text, those that ended since the last call."""
        return self._engine.transcriber.sentences() if self._engine.transcriber else []

    def number_runs_from(self, run: int) -> None:
        """Before the first sample: the first run is this one, as in a log that was begun later."""
        self._engine.run = run

    def samples_to_next_hop(self) -> int:
        return self._engine.samples_to_next_hop()

    def rehearse(self, network: bool = True) -> bool:
        """Warm up for a hop that is about to be complete: no samples take the way that its samples will, and
        the decision before is made again (Engine.rehearse). It changes no state. The network's failures are
        for the hop itself to tell."""
        if self.stopped or self.script or self._dropping:
            return False
        with contextlib.suppress(Exception):
            self.push(self._no_samples, self._no_stamps)
            return self._engine.rehearse(network)
        return False

    def rebind(self, channels: ChannelMap, info: StreamInfo) -> None:
        """Go on with a stream that was opened anew, perhaps with its channels in another order: a new run."""
        self._bind(channels, info)
        self._engine.reset()

    def _bind(self, channels: ChannelMap, info: StreamInfo) -> None:
        self.total = 0
        self._no_samples, self._no_stamps = np.empty((0, len(info.labels)), np.float32), np.empty(0)
        self._channels = Channels(
            channels, info.labels, self._model_labels, self._sfreq, self._window, self._policy, self._note
        )
        self._engine.channels = self._channels.masked
        self._line.forget()
        self._pace.reset()
        self._arrivals: ArrivalTimes | None = None
        self._dropping, self._dropped = False, 0
        self._steps: deque[int] = deque(maxlen=STEPS)
        self._stepped = (0, 0.0)  # when the sender's clock was last set, and by how much
        self._forget()

    def _note(self, level: str, text: str) -> None:
        self._listener.noted(level, text)

    def _forget(self) -> None:
        self._sample = 0
        self._line.reset()
        self._channels.reset()
        self.display.reset()

    def _begin_run(self) -> None:
        self._engine.reset()
        self._forget()

    @property
    def by_arrival(self) -> bool:
        return self._arrivals is not None

    def use_arrival(self, why: str) -> None:
        """From now on the times of decisions are arrivals on our clock."""
        if self._arrivals is None:
            self._arrivals = ArrivalTimes(self._sfreq)
            self._note("warn", f"{why}: times of decisions are arrivals on our clock, and are marked so")

    def push(
        self,
        data: np.ndarray,
        stamps: np.ndarray,
        arrived: float | None = None,
        waiting: Callable[[], int] = int,
    ) -> None:
        """Take (T, C) samples in the stream's own order and unit, and their (T,) raw stamps in seconds. Of no
        samples nothing changes, but all that samples pass through was used: a rehearsal.

        arrived  seconds on our clock when they could be read; None: unknown, as in a recording
        waiting  how many more samples could be read now
        """
        if self._dropping:
            self._drop(len(stamps), waiting)
            return
        if self.script:
            self._follow(self.script, data, stamps)
            return
        times = late_s = None
        told = False  # when it came
        if arrived is not None and self._arrivals:
            times = self._arrivals.take(len(stamps), arrived)
        start = 0
        while True:  # once for a piece of no samples, too
            found, gap = self._line.check(stamps[start:])
            stop = start + len(found)
            t = found if times is None else times[start:stop]
            more = (len(stamps) - stop, waiting)
            done = self._decode(data[start:stop], t, more)
            if arrived is not None and not told:  # after the decision, which does not depend on it
                late_s, told = self._pace.arrived(len(stamps), arrived), True
            if self._dropping:
                self._drop(len(stamps) - start - done, waiting)
                return
            if gap:
                self._answer(gap, late_s)
            start = stop
            if start == len(stamps):
                return

    def _follow(self, script: Script, data: np.ndarray, stamps: np.ndarray) -> None:
        start, first = 0, self.total
        cuts = sorted(total - first for total in script.breaks if 0 <= total - first < len(stamps))
        for cut in [*cuts, len(stamps)]:
            while start < cut:
                found, gap = self._line.check(stamps[start:cut])
                stop = start + len(found)
                self._decode(data[start:stop], found, (0, int))
                if gap:
                    self._line.accept(gap.seconds)
                start = stop
            if cut < len(stamps) and self.total:
                self._begin_run()

    def _answer(self, gap: Gap, late_s: float | None) -> None:
        stepped, gap = self._pace.judge(gap, late_s)
        at, before = self._stepped
        if self.total - at < self._sfreq and abs(gap.seconds + before) < 0.1 * abs(before):
            stepped = True  # back again: single stamps that were wrong
        if not stepped:
            self._begin_run()
            self._pace.reset()
            self._listener.broke(gap, round(gap.missing_s * self._sfreq))
            return
        self._line.accept(gap.seconds)
        self._stepped = (self.total, gap.seconds)
        self._steps.append(self.total)
        if len(self._steps) == STEPS and self.total - self._steps[0] < STEPS_S * self._sfreq:
            self.use_arrival(f"the sender's clock stepped {STEPS} times within {STEPS_S:.0f} s")
        if not self._arrivals:
            self._listener.stepped(gap.seconds)

    def _decode(self, data: np.ndarray, t: np.ndarray, more: tuple[int, Callable[[], int]]) -> int:
        """Samples taken: all of them, unless the rest is to be dropped."""
        engine, channels, done = self._engine, self._channels, 0
        data, bad = channels.repair(data)
        while True:
            # one hop at a time, so that every decision gets its own times and its own warnings
            needed = engine.samples_to_next_hop()
            piece = slice(done, min(done + needed, len(data)))
            whole = piece.stop - piece.start == needed
            rank = True
            if self.script:
                rank = self.script.ranked(engine.run, self._sample + needed)
            elif whole and self._pressure and self._pressure.suspect(self._timer()):
                left = (len(data) - piece.stop + more[0] + more[1]()) / self._sfreq
                if self._pressure.hopeless(left, self._timer()):
                    self._dropping = True
                    return done
                rank = not self._pressure.late(left, self._timer())
            began = self._timer()
            self.total += piece.stop - piece.start
            decisions = self._tried(Chunk(data[piece], t[piece], self._sample), rank)
            count, done = piece.stop - piece.start, piece.stop
            if decisions is not None and count:
                self._sample += count
                if bad is not None and (spoilt := bad[piece]).any():
                    channels.mark(spoilt, self._sample)
                for decision in decisions:
                    self._listener.decided(self._warned(decision), began)
                # after the decision: the display may never delay it
                self.display.push(channels.masked.plain, channels.masked.pick(data[piece]))
                if whole and channels.due(self._sample):
                    channels.judge(self.display.channels(), self._sample)
            if done == len(data):
                return done

    def _tried(self, chunk: Chunk, rank: bool) -> list[Decision] | None:
        """Decisions; None when the network failed, and a new run began after the chunk."""
        if self.stopped:
            self._channels.masked.apply(chunk.data)  # still shown
            return []
        run = self._engine.run
        try:
            decisions = self._engine.push(chunk, rank)
        except Exception as problem:  # whatever an engine raises: the stream is still worth watching
            why = f"{type(problem).__name__}: {str(problem).strip().splitlines()[0] if str(problem) else ''}"
            self._failures += 1
            if self._failures >= FAILURES:
                self.stopped = why
                self._listener.failed(f"the network failed {FAILURES} times in a row: {why}")
                return []
            self._begin_run()
            self._listener.restarted(f"the network failed: {why}")
            return None
        if decisions and run == self._engine.run:
            self._failures = 0
        return decisions

    def _drop(self, samples: int, waiting: Callable[[], int]) -> None:
        """Leave out these samples, and go on with a new run once nothing older than a hop is waiting."""
        self.total += samples
        self._dropped += samples
        hop_s = self._engine.bundle.spec.hop_s
        if waiting() < hop_s * self._sfreq:
            dropped_s = self._dropped / self._sfreq
            self._engine.skipped += round(dropped_s / hop_s)
            self._dropping, self._dropped = False, 0
            self._begin_run()
            self._pace.reset()
            self._listener.restarted(f"decoding did not catch up: {dropped_s:.1f} s that waited are dropped")

    def _warned(self, decision: Decision) -> Decision:
        held = self._channels.warnings(decision.sample)
        if self.by_arrival:
            held = (*held, "t is the time of arrival, the stream's own stamps are of no clock")
        if not held:
            return decision
        return dataclasses.replace(decision, warnings=(*decision.warnings, *held))


def decision_window_s(bundle: Bundle) -> float:
    """Seconds of signal that one decision looks back on."""
    spec = bundle.spec
    if spec.retrieval:
        return spec.retrieval.frames / spec.frame_rate
    return spec.model.size / spec.preprocess.sfreq
