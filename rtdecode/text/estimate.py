"""An n-gram model from sentences: interpolated modified Kneser-Ney, or interpolated Witten-Bell.

Both (Chen and Goodman 1999) give a seen n-gram a share of its count and the rest of its context's mass to the
next shorter n-gram, down to 1-grams, which share with a uniform distribution over the vocabulary (so <unk>
has a probability). Written as a back-off model this is exact: probabilities after any context sum to 1.

- kneser-ney: absolute discounts D1, D2, D3+ per order; shorter n-grams count in how many contexts a word was
  seen, not how often. Best on real text of some thousand sentences.
- witten-bell: the mass for unseen words grows with the number of word types that follow the context. Needs no
  statistics of counts, hence safe on tiny or artificial text.

Knows no files and cleans no text: case, punctuation and spelling are the caller's.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from rtdecode.errors import ConfigError, closest
from rtdecode.text.ngram import END, START, UNKNOWN, NGram, State

Counts = Counter[State]
FALLBACK = (0.5, 1.0, 1.5)  # discounts where too few n-grams were seen once to four times to estimate them
LONGEST = 9
START_SCORE = -99.0  # <s> is only ever a context; ARPA files write this for "never"

_START, _END, _UNKNOWN = 0, 1, 2


def estimate(
    sentences: Iterable[str | Sequence[str]],
    order: int,
    method: str = "kneser-ney",
    vocabulary: Iterable[str] | None = None,
) -> NGram:
    """The model of the given order.

    sentences   words, or a string that white space cuts; empty ones do not count
    method      "kneser-ney" or "witten-bell"
    vocabulary  where given, words outside it count as <unk>, and those of it never seen can be said too

    ConfigError: no sentence, an order below 1, an unknown method, <s> or </s> inside a sentence.
    """
    if not 1 <= order <= LONGEST:
        raise ConfigError(f"an n-gram order of {order} cannot be estimated, valid: 1 to {LONGEST}")
    if method not in METHODS:
        raise ConfigError(f"there is no n-gram method {method!r}", hint=closest(method, METHODS))
    ids = {START: _START, END: _END, UNKNOWN: _UNKNOWN}
    for word in vocabulary or ():
        ids.setdefault(word, len(ids))
    texts = list(_texts(sentences, ids, vocabulary is None))
    if not texts:
        raise ConfigError("a language model needs at least 1 sentence, there are 0")
    counts = [Counter[State]() for _ in range(order)]
    for text in texts:
        for n in range(1, order + 1):
            counts[n - 1].update(zip(*(text[i:] for i in range(n)), strict=False))
    del counts[0][(_START,)]
    scores, backoffs = METHODS[method](counts, len(ids) - 1)
    scores[(_START,)] = START_SCORE
    return NGram(tuple(ids), scores, backoffs, order)


def _texts(sentences: Iterable[str | Sequence[str]], ids: dict[str, int], learn: bool) -> Iterable[list[int]]:
    """Ids of <s> words </s>, sentence by sentence; new words enter the vocabulary only where it may grow."""
    for number, sentence in enumerate(sentences, 1):
        words = sentence.split() if isinstance(sentence, str) else list(sentence)
        if mark := next((word for word in words if word in (START, END)), None):
            raise ConfigError(f"sentence {number} has {mark!r} inside, which only stands at its edge")
        if words:
            known = [ids.setdefault(word, len(ids)) if learn else ids.get(word, _UNKNOWN) for word in words]
            yield [_START, *known, _END]


def _witten_bell(counts: list[Counts], n_words: int) -> tuple[dict[State, float], dict[State, float]]:
    """p(w|h) = (c(hw) + T(h) p(w|h')) / (c(h) + T(h)), T(h) the number of word types seen after h."""
    return _interpolate(counts, n_words, lambda n, count: (float(count), 1.0))


def _kneser_ney(counts: list[Counts], n_words: int) -> tuple[dict[State, float], dict[State, float]]:
    """p(w|h) = (c(hw) - D) / c(h) + (sum of the Ds after h) / c(h) * p(w|h').

    c(hw) is a count at the highest order, and below it the number of different words seen before hw.
    """
    adjusted = []
    for n, seen in enumerate(counts[:-1], 1):
        # Nothing stands before <s>, so n-grams that begin with it keep their own count.
        contexts = Counter(ngram[1:] for ngram in counts[n])
        adjusted.append(
            Counter({ngram: seen[ngram] if ngram[0] == _START else contexts[ngram] for ngram in seen})
        )
    adjusted.append(counts[-1])
    discounts = [_discounts(seen) for seen in adjusted]

    def share(n: int, count: int) -> tuple[float, float]:
        discount = discounts[n - 1][min(count, 3) - 1]
        return count - discount, discount

    return _interpolate(adjusted, n_words, share)


def _discounts(counts: Counts) -> tuple[float, float, float]:
    """D1, D2, D3+ of one order from how many n-grams were seen one to four times (Chen and Goodman 1999)."""
    seen = Counter(counts.values())
    n1, n2, n3, n4 = (seen[c] for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 < d <= c for c, d in enumerate(found, 1)) else FALLBACK


def _interpolate(
    counts: list[Counts], n_words: int, share: Callable[[int, int], tuple[float, float]]
) -> tuple[dict[State, float], dict[State, float]]:
    """log10 scores and back-off weights; `share(order, count)` cuts a count into kept and given away.

    A context's total is what its n-grams keep and give away together, so the mass after it is 1.
    n_words  words that can be said: all but <s>
    """
    probabilities: dict[State, float] = {}
    backoffs: dict[State, float] = {}
    kept, given = _masses(counts[0], 1, share)
    total = kept[()] + given[()]
    floor = given[()] / total / n_words
    for word in range(n_words + 1):
        if word != _START:
            keeps = share(1, count)[0] if (count := counts[0][(word,)]) else 0.0
            probabilities[(word,)] = keeps / total + floor
    for n, seen in enumerate(counts[1:], 2):
        kept, given = _masses(seen, n, share)
        for ngram, count in seen.items():
            context = ngram[:-1]
            total = kept[context] + given[context]
            probabilities[ngram] = (share(n, count)[0] + given[context] * probabilities[ngram[1:]]) / total
        for context, mass in given.items():
            backoffs[context] = math.log10(mass / (kept[context] + mass))
    # A probability of 1 may come out as a rounding above it.
    return {ngram: min(0.0, math.log10(p)) for ngram, p in probabilities.items()}, backoffs


def _masses(
    counts: Counts, n: int, share: Callable[[int, int], tuple[float, float]]
) -> tuple[dict[State, float], dict[State, float]]:
    """Of each context: what its n-grams keep, and what they give to shorter ones."""
    kept: defaultdict[State, float] = defaultdict(float)
    given: defaultdict[State, float] = defaultdict(float)
    for ngram, count in counts.items():
        keeps, gives = share(n, count)
        kept[ngram[:-1]] += keeps
        given[ngram[:-1]] += gives
    return kept, given


METHODS = {"kneser-ney": _kneser_ney, "witten-bell": _witten_bell}
