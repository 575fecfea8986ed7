"""A back-off n-gram language model: one word scored at a time, from a state.

Katz (1987): log p(w | h) is that of the longest n-gram "h w" in the model, plus the back-off weights of the
contexts that were given up on the way. Scores are base-10 logarithms, as ARPA files have them; times LN10
they are natural ones, which is what CTC log-probabilities are.

A state is the shortest context that still matters: one without any continuation and without a back-off weight
scores every future as the next shorter one does, so it is cut, and two histories with the same future have
equal states (Li and Khudanpur 2008). That is what lets a beam search merge them. Knows no file and no search.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

State = tuple[int, ...]
"""Word ids of the context, oldest first, at most order - 1; () is the state that knows nothing."""

LN10 = math.log(10.0)
START, END, UNKNOWN = "<s>", "</s>", "<unk>"
FLOOR = -100.0  # log10 of a word outside a model that has no <unk>
NOBODY = -1  # id of such a word: in no n-gram, so it empties the state
MEMO = (
    1 << 17
)  # scores remembered (some 40 MB) before all are forgotten; a search asks for the same ones again


class NGram:
    """Immutable but for its memory of recent scores.

    words     (W,) every word, <s> and </s> among them; a word's id is its place
    scores    n-gram of word ids -> log10 probability; every word is there as a 1-gram, and every prefix
    backoffs  n-gram -> log10 back-off weight; 0 where it is not named
    order     longest n-gram, or more
    floor     log10 probability of a word outside `words`, used only where `words` has no <unk>
    """

    def __init__(
        self,
        words: Sequence[str],
        scores: Mapping[State, float],
        backoffs: Mapping[State, float],
        order: int,
        floor: float = FLOOR,
    ):
        self.words, self.order, self.floor = tuple(words), order, floor
        self._ids = {word: i for i, word in enumerate(self.words)}
        self.unknown = self._ids.get(UNKNOWN, NOBODY)
        self._scores = scores
        # The contexts that matter: those with a continuation, and those whose weight is not 1.
        self._contexts = {ngram[:-1]: 0.0 for ngram in scores if len(ngram) > 1}
        self._contexts.update(
            (ngram, weight) for ngram, weight in backoffs.items() if weight or ngram in self._contexts
        )
        self._memo: dict[tuple[State, str], tuple[float, State]] = {}

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def index(self, word: str) -> int:
        """Id of a word; that of <unk> for one outside the vocabulary, NOBODY where there is no <unk>."""
        return self._ids.get(word, self.unknown)

    def start(self) -> State:
        """The state at the start of a sentence."""
        return self._shortest((self._ids.get(START, NOBODY),))

    def score(self, state: State, word: str) -> tuple[float, State]:
        """log10 p(word | state), and the state after it. A word outside the vocabulary counts as <unk>."""
        key = (state, word)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= MEMO:
                self._memo.clear()
            found = self._memo[key] = self.score_id(state, self._ids.get(word, self.unknown))
        return found

    def end(self, state: State) -> float:
        """log10 p(</s> | state)."""
        return self.score(state, END)[0]

    def score_id(self, state: State, word: int) -> tuple[float, State]:
        """As `score`, for a word id of `index`, without the memory."""
        history, spent = state, 0.0
        while (found := self._scores.get((*history, word))) is None:
            if not history:
                found = self.floor
                break
            spent += self._contexts.get(history, 0.0)
            history = history[1:]
        return spent + found, self._shortest((*state, word))

    def _shortest(self, context: State) -> State:
        while context and context not in self._contexts:
            context = context[1:]
        return context

    def sentence(self, words: Iterable[str], end: bool = True) -> float:
        """log10 probability of a whole sentence, with its end unless `end` is False."""
        total, state = 0.0, self.start()
        for word in words:
            score, state = self.score(state, word)
            total += score
        return total + self.end(state) if end else total

    def counts(self) -> tuple[int, ...]:
        """Number of n-grams of each order, from 1."""
        counts = [0] * self.order
        for ngram in self._scores:
            counts[len(ngram) - 1] += 1
        return tuple(counts)

    def ngrams(self) -> Iterator[tuple[State, float, float | None]]:
        """(word ids, log10 probability, log10 back-off weight or None where no state is that n-gram)."""
        for ngram, score in self._scores.items():
            yield ngram, score, self._contexts.get(ngram)
