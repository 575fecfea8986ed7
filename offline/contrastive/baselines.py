"""Predictors that never see the brain, which must be at chance: if one is not, the evaluation leaks.

Each takes the candidates and the pairing of a real evaluation and replaces the scores. Knows nothing of
models. A contrastive decoder can be fooled through durations, loudness, the mean estimate, or a candidate
list that depends on the trial; these are the tests for that.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from offline.contrastive.metrics import Interval, Ranks, blocks, bootstrap, ranks, stretches
from offline.contrastive.scores import Scores
from rtdecode.errors import StudyError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blind:
    """A baseline's top-k beside chance, and the mean relative rank of its targets beside one half.

    A fixed list of k candidates says little; the rank uses all of them, and finds a leak that top-k misses.
    within  chance lies in both intervals (see `at_chance`)
    """

    name: str
    k: int
    value: float
    chance: float
    interval: Interval
    rank: float
    rank_interval: Interval
    within: bool

    @property
    def sentence(self) -> str:
        """What to tell people."""
        inside = (
            f"{self.name}: top-{self.k} {self.value:.2%} (interval {self.interval.low:.2%} to "
            f"{self.interval.high:.2%}, chance {self.chance:.2%}), mean relative rank {self.rank:.3f} "
            f"({self.rank_interval.low:.3f} to {self.rank_interval.high:.3f}, chance 0.5); "
            f"{self.interval.clusters} stretches of stimulus"
        )
        if self.within:
            return inside
        if self.interval.low > self.chance or self.rank_interval.high < 0.5:
            return (
                f"SIGNAL-BLIND BASELINE ABOVE CHANCE: {inside}; without any brain signal the candidates give "
                "the answer away, so no score of this evaluation can be believed"
            )
        return (
            f"SIGNAL-BLIND BASELINE BELOW CHANCE: {inside}; the pairing or the candidates depend on the trial"
        )


def at_chance(
    hits: np.ndarray, clusters: np.ndarray, chance: float, *, level: float = 0.95, seed: int = 0
) -> tuple[Interval, bool]:
    """Interval of mean(hits) over whole clusters, and whether it holds `chance`.

    Where all clusters agree (nothing hit at all, say), resampling gives an interval without width; then
    Wilson's interval for as many trials as there are clusters stands in. The same for a single cluster.
    A value that is `chance` to 1e-9 (a predictor that ties everything) is at chance.
    """
    value = float(np.mean(hits))
    count = len(np.unique(clusters))
    found = bootstrap(hits, clusters, level=level, seed=seed)
    if found is None or found.high - found.low < 1e-12:
        found = _wilson(value, count, level)
    return found, found.holds(chance) or math.isclose(value, chance, abs_tol=1e-9)


def _wilson(value: float, n: int, level: float) -> Interval:
    from scipy.stats import norm

    z = float(norm.ppf((1 + level) / 2))
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return Interval(max(0.0, round(middle - half, 12)), min(1.0, round(middle + half, 12)), level, n)


def constant(scores: Scores, row: np.ndarray) -> Scores:
    """The same scores (K,) for every trial, whatever the brain did: a prior over candidates."""
    row = np.asarray(row, np.float32)
    if row.shape != (scores.candidates,):
        raise StudyError(f"a prior of shape {row.shape} for {scores.candidates} candidates")
    return scores.with_scores(row)


def mean_estimate_row(estimate: np.ndarray, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """(K,) scores of one fixed estimate (T, F), e.g. the mean over training windows, by the reference rule.

    candidates  K arrays (T, F), or (K, T, F). score = <Z, Y> / (1e-8 + |Y|), Défossez et al. (2023).
    """
    z = np.asarray(estimate, np.float64).ravel()
    row = []
    for y in candidates:
        flat = np.asarray(y, np.float64).ravel()
        if flat.shape != z.shape:
            raise StudyError(f"an estimate of {z.size} values against a candidate of {flat.size}")
        row.append(float(z @ flat) / (1e-8 + float(np.linalg.norm(flat))))
    return np.array(row, np.float32)


def shuffled(
    scores: Scores, k: int = 10, *, repeats: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(K,) hits and (K,) relative ranks of each candidate when trials take each other's targets at random.

    The permutation is uniform over all trials, the right pairing included: forbidding it would put a good
    model below chance, and shuffling within recordings would let a good model profit from knowing which
    story a recording tells. By candidate, so that those heard often do not weigh more; NaN where none was
    heard. This tests the pairing and the metric, not the model.
    """
    rng = np.random.default_rng(seed)
    hits, rank, count = (np.zeros(scores.candidates) for _ in range(3))
    for _ in range(repeats):
        target = rng.permutation(scores.target)
        found = ranks(scores.with_scores(scores.scores, target))
        hits += np.bincount(target, found.hits(k), scores.candidates)
        rank += np.bincount(target, found.relative, scores.candidates)
        count += np.bincount(target, minlength=scores.candidates)
    count[count == 0] = np.nan
    return hits / count, rank / count


