"""The ridge baseline of a study: one filter per subject, lambda chosen on validation recordings.

Joins `offline.ridge` with prepared tracks. Also where the linear path beside a deep encoder starts.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from offline.config import Config
from offline.data import Prepared
from offline.ridge import NormalEquations, apply_filter
from offline.segments import Track
from rtdecode.errors import StudyError

log = logging.getLogger(__name__)


def fit_ridge(config: Config, prepared: Prepared) -> tuple[np.ndarray, np.ndarray, float]:
    """One filter per subject on training tracks, one lambda for all by validation.

    Returns weight (S, F, C, taps), bias (S, F) and the lambda. Without validation tracks the training tracks
    themselves choose it.
    """
    stride, delay = config.model.stride, config.delay_frames
    fits = _normal_equations(config, prepared)
    scores = {}
    for value in config.ridge_lambdas:
        filters = [fit.solve(value) for fit in fits]
        scores[value] = _mean_correlation(prepared.valid or prepared.train, filters, stride, delay)
    best = max(scores, key=lambda value: scores[value])
    log.info("ridge: %s", ", ".join(f"lambda {k:g}: r {v:.3f}" for k, v in scores.items()))
    weights, biases = zip(*(fit.solve(best) for fit in fits), strict=True)
    return np.stack(weights), np.stack(biases), best


def fit_ridge_by_subject(
    config: Config, prepared: Prepared
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """As `fit_ridge`, but every subject has a lambda of its own, chosen on its own validation recordings.

    The baseline that a shared model must reach: nothing in it knows of other subjects.
    """
    stride, delay = config.model.stride, config.delay_frames
    chosen, lambdas = [], []
    for subject, fit in enumerate(_normal_equations(config, prepared)):
        own = tuple(t for t in prepared.valid or prepared.train if t.subject == subject)
        if not own:
            raise StudyError(
                f"subject {prepared.source.subjects[subject]} has no validation recording for its lambda",
                hint="use one lambda for all (fit_ridge)",
            )
        tried = {value: fit.solve(value) for value in config.ridge_lambdas}
        scores = {
            value: _mean_correlation(own, {subject: found}, stride, delay) for value, found in tried.items()
        }
        best = max(scores, key=lambda value: scores[value])
        chosen.append(tried[best])
        lambdas.append(best)
    weights, biases = zip(*chosen, strict=True)
    return np.stack(weights), np.stack(biases), tuple(lambdas)


def fit_shared_ridge(
    config: Config, prepared: Prepared
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """One filter per subject, pulled towards the filter of all subjects together instead of towards zero.

    argmin_W |Y_s - X_s W|^2 + own |W - W0|^2 with W0 the ridge over everybody's recordings. Returns weight
    (S, F, C, taps), bias (S, F) and the two lambdas (of W0, own), chosen by validation as in `fit_ridge`.
    What subjects have in common is learned from all of them: worth most where each has little data.
    """
    stride, delay = config.model.stride, config.delay_frames
    taps = config.model.linear_taps or config.ridge_taps
    fits = _normal_equations(config, prepared)
    everyone = NormalEquations(len(prepared.source.labels), prepared.n_features, taps, stride)
    for fit in fits:
        everyone.xx += fit.xx
        everyone.xy += fit.xy
    tracks = prepared.valid or prepared.train

    def score(filters: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        return _mean_correlation(tracks, filters, stride, delay)

    commons = {value: everyone.solve(value) for value in config.ridge_lambdas}
    common = max(commons, key=lambda value: score([commons[value]] * len(fits)))
    best: tuple[float, float, list[tuple[np.ndarray, np.ndarray]]] | None = None
    for value in config.ridge_lambdas:
        filters = [_pulled(fit, value, *commons[common]) for fit in fits]
        found = score(filters)
        if best is None or found > best[0]:
            best = (found, value, filters)
    assert best is not None
    log.info("shared ridge: lambda %g for all, %g for their own: r %.3f", common, best[1], best[0])
    weights, biases = zip(*best[2], strict=True)
    return np.stack(weights), np.stack(biases), (common, best[1])


def _pulled(
    fit: NormalEquations, ridge_lambda: float, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The ridge of one subject around a filter instead of around zero: ridge on what that filter leaves."""
    start = np.vstack([weight.reshape(len(weight), -1).T, bias[None]]).astype(np.float64)
    rest = NormalEquations(fit.n_channels, len(weight), fit.taps, fit.stride)
    rest.xx, rest.xy = fit.xx, fit.xy - fit.xx @ start
    more, shift = rest.solve(ridge_lambda)
    return weight + more, bias + shift


def _normal_equations(config: Config, prepared: Prepared) -> list[NormalEquations]:
    """Of each subject, over its training tracks."""
    taps = config.model.linear_taps or config.ridge_taps
    fits = []
    for subject in range(len(prepared.source.subjects)):
        fit = NormalEquations(len(prepared.source.labels), prepared.n_features, taps, config.model.stride)
        for track in prepared.train:
            if track.subject == subject:
                fit.add(track.x, *delayed_target(track, config.delay_frames))
        fits.append(fit)
    return fits


def delayed_target(track: Track, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """Target and scored mask of every output frame: frame n answers for the stimulus at n - delay."""
    y, scored = np.zeros_like(track.y), np.zeros_like(track.scored)
    y[delay:], scored[delay:] = track.y[: len(y) - delay], track.scored[: len(y) - delay]
    return y, scored


def _mean_correlation(
    tracks: tuple[Track, ...],
    filters: Sequence[tuple[np.ndarray, np.ndarray]] | Mapping[int, tuple[np.ndarray, np.ndarray]],
    stride: int,
    delay: int,
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
