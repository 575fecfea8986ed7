"""The compiled search and ranking give what those in Python give; a ranking in numbers is one in hits.

Why it matters: which of the two runs depends on whether there was a compiler at installation; a decision may
not depend on that.
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode import kernels
from rtdecode.retrieval.geometry import Geometry, geometry
from rtdecode.retrieval.ranking import Ranking, _top
from rtdecode.retrieval.window import _FEW, SmallSearch, WholeSearch, whole_search
from rtdecode.ring import Ring
from tests.kernels_here import (
    candidates,
    compiled,
    compiled_only,
    kernels_used,
    twins,
)

__all__ = ["kernels_used"]


class Sought(NamedTuple):
    features: np.ndarray
    geometry: Geometry
    frames: int
    estimate: Ring


def sought(
    seed: int, offsets: int, width: int, frames: int, count: int, silent: tuple[int, int] = (0, 0)
) -> Sought:
    """A bank with so many windows, in which nothing happens from silent[0] to silent[1], and an estimate."""
    rng, length = np.random.default_rng(seed), offsets + frames - 1
    features = (rng.normal(size=(length, width)) + rng.normal(size=width)).astype(np.float32)
    features[slice(*silent)] = 1.5
    firsts = rng.integers(0, length, count)
    lengths = np.array([rng.integers(1, length - first + 1) for first in firsts])
    lengths = np.maximum(lengths, frames - firsts)  # every candidate ends with the first window or later
    estimate = Ring(frames + 3, width)
    estimate.write((rng.normal(size=(2 * frames + 3, width)) + 0.5).astype(np.float32))
    return Sought(features, geometry(features, firsts, lengths, frames, ()), frames, estimate)


def scores_of(search: SmallSearch | WholeSearch, given: Sought) -> np.ndarray:
    return search.scores(given.estimate, given.frames, 0).copy()


@compiled_only
@given(
    seed=st.integers(0, 999),
    offsets=st.sampled_from([1, 2, 63, 64, 65, 127, 128, 129]) | st.integers(1, 300),
    width=st.sampled_from([1, 2, 16, 33]) | st.integers(1, 40),
    frames=st.integers(2, 90),
    count=st.sampled_from([1, 2, 50]),
    silent=st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda at: (min(at), max(at))),
)
def test_a_compiled_search_scores_as_the_whole_search(
    seed: int, offsets: int, width: int, frames: int, count: int, silent: tuple[int, int]
) -> None:
    given = sought(seed, offsets, width, frames, count, silent)
    small = SmallSearch(compiled(), given.features, given.geometry, frames)
    found, expected = scores_of(small, given), scores_of(WholeSearch(*given[:3]), given)
    assert found.dtype == expected.dtype == np.float64 and found.shape == (count,)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.array_equal(found == 0, expected == 0)  # where no window has a direction
    assert np.array_equal(scores_of(small, given), found)  # nothing is kept


@compiled_only
def test_a_bank_as_long_as_the_window_has_one_window() -> None:
    given = sought(1, 1, 3, 40, 1)
    small = SmallSearch(compiled(), given.features, given.geometry, 40)
    z = given.estimate.read(given.estimate.stop - 40, given.estimate.stop).astype(np.float64)
    z, y = z - z.mean(axis=0), given.features - given.features.mean(axis=0, dtype=np.float64)
    expected = (z * y).sum() / np.linalg.norm(z) / np.linalg.norm(y)
    assert scores_of(small, given) == pytest.approx(expected, abs=1e-6)


@compiled_only
def test_an_estimate_that_never_moves_scores_nothing() -> None:
    given = sought(2, 70, 3, 8, 5)
    given.estimate.write(np.full((8, 3), 0.1, np.float32))
    small = SmallSearch(compiled(), given.features, given.geometry, 8)
    assert np.isfinite(scores_of(small, given)).all()


@compiled_only
def test_a_silent_bank_scores_nothing() -> None:
    given = sought(3, 70, 3, 8, 5, (0, 77))
    assert not given.geometry.inverse.any()
    assert not scores_of(SmallSearch(compiled(), given.features, given.geometry, 8), given).any()


@compiled_only
def test_scores_stay_as_they_were_when_others_are_asked_for() -> None:
    """Offline they are gathered: an array used again would hold the last hop's, many times."""
    given, rng = sought(6, 70, 3, 8, 5), np.random.default_rng(7)
    for search in twins(lambda: whole_search(*given[:3])):
        first = search.scores(given.estimate, 8, 0)
        kept = first.copy()
        given.estimate.write(rng.normal(size=(8, 3)).astype(np.float32))
        assert not np.array_equal(search.scores(given.estimate, 8, 0), kept)
        assert np.array_equal(first, kept)


@compiled_only
def test_which_search_is_taken() -> None:
    given = sought(4, 70, 3, 8, 5)
    small, whole = twins(lambda: whole_search(*given[:3]))
    assert isinstance(small, SmallSearch) and isinstance(whole, WholeSearch)
    assert isinstance(whole_search(*given[:3], np.arange(77)), WholeSearch)
    large = sought(5, _FEW // (3 * 8) + 1, 3, 8, 5)
    assert isinstance(whole_search(*large[:3]), WholeSearch)


# --- top


@compiled_only
@given(
    seed=st.integers(0, 999),
    offsets=st.integers(1, 300),
    width=st.integers(1, 20),
    frames=st.integers(2, 40),
    count=st.integers(1, 50),
    sharpness=st.sampled_from([0.0, 10.0, 300.0]),
)
def test_the_first_of_a_search_are_the_top_of_its_scores(
    seed: int, offsets: int, width: int, frames: int, count: int, sharpness: float
) -> None:
    given = sought(seed, offsets, width, frames, count)
    small = SmallSearch(compiled(), given.features, given.geometry, frames)
    top = min(count, 1 + seed % 10)
    first = small.first(given.estimate, frames, sharpness, top)
    assert first == compiled().top(scores_of(small, given), sharpness, top)


@compiled_only
@given(
    seed=st.integers(0, 999),
    count=st.sampled_from([1, 2, 64, 65]) | st.integers(1, 1500),
    top=st.sampled_from([1, 2, 10, kernels.MOST]) | st.integers(1, kernels.MOST),
    values=st.integers(1, 2000),
    sharpness=st.sampled_from([0.0, 1.0, 10.0, 300.0]),
)
def test_the_compiled_top_is_the_top(seed: int, count: int, top: int, values: int, sharpness: float) -> None:
    """Few values: many are equal, and those keep the bank's order."""
    scores = np.random.default_rng(seed).integers(-values, values, count) / values
    before, top = scores.copy(), min(top, count)
    order, best, probs = compiled().top(scores, sharpness, top)
    expected = _top(scores, sharpness, top)
    assert np.array_equal(scores, before)
    assert (list(order), list(best)) == expected[:2]
    assert {type(k) for k in order} == {int} and {type(score) for score in (*best, *probs)} == {float}
    np.testing.assert_allclose(probs, expected[2], rtol=1e-12, atol=1e-12)


@compiled_only
def test_many_are_ranked_in_python() -> None:
    scores = np.linspace(-1, 1, 100)
    for top in (kernels.MOST, kernels.MOST + 1):
        ranked = Ranking(candidates(["words"] * 100), 5.0, top).ranked(scores, 3.0)
        assert list(ranked.order) == list(range(99, 99 - top, -1))
