"""Scores with a known answer, for the tests of whatever takes scores."""

import numpy as np

from offline.contrastive.scores import Scores

WORDS = ("the", "fox", "The", "ran", "far", "away,", "over", "hills")


def planted(subjects=4, candidates=120, strength=1.5, seed=0, every_s=0.4, per_stimulus=60) -> Scores:
    """Every subject hears every candidate once; `strength` more than unit noise for the right one."""
    rng = np.random.default_rng(seed)
    target = np.tile(np.arange(candidates), subjects)
    scores = rng.normal(size=(len(target), candidates))
    scores[np.arange(len(target)), target] += strength
    words = tuple(WORDS[k % len(WORDS)] for k in range(candidates))
    names = [f"sub-{s:02d}" for s in range(1, subjects + 1) for _ in range(candidates)]
    return Scores(
        scores,
        target,
        tuple(names),
        tuple(words[t] for t in target),
        words,
        tuple((f"sentence {k // 6}", k % 6) for k in range(candidates)),
        tuple((f"s{k // per_stimulus}.wav", (k % per_stimulus) * every_s) for k in range(candidates)),
        tuple(f"{name}_run" for name in names),
        {"model": "planted", "look_ahead": 67},
    )
