"""The ideal observer of the simulated study: how well could anyone tell which speech was heard?

Knows the subject's true response to sound and the covariance of the noise, which no decoder does; knows
nothing of training or of models. Its scores are the limit beside which a decoder's are printed, as chance is
the floor.

Everything passes through the decoder's own preprocessing P (any causal, linear, time-invariant map of arrays
(T, C), with fixed centre and scale): the noise N, the window x = P(evoked + noise) and the timeline m =
P(evoked of all candidate speech). With W the whitening of P(noise), the log-likelihood that the window holds
the span of the timeline that begins at o is, up to a constant,

    score(o) = <W x, W m_o> - |W m_o|^2 / 2

W is spatial whitening, then one autoregressive filter for each principal component (Levinson-Durbin; a
window's first samples use the lower orders, so none is lost), then spatial whitening of what remains. It is
exact for stationary Gaussian noise whose components share no delayed correlation. Blinks and bursts are
neither: the scores are the limit of observers that take noise for Gaussian.
`offline.simulate.session.subject_model` gives the true `evoked` and `noise` from study.json alone.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

# Directions with less than this share of the largest variance carry no signal: flat channels, for one.
_RANK = 1e-7


@dataclass(frozen=True)
class IdealObserver:
    """The whitening W of one subject's preprocessed noise.

    mean     (C,) of the noise
    first    (C, K) to unit-variance principal components
    filters  (order + 1, order + 1, K) filters[t, j] weighs the sample j before the newest, in the prediction
             error from t past samples; scaled to the variance of the highest order
    last     (K, K) to uncorrelated unit-variance prediction errors
    """

    mean: np.ndarray
    first: np.ndarray
    filters: np.ndarray
    last: np.ndarray

    @classmethod
    def fit(cls, noise: np.ndarray, order: int = 24) -> "IdealObserver":
        """From (T, C) preprocessed noise without speech; some minutes of it, 10 * order samples at least."""
        noise = np.asarray(noise, dtype=float)
        if noise.ndim != 2 or len(noise) < 10 * order or order < 1:
            raise ValueError(f"noise of shape {noise.shape}: expected (T, C), T at least {10 * order}")
        mean = noise.mean(axis=0)
        first = _whitener(noise - mean, _RANK)
        parts = (noise - mean) @ first
        filters = _levinson(parts, order)
        return cls(mean, first, filters, _whitener(_filter(parts, filters)[order:], 0.0))

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """(T, C) -> (T, K) with unit covariance for noise: W x."""
        return _filter((np.asarray(x, dtype=float) - self.mean) @ self.first, self.filters) @ self.last

    def against(self, timeline: np.ndarray, size: int) -> "Candidates":
        """Every span of `size` samples of the (T_bank, C) expected EEG, made ready to score windows
        against.
        """
        timeline = np.asarray(timeline, dtype=float)
        if not 0 < size <= len(timeline):
            raise ValueError(
                f"a window of {size} samples against a timeline of {len(timeline)}: give a longer timeline"
            )
        parts, order, spans = timeline @ self.first, len(self.filters) - 1, len(timeline) - size + 1
        head = np.zeros(spans)
        for t in range(min(order, size)):
            row = sum(self.filters[t, j] * parts[t - j : t - j + spans] for j in range(t + 1))
            head += ((row @ self.last) ** 2).sum(axis=1)
        if size > order:
            steady = (_filter(parts, self.filters)[order:] @ self.last) ** 2
            total = np.concatenate([[0.0], np.cumsum(steady.sum(axis=1))])
            head += total[size - order :] - total[: -(size - order)]
        return Candidates(
            self,
            size,
            spans,
            rfft(parts, next_fast_len(len(parts), real=True), axis=0),
            head,
            next_fast_len(len(parts), real=True),
        )

    def scores(self, window: np.ndarray, timeline: np.ndarray) -> np.ndarray:
        """(N, C) window, (T_bank, C) expected EEG, both preprocessed -> (T_bank - N + 1,) log-likelihoods up
        to a constant.
        """
        return self.against(timeline, len(window)).scores(window)


@dataclass(frozen=True)
class Candidates:
    """All spans of a timeline, for windows of `size` samples. `energy` (spans,) is |W m_o|^2."""

    observer: IdealObserver
    size: int
    spans: int
    spectrum: np.ndarray
    energy: np.ndarray
    fft_size: int

    def scores(self, window: np.ndarray) -> np.ndarray:
        """(size, C) preprocessed EEG -> (spans,) log-likelihoods up to a constant."""
        if len(window) != self.size:
            raise ValueError(f"a window of {len(window)} samples: these candidates are for {self.size}")
        # <W x, W m_o> = <W' W x, m_o>: one correlation with the timeline as it is.
        whitened = self.observer.whiten(window) @ self.observer.last.T
        probe = _filter_transposed(whitened, self.observer.filters)
        product = (self.spectrum * np.conj(rfft(probe, self.fft_size, axis=0))).sum(axis=1)
        return irfft(product, self.fft_size)[: self.spans] - self.energy / 2


def _filter(parts: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """(T, K) -> (T, K) prediction errors: row t from as many past samples as there are, up to the order."""
    order = len(filters) - 1
    out = np.empty_like(parts)
    for t in range(min(order, len(parts))):
        out[t] = (filters[t, : t + 1] * parts[t::-1]).sum(axis=0)
    rows = len(parts) - order
    if rows > 0:
        out[order:] = sum(filters[order, j] * parts[order - j : order - j + rows] for j in range(order + 1))
    return out


def _filter_transposed(rows: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """The transpose of `_filter`, as a matrix over time."""
    order = len(filters) - 1
    out = np.zeros_like(rows)
    for t in range(min(order, len(rows))):
        out[t::-1] += filters[t, : t + 1] * rows[t]
    steady = len(rows) - order
    if steady > 0:
        for j in range(order + 1):
            out[order - j : order - j + steady] += filters[order, j] * rows[order:]
    return out


def _whitener(x: np.ndarray, rank: float) -> np.ndarray:
    """(C, K): x @ it has unit covariance; directions without variance are dropped."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    kept = values > max(rank * values[-1], 1e-300)
    return vectors[:, kept] / np.sqrt(values[kept])


def _levinson(parts: np.ndarray, order: int) -> np.ndarray:
    """(T, K) -> (order + 1, order + 1, K) prediction-error filters of all orders (Levinson-Durbin), see
    IdealObserver.filters.
    """
    size = next_fast_len(2 * len(parts), real=True)
    lagged = irfft(np.abs(rfft(parts, size, axis=0)) ** 2, size, axis=0)[: order + 1] / len(parts)
    lagged[0] *= 1 + 1e-9  # band-passed noise is nearly predictable: keeps the recursion stable
    filters = np.zeros((order + 1, order + 1, parts.shape[1]))
    filters[:, 0] = 1
    error = np.empty((order + 1, parts.shape[1]))
    error[0] = lagged[0]
    for t in range(1, order + 1):
        previous = filters[t - 1, :t]
        reflection = -(previous * lagged[t:0:-1]).sum(axis=0) / error[t - 1]
        filters[t, 1:t] = previous[1:]
        filters[t, 1 : t + 1] += reflection * previous[::-1]
        error[t] = error[t - 1] * (1 - reflection**2)
    return filters * np.sqrt(error[-1] / error)[:, None]
