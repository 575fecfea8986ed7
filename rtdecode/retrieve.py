"""Which segment of known speech does the brain hear? Ranks a bank of candidates against the model's estimate.

The score of a candidate is the cosine between the last N frames of the estimate and the candidate's own
features, each feature's mean over those frames removed first (for one feature this is Pearson's r). The
probability is a softmax over all candidates. How the scores are computed is the business of
`rtdecode.retrieval`. Knows nothing of models, streams or clocks.
"""

from typing import Protocol

import numpy as np

from rtdecode.kernels import MOST
from rtdecode.retrieval.bank import Bank, Candidate, RetrievalSpec, map_features, spans
from rtdecode.retrieval.geometry import Geometry, geometry
from rtdecode.retrieval.progressive import ProgressiveOnset, ProgressiveSearch
from rtdecode.retrieval.ranking import Ranking
from rtdecode.retrieval.window import SmallSearch, WholeOnset, whole_search
from rtdecode.ring import Ring
from rtdecode.types import Ranked

__all__ = ["TOP", "Bank", "Candidate", "RetrievalSpec", "Retriever", "map_features"]

TOP = 10


class Scorer(Protocol):
    """One way to score the newest window of an estimate."""

    def reset(self) -> None: ...

    def scores(self, estimate: Ring, frames: int, ends: int) -> np.ndarray: ...


class Retriever:
    """Ranks the bank for the newest window of estimate frames.

    hop    frames that a push brings, where frames once pushed never change: each is then multiplied with the
           bank once. A push of another size is as good. None: a window's frames are all new
    least  any-time ranking: frames from which on the window that is still filling is ranked. None: N
    stop   absolute frame index just after the newest that was pushed
    """

    def __init__(
        self,
        spec: RetrievalSpec,
        bank: Bank,
        frame_rate: float,
        top: int = TOP,
        hop: int | None = None,
        least: int | None = None,
    ):
        if least is not None and not 1 < least <= spec.frames:
            raise ValueError(f"a ranking needs 2 to {spec.frames} frames, not {least}")
        self.spec, self.bank, self.top = spec, bank, min(top, len(bank.candidates))
        self.frame_rate, self.least = frame_rate, spec.frames if least is None else least
        # locked to the onset, every candidate is one piece of memory: nothing is gained from fewer frames
        rows = bank.rows if spec.align == "search" else None
        features = np.asarray(bank.features if rows is not None else bank.timeline, np.float32)
        firsts, lengths = spans(bank)
        if spec.align == "onset" and len(set(lengths)) != 1:
            raise ValueError("candidates locked to the onset must be equally long")
        self.stimulus_frames = int(lengths[0]) if spec.align == "onset" else 0
        # a filling window is a stream of its own even where the hop is as long as the window
        block = min(hop or spec.frames, spec.frames)
        whole = block == spec.frames and self.least == spec.frames
        self._estimate = Ring(spec.frames + (0 if whole else block), features.shape[1])
        self._scorer: Scorer
        if spec.align == "onset":
            self._scorer = (
                WholeOnset(features, firsts, spec.frames)
                if whole
                else ProgressiveOnset(features, firsts, spec.frames, block)
            )
        else:

            def windows(frames: int) -> Geometry:
                return geometry(features, firsts, lengths, frames, bank.candidates, rows)

            full = windows(spec.frames)
            self._scorer = (
                whole_search(features, full, spec.frames, rows)
                if whole
                else ProgressiveSearch(
                    features, lambda n: full if n == spec.frames else windows(n), spec.frames, block, rows
                )
            )
        self._ranking = Ranking(bank.candidates, spec.sharpness, self.top)
        scorer = self._scorer
        self._at_once = scorer if isinstance(scorer, SmallSearch) and self.top <= MOST else None
        self.stop = 0
        self.held = 0  # frames of the window that can be compared by now, at most N

    def reset(self) -> None:
        self._estimate.reset()
        self._scorer.reset()
        self.stop = self.held = 0

    def push(self, estimate: np.ndarray, stop: int) -> None:
        """Take (n, F) new estimate frames; `stop` is the absolute frame index just after the newest."""
        self._estimate.write(estimate)
        self.stop = stop
        self.held = min(self._estimate.stop, self.spec.frames)
        if self.spec.align == "onset":
            self.held = min(self.held, max(0, stop - self.spec.delay))

    @property
    def window_s(self) -> float:
        """Seconds that the next ranking speaks of; those of a full window unless it may be ranked before."""
        filling = self.least < self.spec.frames and self.held >= self.least
        return (self.held if filling else self.spec.frames) / self.frame_rate

    def ready(self) -> bool:
        return self.held >= self.least

    def ended(self) -> bool:
        """Whether an onset-locked stimulus is over, so that nothing can be compared any more."""
        return self.spec.align == "onset" and self.stop - self.spec.delay > self.stimulus_frames

    def scores(self) -> np.ndarray:
        """(K,) float64 cosines of the newest window with every candidate."""
        return self._scorer.scores(self._estimate, self.held, self.stop - self.spec.delay)

    def rank(self) -> Ranked:
        ranking, search = self._ranking, self._at_once
        if search is None:
            return ranking.ranked(self.scores(), self.window_s)
        first = search.first(self._estimate, self.held, ranking.sharpness, ranking.top)
        return ranking.of(first, self.window_s)
