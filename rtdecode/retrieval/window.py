"""Scores of a whole window at once: nothing is kept from one window to the next.

For models whose estimate changes as a whole with every hop, and the definition that `progressive` must meet.
"""

import math
from functools import cache
from types import ModuleType

import numpy as np

from rtdecode.kernels import kernels
from rtdecode.retrieval.geometry import Geometry, inverse_norms
from rtdecode.retrieval.ranking import First
from rtdecode.ring import Ring

_TINY = 1e-12
_WIDE, _AT_A_TIME = 1 << 15, 4  # values a row from which on few rows at a time read memory faster; rows
_FEW = 1 << 21  # multiplications up to which the plain loop is as fast as the library's product
_SMALL = 16 << 20  # bytes of a bank that may be held a second time, frame by frame, for faster products


@cache
def _shares(count: int) -> np.ndarray:
    return np.full(count, 1 / count, np.float32)


def mean_of(z: np.ndarray) -> np.ndarray:
    """(M, F) float32 -> (F,), as one product: on cold caches a quarter of what `mean` takes."""
    return np.dot(_shares(len(z)), z)


def length_of(z: np.ndarray) -> float:
    """Frobenius norm, never 0."""
    return max(math.sqrt(np.vdot(z, z)), _TINY)


def by_feature(features: np.ndarray) -> np.ndarray:
    """(T, F) -> (F, T), the right side of a product; copied where the bank is small."""
    return np.ascontiguousarray(features.T) if features.nbytes <= _SMALL else features.T


def diagonals(rows: np.ndarray, first: int, offsets: int, step: int) -> np.ndarray:
    """View (n, offsets) of (n, T) C-contiguous rows: entry (k, o) is rows[k, o + first + k * step]."""
    shape, strides = (len(rows), offsets), (rows.strides[0] + 4 * step, 4)
    return np.ndarray(shape, np.float32, rows, 4 * first, strides)  # checks that it stays inside


class Slices:
    """Products of spans of a timeline with one query each: a span is a contiguous piece of memory.

    firsts  (K,) first frame of each candidate. Where they lie at equal distances, far enough apart for the
    query, the spans are the rows of one strided matrix and nothing is copied.
    """

    def __init__(self, features: np.ndarray, firsts: np.ndarray):
        self.features, self.firsts = np.ascontiguousarray(features, np.float32), firsts
        steps = np.diff(firsts)
        self._step = int(steps[0]) if len(steps) and steps[0] > 0 and (steps == steps[0]).all() else 0

    def dots(self, begin: int, query: np.ndarray) -> np.ndarray:
        """(n, F) query against frames [begin, begin + n) of every candidate -> (K,) float32."""
        n, width = len(query), self.features.shape[1]
        q = np.ascontiguousarray(query).ravel()
        if self._step >= n:
            at, shape = 4 * (int(self.firsts[0]) + begin) * width, (len(self.firsts), n * width)
            matrix = np.ndarray(shape, np.float32, self.features, at, (4 * self._step * width, 4))
            if len(q) < _WIDE:
                return matrix @ q
            return np.concatenate([matrix[k : k + _AT_A_TIME] @ q for k in range(0, len(matrix), _AT_A_TIME)])
        flat, out = self.features.reshape(-1), np.empty(len(self.firsts), np.float32)
        for k, at in enumerate(((self.firsts + begin) * width).tolist()):
            out[k] = np.dot(flat[at : at + len(q)], q)
        return out


class Products:
    """Products of frames with the whole timeline, where the bank has fewer frames than the timeline: once
    with each of these, then each to the places it has there. Nothing but the order of sums inside the
    library's product can differ from the products with the timeline itself.
    """

    def __init__(self, features: np.ndarray, rows: np.ndarray | None, most: int):
        self._by_feature = by_feature(features)
        self._rows = None if rows is None else np.asarray(rows, np.intp)
        self._few = np.empty((most if rows is not None else 0, len(features)), np.float32)

    def __call__(self, frames: np.ndarray, out: np.ndarray) -> None:
        """(n, F) -> out (n, T_bank)"""
        if self._rows is None:
            np.matmul(frames, self._by_feature, out=out)
            return
        few = self._few[: len(frames)]
        np.matmul(frames, self._by_feature, out=few)
        np.take(few, self._rows, axis=1, out=out, mode="clip")  # "raise" would make a copy of it all


