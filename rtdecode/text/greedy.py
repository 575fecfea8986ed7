"""The likeliest symbol of each frame, repeats collapsed, blanks dropped (Graves et al. 2006, best path).

No search, no model, half a microsecond per frame: what every other decoder stands beside. A word is said when
its separator is read, and is never revised. Knows no seconds.
"""

import numpy as np

from rtdecode.errors import ConfigError
from rtdecode.text.commit import CommitStats, Final, Said, Update
from rtdecode.text.symbols import Symbols


class Greedy:
    """Streaming, exact in pieces; speaks the language of `Committer`. A word's confidence is the mean
    probability of its symbols.
    """

    def __init__(self, symbols: Symbols):
        self.symbols = symbols
        try:
            self._separator = symbols.separator
        except ConfigError:
            self._separator = len(symbols)  # never read: one endless word
        self._glue = "" if symbols.spelled else " "
        self.reset()

    def reset(self) -> None:
        self.stats = CommitStats()
        self._last = 0
        self._frame = 0
        self._text = ""
        self._word: list[str] = []
        self._start, self._stop, self._weight = 0, 0, 0.0
        self._delta: list[Said] = []

    def push(self, log_probs: np.ndarray) -> Update:
        """Take (T, V) log-probabilities."""
        self._delta = []
        best = log_probs.argmax(axis=1)
        for i, symbol in enumerate(best.tolist()):
            if symbol not in (self._last, 0):
                self._read(symbol, self._frame + i, float(np.exp(log_probs[i, symbol])))
            elif symbol == self._last and self._word and symbol not in (0, self._separator):
                self._stop = self._frame + i + 1
            self._last = symbol
        self._frame += len(log_probs)
        return Update(self._text, tuple(self._delta), (), self._glue.join(self._word), self._frame)

    def _read(self, symbol: int, frame: int, weight: float) -> None:
        if symbol == self._separator:  # at the start or repeated it says nothing
            self._say(frame + 1)
            return
        if not self._word:
            self._start, self._weight = frame, 0.0
        self._word.append(self.symbols.names[symbol])
        self._stop, self._weight = frame + 1, self._weight + weight

    def _say(self, now: int) -> None:
        if self._word:
            text, share = self._glue.join(self._word), self._weight / len(self._word)
            self._delta.append(Said(text, self._start, self._stop, share, now, now))
            self._text += (" " if self._text else "") + text
            self._word = []

    def finish(self) -> Final:
        """End the sentence: the word under way is one."""
        self._delta = []
        self._say(self._frame)
        return Final(self._text, tuple(self._delta), None, ())
