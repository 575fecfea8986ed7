"""A sitting, step by step: gathers what a step needs from a stream and hands it to the step's function.

A state machine that somebody ticks: a screen fifteen times a second, a command in a loop, a test by hand. It
computes on a thread of its own, so that a screen stays alive. Knows no LSL: the stream is a `Feed`.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.checks import blink
from rtdecode.checks.delay import Loop
from rtdecode.checks.heard import Teller
from rtdecode.checks.measured import Gathered, measured
from rtdecode.checks.result import KEYS, PLANS, Outcome, failed, skipped
from rtdecode.checks.shown import Phase, Shown
from rtdecode.checks.stretch import Stretch, joined, nothing
from rtdecode.contract import ChannelMap
from rtdecode.errors import RtdecodeError
from rtdecode.live.decoding import decision_window_s
from rtdecode.live.display import Display
from rtdecode.snapshot import ChannelState
from rtdecode.types import StreamInfo

SILENT_S = 3.0  # without a sample a step is over
QUALITY_S = 0.5  # between two looks at the channels: faster informs nobody, and wakes every core
BLINK_S = 0.8  # for which the word stands there


class Feed(Protocol):
    """A stream that fits the bundle. connection: counts how often it was opened; lost: why it is not there
    now, empty while it is."""

    info: StreamInfo
    channels: ChannelMap
    connection: int
    lost: str

    def take(self) -> Stretch:
        """What came since the last call; never waits."""
        ...


class Sitting:
    """seconds: of signal by step, where not as planned;  skip: why a step is left out, by its key

    teller     who knows what is heard; None: the story is skipped
    tell       (teller, map, info, stretch) -> the story's outcome
    loop       measures the way through this machine; None: it is not
    aside      runs a function at once; None: on a thread of its own
    """

    def __init__(
        self,
        bundle: Bundle,
        feed: Feed,
        *,
        teller: Teller | None = None,
        tell: Callable[[Teller, ChannelMap, StreamInfo, Stretch], Outcome],
        loop: Callable[[], Loop] | None = None,
        seconds: Mapping[str, float] | None = None,
        skip: Mapping[str, str] | None = None,
        assume_unit: str = "",
        clock: Callable[[], float] = time.monotonic,
        aside: Callable[[Callable[[], None]], None] | None = None,
    ):
        given = seconds or {}
        self.plans = tuple(dataclasses.replace(p, seconds=given.get(p.key, p.seconds)) for p in PLANS)
        self.outcomes: dict[str, Outcome] = {}
        self.at = self.prompts = 0
        self._chosen = False  # by hand, not by its turn
        self._bundle, self._feed, self._teller, self._tell, self._loop = bundle, feed, teller, tell, loop
        self._skip, self._assume_unit, self._clock, self._aside = (
            skip or {},
            assume_unit,
            clock,
            aside or self._on_thread,
        )
        self._worker: threading.Thread | None = None
        self._display = Display(bundle.spec.preprocess, bundle.spec.stream.labels)
        self._connection = feed.connection
        self._parts: list[Stretch] = []
        self._marks: list[int] = []  # samples of the step at which to blink was said
        self._rest: Stretch | None = None
        self._result: Outcome | None = None
        self._heard = self._prompted = clock()
        self._quality: tuple[ChannelState, ...] = ()
        self._looked = -QUALITY_S
        self.phase: Phase = "ready"
        for key, why in self._skip.items():
            self.outcomes[key] = skipped(key, why)
        self._advance()

    # --- what people do

    @property
    def key(self) -> str:
        return self.plans[self.at].key

    def start(self) -> None:
        """Begin the step that is next."""
        if self.phase != "ready":
            return
        if why := self._why_not(self.key):
            self._record(skipped(self.key, why))
            return
        self._parts, self._marks, self.prompts = [], [], 0
        self._heard = self._clock()
        self.phase = "running"
        if self.key == "scale" and self._rest is not None:
            self._parts = [self._rest]
            self._compute()

    def skip(self) -> None:
        """Leave the step out, also while it runs."""
        if self.phase in ("ready", "running"):
            self._record(skipped(self.key, "Left out by hand."))

    def choose(self, steps: int) -> None:
        """Another step, so many further on; it may have ended already."""
        if self.phase in ("ready", "over"):
            self.at, self.phase, self._chosen = (self.at + steps) % len(KEYS), "ready", True

    def repeat(self) -> None:
        """The step under way or chosen, or else the one that ended last, from its start."""
        if self.phase == "working":
            return
        if self.phase != "running" and not self._chosen and self.outcomes:
            self.at = KEYS.index(next(reversed(self.outcomes)))
        self.phase = "ready"
        if self.key == "noise" or self.key == "scale":
            self._rest = None  # its repetition is a new measurement
        self.start()

    # --- what time does

    def tick(self) -> None:
        """Take what came, and go on with the step under way."""
        part, now = self._feed.take(), self._clock()
        if self._feed.connection != self._connection:
            self._connection, self._rest = self._feed.connection, None
            self._display.reset()
            if self.phase == "running":
                self._record(self._cut("the stream broke off"))
        if len(part):
            self._heard = now
            self._show(part)
        if self.phase == "running":
            if len(part):
                self._parts.append(part)
                self._prompt(now)
            if self.elapsed_s >= self.total_s:
                self._compute()
            elif now - self._heard > SILENT_S:
                self._record(self._cut(self._feed.lost or f"no sample came for {SILENT_S:g} s"))
        elif self.phase == "working" and self._result is not None:
            self._record(self._result)

    @property
    def elapsed_s(self) -> float:
        """Seconds of signal that the step has."""
        return sum(map(len, self._parts)) / self._bundle.spec.stream.sfreq

    @property
    def total_s(self) -> float:
        # the first decision needs a window of its own
        bundle = self._bundle
        extra = decision_window_s(bundle) + bundle.spec.delay_s if self.key == "story" else 0.0
        return self.plans[self.at].seconds + extra

    def shown(self) -> Shown:
        """The picture of this moment."""
        spec, info = self._bundle.spec, self._feed.info
        if len(self._display.signal()) and self._clock() - self._looked >= QUALITY_S:
            self._quality, self._looked = self._display.channels(), self._clock()
        return Shown(
            info.name,
            len(info.labels),
            info.sfreq,
            self._bundle.name,
            spec.stream.unit,
            self.at,
            self.phase,
            self.plans,
            tuple(self.outcomes.get(key) for key in KEYS),
            self.elapsed_s if self.phase != "ready" else 0.0,
            self.total_s,
            self.phase == "running" and bool(self._marks) and self._clock() - self._prompted < BLINK_S,
            self.prompts,
            self._quality,
            self._display.signal().copy(),
            self._display.sfreq,
            tuple(blink.frontal(spec.stream.labels)),
            self._feed.lost or self._silence(),
            spec.training.times_real,
        )

    def close(self) -> None:
        """Wait for what is being computed: a thread that is left inside the network aborts the process."""
        if self._worker:
            self._worker.join()
            if self.phase == "working":
                self.tick()

    # --- inside

    def _on_thread(self, work: Callable[[], None]) -> None:
        self._worker = threading.Thread(target=work, name="check", daemon=True)
        self._worker.start()

    def _silence(self) -> str:
        quiet_s = self._clock() - self._heard
        return f"no sample for {quiet_s:.0f} s" if quiet_s > SILENT_S else ""

    def _show(self, part: Stretch) -> None:
        x = np.nan_to_num(part.data, posinf=0.0, neginf=0.0)
        self._display.push(self._feed.channels.apply(x), self._feed.channels.pick(x))

    def _prompt(self, now: float) -> None:
        times = blink.prompt_times(self.plans[self.at].seconds) if self.key == "blink" else []
        if self.prompts < len(times) and self.elapsed_s >= times[self.prompts]:
            self.prompts += 1
            self._prompted = now
            self._marks.append(sum(map(len, self._parts)))

    def _why_not(self, key: str) -> str:
        if key == "blink":
            return blink.why_not(self._bundle.spec, self._feed.info.stype)
        if key == "story" and self._bundle.spec.retrieval is None:
            return "The bundle ranks no segments: there is nothing to be ranked first."
        if key == "story" and self._teller is None:
            return "Nobody says what is heard: give --markers NAME or --story FILE."
        return ""

    def _cut(self, why: str) -> Outcome:
        said = f"{why[:1].upper()}{why[1:]} after {self.elapsed_s:.1f} of {self.total_s:.1f} s."
        return failed(self.key, said, "Look at the sender; repeat the step once samples come.")

    def _compute(self) -> None:
        self.phase, self._result = "working", None
        key, feed = self.key, self._feed
        stretch = joined(self._parts) if self._parts else nothing(len(feed.info.labels))
        if key == "noise":
            self._rest = stretch
        had = Gathered(key, stretch, self._rest, tuple(self._marks), feed.channels, feed.info)
        spec, assume_unit, loop = self._bundle.spec, self._assume_unit, self._loop

        def tell(channels: ChannelMap, info: StreamInfo, heard: Stretch) -> Outcome:
            assert self._teller is not None  # without one the step does not begin
            return self._tell(self._teller, channels, info, heard)

        def work() -> None:
            try:
                self._result = measured(had, spec, assume_unit, loop, tell)
            except RtdecodeError as problem:
                self._result = failed(
                    key, f"{problem.message}.", problem.hint or "Mend it, and repeat the step."
                )
            except Exception as problem:  # a fault of ours must not end a sitting with somebody in the chair
                said = f"The check itself broke: {type(problem).__name__}: {problem}"
                self._result = failed(key, said, "Go on without it, and report this sentence as a bug.")

        self._aside(work)

    def _record(self, outcome: Outcome) -> None:
        self.outcomes.pop(outcome.key, None)  # the newest is the last
        self.outcomes[outcome.key] = outcome
        self.phase, self._parts, self._result, self._chosen = "ready", [], None, False
        self._advance()

    def _advance(self) -> None:
        """On to the next step that did not run."""
        left = [i for i, key in enumerate(KEYS) if key not in self.outcomes]
        if not left:
            self.phase = "over"
        else:
            self.at = next((i for i in left if i >= self.at), left[0])
