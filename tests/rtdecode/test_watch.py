"""States and gaps, by a clock that the test turns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.live.watch import Gap, GapCheck, Watch
from rtdecode.snapshot import State

SFREQ = 250.0


def test_the_way_to_live() -> None:
    watch = Watch(0.02, 0.0)
    assert watch.tick(100.0) is State.CONNECTING
    watch.opened(100.0)
    assert watch.tick(100.1) is State.FILLING
    watch.samples(100.2)
    assert watch.state is State.FILLING
    watch.decided(100.3)
    assert watch.tick(100.3) is State.LIVE
    assert watch.since == 100.3


def test_silence_is_stale_then_lost_and_samples_bring_it_back() -> None:
    watch = Watch(0.02, 0.0)
    watch.opened(0.0)
    watch.samples(1.0)
    watch.decided(1.0)
    assert watch.tick(1.25) is State.LIVE
    assert watch.tick(1.26) is State.STALE
    assert watch.tick(3.0) is State.STALE
    assert watch.tick(3.01) is State.LOST
    assert watch.since == 3.01
    watch.samples(9.0)
    assert watch.tick(9.0) is State.LIVE


def test_a_slow_hop_is_not_stale_between_decisions() -> None:
    watch = Watch(0.25, 0.0)
    watch.opened(0.0)
    watch.samples(1.0)
    assert watch.tick(1.7) is State.FILLING
    assert watch.tick(1.8) is State.STALE


def test_a_closed_stream_is_lost_at_once_until_it_is_opened() -> None:
    watch = Watch(0.02, 0.0)
    watch.opened(0.0)
    watch.decided(0.1)
    watch.lost(0.2)
    assert watch.tick(0.2) is State.LOST
    assert watch.tick(99.0) is State.LOST
    watch.opened(100.0)
    assert watch.state is State.FILLING


def test_a_new_run_fills_again() -> None:
    watch = Watch(0.02, 0.0)
    watch.opened(0.0)
    watch.decided(0.1)
    watch.new_run(0.2)
    watch.samples(0.3)
    assert watch.state is State.FILLING


def gaps(stamps: np.ndarray, sizes: list[int], sfreq: float = SFREQ) -> list[tuple[int, float]]:
    """All gaps as (absolute sample, seconds), when fed in pieces."""
    check, found, at = GapCheck(sfreq), [], 0
    for size in [*sizes, len(stamps)]:
        piece = stamps[at : at + size]
        while len(piece):
            gap = check.check(piece)
            if gap is None:
                at += len(piece)
                break
            at += gap.at
            found.append((at, round(gap.seconds, 3)))
            check.reset()
            piece = piece[gap.at :]
    return found


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 300), max_size=20), seconds=st.sampled_from([0.06, 1.0, 10.0, -0.06, -2.0])
)
def test_a_gap_is_found_where_it_is_whatever_the_pieces(sizes: list[int], seconds: float) -> None:
    stamps = 50.0 + np.arange(1000) / SFREQ
    stamps[400:] += seconds
    assert gaps(stamps, sizes) == [(400, seconds)]


def test_jitter_bursts_and_drift_are_no_gaps() -> None:
    rng = np.random.default_rng(0)
    clean = np.arange(100_000) / SFREQ
    assert gaps(clean + rng.normal(0, 0.005, len(clean)), [10] * 9999) == []
    bursts = np.repeat(clean[8::9], 9)[: len(clean)]  # nine samples with one stamp, every 36 ms
    assert gaps(bursts, [9] * 9999) == []
    assert gaps(clean * (1 + 1e-3), [25] * 3999) == []


def test_small_losses_show_where_stamps_are_regular() -> None:
    stamps = np.arange(5000) / SFREQ
    for at in range(1000, 1800, 100):
        stamps[at:] += 0.012
    assert gaps(stamps, [5] * 999) == [(at, 0.012) for at in range(1000, 1800, 100)]


def test_a_slow_stream_is_judged_by_its_own_period() -> None:
    stamps = np.arange(100) / 10.0
    stamps[50:] += 0.14
    assert gaps(stamps, [], 10.0) == []
    stamps[50:] += 0.1
    assert gaps(stamps, [], 10.0) == [(50, 0.24)]


def test_a_stamp_that_is_no_number_says_nothing() -> None:
    stamps = np.arange(100) / SFREQ
    stamps[[0, 10, 50]] = np.nan
    assert gaps(stamps, [1, 5]) == []
    assert GapCheck(SFREQ).check(np.full(3, np.nan)) is None


def test_a_gap_names_the_first_sample_after_it() -> None:
    check = GapCheck(SFREQ)
    gap = check.check(np.array([0.0, 0.004, 1.008]))
    assert isinstance(gap, Gap)
    assert gap.at == 2
    assert gap.seconds == pytest.approx(1.0)
