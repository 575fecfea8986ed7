"""Frames of log-probabilities become text, append-only: greedily, or by a beam search with a language model.

A word that is committed is never taken back; what is under way is tentative. The search is `rtdecode.text`;
here it meets the stream: sentences that end, frames that are late, seconds, and what is kept over hours.
Knows nothing of models or files.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.commit import CommitSpec, CommitStats, Committer, Final, Said
from rtdecode.text.endpoint import Endpointer, EndpointSpec
from rtdecode.text.greedy import Greedy
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.rescore import RescoreSpec, Sentence, sentence
from rtdecode.text.symbols import BLANK, Symbols
from rtdecode.types import Corrected, Hypothesis, SpokenWord, TextPace

SENTENCES = 8  # that ended and were not asked for; older ones are forgotten
NARROW = 4  # a late hop is searched with so many times fewer beams


@dataclass(frozen=True)
class TextSpec:
    """How log-probabilities become text; stored in the bundle.

    symbols   alphabet of the CTC head, in the order of its outputs; the blank is symbol 0
    search    None: greedy (Graves et al. 2006)
    commit    when a word of the search is said;  endpoint  when a sentence ends, None: never by itself
    lm, lexicon   files of the bundle: ARPA (.gz), and one word with its symbols per line; "" none
    delay     output frames by which text speaks of the past: the model's look-ahead
    rescore   how a language model's opinion of a sentence that ended is weighed, where a session asks for one
    """

    symbols: tuple[str, ...]
    search: SearchSpec | None = None
    commit: CommitSpec = field(default_factory=CommitSpec)
    endpoint: EndpointSpec | None = None
    lm: str = ""
    lexicon: str = ""
    delay: int = 0
    rescore: RescoreSpec = field(default_factory=RescoreSpec)

    def __post_init__(self) -> None:
        if not self.symbols or self.symbols[0] != BLANK:
            raise ValueError(f"symbol 0 must be {BLANK!r}, got {self.symbols[:1]}")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol occurs twice in the alphabet")
        if self.search is None and (self.lm or self.lexicon):
            raise ValueError(f"{self.lm or self.lexicon} is for a search, but search is null")


class Transcriber:
    """One stream's text, exact in pieces.

    frame_rate  Hz, of log-probabilities;  lm, lexicon  what the spec's files hold
    """

    def __init__(
        self,
        spec: TextSpec,
        frame_rate: float = 1.0,
        lm: NGram | None = None,
        lexicon: Lexicon | None = None,
    ):
        self.spec, self._rate = spec, frame_rate
        symbols = Symbols(spec.symbols)
        self._said: Greedy | Committer
        self._search: BeamSearch | None = None
        if spec.search is None:
            self._said = Greedy(symbols)
        else:
            self._search = BeamSearch(symbols, spec.search, lm, lexicon)
            self._said = Committer(self._search, spec.commit, 1.0 / frame_rate)
        self._endpointer = Endpointer(spec.endpoint, symbols, 1.0 / frame_rate) if spec.endpoint else None
        self.reset()

    def reset(self) -> None:
        self._said.reset()
        if self._endpointer:
            self._endpointer.reset()
        self._pace = _Pace(1.0 / self._rate)
        self._frames = 0  # since the run began, when this sentence began
        self._began = 0
        self._committed = self._tentative = self._ended = ""
        self._new: list[tuple[Said, int]] = []  # words and the frame their sentence began at
        self._corrected: list[Corrected] = []
        self._finals: deque[tuple[int, Final]] = deque(maxlen=SENTENCES)
        self._sentences = 0

    def push(self, log_probs: np.ndarray, late: bool = False) -> None:
        """Take (T', V) log-probabilities. late: search them narrowly, to catch up."""
        if self._search is not None:
            width = self._search.spec.beam
            self._search.width = max(1, width // NARROW) if late else width
        start = 0
        if self._endpointer:
            for stop in np.flatnonzero(self._endpointer.push(log_probs)) + 1:
                self._push(log_probs[start:stop])
                self._finish(self._endpointer.rule)
                start = int(stop)
        self._push(log_probs[start:])

    def _push(self, log_probs: np.ndarray) -> None:
        if not len(log_probs):
            return
        found = self._said.push(log_probs)
        self._frames += len(log_probs)
        self._new += [(word, self._began) for word in found.delta]
        words = [word.text for word in found.tail]
        self._tentative = " ".join([*words, found.partial]).strip()

    def _finish(self, rule: str) -> None:
        final = self._said.finish()
        if final.text:
            self._sentences += 1
            self._finals.append((self._sentences, final))
        self._new += [(word, self._began) for word in final.delta]
        if final.correction:
            self._corrected.append(
                Corrected(" ".join(final.correction.said), " ".join(final.correction.words))
            )
        self._pace.add(self._said.stats)
        self._said.reset()
        self._began, self._tentative, self._ended = self._frames, "", rule

    def take(self) -> Hypothesis:
        """The text so far; `delta` is what was committed since the last call."""
        delta = "".join(f"{word.text} " for word, _ in self._new)
        self._committed += delta
        words = tuple(self._spoken(word, began) for word, began in self._new)
        corrected, ended = tuple(self._corrected), self._ended
        self._new, self._corrected, self._ended = [], [], ""
        pace = self._pace.now(self._said.stats) if self._search else None
        return Hypothesis(self._committed, self._tentative, delta, words, ended, corrected, pace)

    def sentences(self) -> list[Sentence]:
        """Those that ended since the last call, with their other readings; what is committed stays as it is.
        None of greedy text, which has one reading.
        """
        found = list(self._finals)
        self._finals.clear()
        if self._search is None:
            return []
        spec, joiner = self._search.spec, self._search.joiner
        return [sentence(number, final, spec, joiner) for number, final in found]

    def _spoken(self, word: Said, began: int) -> SpokenWord:
        def second(frame: int) -> float:
            return round((began + frame - self._frames - self.spec.delay) / self._rate, 4)

        delay_s = round((word.committed - word.shown) / self._rate, 4)
        return SpokenWord(
            word.text, second(word.start), second(word.stop), round(word.confidence, 4), delay_s
        )


class _Pace:
    """Commit statistics over the sentences of a run."""

    def __init__(self, frame_s: float):
        self._frame_s, self._past = frame_s, CommitStats()

    def add(self, stats: CommitStats) -> None:
        """A sentence is over."""
        self._past = _sum(self._past, stats)

    def now(self, stats: CommitStats) -> TextPace | None:
        """None before the first word."""
        both = _sum(self._past, stats)
        if not both.committed:
            return None
        return TextPace(
            round(both.delay(0.5) * self._frame_s, 3),
            round(both.delay(0.9) * self._frame_s, 3),
            round(both.revised / both.shown, 4) if both.shown else 0.0,
            round(both.tail_sum / both.frames, 2) if both.frames else 0.0,
        )


def _sum(a: CommitStats, b: CommitStats) -> CommitStats:
    names = ("frames", "committed", "shown", "revisions", "revised", "tail_sum", "dropped")
    total = CommitStats(**{name: getattr(a, name) + getattr(b, name) for name in names})
    total.tail_most = max(a.tail_most, b.tail_most)
    for stats in (a, b):
        for frames, words in stats.delays.items():
            total.delays[frames] = total.delays.get(frames, 0) + words
    return total
