"""The same scores as `window`, each frame of the estimate multiplied with the bank once.

For streams whose frames never change once they are said. Frames are taken in blocks of the hop, on a grid
that starts at the run's first frame; of a complete block only the sums along its diagonals are kept, so a
window is the sum of a few rows, whatever its length. No frame is ever subtracted again, so nothing drifts.

    window [start, stop) = end of a block + complete blocks + beginning of a block

Each part's shape and order follow from `start` and `stop` alone: how the frames were cut into pushes changes
no bit. The mean is removed afterwards, sum_k (z_k - m) . y_k = sum_k z_k . y_k - m . sum_k y_k, its product
with the bank being one more row of the newest block.
"""

from collections.abc import Callable

import numpy as np

from rtdecode.retrieval.geometry import Geometry, inverse_norms
from rtdecode.retrieval.window import Products, Slices, diagonals, length_of, mean_of
from rtdecode.ring import Ring


class Blocks:
    """Which blocks a window needs: frames [start, head), blocks [first, last), frames [tail, stop)."""

    def __init__(self, start: int, stop: int, size: int):
        self.start, self.stop = start, stop
        self.first, self.last = -(-start // size), stop // size
        if self.first > self.last:  # within one block
            self.head = self.tail = start
            self.first = self.last = 0
        else:
            self.head, self.tail = self.first * size, self.last * size


class ProgressiveSearch:
    """`window.WholeSearch` for windows up to `frames` long.

    geometry  of a window's length; called once a length
    rows      as Bank.rows
    memory    (frames / block + 3 block) x T_bank floats beside the bank
    """

    def __init__(
        self,
        features: np.ndarray,
        geometry: Callable[[int], Geometry],
        frames: int,
        block: int,
        rows: np.ndarray | None = None,
    ):
        self._product, self._geometry, self._block = Products(features, rows, block + 1), geometry, block
        length = len(features if rows is None else rows)
        self._geometries: dict[int, Geometry] = {}
        self._rows = np.zeros((block + 1, features.shape[1]), np.float32)
        self._products = np.empty((block + 1, length), np.float32)  # the newest; its last row: the mean's
        self._sums = np.empty((frames // block + 1, length - block + 1), np.float32)
        self._running = np.zeros(length + 1)
        self._cosines = np.empty(length + 1, np.float32)
        self.reset()

    def reset(self) -> None:
        self._next = 0  # the first block that has no sums yet

    def scores(self, estimate: Ring, frames: int, ends: int) -> np.ndarray:
        """(K,) float64 cosines of the newest `frames` frames."""
        if frames not in self._geometries:
            self._geometries[frames] = self._geometry(frames)
        geometry = self._geometries[frames]
        z = estimate.read(estimate.stop - frames, estimate.stop)
        mean = mean_of(z)
        offsets = len(geometry.inverse)
        cosines = self._cosines[: offsets + 1]
        total = cosines[:-1]
        self._add(estimate, Blocks(estimate.stop - frames, estimate.stop, self._block), mean, total)
        running = self._running
        np.cumsum(self._products[self._newest], dtype=np.float64, out=running[1:])
        total -= running[frames:] - running[:offsets]
        total *= geometry.inverse
        cosines[-1] = -np.inf
        return geometry.best(cosines) / length_of(z - mean)

    def _add(self, estimate: Ring, need: Blocks, mean: np.ndarray, total: np.ndarray) -> None:
        """Sums along the window's diagonals into `total`; the newest row becomes the product with `mean`."""
        size, offsets, start = self._block, len(total), need.start
        partial = None
        if need.head > start:
            first = start // size * size
            self._multiply(estimate.read(first, first + size), mean)
            rows = self._products[start - first : size]
            partial = np.add.reduce(diagonals(rows, 0, offsets, 1), axis=0)
        for block in range(max(self._next, need.first), need.last):
            self._sum(estimate, block, mean)
        # the newest is summed again where it is all there is to do: a rehearsal then does a hop's work
        if need.tail == need.stop and self._next >= need.last > need.first:
            self._sum(estimate, need.last - 1, mean)
        self._next = max(self._next, need.last)
        if need.first < need.last:
            count = len(self._sums)
            low, high = need.first % count, need.last - need.first + need.first % count
            shift = need.head - start
            np.add.reduce(
                diagonals(self._sums[low : min(high, count)], shift, offsets, size), axis=0, out=total
            )
            if high > count:
                shift += (count - low) * size
                total += np.add.reduce(diagonals(self._sums[: high - count], shift, offsets, size), axis=0)
            if partial is not None:
                total += partial
        elif partial is not None:
            total[:] = partial
        else:
            total[:] = 0.0
        if need.tail < need.stop:
            count = self._multiply(estimate.read(need.tail, need.stop), mean)
            rows = self._products[:count]
            total += np.add.reduce(diagonals(rows, need.tail - start, offsets, 1), axis=0)

    def _sum(self, estimate: Ring, block: int, mean: np.ndarray) -> None:
        first = block * self._block
        self._multiply(estimate.read(first, first + self._block), mean)
        out = self._sums[block % len(self._sums)]
        np.add.reduce(diagonals(self._products[: self._block], 0, len(out), 1), axis=0, out=out)

    def _multiply(self, frames: np.ndarray, mean: np.ndarray) -> int:
        n = self._newest = len(frames)
        self._rows[:n], self._rows[n] = frames, mean
        self._product(self._rows[: n + 1], self._products[: n + 1])
        return n


class ProgressiveOnset:
    """`window.WholeOnset` of windows up to `frames` long.

    memory  (frames / block + 1) x K floats, and sums of the timeline, 2 x its size, for the means
    """

    def __init__(self, features: np.ndarray, firsts: np.ndarray, frames: int, block: int):
        self._slices, self._block = Slices(features, firsts), block
        self._inverses: dict[int, np.ndarray] = {}
        self._running = np.zeros((len(features) + 1, features.shape[1]))
        np.cumsum(features, axis=0, dtype=np.float64, out=self._running[1:])
        self._sums = np.empty((frames // block + 1, len(firsts)), np.float32)
        self.reset()

    def reset(self) -> None:
        self._next, self._lead = 0, 0

    def scores(self, estimate: Ring, frames: int, ends: int) -> np.ndarray:
        """(K,) float64 cosines; the newest `frames` frames belong to the stimulus up to its frame `ends`."""
        if ends - estimate.stop != self._lead:  # frames speak of another time than before: nothing holds
            self._next, self._lead = 0, ends - estimate.stop
        if frames not in self._inverses:
            self._inverses[frames] = inverse_norms(self._slices.features, frames)
        need = Blocks(estimate.stop - frames, estimate.stop, self._block)
        z = estimate.read(need.start, need.stop)
        total = np.zeros(len(self._slices.firsts), np.float32)
        if need.head > need.start:
            total += self._dots(estimate, need.start, need.head)
        for block in range(max(self._next, need.first), need.last):
            begin = block * self._block
            self._sums[block % len(self._sums)] = self._dots(estimate, begin, begin + self._block)
        self._next = max(self._next, need.last)
        for block in range(need.first, need.last):
            total += self._sums[block % len(self._sums)]
        if need.tail < need.stop:
            total += self._dots(estimate, need.tail, need.stop)
        mean, last = mean_of(z), self._slices.firsts + ends
        sums = self._running[last] - self._running[last - frames]
        cosines = (total - sums @ mean.astype(np.float64)) * self._inverses[frames][last - frames]
        return cosines / length_of(z - mean)

    def _dots(self, estimate: Ring, start: int, stop: int) -> np.ndarray:
        return self._slices.dots(start + self._lead, estimate.read(start, stop))
