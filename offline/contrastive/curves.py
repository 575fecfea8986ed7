"""Accuracy as a function of something: candidate-set size, look-ahead, window length.

The size of the candidate set needs no sampling: from a target's rank among all candidates follows its chance
of being in the k best of a random subset, exactly. The others need scores made anew, by a caller's function
or from stored estimates. Knows nothing of models.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from offline.contrastive.metrics import Interval, Ranks, blocks, bootstrap, ranks
from offline.contrastive.scores import Scores
from rtdecode.errors import StudyError


@dataclass(frozen=True)
class Point:
    """x in the units of its curve; chance at that x; the interval resamples stretches of stimulus."""

    x: float
    value: float
    chance: float
    interval: Interval | None
    n: int


@dataclass(frozen=True)
class Curve:
    """One line of a plot. x_label says the unit; log_x: x spans orders of magnitude."""

    title: str
    x_label: str
    points: tuple[Point, ...]
    name: str = ""
    log_x: bool = False


def subset_hits(found: Ranks, size: int, k: int) -> np.ndarray:
    """(N,) probability that the target is among the k best of itself and `size` - 1 others drawn at random.

    Of the K - 1 others b are better; of a draw of m - 1, the number of better ones is hypergeometric, and the
    target is in if at most k - 1 of them are. Ties: the mean over the b that the order of ties allows.
    """
    others = found.of - 1
    if not 1 <= size <= found.of:
        raise StudyError(f"a subset of {size} of {found.of} candidates")
    inside = hypergeom.cdf(k - 1, others, np.arange(others + 1), size - 1)
    below = np.concatenate([[0.0], np.cumsum(inside)])
    low, high = found.beaten, found.beaten + found.tied + 1
    return (below[high] - below[low]) / (high - low)


def candidate_curve(scores: Scores, sizes: Sequence[int] | None = None, k: int = 10) -> Curve:
    """Top-k against random candidate sets of each size (default: about ten, log-spaced from k up to all)."""
    found, stretch = ranks(scores), blocks(scores)
    most = scores.candidates
    chosen = sizes or sorted({round(s) for s in np.geomspace(min(k, most), most, 10)})
    points = []
    for size in chosen:
        hits = subset_hits(found, size, k)
        interval = bootstrap(hits, stretch)
        points.append(Point(size, float(hits.mean()), min(1.0, k / size), interval, scores.trials))
    return Curve(f"Top-{k} over the size of the candidate set", "candidates", tuple(points), log_x=True)


def curve(
    title: str,
    x_label: str,
    xs: Sequence[float],
    scorer: Callable[[float], Scores],
    *,
    k: int = 10,
    name: str = "",
) -> Curve:
    """Top-k at every x: `scorer` trains or loads what belongs to x and returns its scores."""
    return Curve(title, x_label, tuple(point(x, scorer(x), k) for x in xs), name)


def point(x: float, scores: Scores, k: int = 10) -> Point:
    """One point of a curve."""
    hits = ranks(scores).hits(k)
    chance = min(1.0, k / scores.candidates)
    return Point(x, float(hits.mean()), chance, bootstrap(hits, blocks(scores)), scores.trials)


def look_ahead_curve(
    frames: Sequence[int], scorer: Callable[[float], Scores], *, sfreq: float, name: str = "", k: int = 10
) -> Curve:
    """Top-k over look-ahead: `scorer(frames)` scores the model that may see that many frames of the future.

    x is in ms. A causal model of look-ahead L is trained to answer for the stimulus L frames ago; the
    symmetric reference sees 67 frames at 120 Hz to either side.
    """
    found = tuple(point(1000 * n / sfreq, scorer(n), k) for n in frames)
    return Curve(f"Top-{k} over look-ahead", "look-ahead (ms)", found, name)


def prefix_scores(
    estimates: np.ndarray, candidates: np.ndarray, stops: Sequence[int], *, center: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """(stop, (N, K) scores) from the first `stop` frames alone, for every stop, in one pass.

    estimates (N, T, F), candidates (K, T, F), stops rising up to T. Scores and norms are sums over frames, so
    all prefixes together cost one full scoring. score = <Z, Y> / (1e-8 + |Y|).

    center  remove each feature's mean over those frames first, on both sides
    """
    frames = estimates.shape[1]
    if candidates.shape[1:] != estimates.shape[1:]:
        raise StudyError(f"estimates of {estimates.shape[1:]} against candidates of {candidates.shape[1:]}")
    if not len(stops) or list(stops) != sorted(set(stops)) or stops[0] < 1 or stops[-1] > frames:
        raise StudyError(f"stops {list(stops)} do not rise from 1 to at most {frames} frames")
    product = np.zeros((len(estimates), len(candidates)))
    energy = np.zeros(len(candidates))
    sum_z, sum_y = (np.zeros((len(a), a.shape[2])) for a in (estimates, candidates))
    start = 0
    for stop in stops:
        z = np.asarray(estimates[:, start:stop]).reshape(len(estimates), -1)
        y = np.asarray(candidates[:, start:stop]).reshape(len(candidates), -1)
        product += z @ y.T
        energy += np.square(y, dtype=np.float64).sum(axis=1)
        sum_z += np.asarray(estimates[:, start:stop]).sum(axis=1, dtype=np.float64)
        sum_y += np.asarray(candidates[:, start:stop]).sum(axis=1, dtype=np.float64)
        start = stop
        scored, squared = product, energy
        if center:  # <z - mean z, y - mean y> = <z, y> - n <mean z, mean y>
            scored = product - sum_z @ sum_y.T / stop
            squared = np.maximum(energy - np.square(sum_y).sum(axis=1) / stop, 0.0)
        yield stop, (scored / (1e-8 + np.sqrt(squared))).astype(np.float32)


def window_curve(
    scores: Scores,
    estimates: np.ndarray,
    candidates: np.ndarray,
    stops: Sequence[int],
    *,
    sfreq: float,
    center: bool = False,
    k: int = 10,
) -> Curve:
    """Top-k over the length of the window: the first `stop` frames of estimate and candidates, x in seconds.

    estimates (N, T, F) and candidates (K, T, F) in the order of `scores`.
    """
    found = (
        point(stop / sfreq, scores.with_scores(values), k)
        for stop, values in prefix_scores(estimates, candidates, stops, center=center)
    )
    return Curve(f"Top-{k} over window length", "window (s)", tuple(found))


def last_frames_cut(
    scores: Scores,
    estimates: np.ndarray,
    candidates: np.ndarray,
    *,
    context: int = 67,
    steps: int = 5,
    sfreq: float,
    center: bool = False,
    k: int = 10,
) -> Curve:
    """A symmetric model whose last frames are left out of the comparison: what its missing future costs.

    The last `context` frames of a window answer from an incomplete future (zeros stand in for it). Leaving
    out c of them means that every frame that counts has seen at least c frames of real future: x = c in ms.
    """
    frames = estimates.shape[1]
    cuts = sorted({round(c) for c in np.linspace(0, min(context, frames - 1), steps)})
    stops = sorted(frames - c for c in cuts)
    by_stop = dict(prefix_scores(estimates, candidates, stops, center=center))
    found = (point(1000 * c / sfreq, scores.with_scores(by_stop[frames - c]), k) for c in cuts)
    return Curve(f"Top-{k} over look-ahead", "look-ahead (ms)", tuple(found), "symmetric, last frames cut")
