"""How good are scores? Top-k of segments and words, per subject, with intervals, beside every kind of chance.

Takes `Scores` alone; knows nothing of models. Ties: a trial counts with the share of orders of the tied
candidates in which its target would be among the k best, so that a predictor that says nothing (all scores
equal) gets exactly k / K: tied candidates neither help nor hurt. Segment accuracy is the plain mean over
trials (Défossez et al. 2023, evaluation on de-duplicated candidates); word accuracy sums softmax
probabilities over the candidates of one word.

Neighbouring windows share most of their sound, so trials are not independent: intervals resample whole
subjects, or whole stretches of the stimulus (with everybody who heard them), never single trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offline.contrastive.scores import Scores
from rtdecode.errors import StudyError

KS = (1, 5, 10)
BLOCK_S = 10.0
"""Stretch of stimulus that is resampled as one: three windows of 3 s, beyond which overlap is gone."""
_ROWS = 2048  # trials taken at a time: memory of a block is 2048 x K


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval: [low, high] at `level`, from resampling `clusters` whole subjects or stretches.

    Percentiles of few clusters are too narrow: below about ten, read it as a lower bound of the spread.
    """

    low: float
    high: float
    level: float
    clusters: int

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Ranks:
    """For every trial, among how many candidates (`of`), how many beat the target and how many tie with it.

    beaten, tied  (N,) int; the target itself is not among them
    """

    beaten: np.ndarray
    tied: np.ndarray
    of: int

    def hits(self, k: int) -> np.ndarray:
        """(N,) in [0, 1]: share of the orders of ties in which the target is among the k best."""
        return np.clip((k - self.beaten) / (self.tied + 1.0), 0.0, 1.0)

    @property
    def relative(self) -> np.ndarray:
        """(N,) in [0, 1]: 0 is the best, 1 the last, ties at their mean; 0.5 on average without knowledge."""
        return (self.beaten + self.tied / 2) / max(1, self.of - 1)


@dataclass(frozen=True)
class Accuracy:
    """Top-k accuracy and what it would be without looking at the brain.

    chance           k / K
    frequent         the best that one fixed list of k can do: it names what is most often heard in this test
    by_subjects, by_blocks  bootstrap intervals; None with fewer than two subjects or stretches
    """

    k: int
    value: float
    chance: float
    frequent: float
    n: int
    of: int
    by_subjects: Interval | None
    by_blocks: Interval | None


@dataclass(frozen=True)
class Summary:
    """Everything the report says of one set of scores. per_subject: top-10 segments, by subject id."""

    segments: tuple[Accuracy, ...]
    words: tuple[Accuracy, ...]
    non_overlapping: Accuracy | None
    median_rank: float
    per_subject: dict[str, float]

    def top(self, k: int) -> Accuracy:
        return next(found for found in self.segments if found.k == k)


def ranks(scores: Scores) -> Ranks:
    """Rank of every trial's target among all candidates."""
    if not scores.trials:
        raise StudyError("no trial to rank", hint="is the test split empty?")
    beaten, tied = np.empty(scores.trials, np.int64), np.empty(scores.trials, np.int64)
    for first in range(0, scores.trials, _ROWS):
        piece = slice(first, first + _ROWS)
        own = np.take_along_axis(scores.scores[piece], scores.target[piece, None], axis=1)
        beaten[piece] = (scores.scores[piece] > own).sum(axis=1)
        tied[piece] = (scores.scores[piece] == own).sum(axis=1) - 1
    return Ranks(beaten, tied, scores.candidates)


def spelled(word: str) -> str:
    """A word as the word level compares it: lower case, without punctuation at its ends."""
    return word.lower().strip(" .,;:!?\"'()[]…“”‘’«»")


def word_ranks(scores: Scores) -> tuple[Ranks, tuple[str, ...]]:
    """Rank of every trial's word among the words of the candidates, and those words.

    P(word) = sum of softmax(scores) over the candidates of that word; a trial's word is its target's.
    """
    words, group = np.unique([spelled(word) for word in scores.candidate_word], return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(words)))
    truth = group[scores.target]
    beaten, tied = np.empty(scores.trials, np.int64), np.empty(scores.trials, np.int64)
    for first in range(0, scores.trials, _ROWS):
        piece = slice(first, first + _ROWS)
        logits = scores.scores[piece].astype(np.float64)[:, order]
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        by_word = np.add.reduceat(probs / probs.sum(axis=1, keepdims=True), starts, axis=1)
        own = np.take_along_axis(by_word, truth[piece, None], axis=1)
        # sums in another order differ in the last bits: those words are tied
        same = np.isclose(by_word, own, rtol=1e-9, atol=0.0)
        beaten[piece] = ((by_word > own) & ~same).sum(axis=1)
        tied[piece] = same.sum(axis=1) - 1
    return Ranks(beaten, tied, len(words)), tuple(words.tolist())


