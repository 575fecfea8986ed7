"""A decision leaves the core: as a line, through outlets if there are any, and its times are kept.

Nothing here waits: whoever reads too slowly misses something and is told how much. Knows no streams.
"""

import time
from collections.abc import Callable

from rtdecode.live.health import HealthMeter
from rtdecode.live.lines import LineWriter
from rtdecode.live.output import DecisionText
from rtdecode.outlets import Outlets
from rtdecode.types import Decision


class Announcer:
    """Times are seconds of time.perf_counter, but for those of decisions."""

    def __init__(self, lines: LineWriter, health: HealthMeter, outlets: Outlets | None):
        self._lines, self._health, self._outlets, self._text = lines, health, outlets, DecisionText()

    def decided(
        self,
        decision: Decision,
        readable: float,
        began: float,
        offset_s: float | None,
        clock: Callable[[], float] | None,
    ) -> None:
        """readable  when its last samples could be read;  began  when the work on them did
        offset_s  from the stream's clock to ours, if known;  clock  seconds on ours
        """
        start = time.perf_counter()
        stage_ms = {**decision.stage_ms, "total": 1e3 * (start - readable)}
        self._lines.write(self._text.encode(decision, stage_ms, offset_s))
        if self._outlets:
            self._outlets.decided(decision, offset_s)
        end, now = time.perf_counter(), time.monotonic()
        stage_ms = {
            "wait": max(0.0, 1e3 * (began - readable)),
            **stage_ms,
            "publish": 1e3 * (end - start),
            "total": 1e3 * (end - readable),
        }
        age_ms = 1e3 * (clock() - decision.t - offset_s) if clock and offset_s is not None else None
        self._health.hop(stage_ms, 1e3 * (end - began), now, age_ms)

    def rehearse(self, last: Decision, offset_s: float | None) -> None:
        """The same with the decision before, which nobody hears of."""
        self._text.encode(last, {**last.stage_ms, "total": 0.0}, offset_s)
        self._lines.rehearse()
