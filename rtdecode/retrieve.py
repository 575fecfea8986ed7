"""Which segment of known speech does the brain hear? Ranks a bank of candidates against the model's estimate.

The score of a candidate is the cosine between the last N frames of the estimate and the candidate's own
features, each feature's mean over those frames removed first (for one feature this is Pearson's r). The
probability is a softmax over all candidates. Knows nothing of models, streams or clocks.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtdecode.ring import Ring
from rtdecode.types import Hit, Retrieved

TOP = 10


@dataclass(frozen=True)
class RetrievalSpec:
    """How the bank is searched; stored in the bundle.

    frames     N, output frames per window
    delay      the estimate at frame n speaks of the stimulus at frame n - delay
    align      "search": the time in the stimulus is unknown, every offset of the bank is tried;
               "onset": stimulus time 0 is the first sample of the run, candidates are whole stimuli
    sharpness  factor on the cosine before the softmax, fitted on validation data
    """

    frames: int
    delay: int
    align: Literal["search", "onset"]
    sharpness: float


@dataclass(frozen=True)
class Candidate:
    """A span of the bank's timeline. first, frames: output frames; start, duration: seconds in `source`."""

    id: str
    text: str
    source: str
    first: int
    frames: int
    start: float
    duration: float


@dataclass(frozen=True)
class Bank:
    """Speech features on one timeline, (T_bank, F) float32, and the candidates cut from it."""

    features: np.ndarray
    candidates: tuple[Candidate, ...]


class Retriever:
    """Ranks the bank for the newest window of estimate frames."""

    def __init__(self, spec: RetrievalSpec, bank: Bank, frame_rate: float, top: int = TOP):
        self.spec, self.bank, self.top = spec, bank, min(top, len(bank.candidates))
        self.window_s = spec.frames / frame_rate
        features = np.asarray(bank.features, np.float32)
        self._estimate = Ring(spec.frames, features.shape[1])
        firsts = np.array([c.first for c in bank.candidates])
        lengths = np.array([c.frames for c in bank.candidates])
        if firsts.min() < 0 or (firsts + lengths).max() > len(features) or lengths.min() < 1:
            raise ValueError(f"a candidate lies outside the bank's {len(features)} frames")
        if spec.align == "onset":
            if len(set(lengths)) != 1:
                raise ValueError("candidates locked to the onset must be equally long")
            self.stimulus_frames = int(lengths[0])
            self._stimuli = np.stack([features[f : f + self.stimulus_frames] for f in firsts])  # (K, T, F)
        else:
            self.stimulus_frames = 0
            self._timeline = features
            self._norm = _window_norms(features, spec.frames)
            # sum_k Z[k] . Y[o + k] for every offset o: one product, then sums along its diagonals
            self._product = np.empty((len(features), spec.frames), np.float32)  # (T_bank, N)
            down, right = self._product.strides
            shape, strides = (len(self._norm), spec.frames), (down, down + right)
            self._diagonals = np.lib.stride_tricks.as_strided(self._product, shape, strides)
            # the end marker lets the last span reach the end of the array
            self._offsets = np.full(len(self._norm) + 1, -np.inf)
            low = np.maximum(firsts - spec.frames + 1, 0)
            high = np.minimum(firsts + lengths - spec.frames + 1, len(self._norm))
            if (low >= high).any():
                lost = bank.candidates[int(np.argmax(low >= high))]
                raise ValueError(
                    f"candidate {lost.id} ends before the first full window of {spec.frames} frames"
                )
            self._spans = np.stack([low, high], axis=1).ravel()

    def reset(self) -> None:
        self._estimate.reset()

    def push(self, estimate: np.ndarray, stop: int) -> None:
        """Take (n, F) new estimate frames; `stop` is the absolute frame index just after the newest."""
        self._estimate.write(estimate)
        self._stop = stop

    def ready(self) -> bool:
        held = self._estimate.stop >= self.spec.frames
        return held and (self.spec.align == "search" or self._stop - self.spec.delay >= self.spec.frames)

    def ended(self) -> bool:
        """Whether an onset-locked stimulus is over, so that nothing can be compared any more."""
        return self.spec.align == "onset" and self._stop - self.spec.delay > self.stimulus_frames

    def scores(self) -> np.ndarray:
        """(K,) cosines of the newest window with every candidate."""
        z = self._estimate.read(self._estimate.stop - self.spec.frames, self._estimate.stop)
        z = z - z.mean(axis=0)
        z /= max(float(np.linalg.norm(z)), 1e-12)
        if self.spec.align == "onset":
            stop = self._stop - self.spec.delay
            y = self._stimuli[:, stop - self.spec.frames : stop]
            y = y - y.mean(axis=1, keepdims=True)
            norm = np.sqrt((y * y).sum(axis=(1, 2)))
            return np.tensordot(y, z, axes=([1, 2], [0, 1])) / np.maximum(norm, 1e-12)
        np.matmul(self._timeline, z.T, out=self._product)
        np.divide(self._diagonals.sum(axis=1), self._norm, out=self._offsets[:-1])
        return np.maximum.reduceat(self._offsets, self._spans)[::2]

    def rank(self) -> Retrieved:
        scores = self.scores()
        logits = self.spec.sharpness * (scores - scores.max())
        probs = np.exp(logits)
        probs /= probs.sum()
        # stable: candidates of equal score keep the bank's order, live and offline alike
        order = np.argsort(-scores, kind="stable")[: self.top]
        candidates = self.bank.candidates
        hits = tuple(
            Hit(int(k), (c := candidates[k]).id, c.text, c.source, c.start, float(scores[k]), float(probs[k]))
            for k in order
        )
        return Retrieved(hits, len(candidates), self.window_s)


def _window_norms(features: np.ndarray, frames: int) -> np.ndarray:
    """Frobenius norm of every window, each feature's mean removed: (T_bank - frames + 1,)."""
    if len(features) < frames:
        raise ValueError(f"the bank holds {len(features)} frames, a window needs {frames}")
    x = features.astype(np.float64)
    sums = np.cumsum(np.vstack([np.zeros(x.shape[1]), x]), axis=0)
    squares = np.cumsum(np.append(0.0, (x * x).sum(axis=1)))
    mean = (sums[frames:] - sums[:-frames]) / frames
    power = squares[frames:] - squares[:-frames] - frames * (mean * mean).sum(axis=1)
    return np.sqrt(np.maximum(power, 1e-12)).astype(np.float32)