def blind_baselines(
    scores: Scores,
    *,
    mean_estimate: np.ndarray | None = None,
    energy: Sequence[float] | None = None,
    duration: Sequence[float] | None = None,
    others: Mapping[str, np.ndarray] | None = None,
    k: int = 10,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Blind, ...]:
    """Every baseline that can be made from what is given, each beside chance; warns loudly when one is off.

    mean_estimate     (K,) row of `mean_estimate_row`
    energy, duration  (K,) of each candidate: ranked from the largest and from the smallest
    others            (N, K) scores of further predictors without the brain, e.g. the model on noise, by name
    level             of the family of tests: each is made at 1 - (1 - level) / how many there are
    """
    rows: dict[str, np.ndarray] = {"no knowledge (all equal)": np.zeros(scores.candidates)}
    if mean_estimate is not None:
        rows["mean training estimate"] = np.asarray(mean_estimate)
    for name, values in (("energy", energy), ("duration", duration)):
        if values is not None:
            rows[f"largest {name}"] = np.asarray(values, float)
            rows[f"smallest {name}"] = -np.asarray(values, float)
    others = others or {}
    chance, each = min(1.0, k / scores.candidates), 1 - (1 - level) / (2 * (len(rows) + len(others) + 1))

    def judged(name: str, hits: np.ndarray, relative: np.ndarray, clusters: np.ndarray) -> Blind:
        interval, within = at_chance(hits, clusters, chance, level=each, seed=seed)
        spread, middle = at_chance(relative, clusters, 0.5, level=each, seed=seed)
        value, rank = float(hits.mean()), float(relative.mean())
        return Blind(name, k, value, chance, interval, rank, spread, within and middle)

    stretch = blocks(scores)
    by_row = {name: _row_ranks(constant(scores, row)) for name, row in rows.items()}
    by_row |= {name: ranks(scores.with_scores(values)) for name, values in others.items()}
    found = [judged(name, one.hits(k), one.relative, stretch) for name, one in by_row.items()]
    hits, relative = shuffled(scores, k, seed=seed)
    heard = np.isfinite(hits)
    found.append(judged("time-shuffled pairing", hits[heard], relative[heard], stretches(scores)[heard]))
    for one in found:
        if not one.within:
            log.warning("%s", one.sentence)
    return tuple(found)


def _row_ranks(scores: Scores) -> Ranks:
    """`ranks` where all trials share one row: by candidate, then looked up."""
    row = scores.scores[0]
    ordered = np.sort(row)
    above = len(row) - np.searchsorted(ordered, row, side="right")
    ties = np.searchsorted(ordered, row, side="right") - np.searchsorted(ordered, row, side="left") - 1
    return Ranks(above[scores.target], ties[scores.target], scores.candidates)
