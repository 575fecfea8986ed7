"""Equally long segments of one feature stream, scored by the published rule at the stream's own rate.

    score = <estimate, U c> / ||U c||        c: the candidate's frames of the stream;  U: `interpolate`

The estimate is brought to the stream's rate instead of the stream to the model's. Where the model ends in a
linear layer, e = W h + b, that layer moves into the stream too:

    <W h + b, U c> = <h, U c W> + <b, sum_n (U c)_n>

Both are exact; the norms are always those of the features as they are. Thousands of candidates are slices of
one stream, which may be mapped from disk.
"""

import copy
from collections.abc import Sequence

import numpy as np

from rtdecode.retrieval.geometry import inverse_of
from rtdecode.retrieval.interpolate import Interpolation
from rtdecode.retrieval.window import Slices, mean_of

_PIECE = 8 << 20  # bytes of the stream that are looked at in float64 at a time


class Segments:
    """K candidates: frames [firsts[k], firsts[k] + interpolation.native) of the stream (T, F) float32.

    center  remove each feature's mean over the window from the estimate and the candidates
    memory  4 K N bytes beside the stream
    """

    def __init__(
        self,
        stream: np.ndarray,
        firsts: Sequence[int] | np.ndarray,
        interpolation: Interpolation,
        *,
        center: bool = False,
    ):
        self.firsts = np.asarray(firsts, np.int64)
        self.interpolation, self.center = interpolation, center
        last = int(self.firsts.max()) + interpolation.native
        if self.firsts.min() < 0 or last > len(stream):
            raise ValueError(f"a segment lies outside the stream's {len(stream)} frames")
        self.slices, self.width = Slices(stream, self.firsts), stream.shape[1]
        # (N, K): of the first n + 1 window frames; the last row is the window's
        self.inverses = np.empty((interpolation.frames, len(self.firsts)), np.float32)
        powers = self._powers(stream)
        self.inverse = self._centred(stream, powers) if center else self.inverses[-1]
        self.biases: np.ndarray | None = None  # (N, K): what a folded layer's bias adds, as `inverses`

    def __len__(self) -> int:
        return len(self.firsts)

    def folded(self, weight: np.ndarray, bias: np.ndarray | None = None) -> "Segments":
        """The same candidates for a model without its last layer: weight (F, H), bias (F,) of e = W h + b.

        The folded stream (T, H) is made here and held in memory.
        """
        stream, out = self.slices.features, copy.copy(self)
        out.slices, out.width = Slices(stream @ np.asarray(weight, np.float32), self.firsts), weight.shape[1]
        if bias is not None and not self.center:  # a constant has no part in a centred product
            added, u, first = stream @ np.asarray(bias, np.float32), self.interpolation, self.firsts
            out.biases, total = np.empty_like(self.inverses), np.zeros(len(first))
            for n, row in enumerate(out.biases):
                a, b = u.gain[n] * (1 - u.weight[n]), u.gain[n] * u.weight[n]
                total += a * added[first + u.low[n]] + b * added[first + u.high[n]]
                row[:] = total
        return out

    def query(self, estimate: np.ndarray) -> np.ndarray:
        """(N, F) estimate of a window -> (native, F) to multiply with the stream."""
        estimate, shape = np.asarray(estimate, np.float32), (self.interpolation.frames, self.width)
        if estimate.shape != shape:
            raise ValueError(f"the estimate should have shape {shape}, it has {estimate.shape}")
        return self.interpolation.adjoint(estimate - mean_of(estimate) if self.center else estimate)

    def scores(self, estimate: np.ndarray) -> np.ndarray:
        """(N, F) -> (K,) float32."""
        return self.finished(self.slices.dots(0, self.query(estimate)))

    def some(self, query: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Scores of the candidates `which`, from `query`."""
        flat, size = self.slices.features.reshape(-1), self.width
        q = np.ascontiguousarray(query).ravel()
        at = (self.firsts[which] * size).tolist()
        return self.finished(np.array([np.dot(flat[a : a + len(q)], q) for a in at], np.float32), which)

    def finished(self, products: np.ndarray, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """<query, c> of the whole window -> scores."""
        if self.biases is not None:
            products = products + self.biases[-1, which]
        return products * self.inverse[which]

    def _powers(self, stream: np.ndarray) -> np.ndarray:
        """(K,) float64 energy of U c, from products of neighbouring frames; fills `inverses` on the way."""
        u = self.interpolation
        own, beside = np.empty(len(stream)), np.zeros(len(stream))
        step = max(1, _PIECE // (8 * stream.shape[1]))
        for at in range(0, len(stream), step):
            x = stream[at : at + step + 1].astype(np.float64)
            own[at : at + step] = np.einsum("tf,tf->t", x, x)[:step]
            beside[at : at + len(x) - 1] = np.einsum("tf,tf->t", x[:-1], x[1:])
        total = np.zeros(len(self.firsts))
        for n, row in enumerate(self.inverses):
            low, high, b = self.firsts + u.low[n], self.firsts + u.high[n], u.weight[n]
            cross = beside[low] if u.high[n] > u.low[n] else own[low]
            total += u.gain[n] * ((1 - b) ** 2 * own[low] + b**2 * own[high] + 2 * b * (1 - b) * cross)
            row[:] = inverse_of(total, total)
        return total

    def _centred(self, stream: np.ndarray, powers: np.ndarray) -> np.ndarray:
        """1 / ||U c less its mean over the window||, (K,)."""
        weights = np.asarray(self.interpolation.matrix.sum(axis=0), np.float64).ravel()
        left = np.empty(len(self.firsts))
        for k, first in enumerate(self.firsts.tolist()):
            total = weights @ stream[first : first + len(weights)]
            left[k] = powers[k] - total @ total / self.interpolation.frames
        return inverse_of(left, powers)


class Filling:
    """Scores of one window while its estimate comes in: each frame is multiplied with the bank once.

    The window starts with the first frame pushed. Frames are taken in blocks of `block`, so that how they
    were cut into pushes changes no bit; a block at a time is fastest.
    """

    def __init__(self, segments: Segments, block: int):
        if segments.center:
            raise ValueError("a mean over the window is not known while the window fills")
        self.segments, self.block = segments, block
        self._parts: dict[tuple[int, int], tuple[int, np.ndarray]] = {}
        self._tail = np.empty((block, segments.width), np.float32)
        self.reset()

    def reset(self) -> None:
        self.held = 0
        self._sum = np.zeros(len(self.segments))

    def push(self, estimate: np.ndarray) -> None:
        """(n, F) more frames; ValueError when the window is over."""
        if self.held + len(estimate) > self.segments.interpolation.frames:
            raise ValueError(f"the window has {self.segments.interpolation.frames} frames, not more")
        while len(estimate):
            at = self.held % self.block
            piece, estimate = estimate[: self.block - at], estimate[self.block - at :]
            self._tail[at : at + len(piece)] = piece
            self.held += len(piece)
            if self.held % self.block == 0:
                self._sum += self._products(self.held - self.block, self._tail)

    def scores(self) -> np.ndarray:
        """(K,) float64 by what is held: <e[:M], (U c)[:M]> / ||(U c)[:M]||."""
        if not self.held:
            return np.zeros(len(self.segments))
        tail, total = self.held % self.block, self._sum
        if tail:
            total = total + self._products(self.held - tail, self._tail[:tail])
        if self.segments.biases is not None:
            total = total + self.segments.biases[self.held - 1]
        return total * self.segments.inverses[self.held - 1]

    def _products(self, begin: int, frames: np.ndarray) -> np.ndarray:
        key = (begin, len(frames))
        if key not in self._parts:
            self._parts[key] = self.segments.interpolation.part(begin, begin + len(frames))
        first, transposed = self._parts[key]
        return self.segments.slices.dots(first, transposed @ frames)
