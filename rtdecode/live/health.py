"""How the core keeps up: times by stage, counters, rates. Pure: time is given.

Stages are between the stamps of a decision: its newest sample left the sender (t0), could be read (t1),
completed a hop (t2), was preprocessed (t3), inferred (t4), published (t5). "total" is t1 to t5, `age` is
t0 to t5. When it was drawn (t6) only a screen can tell: desk.py keeps that.
"""

from collections import deque
from typing import Any

from rtdecode.histogram import Histogram, Times
from rtdecode.snapshot import Health, Quantiles

RATE_WINDOW_S = 5.0
COUNTERS = ("late", "skipped", "lost", "gaps", "restarts", "clock_steps", "backward")
AGE, EXTRA = "age", "extra"  # kept like stages but not parts of "total"


class HealthMeter:
    """Collects; `read` gives the frozen picture of the last 30 s, `export` the whole session.

    hop_ms  what one hop may take
    """

    def __init__(self, hop_ms: float, nominal_hz: float):
        self.hop_ms, self.nominal_hz = hop_ms, nominal_hz
        self._recent: dict[str, Times] = {}
        self._session: dict[str, Histogram] = {}
        self._load = 0.0
        self._arrivals: deque[tuple[float, int]] = deque()
        self._arrived = 0  # samples in _arrivals
        self.late = self.lost = self.gaps = self.restarts = self.skipped = 0
        self.offset_s: float | None = None
        self.cpu = self.rss_mb = self.backlog_s = 0.0
        self.clock, self.clock_steps, self.backward = "unsynced", 0, 0

    def arrived(self, samples: int, now: float) -> None:
        self._arrivals.append((now, samples))
        self._arrived += samples
        while now - self._arrivals[0][0] > RATE_WINDOW_S:
            self._arrived -= self._arrivals.popleft()[1]

    def forget_rate(self) -> None:
        """After a break: the time without samples must not count as a slow stream."""
        self._arrivals.clear()
        self._arrived = 0

    def hop(
        self, stage_ms: dict[str, float], busy_ms: float, now: float, age_ms: float | None = None
    ) -> None:
        """One hop was decoded. stage_ms holds "total", readable -> published; busy_ms is what it cost.

        age_ms  from the newest sample's own stamp to publishing, where the clocks can be compared
        """
        for stage, ms in stage_ms.items():
            self._add(stage, ms, now)
        if age_ms is not None:
            self._add(AGE, age_ms, now)
        if "total" in stage_ms:
            self._add(EXTRA, stage_ms["total"] - stage_ms.get("infer", 0.0), now)
        self._load += 0.1 * (busy_ms / self.hop_ms - self._load)
        self.late += stage_ms.get("total", 0.0) > self.hop_ms

    def _add(self, name: str, ms: float, now: float) -> None:
        if name not in self._recent:
            self._recent[name], self._session[name] = Times(), Histogram()
        self._recent[name].add(ms, now)
        self._session[name].add(ms)

    def read(self, now: float) -> Health:
        rate = 0.0
        if len(self._arrivals) > 1 and (span := self._arrivals[-1][0] - self._arrivals[0][0]) > 0.5:
            # the first chunk arrived before the span began
            rate = (self._arrived - self._arrivals[0][1]) / span
        times: dict[str, Quantiles] = {name: recent.quantiles(now) for name, recent in self._recent.items()}
        age, extra = times.pop(AGE, None), times.pop(EXTRA, None)
        return Health(
            times,
            min(1.0, self._load),
            rate,
            self.nominal_hz,
            self.late,
            self.skipped,
            self.lost,
            self.gaps,
            self.restarts,
            None if self.offset_s is None else 1e3 * self.offset_s,
            age,
            extra,
            self.cpu,
            self.rss_mb,
            self.backlog_s,
            self.clock,
            self.clock_steps,
            self.backward,
        )

    def reset_counters(self) -> dict[str, int]:
        """Count from 0 again; what was counted until now, by name."""
        was: dict[str, int] = {name: getattr(self, name) for name in COUNTERS}
        for name in COUNTERS:
            setattr(self, name, 0)
        return was

    def export(self) -> dict[str, Any]:
        """Every histogram of the session, for JSON: by stage, "age" and "extra"."""
        return {name: histogram.export() for name, histogram in self._session.items()}
