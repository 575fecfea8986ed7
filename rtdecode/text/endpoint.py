"""When a sentence ends, from the log-probabilities alone: silence after text, silence without text, or too
long.

Silence is a frame whose blank and word separator have most of the probability; text has begun with the first
frame whose likeliest symbol is another. The three rules and their times follow the usual Kaldi endpointing,
with the constants of brain-to-text systems. The answer is data, one flag per frame, the same however frames
come in pieces; what to do at an endpoint is the caller's. Knows no search and no clock.
"""

from dataclasses import dataclass

import numpy as np

from rtdecode.text.symbols import Symbols


@dataclass(frozen=True)
class EndpointSpec:
    """blank_prob: least probability of blank and separator together in silence; the rest are seconds."""

    blank_prob: float = 0.8
    after_text_s: float = 1.0
    no_text_s: float = 5.0
    longest_s: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.blank_prob <= 1:
            raise ValueError(f"blank_prob is {self.blank_prob}, valid: above 0, up to 1")
        if min(self.after_text_s, self.no_text_s, self.longest_s) <= 0:
            raise ValueError(
                f"after_text_s {self.after_text_s}, no_text_s {self.no_text_s}, longest_s {self.longest_s}: "
                "all must be above 0"
            )


class Endpointer:
    """`rule` is the name of the rule that ended the last sentence: "silence", "nothing", "long" or "" before
    any.
    """

    def __init__(self, spec: EndpointSpec, symbols: Symbols, frame_s: float):
        """frame_s: seconds per frame. A rule holds from the first frame at which its time is full."""
        self.spec = spec
        self._silent = [0] + [i for i, name in enumerate(symbols.names) if name in (" ", "SIL")]
        self._after, self._nothing, self._long = (
            max(1, round(seconds / frame_s))
            for seconds in (spec.after_text_s, spec.no_text_s, spec.longest_s)
        )
        self.reset()

    def reset(self) -> None:
        """A new sentence begins with the next frame."""
        self.rule = ""
        self._start()

    def _start(self) -> None:
        self._frames = self._quiet = 0
        self._text = False

    def push(self, log_probs: np.ndarray) -> np.ndarray:
        """(T, V) natural log-probabilities -> (T,) bool: does the sentence end with this frame? The next
        begins then.

        A frame with NaN counts as neither silence nor text.
        """
        quiet = np.exp(log_probs[:, self._silent].astype(np.float64)).sum(axis=1) >= self.spec.blank_prob
        spoken = ~np.isin(log_probs.argmax(axis=1), self._silent) & np.isfinite(log_probs.max(axis=1))
        ends = np.zeros(len(log_probs), bool)
        for i, (silence, text) in enumerate(zip(quiet.tolist(), spoken.tolist(), strict=True)):
            self._frames += 1
            self._text = self._text or text
            self._quiet = self._quiet + 1 if silence else 0
            rule = ""
            if self._frames >= self._long:
                rule = "long"
            elif self._text and self._quiet >= self._after:
                rule = "silence"
            elif not self._text and self._quiet >= self._nothing:
                rule = "nothing"
            if rule:
                self.rule = rule
                ends[i] = True
                self._start()
        return ends
