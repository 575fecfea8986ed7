"""Windows lie on one grid from sample 0, however the samples arrive.

samples  0....5....10...15
size 6   |-----|
hop 4        |-----|
                 |-----|
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.ring import Ring
from rtdecode.window import Windower


def windows(sizes: list[int], size: int = 6, hop: int = 4) -> list[tuple[int, list[float]]]:
    ring = Ring(size + hop, 1)
    windower = Windower(ring, size, hop)
    found = []
    for n in sizes:
        for _ in range(n):
            ring.write(np.array([[ring.stop]], np.float32))
            while windower.ready():
                window = windower.next()
                found.append((window.start, window.x[:, 0].tolist()))
    return found


@given(st.lists(st.integers(0, 9), max_size=20))
def test_same_windows_whatever_the_pieces(sizes: list[int]) -> None:
    total = sum(sizes)
    expected = [(s, list(range(s, s + 6))) for s in range(0, total - 5, 4)]
    assert windows(sizes) == expected == windows([total])


def test_size_equal_to_hop_gives_blocks() -> None:
    assert [start for start, _ in windows([20], size=5, hop=5)] == [0, 5, 10, 15]


@pytest.mark.parametrize(("size", "hop"), [(0, 1), (4, 5), (4, 0), (40, 4)])
def test_impossible_grids_are_refused(size: int, hop: int) -> None:
    with pytest.raises(ValueError, match="0 < hop <= size"):
        Windower(Ring(20, 1), size, hop)
