"""CTC prefix beam search, frame by frame: characters or phonemes freely, or only words of a lexicon.

A prefix's weight is the sum over all alignments that spell it (Graves 2012, section 7.5; Hannun et al. 2014),
times what the grammar gives its words. Words are separated by the table's separator (" " or "SIL"); before
the first word and repeated it says nothing. The result depends on the frames only, never on how they came in
pieces. A frame that is blank for certain moves no beam past another and is one addition. Knows no seconds and
commits nothing.
"""

import math
from collections.abc import Callable

import numpy as np

from rtdecode.errors import ConfigError
from rtdecode.text.frontier import Frontier
from rtdecode.text.grammar import Grammar
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.prefix import Prefix
from rtdecode.text.search import MOST_NATS, Path, SearchSpec, Word
from rtdecode.text.symbols import Symbols

__all__ = ["BeamSearch", "Path", "SearchSpec", "Word"]

_BLOCK = 256  # frames prepared at a time


class BeamSearch:
    """Exact but for pruning. `impossible` counts frames that no beam could follow, passed over as blank."""

    def __init__(
        self,
        symbols: Symbols,
        spec: SearchSpec | None = None,
        lm: NGram | None = None,
        lexicon: Lexicon | None = None,
    ):
        """ConfigError: the lexicon's symbols are others; or a model or lexicon for a table without a
        separator.
        """
        self.symbols, self.spec = symbols, spec or SearchSpec()
        self.grammar = Grammar(symbols, self.spec, lm, lexicon)
        try:
            self._separator = symbols.separator
        except ConfigError:
            if lm is not None or lexicon is not None:
                raise
            self._separator = len(symbols)  # never read: one endless word
        if symbols.spelled or lexicon is not None:
            self.joiner = " "
        else:
            self.joiner = f" {(*symbols.names, '')[self._separator]} "
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is frame 0 of a new sentence."""
        self.frontier = Frontier(self.grammar, self._separator, self.spec.beam, self.spec.prune_nats)
        self.impossible = 0

    @property
    def frame(self) -> int:
        """Frames since reset()."""
        return self.frontier.frame

    @property
    def width(self) -> int:
        """Beams kept from the next frame on; `reset` makes it that of the spec again."""
        return self.frontier.width

    @width.setter
    def width(self, beams: int) -> None:
        self.frontier.width = beams

    def push(self, log_probs: np.ndarray, each: Callable[[], None] | None = None) -> None:
        """Take (T, V) natural log-probabilities, any T; `each` is called after every frame.

        ValueError, before anything has changed: another shape, or a frame with NaN, +inf or nothing but -inf.
        """
        if log_probs.ndim != 2 or log_probs.shape[1] != len(self.symbols):
            raise ValueError(
                f"log-probabilities have the shape {log_probs.shape}, for {len(self.symbols)} symbols it is "
                f"(T, {len(self.symbols)})"
            )
        if not len(log_probs):
            return
        best = log_probs.max(axis=1)  # NaN where there is one
        wrong = np.flatnonzero(~np.isfinite(best))
        if wrong.size:
            raise ValueError(
                f"frame {self.frame + int(wrong[0])} cannot be searched: "
                f"its best log-probability is {best[wrong[0]]}"
            )
        for start in range(0, len(log_probs), _BLOCK):
            self._block(log_probs[start : start + _BLOCK], each)

    def _block(self, log_probs: np.ndarray, each: Callable[[], None] | None) -> None:
        spec, frontier = self.spec, self.frontier
        lp = np.array(log_probs, np.float64, order="C")
        lp[:, 0] -= spec.blank_penalty
        low = lp < spec.token_floor
        lp *= spec.acoustic_scale
        best = lp.max(axis=1, keepdims=True)
        lp -= best
        low |= lp < -spec.token_nats
        low &= lp < 0
        p = np.zeros((len(lp), lp.shape[1] + 1))  # a last column of zeros: the symbol that is never read
        np.exp(lp, out=p[:, :-1])
        p[:, :-1][low] = 0.0
        order = np.argsort(-p[:, 1:-1], axis=1, kind="stable") + 1
        tried = np.count_nonzero(p[:, 1:], axis=1).tolist()
        rows = zip(p.tolist(), order.tolist(), tried, best[:, 0].tolist(), lp[:, 0].tolist(), strict=True)
        for row, symbols, n, unit, blank in rows:
            frontier.offset += unit
            if n == 0:
                frontier.rest()
            elif not frontier.step(row, symbols[:n]):
                self.impossible += 1
                frontier.offset += max(blank, -MOST_NATS)
                frontier.rest()
            frontier.frame += 1
            if each is not None:
                each()

    def beams(self) -> list[Path]:
        """All hypotheses, heaviest first, as they stand: words that ended, and the symbols of the one under
        way.
        """
        frontier = self.frontier
        totals = [b + o for b, o in zip(frontier.blanks, frontier.others, strict=True)]
        whole = sum(totals)
        return [self._path(node, total, whole) for node, total in zip(frontier.nodes, totals, strict=True)]

    def nbest(self, n: int) -> list[Path]:
        """The n heaviest hypotheses as they stand."""
        return self.beams()[:n]

    def best(self) -> Path:
        """The heaviest hypothesis as it stands."""
        frontier = self.frontier
        totals = [b + o for b, o in zip(frontier.blanks, frontier.others, strict=True)]
        return self._path(frontier.nodes[0], totals[0], sum(totals))

    def _path(self, node: Prefix, total: float, whole: float) -> Path:
        home = node.home or node
        words = _words(home)
        partial = tuple(self.symbols.names[i] for i in node.letters())
        spelled = "".join(partial) if self.symbols.spelled else " ".join(partial)
        texts = [word.text for word in words]
        if spelled and not self.grammar.closed:
            texts.append(spelled)
        score = self.frontier.offset + math.log(total) - self.grammar.ahead(node)
        return Path(words, partial, self.joiner.join(texts), score, home.lm, total / whole)

    def finish(self, n: int = 100) -> list[Path]:
        """The n likeliest sentences if it ends here; changes nothing.

        The word under way is ended: with a lexicon, if it is one; if no beam is at a word's end, what it has
        of the last word is left out. The end of the sentence is scored. Equal texts are one, whatever their
        alignment.
        """
        frontier, grammar = self.frontier, self.grammar
        beams = list(zip(frontier.nodes, frontier.blanks, frontier.others, strict=True))
        ends: dict[tuple[Prefix | None, str], _End] = {}
        for node, blank, other in beams:
            if node.home is None:
                _End.of(ends, node.parent, node, node.word, node.state, node.lm).weight += blank + other
            else:
                for word, factor, state, lm in grammar.endings(node):
                    end = _End.of(ends, node.home, node, word, state, lm)
                    end.weight += (blank + other) * factor
        if not ends:
            for node, blank, other in beams:
                home = node.home or node
                end = _End.of(ends, home.parent, home, home.word, home.state, home.lm)
                end.weight += (blank + other) * math.exp(-grammar.ahead(node))
        scored = []
        for (before, word), end in ends.items():
            nats, log10 = grammar.end(end.state)
            words = _words(before) if before is not None else ()
            if before is not None:
                words = (*words, Word(word, end.node.start, end.node.at + 1))
            score = frontier.offset + math.log(end.weight or 5e-324) + nats
            scored.append((score, words, end.lm + log10))
        scored.sort(key=lambda item: item[0], reverse=True)
        shares = [math.exp(max(-MOST_NATS, score - scored[0][0])) for score, _, _ in scored]
        return [
            Path(words, (), self.joiner.join(word.text for word in words), score, log10, share / sum(shares))
            for (score, words, log10), share in zip(scored[:n], shares, strict=False)
        ]


class _End:
    """A sentence that may end here: its weight, the heaviest beam that says so (for the times), state and
    log10 p.
    """

    __slots__ = ("lm", "node", "state", "weight")

    def __init__(self, node: Prefix, state: tuple[int, ...], lm: float):
        self.node, self.state, self.lm, self.weight = node, state, lm, 0.0

    @staticmethod
    def of(
        ends: "dict[tuple[Prefix | None, str], _End]",
        before: Prefix | None,
        node: Prefix,
        word: str,
        state: tuple[int, ...],
        lm: float,
    ) -> "_End":
        found = ends.get((before, word))
        if found is None:
            found = ends[before, word] = _End(node, state, lm)
        return found


def _words(home: Prefix) -> tuple[Word, ...]:
    return tuple(Word(node.word, node.start, node.at + 1) for node in home.words())
