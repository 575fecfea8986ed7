"""Scores of all candidates -> the first few with their probabilities.

Equal scores keep the bank's order, live and offline alike. What a candidate says of itself is looked up once.
"""

from collections.abc import Sequence

import numpy as np

from rtdecode.retrieval.bank import Candidate
from rtdecode.types import Hit

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
        self.top, self.sharpness = top, sharpness
        self._said = [
            {"candidate": k, "id": c.id, "text": c.text, "source": c.source, "start": c.start}
            for k, c in enumerate(candidates)
        ]

    def hits(self, scores: np.ndarray) -> tuple[Hit, ...]:
        """(K,) float64 cosines -> the `top` best; probabilities are a softmax over all of them."""
        order = top_order(scores, self.top)
        odds = scores - scores[order[0]]
        odds *= self.sharpness
        np.exp(odds, odds)
        best, probs = scores[order], odds[order] / np.add.reduce(odds)
        said, found = self._said, []
        for k, score, prob in zip(order.tolist(), best.tolist(), probs.tolist(), strict=True):
            hit = object.__new__(Hit)  # a frozen dataclass's own __init__ takes five times as long
            hit.__dict__.update(said[k], score=score, prob=prob)
            found.append(hit)
        return tuple(found)
