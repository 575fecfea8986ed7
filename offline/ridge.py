"""Closed-form ridge regression from lagged sensors to speech features: the backward model, or TRF decoder.

Accumulates normal equations recording by recording, so that memory does not grow with data. Fits the weights
that `models.LinearDecoder` applies; knows nothing of files or splits.
"""

import numpy as np


class NormalEquations:
    """Sums of lagged X'X, X'Y over recordings. Lags are causal: `taps` samples that end with the frame's last
    sample.
    """

    def __init__(self, n_channels: int, n_features: int, taps: int, stride: int):
        self.taps, self.stride, self.n_channels = taps, stride, n_channels
        width = n_channels * taps + 1
        self.xx = np.zeros((width, width))
        self.xy = np.zeros((width, n_features))
        self.rows = 0

    def add(self, x: np.ndarray, y: np.ndarray, scored: np.ndarray, block: int = 4096) -> None:
        """x (T, C) model samples; y (T', F) targets; scored (T',) bool: frames that have a target."""
        padded = np.concatenate([np.zeros((self.taps - self.stride, x.shape[1]), np.float32), x])
        lagged = np.lib.stride_tricks.sliding_window_view(padded, self.taps, axis=0)[
            :: self.stride
        ]  # (T', C, taps)
        rows = np.flatnonzero(scored[: len(lagged)])
        for first in range(0, len(rows), block):
            some = rows[first : first + block]
            design = np.ones((len(some), self.xx.shape[0]), np.float32)
            design[:, :-1] = lagged[some].reshape(len(some), -1)
            self.xx += design.T @ design
            self.xy += design.T @ y[some]
        self.rows += len(rows)

    def solve(self, ridge_lambda: float) -> tuple[np.ndarray, np.ndarray]:
        """Weight (F, C, taps) and bias (F,). The bias is not penalised."""
        penalty = np.full(len(self.xx), float(ridge_lambda))
        penalty[-1] = 1e-6
        solution = np.linalg.solve(self.xx + np.diag(penalty), self.xy)
        weight = solution[:-1].T.reshape(-1, self.n_channels, self.taps)
        return weight.astype(np.float32), solution[-1].astype(np.float32)


def apply_filter(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """(T, C) -> (T', F): the estimate of `models.LinearDecoder` with these weights, in numpy."""
    taps = weight.shape[2]
    padded = np.concatenate([np.zeros((taps - stride, x.shape[1]), np.float32), x])
    lagged = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=0)[::stride]
    flat = weight.reshape(len(weight), -1).T
    out = [lagged[i : i + 4096].reshape(-1, flat.shape[0]) @ flat for i in range(0, len(lagged), 4096)]
    return np.concatenate(out) + bias
