"""Bad channels are seen within a second, and what is no number never reaches a filter."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.quality import FLAT, NOISY, RAILED, USED, Hold, Repair, all_finite, channel_states, finite_test

LABELS = ("Fz", "Cz", "Pz", "Oz")


def glyphs(raw: np.ndarray) -> str:
    centred = raw - np.median(raw, axis=0)
    return "".join(state.glyph for state in channel_states(raw, centred, LABELS, np.full(4, 10.0)))


def test_each_fault_has_its_sign() -> None:
    raw = np.random.default_rng(0).normal(500, 10, (250, 4))
    assert glyphs(raw) == USED * 4
    raw[:, 0] = 7.0
    raw[:, 1] = np.clip(40 * (raw[:, 1] - 500), -200, 200)
    raw[:, 2] *= 30
    assert glyphs(raw) == FLAT + RAILED + NOISY + USED


def test_rms_is_in_the_unit_of_the_filtered_signal() -> None:
    wave = 30 * np.sin(np.arange(250) * 2 * np.pi / 25)[:, None] * np.ones(4)
    states = channel_states(wave + 1e4, wave, LABELS, np.full(4, 10.0))
    assert states[0].label == "Fz"
    assert states[0].rms == pytest.approx(30 / np.sqrt(2), rel=1e-3)


def test_before_the_first_sample_nothing_is_wrong() -> None:
    empty = np.zeros((0, 4))
    assert [s.glyph for s in channel_states(empty, empty, LABELS, np.ones(4))] == [USED] * 4


def spoilt() -> np.ndarray:
    data = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    data[:5, 0] = np.nan
    data[20:30, 1] = np.inf
    data[40:45, 3] = -np.inf
    return data


def test_the_last_good_value_stands_in() -> None:
    data = spoilt()
    fixed, mask = Repair(4, np.array([0, 1])).push(data)
    assert np.isfinite(fixed).all()
    assert (fixed[:5, 0] == 0).all()
    # a start without numbers is no step
    np.testing.assert_array_equal(fixed[5:, 0], data[5:, 0] - data[5, 0])
    assert (fixed[20:30, 1] == data[19, 1]).all()
    sound = np.isfinite(data) & (np.arange(4) > 0)
    np.testing.assert_array_equal(fixed[sound], data[sound])
    assert mask is not None
    assert mask[:, 0].sum() == 5
    assert mask[:, 1].sum() == 10


def test_channels_that_do_not_matter_are_not_reported() -> None:
    fixed, mask = Repair(4, np.array([2])).push(spoilt())
    assert mask is None
    assert np.isfinite(fixed).all()


def test_good_samples_are_not_copied() -> None:
    data = np.ones((5, 4), np.float32)
    assert Repair(4, np.arange(4)).push(data)[0] is data


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, 30), max_size=10))
def test_pieces_equal_whole(sizes: list[int]) -> None:
    data = spoilt()
    whole, _ = Repair(4, np.arange(4)).push(data)
    repair, parts, at = Repair(4, np.arange(4)), [], 0
    for size in [*sizes, len(data)]:
        parts.append(repair.push(data[at : at + size])[0])
        at += len(parts[-1])
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("test", [all_finite, finite_test()])
def test_numbers_too_large_to_be_squared_are_numbers(test: Callable[[np.ndarray], bool]) -> None:
    huge = np.full((1, 3), 1e30, np.float32)
    assert test(huge)
    for bad in (np.nan, np.inf, -np.inf):
        huge[0, 1] = bad
        assert not test(huge)


@given(
    shape=st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(1, 5)),
    dtype=st.sampled_from([np.float32, np.float64]),
    bad=st.none() | st.sampled_from([np.nan, -np.nan, np.inf, -np.inf, 1e-310, -0.0]),
    where=st.integers(0, 999),
    view=st.sampled_from(
        [lambda x: x, lambda x: x.T, lambda x: x[::2, ::-1], lambda x: x[:, 1:3], lambda x: x[:0]]
    ),
)
def test_only_numbers_wherever_they_lie(
    shape: tuple[int, int, int],
    dtype: type,
    bad: float | None,
    where: int,
    view: Callable[[np.ndarray], np.ndarray],
) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    if bad is not None and x.size:
        x.flat[where % x.size] = bad
    for test in (all_finite, finite_test()):
        assert test(view(x)) == np.isfinite(view(x)).all()


@given(st.lists(st.integers(1, 7), min_size=1, max_size=20))
def test_what_is_let_go_keeps_its_level_in_any_pieces(sizes: list[int]) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).cumsum(axis=0)
    held = []
    for pieces in ([30], sizes):
        hold, out, at = Hold(3), [], 30
        hold.push(x[:10])
        hold.set(np.array([True, False, False]))
        hold.push(x[10:30])
        hold.set(np.zeros(3, bool))
        while at < len(x):
            for size in pieces:
                out.append(hold.push(x[at : at + size]))
                at += size
        held.append(np.concatenate(out))
    assert np.array_equal(held[0], held[1])
    assert held[0][0, 0] == x[9, 0]  # from where it was held
    assert np.allclose(np.diff(held[0], axis=0), np.diff(x[30:], axis=0))
