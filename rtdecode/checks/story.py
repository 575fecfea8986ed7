"""A known story: is what is heard ranked first, beyond chance, beyond the same rankings paired wrongly?

Decisions overlap, so that a minute of them holds few that are independent. The interval is the wider of a
binomial one over independent windows and a bootstrap over stretches of that length; the control pairs every
ranking with the story shifted in time, which keeps all statistics but the truth. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtdecode.checks.result import Measure, Outcome, failed, judged
from rtdecode.wording import counted

LEAST_WINDOWS = 5  # fewer independent ones tell nothing
LEAST_STRETCHES = 8  # for a bootstrap
DRAWS = 2000
Z = 1.96
REMEDIES = {
    "independent windows": "Listen for longer: repeat the step with --story-seconds 120 or more.",
    "top-10": "Check that the story played is the one in the bundle, that its markers are on time, that the "
    "bundle was fitted to this listener (rtdecode calibrate); look at the steps above first.",
}


@dataclass(frozen=True)
class Answer:
    """One decision with a ranking. t: seconds on the stream's clock; best: candidates, the best first, at
    most ten; truth: the candidate that was heard, None in silence or for speech not in the bank.
    """

    t: float
    best: tuple[int, ...]
    truth: int | None


@dataclass(frozen=True)
class Hit:
    """Top-k accuracy beside everything it must be read beside. interval: 95 %; shifted: mean of the control,
    highest: the highest of all shifts, None where the story is too short to shift it."""

    rate: float
    low: float
    high: float
    chance: float
    shifted: float | None
    highest: float | None


def wilson(rate: float, n: int) -> tuple[float, float]:
    """95 % interval of a share seen in n independent trials (Wilson 1927)."""
    if n < 1:
        return 0.0, 1.0
    middle = (rate + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def stretches(t: np.ndarray, window_s: float) -> np.ndarray:
    """(n,) number of the stretch, `window_s` long, that each time of a decision lies in."""
    return np.floor((t - t[0]) / window_s + 1e-9).astype(int)


def interval(hits: np.ndarray, stretch: np.ndarray, windows: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of (n,) bool hits: the wider of both."""
    low, high = wilson(float(hits.mean()), windows)
    found, inverse = np.unique(stretch, return_inverse=True)
    if len(found) >= LEAST_STRETCHES:
        sums, counts = np.bincount(inverse, hits.astype(float)), np.bincount(inverse)
        drawn = np.random.default_rng(seed).integers(len(found), size=(DRAWS, len(found)))
        means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        boot = np.quantile(means, [0.025, 0.975])
        low, high = min(low, float(boot[0])), max(high, float(boot[1]))
    return low, high


def shifted(answers: Sequence[Answer], k: int, window_s: float) -> list[float]:
    """Top-k with the story shifted round by every lag of at least two windows; empty when it is too short."""
    hop = float(np.median(np.diff([a.t for a in answers]))) if len(answers) > 2 else 0.0
    least = max(1, math.ceil(2 * window_s / hop)) if hop > 0 else len(answers)
    best, truth = [set(a.best[:k]) for a in answers], [a.truth for a in answers]
    rates = []
    for lag in range(least, len(answers) - least + 1):
        pairs = [(b, truth[(i + lag) % len(truth)]) for i, b in enumerate(best)]
        known = [t in b for b, t in pairs if t is not None]
        if known:
            rates.append(sum(known) / len(known))
    return rates


def score(answers: Sequence[Answer], k: int, candidates: int, window_s: float) -> tuple[Hit, int, int]:
    """(top-k, decisions with a truth, independent windows among them). Of none: ValueError."""
    known = [a for a in answers if a.truth is not None]
    if not known:
        raise ValueError("no answer has a truth")
    hits = np.array([a.truth in a.best[:k] for a in known])
    stretch = stretches(np.array([a.t for a in known]), window_s)
    hop = float(np.median(np.diff([a.t for a in answers]))) if len(answers) > 1 else 0.0
    # a decision speaks of one window; n of them, a hop apart, of n hops and so of fewer windows
    windows = max(1, min(len(known), int(len(known) * hop / window_s + 1e-9)))
    low, high = interval(hits, stretch, windows)
    rates = shifted(answers, k, window_s)
    control = (float(np.mean(rates)), max(rates)) if rates else (None, None)
    return Hit(float(hits.mean()), low, high, min(1.0, k / candidates), *control), len(known), windows


def known_story(
    answers: Sequence[Answer],
    candidates: int,
    window_s: float,
    told_by: str,
    untrained: Sequence[Answer] = (),
) -> Outcome:
    """told_by: who says what was heard; untrained: what an untrained network answered on the same samples."""
    if not any(a.truth is not None for a in answers):
        said = (
            f"{counted(len(answers), 'decision')}, none while anything in the bundle was heard, by {told_by}."
        )
        return failed(
            "story", said, "Play the story that the bundle knows, and start this step while it plays."
        )
    ten, n, windows = score(answers, 10, candidates, window_s)
    one, _, _ = score(answers, 1, candidates, window_s)
    enough = Measure(
        "independent windows",
        windows,
        f"{windows} of {window_s:g} s, out of {counted(n, 'decision')}",
        f"at least {LEAST_WINDOWS}",
        windows >= LEAST_WINDOWS,
    )
    beyond = ten.low > ten.chance and (ten.highest is None or ten.rate > ten.highest)
    limit = f"interval above chance {share(ten.chance)}"
    if ten.highest is not None:
        limit += f", above every shift, the highest {share(ten.highest)}"
    measures = [
        Measure("top-10", ten.rate, _text(ten), limit, beyond if enough.ok else None),
        Measure("top-1", one.rate, f"{_text(one)}, chance {share(one.chance)}"),
        enough,
    ]
    if ten.shifted is not None and one.shifted is not None:
        text = f"top-10 {share(ten.shifted)}, top-1 {share(one.shifted)}"
        measures.append(Measure("shifted control", ten.shifted, text))
    if any(a.truth is not None for a in untrained):
        blind, _, _ = score(untrained, 10, candidates, window_s)
        blind1, _, _ = score(untrained, 1, candidates, window_s)
        text = f"top-10 {share(blind.rate)}, top-1 {share(blind1.rate)}"
        measures.append(Measure("untrained", blind.rate, text))
    said = f"{candidates} segments to choose from; what was heard is told by {told_by}."
    return judged("story", tuple(measures), said, REMEDIES)


def _text(hit: Hit) -> str:
    return f"{share(hit.rate)}, 95 % from {share(hit.low)} to {share(hit.high)}"


def share(value: float) -> str:
    return f"{100 * value:.1f} %" if value < 0.0995 else f"{100 * value:.0f} %"
