"""How the core keeps up: stage times over the last 30 s, counters, rates. Pure: time is given.

Times go into logarithmic buckets (4 % wide), one row per second, so that memory and cost do not depend on the
rate of decisions.
"""

import numpy as np

from rtdecode.snapshot import Health, Quantiles

WINDOW_S = 30
_LOW_MS, _RATIO, _BUCKETS = 1e-3, 1.04, 420  # 1 µs ... 14 s
RATE_WINDOW_S = 5.0


class Times:
    """Quantiles of milliseconds over the last WINDOW_S seconds."""

    def __init__(self) -> None:
        self._counts = np.zeros((WINDOW_S, _BUCKETS), np.int64)
        self._second = 0
        self.last = 0.0

    def add(self, ms: float, now: float) -> None:
        self._advance(now)
        bucket = int(np.log(max(ms, _LOW_MS) / _LOW_MS) / np.log(_RATIO))
        self._counts[self._second % WINDOW_S, min(bucket, _BUCKETS - 1)] += 1
        self.last = ms

    def quantiles(self, now: float) -> Quantiles:
        self._advance(now)
        counts = self._counts.sum(axis=0)
        return Quantiles(_quantile(counts, 0.5), _quantile(counts, 0.99), self.last)

    def _advance(self, now: float) -> None:
        second = int(now)
        steps = min(max(0, second - self._second), WINDOW_S)
        for back in range(steps):
            self._counts[(second - back) % WINDOW_S] = 0
        self._second = max(second, self._second)


def _quantile(counts: np.ndarray, q: float) -> float:
    """Middle of the bucket that holds the q-quantile; 0 of nothing."""
    total = int(counts.sum())
    if not total:
        return 0.0
    bucket = int(np.searchsorted(np.cumsum(counts), max(1, np.ceil(q * total))))
    return float(_LOW_MS * _RATIO ** (bucket + 0.5))


class HealthMeter:
    """Collects; `read` gives the frozen picture.

    hop_ms  what one hop may take
    """

    def __init__(self, hop_ms: float, nominal_hz: float):
        self.hop_ms, self.nominal_hz = hop_ms, nominal_hz
        self._stages: dict[str, Times] = {}
        self._load = 0.0
        self._arrivals: list[tuple[float, int]] = []
        self.late = self.lost = self.gaps = self.restarts = self.skipped = 0
        self.offset_s: float | None = None

    def arrived(self, samples: int, now: float) -> None:
        self._arrivals.append((now, samples))
        while self._arrivals and now - self._arrivals[0][0] > RATE_WINDOW_S:
            self._arrivals.pop(0)

    def forget_rate(self) -> None:
        """After a break: the time without samples must not count as a slow stream."""
        self._arrivals.clear()

    def hop(self, stage_ms: dict[str, float], busy_ms: float, now: float) -> None:
        """One hop was decoded. stage_ms holds "total", readable -> published; busy_ms is what it cost."""
        for stage, ms in stage_ms.items():
            self._stages.setdefault(stage, Times()).add(ms, now)
        self._load += 0.1 * (busy_ms / self.hop_ms - self._load)
        self.late += stage_ms.get("total", 0.0) > self.hop_ms

    def read(self, now: float) -> Health:
        rate = 0.0
        if len(self._arrivals) > 1 and (span := self._arrivals[-1][0] - self._arrivals[0][0]) > 0.5:
            # the first chunk arrived before the span began
            rate = sum(n for _, n in self._arrivals[1:]) / span
        return Health(
            {stage: times.quantiles(now) for stage, times in self._stages.items()},
            min(1.0, self._load),
            rate,
            self.nominal_hz,
            self.late,
            self.skipped,
            self.lost,
            self.gaps,
            self.restarts,
            None if self.offset_s is None else 1e3 * self.offset_s,
        )
