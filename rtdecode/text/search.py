"""What a search is told and what it answers, as data. Knows no search."""

import math
from dataclasses import dataclass

MOST_NATS = 300.0  # widest beam: weights are doubles


@dataclass(frozen=True)
class SearchSpec:
    """How wide to search and how to weigh.

    beam            prefixes kept
    alpha           weight of the n-gram model's natural logarithm
    beta            bonus per word in nats
    acoustic_scale  multiplies the log-probabilities, after the blank penalty
    blank_penalty   nats taken off the blank column, and nothing else (not renormalised)
    prune_nats      beams this far under the best are dropped
    token_nats      symbols this far under the frame's best are not tried
    token_floor     nor are those whose log-probability is less (the best one always is)
    unknown_log10   added to log10 p of a word the model does not know
    partial_unknown_nats  without a lexicon: taken off a spelled word as soon as no word the model knows
                          begins so,
                    and given back at its end
    boundaries      score the start and the end of the sentence
    look_ahead      with a lexicon: steer by the unigram of the likeliest word
    """

    beam: int = 100
    alpha: float = 1.0
    beta: float = 0.0
    acoustic_scale: float = 1.0
    blank_penalty: float = 0.0
    prune_nats: float = 20.0
    token_nats: float = 10.0
    token_floor: float = -1e3
    unknown_log10: float = 0.0
    partial_unknown_nats: float = 0.0
    boundaries: bool = True
    look_ahead: bool = True

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise ValueError(f"a beam of {self.beam} keeps nothing, at least 1 is needed")
        if not 0 < self.prune_nats <= MOST_NATS:
            raise ValueError(f"prune_nats is {self.prune_nats}, valid: above 0, up to {MOST_NATS:.0f}")
        if not self.token_nats > 0 or not self.acoustic_scale > 0:
            raise ValueError(
                f"token_nats is {self.token_nats}, acoustic_scale {self.acoustic_scale}: both must be above 0"
            )
        if self.partial_unknown_nats < 0:
            raise ValueError(
                f"partial_unknown_nats is {self.partial_unknown_nats}, it is taken off and cannot be below 0"
            )
        if not all(map(math.isfinite, (self.alpha, self.beta, self.blank_penalty, self.unknown_log10))):
            raise ValueError("alpha, beta, blank_penalty and unknown_log10 must be finite numbers")


@dataclass(frozen=True)
class Word:
    """A word and the frames it was read in, [start, stop)."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class Path:
    """One hypothesis since the start (or since what was cut off).

    text     words, joined;  partial  symbols of the word under way
    score    nats: acoustics + alpha ln p + beta per word;  log10  of the n-gram model alone, unweighted
    share    of the total weight of all hypotheses
    """

    words: tuple[Word, ...]
    partial: tuple[str, ...]
    text: str
    score: float
    log10: float
    share: float
