"""Histograms of milliseconds in logarithmic buckets, cheap enough to be always on.

Buckets are 4 % wide from 1 µs to 14 s, so a quantile is right to 2 % whatever the distribution, and neither
memory nor cost depends on how many values came. `Histogram` keeps a whole session, `Times` the last 30 s.
Pure: time is given. Knows nothing of stages or cores.
"""

import math

import numpy as np

from rtdecode.snapshot import Quantiles

WINDOW_S = 30
LOW_MS, RATIO, BUCKETS = 1e-3, 1.04, 420
_LOG_LOW, _LOG_RATIO = math.log(LOW_MS), math.log(RATIO)


def bucket_of(ms: float) -> int:
    """The bucket of a time; shorter than 1 µs counts as 1 µs, longer than 14 s (or NaN) as 14 s."""
    if ms <= LOW_MS:
        return 0
    return min(int((math.log(ms) - _LOG_LOW) / _LOG_RATIO), BUCKETS - 1) if ms < math.inf else BUCKETS - 1


def quantile(counts: np.ndarray, q: float) -> float:
    """Middle of the bucket that holds the q-quantile, in ms; 0 of nothing."""
    return _quantiles(counts, (q,))[0]


def _quantiles(counts: np.ndarray, wanted: tuple[float, ...]) -> list[float]:
    below = np.cumsum(counts)
    total = int(below[-1])
    if not total:
        return [0.0] * len(wanted)
    ranks = [max(1, math.ceil(q * total)) for q in wanted]
    return [LOW_MS * RATIO ** (int(bucket) + 0.5) for bucket in np.searchsorted(below, ranks)]


class Histogram:
    """Every time since the beginning. max_ms is exact, quantiles are those of the buckets."""

    def __init__(self) -> None:
        self.counts = np.zeros(BUCKETS, np.int64)
        self.max_ms = 0.0

    def add(self, ms: float) -> None:
        self.counts[bucket_of(ms)] += 1
        if ms > self.max_ms:
            self.max_ms = ms

    def merge(self, other: "Histogram") -> None:
        """Take in another's times, as if they had been added here."""
        self.counts += other.counts
        self.max_ms = max(self.max_ms, other.max_ms)

    def quantile(self, q: float) -> float:
        return quantile(self.counts, q)

    def export(self) -> dict[str, object]:
        """For JSON: count, p50, p90, p99, p999 and max in ms, and the buckets in use as [from_ms, count]."""
        p50, p90, p99, p999 = _quantiles(self.counts, (0.5, 0.9, 0.99, 0.999))
        used = np.flatnonzero(self.counts)
        return {
            "count": int(self.counts.sum()),
            "p50": round(p50, 5),
            "p90": round(p90, 5),
            "p99": round(p99, 5),
            "p999": round(p999, 5),
            "max": round(self.max_ms, 5),
            "buckets": [[round(LOW_MS * RATIO ** int(b), 5), int(self.counts[b])] for b in used],
        }


class Times:
    """Quantiles over the last WINDOW_S seconds: one row of buckets per second, and their running sum."""

    def __init__(self) -> None:
        self._counts = np.zeros((WINDOW_S, BUCKETS), np.int32)
        self._sum = np.zeros(BUCKETS, np.int64)
        self._largest = [0.0] * WINDOW_S
        self._second = 0
        self.last = 0.0

    def add(self, ms: float, now: float) -> None:
        if int(now) > self._second:
            self._advance(int(now))
        row, bucket = self._second % WINDOW_S, bucket_of(ms)
        self._counts[row, bucket] += 1
        self._sum[bucket] += 1
        if ms > self._largest[row]:
            self._largest[row] = ms
        self.last = ms

    def quantiles(self, now: float) -> Quantiles:
        self._advance(int(now))
        p50, p90, p99, p999 = _quantiles(self._sum, (0.5, 0.9, 0.99, 0.999))
        return Quantiles(p50, p99, self.last, p90, p999, max(self._largest))

    def _advance(self, second: int) -> None:
        for back in range(min(max(0, second - self._second), WINDOW_S)):
            row = (second - back) % WINDOW_S
            self._sum -= self._counts[row]
            self._counts[row] = 0
            self._largest[row] = 0.0
        self._second = max(second, self._second)
