"""Scores of all candidates -> the first few with their probabilities.

Equal scores keep the bank's order, live and offline alike. What a candidate says of itself is looked up once.
"""

from collections.abc import Sequence

import numpy as np

from rtdecode.kernels import MOST, kernels
from rtdecode.retrieval.bank import Candidate
from rtdecode.types import Ranked

First = tuple[Sequence[int], Sequence[float], Sequence[float]]
"""Candidates, their scores, their probabilities; best first."""
_SORTED = 512  # candidates: below, sorting all of them is faster than choosing first


def top_order(scores: np.ndarray, top: int) -> np.ndarray:
    """(top,) indices of the best scores, best first: the start of a stable sort of all of them."""
    if len(scores) <= max(_SORTED, top):
        return (-scores).argsort(kind="stable")[:top]
    least = np.partition(scores, len(scores) - top)[len(scores) - top]
    among = np.flatnonzero(scores >= least)
    return among[np.argsort(-scores[among], kind="stable")[:top]]


class Ranking:
    """The candidates of one bank, ready to be ranked."""

    def __init__(self, candidates: Sequence[Candidate], sharpness: float, top: int):
        self.top, self.sharpness = min(top, len(candidates)), sharpness
        self._said = tuple(
            {"candidate": k, "id": c.id, "text": c.text, "source": c.source, "start": c.start}
            for k, c in enumerate(candidates)
        )
        self._compiled = kernels() if top <= MOST else None

    def ranked(self, scores: np.ndarray, window_s: float) -> Ranked:
        """(K,) float64 cosines -> the `top` best; probabilities are a softmax over all of them."""
        first = self._compiled.top if self._compiled else _top
        return self.of(first(scores, self.sharpness, self.top), window_s)

    def of(self, first: First, window_s: float) -> Ranked:
        """Of those that were chosen already, with `sharpness` and `top`."""
        return Ranked(self._said, *first, window_s)


def _top(scores: np.ndarray, sharpness: float, top: int) -> First:
    """As kernels.top."""
    order = top_order(scores, top)
    odds = scores - scores[order[0]]
    odds *= sharpness
    np.exp(odds, odds)
    return order.tolist(), scores[order].tolist(), (odds[order] / np.add.reduce(odds)).tolist()
