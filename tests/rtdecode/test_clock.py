"""Stamps, arrivals and offsets by a clock that the test turns.

Why it matters: what is called a gap ends a run, and what is not lets a window span it.
"""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.live.clock import ArrivalTimes, Gap, Pace, StampLine, wrong_clock_s
from rtdecode.sources.offset import Offset
from rtdecode.sources.offset_watch import OffsetWatch


def follow(
    stamps: np.ndarray, sfreq: float, sizes: list[int] | int = 20, step: bool = False
) -> tuple[np.ndarray, list[tuple[int, float]], StampLine]:
    """Times, and jumps as (sample, seconds), each answered by a new run or, with `step`, by going on."""
    line, times, found, at = StampLine(sfreq), [], [], 0
    pieces = iter([sizes] * len(stamps) if isinstance(sizes, int) else [*sizes, len(stamps)])
    while at < len(stamps):
        stop = at + next(pieces)
        while at < min(stop, len(stamps)):
            t, gap = line.check(stamps[at:stop])
            times.append(t)
            at += len(t)
            if gap:
                found.append((at, round(gap.seconds, 4)))
                line.accept(gap.seconds) if step else line.reset()
    return np.concatenate(times), found, line


def bursts(samples: int = 8000, sfreq: float = 256.0, size: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """True times, and stamps that are all taken when the last sample of a burst is there."""
    true = 50 + np.arange(samples) / sfreq
    last = np.minimum(np.arange(samples) // size * size + size - 1, samples - 1)
    late = np.random.default_rng(1).random(samples)[last] * 1e-3
    return true, true[last] + late


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), max_size=30), samples=st.sampled_from([10, 1000, 10_000]))
def test_a_gap_of_ten_milliseconds_is_found_whatever_the_pieces(sizes: list[int], samples: int) -> None:
    stamps = 1e5 + np.arange(6000) / 1000
    stamps[4000:] += samples / 1000
    whole, found, _ = follow(stamps, 1000.0, [])
    assert found == [(4000, samples / 1000)]
    assert (follow(stamps, 1000.0, sizes)[0] == whole).all()
    assert follow(stamps, 1000.0, sizes)[1] == found


def test_regular_stamps_are_passed_on_as_they_are() -> None:
    stamps = np.arange(5000) / 250.0 * (1 + 1e-4)
    assert (follow(stamps, 250.0)[0] == stamps).all()


@pytest.mark.parametrize("skew", [0.0, 1e-4, -1e-3, 1e-2, 0.07])
def test_a_clock_of_another_rate_is_no_gap(skew: float) -> None:
    stamps = np.arange(40_000) / 1000.0 * (1 + skew)
    _, found, line = follow(stamps, 1000.0)
    assert found == []
    assert line.skew == pytest.approx(skew, abs=1e-5)
    assert follow(stamps + np.random.default_rng(0).normal(0, 5e-3, len(stamps)), 1000.0)[1] == []


def test_a_hiccup_of_software_stamps_is_no_gap() -> None:
    rng = np.random.default_rng(0)
    stamps = np.arange(20_000) / 1000.0 + np.abs(rng.normal(0, 3e-4, 20_000))
    stamps[9000:9004] += 4e-3
    assert follow(stamps, 1000.0)[1] == []


@pytest.mark.parametrize("skew", [0.0, 1e-4, 5e-3])
def test_bursts_are_put_right_within_one_sample(skew: float) -> None:
    true, stamps = bursts()
    times, found, line = follow(stamps * (1 + skew), 256.0)
    assert found == []
    assert not line.regular
    learned = slice(3 * 256, None)
    assert np.abs(times - true * (1 + skew))[learned].max() < 1 / 256
    assert np.abs(stamps - true)[learned].max() > 8 / 256  # what came in was not


def test_bursts_are_put_right_again_after_a_gap() -> None:
    true, stamps = bursts()
    gap = np.where(np.arange(len(true)) >= 4500, 1.0, 0.0)
    times, found, _ = follow(stamps + gap, 256.0)
    assert [at for at, _ in found] == [4500]
    assert np.abs(times - true - gap)[4500 + 256 :].max() < 1 / 256


def test_stamps_that_go_back_are_counted_and_followed() -> None:
    stamps = np.arange(3000) / 250.0
    stamps[1500:] -= 2.0
    times, found, line = follow(stamps, 250.0, step=True)
    assert found == [(1500, -2.0)]
    assert (times == stamps).all()
    assert line.backward == 0  # a step is a step, not a sample out of order
    stamps = np.arange(3000) / 250.0
    stamps[[700, 2000]] -= 5e-3
    _, found, line = follow(stamps, 250.0)
    assert (found, line.backward) == ([], 2)


