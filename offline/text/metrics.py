"""Error rates of text and of symbols: over the whole corpus, with intervals, in substitutions, deletions,
insertions.

A rate is the sum of errors over the sum of reference units, never a mean of sentences' rates: short sentences
would count as much as long ones. An empty reference counts as one unit where the whole corpus is empty
(jiwer's rule: "" against two words is 2.0, against nothing 0). Knows nothing of models or decoders.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
from rapidfuzz.distance import Levenshtein

RESAMPLES = 2000
LEVEL = 0.95
_KEPT = re.compile(r"[^a-zA-Z\- ']")


def normalise(text: str) -> str:
    """A sentence as the Brain-to-Text competitions compare it: letters, hyphens, apostrophes and single
    spaces, in lower case. "--" goes, and a hyphen before a space.
    """
    kept = _KEPT.sub("", text).replace("--", "").replace("- ", " ").lower()
    return " ".join(kept.split())


@dataclass(frozen=True)
class Errors:
    """Of one sentence or of many. units: symbols or words of the reference."""

    substitutions: int
    deletions: int
    insertions: int
    units: int

    @property
    def total(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        return self.total / max(1, self.units)

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.units + other.units,
        )


NONE = Errors(0, 0, 0, 0)


def word_errors(reference: str, found: str) -> Errors:
    """Words, both texts normalised first."""
    return _errors(jiwer.process_words(normalise(reference), normalise(found)))


def character_errors(reference: str, found: str) -> Errors:
    """Characters, spaces between words included, both texts normalised first."""
    return _errors(jiwer.process_characters(normalise(reference), normalise(found)))


def symbol_errors(reference: Sequence[int], found: Sequence[int]) -> Errors:
    """Symbols of any alphabet, by number: nothing is joined into a string."""
    steps = Levenshtein.editops(list(reference), list(found))
    count = {"replace": 0, "delete": 0, "insert": 0}
    for step in steps:
        count[step.tag] += 1
    return Errors(count["replace"], count["delete"], count["insert"], len(reference))


def _errors(found: jiwer.WordOutput | jiwer.CharacterOutput) -> Errors:
    hits, wrong, missing = found.hits, found.substitutions, found.deletions
    return Errors(wrong, missing, found.insertions, hits + wrong + missing)


@dataclass(frozen=True)
class Rate:
    """A corpus-level error rate with its bootstrap interval over sentences. n: sentences."""

    value: float
    low: float
    high: float
    errors: Errors
    n: int

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"


def corpus(sentences: Sequence[Errors], *, seed: int = 0, resamples: int = RESAMPLES) -> Rate:
    """The rate of many sentences, with the percentile interval (95 %) of `resamples` draws of as many
    sentences.

    Raises ValueError without a sentence.
    """
    if not sentences:
        raise ValueError("no sentence to compute an error rate of")
    total = sum(sentences, NONE)
    errors = np.array([one.total for one in sentences])
    units = np.array([one.units for one in sentences])
    # counts of every sentence in every draw: the sums follow as one product
    drawn = np.random.default_rng(seed).multinomial(
        len(sentences), np.full(len(sentences), 1 / len(sentences)), size=resamples
    )
    rates = (drawn @ errors) / np.maximum(1, drawn @ units)
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Rate(total.rate, float(low), float(high), total, len(sentences))
