"""The ridge baseline of a study: one filter per subject, lambda chosen on validation recordings.

Joins `offline.ridge` with prepared tracks. Also where the linear path beside a deep encoder starts.
"""

import logging

import numpy as np

from offline.config import Config
from offline.data import Prepared
from offline.ridge import NormalEquations, apply_filter
from offline.segments import Track

log = logging.getLogger(__name__)


def fit_ridge(config: Config, prepared: Prepared) -> tuple[np.ndarray, np.ndarray, float]:
    """One filter per subject on training tracks, one lambda for all by validation.

    Returns weight (S, F, C, taps), bias (S, F) and the lambda. Without validation tracks the training tracks
    themselves choose it.
    """
    taps = config.model.linear_taps or config.ridge_taps
    stride, delay = config.model.stride, config.delay_frames
    fits = []
    for subject in range(len(prepared.source.subjects)):
        fit = NormalEquations(len(prepared.source.labels), prepared.n_features, taps, stride)
        for track in prepared.train:
            if track.subject == subject:
                fit.add(track.x, *delayed_target(track, delay))
        fits.append(fit)
    scores = {}
    for value in config.ridge_lambdas:
        filters = [fit.solve(value) for fit in fits]
        scores[value] = _mean_correlation(prepared.valid or prepared.train, filters, stride, delay)
    best = max(scores, key=lambda value: scores[value])
    log.info("ridge: %s", ", ".join(f"lambda {k:g}: r {v:.3f}" for k, v in scores.items()))
    weights, biases = zip(*(fit.solve(best) for fit in fits), strict=True)
    return np.stack(weights), np.stack(biases), best


def delayed_target(track: Track, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """Target and scored mask of every output frame: frame n answers for the stimulus at n - delay."""
    y, scored = np.zeros_like(track.y), np.zeros_like(track.scored)
    y[delay:], scored[delay:] = track.y[: len(y) - delay], track.scored[: len(y) - delay]
    return y, scored


def _mean_correlation(
    tracks: tuple[Track, ...], filters: list[tuple[np.ndarray, np.ndarray]], stride: int, delay: int
) -> float:
    found = []
    for track in tracks:
        y, scored = delayed_target(track, delay)
        weight, bias = filters[track.subject]
        estimate = apply_filter(track.x, weight, bias, stride)
        n = min(len(estimate), len(y))
        a, b = estimate[:n][scored[:n]], y[:n][scored[:n]]
        a, b = a - a.mean(0), b - b.mean(0)
        found.append((a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0) + 1e-12))
    return float(np.mean(found))
