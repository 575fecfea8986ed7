"""The state of a stream and the gaps in it, from what is seen: samples, stamps, time. Pure: time is given.

Knows nothing of LSL, of decoding or of the screen.
"""

import numpy as np

from rtdecode.live.clock import Gap, StampLine
from rtdecode.snapshot import State

__all__ = ["Gap", "GapCheck", "Watch"]

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
        self._open, self._decided, self._seen = self.state is not State.FAILED, False, now
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
        """The decoder itself stopped, for good. Samples may go on coming."""
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
        if state is not self.state and self.state is not State.FAILED:
            self.state, self.since = state, now


class GapCheck:
    """Breaks in raw stamps, for whoever needs no times: see StampLine."""

    def __init__(self, sfreq: float):
        self._line = StampLine(sfreq)

    def reset(self) -> None:
        """A new run: the next stamp is as good as any."""
        self._line.reset()

    def check(self, stamps: np.ndarray) -> Gap | None:
        """The first break in `stamps`, which continue those seen; None, and the line moves on, without one.

        After a Gap only the stamps before it were taken in: call `reset` and check the rest again.
        """
        return self._line.check(stamps)[1]
