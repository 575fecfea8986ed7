"""Figures of the last 30 seconds: right to a few percent, and forgotten afterwards."""

import numpy as np
import pytest

from rtdecode.live.health import HealthMeter, Times


def test_quantiles_within_a_bucket() -> None:
    times, rng = Times(), np.random.default_rng(0)
    values = rng.lognormal(0.5, 0.8, 3000)
    for k, value in enumerate(values):
        times.add(value, 1000.0 + k / 200)
    found = times.quantiles(1015.0)
    assert found.p50 == pytest.approx(np.quantile(values, 0.5), rel=0.05)
    assert found.p99 == pytest.approx(np.quantile(values, 0.99), rel=0.08)
    assert found.last == values[-1]


def test_old_times_are_forgotten() -> None:
    times = Times()
    times.add(500.0, 10.0)
    times.add(1.0, 35.0)
    assert times.quantiles(39.0).p99 == pytest.approx(500, rel=0.05)
    assert times.quantiles(41.0).p99 == pytest.approx(1, rel=0.05)
    assert times.quantiles(100.0).p99 == 0.0


def test_extremes_stay_in_range() -> None:
    times = Times()
    times.add(0.0, 1.0)
    times.add(1e9, 1.0)
    assert np.isfinite([times.quantiles(1.0).p50, times.quantiles(1.0).p99]).all()


def test_counters_and_load() -> None:
    meter = HealthMeter(20.0, 250.0)
    for k in range(100):
        meter.hop({"infer": 9.0, "total": 30.0 if k % 10 == 0 else 10.0}, 10.0, 5.0 + k / 50)
    health = meter.read(7.0)
    assert health.late == 10
    assert health.load == pytest.approx(0.5, abs=0.01)
    assert health.stages["infer"].p50 == pytest.approx(9.0, rel=0.05)
    assert health.clock_offset_ms is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = HealthMeter(20.0, 250.0)
    assert meter.read(0.0).rate_hz == 0.0
    for k in range(1000):
        meter.arrived(5, 10 + k * 0.02)
    assert meter.read(30.0).rate_hz == pytest.approx(250, rel=0.01)
    meter.forget_rate()
    assert meter.read(30.0).rate_hz == 0.0
