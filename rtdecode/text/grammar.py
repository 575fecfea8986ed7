"""What words a beam search allows and what they weigh: lexicon, n-gram model, word bonus.

The weight of a finished word is exp(alpha ln p(word | state) + beta). While it is spelled, a beam carries in
advance what its best possible word will bring (look-ahead, after Ortmanns et al. 1996: the unigram of the
likeliest word below the trie's node), and the finished word takes it back, so that the total is exact. Knows
no frames.
"""

import math

from rtdecode.errors import ConfigError
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import END, LN10, START, UNKNOWN, NGram, State
from rtdecode.text.prefix import Ending, Prefix
from rtdecode.text.search import MOST_NATS, SearchSpec
from rtdecode.text.symbols import Symbols


class Grammar:
    """Immutable; shared by any number of searches.

    arcs    node * V + symbol -> node; None where every symbol may follow every other
    closed  may only words of the lexicon be said?
    fans, ends  of the lexicon's nodes
    ratios  node -> factor on the weight on entering it
    astray  factor on leaving the arcs (only where not closed)
    """

    def __init__(self, symbols: Symbols, spec: SearchSpec, lm: NGram | None, lexicon: Lexicon | None):
        self.symbols, self.spec, self.lm, self.lexicon = symbols, spec, lm, lexicon
        self.closed = lexicon is not None
        self.weight = spec.alpha * LN10
        self._unknown = spec.unknown_log10
        self.bonus = math.exp(spec.beta)
        self.astray = math.exp(-spec.partial_unknown_nats)
        self.arcs: dict[int, int] | None = None
        self.fans: list[tuple[int, ...]] = []
        self.ends: dict[int, tuple[int, ...]] = {}
        self.ratios: list[float] = []
        self._ahead: list[float] = []
        if lexicon is not None:
            symbols.check(lexicon.symbols, "the lexicon")
            self.arcs, self.fans, self.ends = lexicon.arcs, lexicon.fans, lexicon.ends
            self._look_ahead(lexicon)
        elif lm is not None and spec.partial_unknown_nats:
            self.arcs = _vocabulary(symbols, lm)
            self.ratios = [1.0] * (len(self.arcs) + 1)
            self._ahead = [0.0] * (len(self.arcs) + 1)

    def _look_ahead(self, lexicon: Lexicon) -> None:
        nodes = len(lexicon.parents)
        ahead = [0.0] * nodes
        if self.lm is not None and self.spec.look_ahead and self.weight:
            ahead = [-math.inf] * nodes
            alone = [self._log10((), word)[0] for word in lexicon.words]
            for node, words in lexicon.ends.items():
                ahead[node] = max(alone[i] for i in words) * self.weight
            for node in range(nodes - 1, 0, -1):
                parent = lexicon.parents[node]
                ahead[parent] = max(ahead[parent], ahead[node])
            ahead[0] = 0.0
        self._ahead = ahead
        self.ratios = [math.exp(a - ahead[p]) for a, p in zip(ahead, lexicon.parents, strict=True)]

    def _log10(self, state: State, word: str) -> tuple[float, State]:
        assert self.lm is not None
        if self._unknown and word not in self.lm:
            log10, after = self.lm.score(state, word)
            return log10 + self._unknown, after
        return self.lm.score(state, word)

    def start(self) -> State:
        """The n-gram state at the start of a sentence."""
        if self.lm is None:
            return ()
        return self.lm.start() if self.spec.boundaries else ()

    def ahead(self, node: Prefix) -> float:
        """Nats of look-ahead that the weight of a node carries."""
        if node.home is None or self.arcs is None:
            return 0.0
        if node.base < 0:
            return -self.spec.partial_unknown_nats
        return self._ahead[node.base // len(self.symbols)]

    def endings(self, node: Prefix) -> list[Ending]:
        """The words that may end at a letter node."""
        lm, weight = self.lm, self.weight
        ahead = self.ahead(node)
        if self.lexicon is not None:
            texts = self.lexicon.words
            words = [texts[i] for i in self.ends.get(node.base // len(self.symbols), ())]
        else:
            words = [self.symbols.decode(node.letters())]
        if lm is None:
            return [(word, self.bonus * math.exp(-ahead), (), 0.0) for word in words]
        home, bonus, found = node.home, self.spec.beta - ahead, []
        assert home is not None
        for word in words:
            log10, state = self._log10(home.state, word)
            nats = weight * log10 + bonus
            factor = (
                math.exp(nats) if -MOST_NATS < nats < MOST_NATS else math.exp(math.copysign(MOST_NATS, nats))
            )
            found.append((word, factor, state, home.lm + log10))
        return found

    def end(self, state: State) -> tuple[float, float]:
        """(nats, log10) of ending the sentence here."""
        if self.lm is None or not self.spec.boundaries:
            return 0.0, 0.0
        log10 = self.lm.end(state)
        return self.weight * log10, log10


def _vocabulary(symbols: Symbols, lm: NGram) -> dict[int, int]:
    """Arcs of the words of a model that can be spelled in a table."""
    if not symbols.spelled:
        raise ConfigError(
            "partial words can be looked up only where words are spelled, these symbols are phonemes",
            hint="set partial_unknown_nats = 0, or give a lexicon",
        )
    known = (
        word for word in lm.words if word not in (START, END, UNKNOWN) and all(c in symbols for c in word)
    )
    return Lexicon(symbols, ((word, symbols.encode(word)) for word in known)).arcs