class SmallSearch:
    """WholeSearch of a small bank, compiled."""

    def __init__(self, kernels: ModuleType, features: np.ndarray, geometry: Geometry, frames: int):
        features, cuts = np.ascontiguousarray(features), np.ascontiguousarray(geometry.cuts, np.int64)
        self._search = kernels.Search(features, geometry.inverse, cuts, frames, features.shape[1])
        self._count = len(cuts) // 2

    def reset(self) -> None:
        """There is nothing to forget."""

    def scores(self, estimate: Ring, frames: int, ends: int) -> np.ndarray:
        """(K,) float64 cosines; `ends` is not needed."""
        found = np.empty(self._count)
        self._search.scores(estimate.read(estimate.stop - frames, estimate.stop), found)
        return found

    def first(self, estimate: Ring, frames: int, sharpness: float, top: int) -> First:
        """The best of these scores, without an array of them."""
        window = estimate.read(estimate.stop - frames, estimate.stop)
        first: First = self._search.first(window, sharpness, top)
        return first


def whole_search(
    features: np.ndarray, geometry: Geometry, frames: int, rows: np.ndarray | None = None
) -> "SmallSearch | WholeSearch":
    """The faster of the two for this bank. rows: as Bank.rows"""
    compiled, products = kernels(), features.shape[1] * frames * len(geometry.inverse)
    if compiled and rows is None and products <= _FEW:
        return SmallSearch(compiled, features, geometry, frames)
    return WholeSearch(features, geometry, frames, rows)


class WholeSearch:
    """Best window inside every candidate: all offsets of the timeline are tried. rows: as Bank.rows"""

    def __init__(self, features: np.ndarray, geometry: Geometry, frames: int, rows: np.ndarray | None = None):
        self._multiply, self._geometry = Products(features, rows, frames), geometry
        # sum_k Z[k] . Y[o + k] for every offset o: one product, then sums along its diagonals
        self._product = np.empty((frames, len(features if rows is None else rows)), np.float32)
        offsets = len(geometry.inverse)
        self._diagonals = diagonals(self._product, 0, offsets, 1)
        self._cosines = np.full(offsets + 1, -np.inf, np.float32)

    def reset(self) -> None:
        """There is nothing to forget."""

    def scores(self, estimate: Ring, frames: int, ends: int) -> np.ndarray:
        """(K,) float64 cosines; `ends` is not needed: the time in the stimulus is unknown."""
        z = estimate.read(estimate.stop - frames, estimate.stop)
        z = z - mean_of(z)
        self._multiply(z, self._product)
        cosines = self._cosines[:-1]
        np.add.reduce(self._diagonals, axis=0, out=cosines)
        cosines *= self._geometry.inverse
        return self._geometry.best(self._cosines) / length_of(z)


class WholeOnset:
    """Every candidate at the same time after its onset."""

    def __init__(self, features: np.ndarray, firsts: np.ndarray, frames: int):
        self._slices, self._inverse = Slices(features, firsts), inverse_norms(features, frames)

    def reset(self) -> None:
        """There is nothing to forget."""

    def scores(self, estimate: Ring, frames: int, ends: int) -> np.ndarray:
        """(K,) float64 cosines; the window covers the stimulus up to its frame `ends`."""
        z = estimate.read(estimate.stop - frames, estimate.stop)
        z = z - mean_of(z)
        inverse = self._inverse[self._slices.firsts + ends - frames]
        return (self._slices.dots(ends - frames, z) * inverse).astype(np.float64) / length_of(z)