def frequency_chance(labels: np.ndarray, k: int) -> float:
    """Accuracy of always naming the k labels that are most often heard."""
    _, counts = np.unique(labels, return_counts=True)
    return float(np.sort(counts)[::-1][:k].sum() / len(labels))


def stretches(scores: Scores, block_s: float = BLOCK_S) -> np.ndarray:
    """(K,) int: which stretch of `block_s` seconds of which stimulus a candidate begins in."""
    cells = [(name, int(seconds // block_s)) for name, seconds in scores.candidate_start]
    numbers = {cell: number for number, cell in enumerate(dict.fromkeys(cells))}
    return np.array([numbers[cell] for cell in cells])


def blocks(scores: Scores, block_s: float = BLOCK_S) -> np.ndarray:
    """(N,) int: the stretch of stimulus that each trial is about."""
    return stretches(scores, block_s)[scores.target]


def bootstrap(
    values: np.ndarray, clusters: np.ndarray, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval | None:
    """Percentile interval of mean(values) when whole clusters are drawn with replacement.

    values (N,), clusters (N,) any labels. The same seed gives the same interval. None for fewer than two
    clusters: nothing is known of the spread between them.
    """
    _, index = np.unique(clusters, return_inverse=True)
    count = int(index.max()) + 1 if len(index) else 0
    if count < 2:
        return None
    sums, sizes = np.bincount(index, values, count), np.bincount(index, minlength=count)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    means = (times @ sums) / (times @ sizes)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, count)


def accuracy(
    found: Ranks, labels: np.ndarray, scores: Scores, k: int, *, level: float = 0.95, seed: int = 0
) -> Accuracy:
    """One top-k with its chances and intervals. labels (N,): what was to be found, segments or words."""
    hits = found.hits(k)
    subject, stretch = np.array(scores.subject), blocks(scores)
    return Accuracy(
        k,
        float(hits.mean()),
        min(1.0, k / found.of),
        frequency_chance(labels, k),
        len(hits),
        found.of,
        bootstrap(hits, subject, level=level, seed=seed),
        bootstrap(hits, stretch, level=level, seed=seed),
    )


def per_subject(scores: Scores, k: int = 10) -> dict[str, float]:
    """Top-k of every subject, sorted by id."""
    hits, subject = ranks(scores).hits(k), np.array(scores.subject)
    return {name: float(hits[subject == name].mean()) for name in scores.subjects}


def non_overlapping(scores: Scores, window_s: float = 3.0) -> Scores:
    """Only candidates whose windows of `window_s` share no sound, and the trials about them.

    From the start of each stimulus, the first candidate, then the next that begins `window_s` later or more.
    """
    kept: list[int] = []
    last: dict[str, float] = {}
    for column in sorted(range(scores.candidates), key=lambda c: scores.candidate_start[c]):
        stimulus, start = scores.candidate_start[column]
        if stimulus not in last or start - last[stimulus] >= window_s - 1e-9:
            kept.append(column)
            last[stimulus] = start
    return scores.of_candidates(sorted(kept))


def summarise(
    scores: Scores, *, ks: Sequence[int] = KS, window_s: float = 3.0, level: float = 0.95, seed: int = 0
) -> Summary:
    """All of it. window_s: length of a candidate, for the subset without overlap."""
    found, (by_word, _) = ranks(scores), word_ranks(scores)
    words = np.array([spelled(word) for word in scores.candidate_word])[scores.target]
    apart = non_overlapping(scores, window_s)
    return Summary(
        tuple(accuracy(found, scores.target, scores, k, level=level, seed=seed) for k in ks),
        tuple(accuracy(by_word, words, scores, k, level=level, seed=seed) for k in ks),
        accuracy(ranks(apart), apart.target, apart, 10, level=level, seed=seed) if apart.trials else None,
        float(np.median(found.relative)),
        per_subject(scores),
    )


@dataclass(frozen=True)
class Difference:
    """b - a on the same subjects: mean of the subjects' differences, and the two-sided Wilcoxon p.

    p is None with fewer than six subjects (it cannot fall below 0.05) or when all differences are zero.
    """

    value: float
    interval: Interval | None
    p: float | None
    subjects: int


def compare(a: Scores, b: Scores, k: int = 10, *, level: float = 0.95, seed: int = 0) -> Difference:
    """Paired by subject; StudyError when the subjects are not the same."""
    from scipy.stats import wilcoxon

    first, second = per_subject(a, k), per_subject(b, k)
    if first.keys() != second.keys():
        raise StudyError(
            f"subjects {sorted(first)[:3]} … and {sorted(second)[:3]} … are not the same",
            hint="evaluate both on the same recordings",
        )
    delta = np.array([second[name] - first[name] for name in first])
    p = float(wilcoxon(delta).pvalue) if len(delta) >= 6 and delta.any() else None
    spread = bootstrap(delta, np.arange(len(delta)), level=level, seed=seed)
    return Difference(float(delta.mean()), spread, p, len(delta))
