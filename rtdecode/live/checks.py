"""What is looked at twice a second beside decoding: clocks that disagree, a wrong rate, being late.

Says each trouble once, when it begins, and fills the counters of Health that it knows. Never waits.
"""

import math
from collections.abc import Callable

from rtdecode.live.clock import wrong_clock_s
from rtdecode.live.decoding import Decoding
from rtdecode.live.health import HealthMeter
from rtdecode.sources.lsl import LslSource

OFF_RATE = 0.01  # of the nominal rate; beyond it the network hears everything too slow or too fast
BEHIND_S = 1.0  # undecoded samples beyond this are worth a word


class Checks:
    """say(level, text) hears of every trouble.  sfreq: what the bundle expects, in Hz"""

    def __init__(self, health: HealthMeter, sfreq: float, say: Callable[[str, str], object]):
        self._health, self._sfreq, self._say = health, sfreq, say
        self._stamped: tuple[float, float] | None = None  # a stamp and its arrival, to be compared
        self._off_rate = self._behind = self._skipping = False
        self._skipped = self._skipped_from = self._backward_from = 0

    def stamped(self, stamp: float, arrived: float) -> None:
        """Samples came. Kept once per connection and step of its clock."""
        self._stamped = self._stamped or (stamp, arrived)

    def forget_stamp(self) -> None:
        """Compare the next one: another connection, or its clock was set."""
        self._stamped = None

    def look(self, source: LslSource, decoding: Decoding) -> None:
        self._clocks(source, decoding)
        self._rate(decoding)
        self._lateness(source.waiting() / self._sfreq, decoding)

    def reset_counters(self, decoding: Decoding | None) -> dict[str, int]:
        """Every counter of Health from 0; what they were."""
        health = self._health
        if decoding:
            self._skipped_from, self._backward_from = decoding.skipped, decoding.backward
        return health.reset_counters()

    def _clocks(self, source: LslSource, decoding: Decoding) -> None:
        health = self._health
        if step := source.clock.take_step():
            health.clock_steps += 1
            said = f"the clocks stepped against each other by {step:+.3f} s"
            self._say("warn", f"{said}: the offset is taken anew")
        offset_s = source.offset_s
        if offset_s is not None and self._stamped:
            off = wrong_clock_s(self._stamped[0], offset_s, self._stamped[1])
            if off is not None:
                decoding.use_arrival(f"the stream's stamps are {off:.0f} s off our clock")
            self._stamped = (math.nan, math.nan)  # compared
        health.clock = "arrival" if decoding.by_arrival else "unsynced" if offset_s is None else "synced"
        # it counts from 0 again at every connection
        self._backward_from = min(self._backward_from, decoding.backward)
        health.backward = decoding.backward - self._backward_from

    def _rate(self, decoding: Decoding) -> None:
        if abs(decoding.sfreq / self._sfreq - 1.0) > OFF_RATE and not self._off_rate:
            self._off_rate = True
            said = f"{decoding.sfreq:.1f} Hz by its stamps, not {self._sfreq:g} Hz as it says"
            self._say("warn", f"the stream runs at {said}: decisions suffer")

    def _lateness(self, behind_s: float, decoding: Decoding) -> None:
        if decoding.skipped > self._skipped and not self._skipping:
            self._say("warn", "decoding is late: hops that a newer one follows are not ranked")
        self._skipping = decoding.skipped > self._skipped
        self._skipped = decoding.skipped
        self._health.skipped = decoding.skipped - self._skipped_from
        self._health.backlog_s = behind_s
        if behind_s > BEHIND_S and not self._behind:
            self._say("warn", f"decoding is {behind_s:.1f} s behind the stream")
        self._behind = behind_s > (0.5 * BEHIND_S if self._behind else BEHIND_S)
