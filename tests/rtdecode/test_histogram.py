"""Histograms: right to a few percent, whole sessions and the last 30 s, extremes included."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.histogram import BUCKETS, LOW_MS, RATIO, Histogram, Times, bucket_of
from rtdecode.live.health import HealthMeter


@given(st.floats(1e-3, 1e4))
def test_a_bucket_holds_its_times(ms: float) -> None:
    bucket = bucket_of(ms)
    assert LOW_MS * RATIO**bucket <= ms * (1 + 1e-9)
    assert ms <= LOW_MS * RATIO ** (bucket + 1) * (1 + 1e-9)


@pytest.mark.parametrize("ms", [0.0, -1.0, 1e9, math.inf, math.nan])
def test_odd_times_have_a_bucket(ms: float) -> None:
    assert 0 <= bucket_of(ms) < BUCKETS


def test_quantiles_of_a_session() -> None:
    values = np.random.default_rng(0).lognormal(0.0, 1.0, 20_000)
    histogram = Histogram()
    for value in values:
        histogram.add(float(value))
    for q in (0.5, 0.9, 0.99, 0.999):
        assert histogram.quantile(q) == pytest.approx(np.quantile(values, q), rel=0.06)
    exported = histogram.export()
    assert exported["count"] == 20_000
    assert exported["max"] == pytest.approx(values.max(), abs=1e-4)
    assert sum(count for _, count in exported["buckets"]) == 20_000  # type: ignore[attr-defined]
    json.dumps(exported)


def test_merging_is_adding() -> None:
    one, two, both = Histogram(), Histogram(), Histogram()
    for k in range(1, 200):
        (one if k % 3 else two).add(k / 10)
        both.add(k / 10)
    one.merge(two)
    assert np.array_equal(one.counts, both.counts)
    assert one.max_ms == both.max_ms


def test_the_running_sum_is_the_sum() -> None:
    times, rng = Times(), np.random.default_rng(1)
    for now in np.cumsum(rng.exponential(0.4, 400)):
        times.add(float(rng.lognormal()), float(now))
        assert np.array_equal(times._sum, times._counts.sum(axis=0))


def test_the_largest_is_forgotten_after_the_window() -> None:
    times = Times()
    times.add(80.0, 1.0)
    times.add(2.0, 20.0)
    assert times.quantiles(25.0).max == 80.0
    assert times.quantiles(40.0).max == 2.0
    assert times.quantiles(90.0).max == 0.0


def test_age_and_extra_are_no_stages() -> None:
    meter = HealthMeter(20.0, 250.0)
    for k in range(50):
        meter.hop({"infer": 3.0, "total": 5.0}, 5.0, 1 + k / 50, age_ms=25.0)
    health, exported = meter.read(2.0), meter.export()
    assert set(health.stages) == {"infer", "total"}
    assert health.age is not None and health.age.p50 == pytest.approx(25.0, rel=0.03)
    assert health.extra is not None and health.extra.p99 == pytest.approx(2.0, rel=0.03)
    assert set(exported) == {"infer", "total", "age", "extra"}
    assert exported["extra"]["count"] == 50
