"""Frames of log-probabilities become text, append-only.

Greedy CTC (Graves et al. 2006): the best symbol of each frame, repeats collapsed, blanks dropped. Whole words
are committed when their space is read; the word under way is tentative. Knows nothing of models or time.
"""

from dataclasses import dataclass

import numpy as np

from rtdecode.types import Hypothesis

BLANK = "<blank>"


@dataclass(frozen=True)
class TextSpec:
    """The alphabet of the CTC head, in the order of its outputs; the blank is symbol 0."""

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.symbols or self.symbols[0] != BLANK:
            raise ValueError(f"symbol 0 must be {BLANK!r}, got {self.symbols[:1]}")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol occurs twice in the alphabet")


class Transcriber:
    """Greedy, streaming, exact in pieces."""

    def __init__(self, spec: TextSpec):
        self.spec = spec
        self.reset()

    def reset(self) -> None:
        self._last = 0
        self._committed = ""
        self._word = ""
        self._delta = ""

    def push(self, log_probs: np.ndarray) -> None:
        """Take (T', V) log-probabilities."""
        for symbol in log_probs.argmax(axis=1):
            if symbol != self._last and symbol != 0:
                self._append(self.spec.symbols[symbol])
            self._last = symbol

    def _append(self, text: str) -> None:
        if text != " ":
            self._word += text
        elif self._word:  # spaces at the start or in a row say nothing
            self._delta += self._word + " "
            self._word = ""

    def take(self) -> Hypothesis:
        """The text so far; `delta` is what was committed since the last call."""
        delta, self._delta = self._delta, ""
        self._committed += delta
        return Hypothesis(self._committed, self._word, delta)
