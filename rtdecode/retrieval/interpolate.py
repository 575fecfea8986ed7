"""From the features' own rate to the model's, as a fixed linear map U: window frames = U x native frames.

The product of an estimate with interpolated features is the product of U^T estimate with the features as they
are, <e, U c> = <U^T e, c>: the bank keeps its own rate and only the query is touched.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse


@dataclass(frozen=True, eq=False)
class Interpolation:
    """U, (N window frames, native frames): every window frame is a weighted sum of two native frames.

    low, high  (N,) native frames;  weight (N,) float64 of `high`, the rest is `low`'s
    gain       (N,) 0 where a window frame lies outside the features, 1 elsewhere
    native     native frames under the window
    """

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray
    gain: np.ndarray
    native: int

    @classmethod
    def from_rows(cls, rows: np.ndarray) -> "Interpolation":
        """Nearest: (N,) the native frame of every window frame, -1 where there is none."""
        kept = np.maximum(rows, 0)
        none = np.zeros(len(rows))
        return cls(kept, kept, none, (rows >= 0).astype(np.float64), int(kept.max()) + 1)

    @classmethod
    def nearest(cls, native: int, frames: int) -> "Interpolation":
        """As torch.nn.functional.interpolate(mode="nearest"), whose float32 arithmetic decides ties."""
        scale = np.float32(native) / np.float32(frames)
        rows = np.minimum((np.arange(frames, dtype=np.float32) * scale).astype(np.int64), native - 1)
        return cls(rows, rows, np.zeros(frames), np.ones(frames), native)

    @classmethod
    def linear(cls, native: int, frames: int) -> "Interpolation":
        """As torch.nn.functional.interpolate(mode="linear", align_corners=False), rounding to float32 as
        it does.
        """
        scale = float(np.float32(native) / np.float32(frames))
        at = ((np.arange(frames) + 0.5) * scale - 0.5).astype(np.float32).clip(0)
        low = np.minimum(at.astype(np.int64), native - 1)
        return cls(low, np.minimum(low + 1, native - 1), at.astype(np.float64) - low, np.ones(frames), native)

    @property
    def frames(self) -> int:
        return len(self.low)

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """(N, native) float32."""
        n = np.arange(self.frames)
        values = np.concatenate([self.gain * (1 - self.weight), self.gain * self.weight])
        where = (np.concatenate([n, n]), np.concatenate([self.low, self.high]))
        found = sparse.coo_array((values, where), shape=(self.frames, self.native)).tocsr()
        found.eliminate_zeros()
        return found.astype(np.float32)

    @cached_property
    def _transposed(self) -> sparse.csr_array:
        return self.matrix.T.tocsr()

    def apply(self, features: np.ndarray) -> np.ndarray:
        """(native, F) -> (N, F)."""
        return self.matrix @ features

    def adjoint(self, estimate: np.ndarray) -> np.ndarray:
        """(N, F) -> (native, F): U^T estimate."""
        return self._transposed @ np.asarray(estimate, np.float32)

    def part(self, begin: int, stop: int) -> tuple[int, np.ndarray]:
        """What window frames [begin, stop) add: the first native frame touched and (m, n) float32 of U^T."""
        rows = slice(begin, stop)
        low, high = int(self.low[rows].min()), int(self.high[rows].max()) + 1
        return low, np.ascontiguousarray(self.matrix[rows, low:high].toarray().T)
