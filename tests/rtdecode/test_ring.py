"""The ring answers by absolute index, whatever the sizes of the writes. Capacity 5, so that it wraps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.ring import Ring


def rows(start: int, stop: int) -> np.ndarray:
    return np.arange(start, stop, dtype=np.float32)[:, None] * [1, -1]


@given(st.lists(st.integers(0, 12), max_size=20))
def test_pieces_equal_whole(sizes: list[int]) -> None:
    ring = Ring(5, 2)
    for size in sizes:
        ring.write(rows(ring.stop, ring.stop + size))
    assert ring.stop == sum(sizes)
    assert ring.stop - ring.first == min(5, ring.stop)
    for start in range(ring.first, ring.stop + 1):
        assert np.array_equal(ring.read(start, ring.stop), rows(start, ring.stop))


def test_read_is_a_view_that_costs_nothing() -> None:
    ring = Ring(5, 2)
    ring.write(rows(0, 8))
    view = ring.read(4, 8)
    assert view.base is not None
    assert view.flags.c_contiguous


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (2, 9), (5, 4)])
def test_rows_not_held_are_refused_with_both_spans(start: int, stop: int) -> None:
    ring = Ring(5, 2)
    ring.write(rows(0, 8))
    with pytest.raises(IndexError, match=rf"\[{start}, {stop}\).*\[3, 8\)"):
        ring.read(start, stop)


def test_reset_starts_again_at_zero() -> None:
    ring = Ring(5, 2)
    ring.write(rows(0, 8))
    ring.reset()
    ring.write(rows(0, 2))
    assert (ring.first, ring.stop) == (0, 2)
    assert np.array_equal(ring.read(0, 2), rows(0, 2))


def test_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(T, 2\).*\(3, 4\)"):
        Ring(5, 2).write(np.zeros((3, 4), np.float32))
