"""The state of a stream and the gaps in it, from what is seen: samples, stamps, time. Pure: time is given.

Knows nothing of LSL, of decoding or of the screen.
"""

import math
from dataclasses import dataclass

import numpy as np

from rtdecode.snapshot import State

STALE_S = 0.25
LOST_S = 2.0


class Watch:
    """connecting -> filling -> live, and stale or lost whenever samples stay away.

    hop_s  seconds between decisions; all times are monotonic seconds given by the caller
    """

    def __init__(self, hop_s: float, now: float):
        # three hops, but well before the stream counts as lost
        self.stale_s = min(max(STALE_S, 3 * hop_s), 0.75 * LOST_S)
        self.state = State.CONNECTING
        self.since = now
        self._seen = now
        self._decided = False
        self._open = False

    def opened(self, now: float) -> None:
        """A stream was opened; nothing of it was seen yet."""
        self._open, self._decided, self._seen = True, False, now
        self._enter(State.FILLING, now)

    def samples(self, now: float) -> None:
        self._seen = now
        self._enter(State.LIVE if self._decided else State.FILLING, now)

    def decided(self, now: float) -> None:
        self._decided = True
        self._enter(State.LIVE, now)

    def new_run(self, now: float) -> None:
        """The run was broken: the next decision needs a full window again."""
        self._decided = False
        self._enter(State.FILLING, now)

    def lost(self, now: float) -> None:
        """The source says that it is gone."""
        self._open = False
        self._enter(State.LOST, now)

    def fail(self, now: float) -> None:
        """The decoder itself stopped."""
        self._open = False
        self._enter(State.FAILED, now)

    def tick(self, now: float) -> State:
        """The state at `now`; call it whether or not samples came."""
        silence = now - self._seen
        if self._open and silence > LOST_S:
            self._enter(State.LOST, now)
        elif self._open and silence > self.stale_s and self.state is not State.LOST:
            self._enter(State.STALE, now)
        return self.state

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state, self.since = state, now


@dataclass(frozen=True)
class Gap:
    """A break before sample `at` of a chunk: stamps off by `seconds`, negative when they went back."""

    at: int
    seconds: float


class GapCheck:
    """Finds breaks in raw stamps by comparing them with a line through the run so far.

    Amplifiers stamp with several milliseconds of jitter and in bursts, so a single step says little. The line
    advances by the nominal period and follows the stamps' mean over 30 s, which forgives drifting clocks
    (1000 ppm: 30 ms) and lets small losses add up until they exceed the tolerance of 50 ms (3 samples at low
    rates). A shorter loss stays unseen: its cost is a shift of the same length.
    """

    TOLERANCE_S = 0.05
    MEMORY_S = 30.0

    def __init__(self, sfreq: float):
        self.period_s = 1.0 / sfreq
        self.tolerance_s = max(self.TOLERANCE_S, 3 * self.period_s)
        self._memory = max(1.0, self.MEMORY_S * sfreq)
        self.reset()

    def reset(self) -> None:
        """A new run: the next stamp is as good as any."""
        self._next = math.nan
        self._seen = 0

    def check(self, stamps: np.ndarray) -> Gap | None:
        """The first break in `stamps`, which continue those seen; None, and the line moves on, without one.

        After a Gap only the stamps before it were taken in: call `reset` and check the rest again.
        """
        finite = np.isfinite(stamps)
        if not finite.any():
            return None
        line = self.period_s * np.arange(len(stamps))
        if math.isnan(self._next):
            first = int(np.argmax(finite))
            self._next = float(stamps[first] - line[first])
        error = np.where(finite, stamps - (self._next + line), 0.0)  # a stamp that is none says nothing
        broken = np.flatnonzero(np.abs(error) > self.tolerance_s)
        whole = int(broken[0]) if len(broken) else len(stamps)
        if whole:
            self._seen += whole
            weight = min(1.0, whole / min(self._seen, self._memory))
            self._next += whole * self.period_s + weight * float(error[:whole].mean())
        return Gap(whole, float(error[whole])) if len(broken) else None