def arriving(pace: Pace, samples: int, seconds: float, since: float, chunk: int = 25) -> float | None:
    late = None
    for k in range(samples // chunk):
        late = pace.arrived(chunk, since + (k + 1) * seconds * chunk / samples)
    return late


def test_samples_that_keep_their_pace_lost_nothing() -> None:
    pace = Pace(250.0)
    assert arriving(pace, 250, 1.0, 100.0) is None  # too early to know
    late = arriving(pace, 500, 2.0, 101.0)
    assert late == pytest.approx(0.0, abs=1e-6)
    assert pace.judge(Gap(0, 2.0), late) == (True, Gap(0, 2.0, 0.0))
    assert pace.judge(Gap(0, -2.0), late)[0]
    late = pace.arrived(25, 103.1 + 2.0)  # two seconds later than by their number
    stepped, gap = pace.judge(Gap(0, 2.0), late)
    assert not stepped
    assert gap.silence_s == pytest.approx(2.0)
    assert gap.missing_s == 2.0
    assert not pace.judge(Gap(0, -7.0), late)[0]
    assert pace.judge(Gap(0, -7.0), late)[1].missing_s == pytest.approx(2.0)


def test_without_evidence_a_jump_forward_is_a_loss() -> None:
    assert not Pace(250.0).judge(Gap(3, 2.0), None)[0]
    assert Pace(250.0).judge(Gap(3, -2.0), None)[0]
    fast = Pace(250.0)  # a replay at four times the speed says nothing about pace
    assert arriving(fast, 4000, 4.0, 0.0) is None


def test_times_by_arrival_ignore_late_arrivals() -> None:
    times, rng = ArrivalTimes(250.0), np.random.default_rng(0)
    true = 10 + np.arange(5000) / 250
    found = np.concatenate(
        [times.take(10, true[at + 9] + abs(rng.normal(0, 5e-3))) for at in range(0, 5000, 10)]
    )
    assert np.abs(found - true)[500:].max() < 1 / 250


def test_an_offset_that_jumps_is_believed_the_second_time() -> None:
    offset = Offset()
    assert offset.value is None
    assert [offset.push(value) for value in (0.1, 0.1001, 0.1002)] == [None] * 3
    assert offset.value == pytest.approx(0.1001)
    assert offset.push(5.0) is None
    assert offset.value == pytest.approx(0.1001)
    assert offset.push(0.1) is None
    assert offset.push(2.1) is None
    assert offset.push(2.1001) == pytest.approx(2.0, abs=1e-3)
    assert offset.value == pytest.approx(2.1001)
    assert offset.push(float("nan")) is None


def test_an_offset_nobody_answers_keeps_nobody_waiting() -> None:
    asked, answer = threading.Event(), threading.Event()

    def measure(wait_s: float) -> float:
        asked.set()
        answer.wait(10)  # as long as UDP is blocked
        raise TimeoutError

    watch = OffsetWatch(measure)
    assert asked.wait(5)
    assert watch.offset.value is None
    assert watch.take_step() == 0.0
    watch.close()
    answer.set()


def test_a_step_of_the_offset_is_handed_out_once() -> None:
    values, seen = iter([0.0, 0.0, 2.0, 2.0]), threading.Semaphore(0)

    def measure(wait_s: float) -> float:
        seen.release()
        value = next(values, None)
        if value is None:
            raise RuntimeError("the inlet is gone")
        return value

    watch = OffsetWatch(measure, every_s=0.0)
    for _ in range(5):
        assert seen.acquire(timeout=5)
    assert watch.offset.value == 2.0
    assert watch.take_step() == 2.0
    assert watch.take_step() == 0.0


def test_a_clock_that_is_none_of_ours() -> None:
    assert wrong_clock_s(1000.0, 2.0, 1003.0) is None
    assert wrong_clock_s(1.7e9, 2.0, 1000.0) == pytest.approx(1.7e9, rel=1e-3)


def told(stamps: np.ndarray, sizes: list[int]) -> tuple[list[float], list[tuple[int, float]], int]:
    """Times, jumps (sample, seconds) and the count of backward stamps, fed in pieces of these sizes."""
    line, times, jumps, at, turn = StampLine(1000.0), list[float](), list[tuple[int, float]](), 0, 0
    while at < len(stamps):
        size = sizes[turn % len(sizes)]
        turn, stop = turn + 1, min(at + size, len(stamps))
        while at < stop:
            found, gap = line.check(stamps[at:stop])
            times += found.tolist()
            at += len(found)
            if gap:
                assert gap.at == len(found)
                jumps.append((at, gap.seconds))
                line.accept(gap.seconds)
    return times, jumps, line.backward


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    odd=st.lists(
        st.tuples(st.integers(0, 2999), st.sampled_from(["gap", "back", "nan", "late"])), max_size=6
    ),
)
def test_a_few_stamps_at_a_time_tell_what_all_of_them_tell(
    seed: int, sizes: list[int], odd: list[tuple[int, str]]
) -> None:
    stamps = 100.0 + np.arange(3000) / 1000.0 + np.random.default_rng(seed).normal(0, 5e-5, 3000)
    for at, what in odd:
        if what == "gap":
            stamps[at:] += 1.0
        elif what == "late":
            stamps[at:] += 0.0012
        else:
            stamps[at] = np.nan if what == "nan" else stamps[at] - 0.0011
    times, jumps, backward = told(stamps, [3000])
    found, others, count = told(stamps, sizes)
    assert np.array_equal(times, found, equal_nan=True)
    assert (jumps, backward) == (others, count)
