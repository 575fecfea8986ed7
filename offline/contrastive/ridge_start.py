"""Where the linear path beside a deep model starts: ridge regression per subject, on the very samples and
features that the model sees.

Lambda is chosen on validation windows. The deep path then starts at nothing, so that training can only add to
ridge. Knows nothing of the loop.
"""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from models import ContrastiveNet
from offline.contrastive.batches import Loader
from offline.contrastive.task import Forward
from offline.contrastive.windows import Window
from offline.ridge import NormalEquations, apply_filter
from rtdecode.errors import TrainingError

log = logging.getLogger(__name__)

LAMBDAS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
CHUNK = 64
VALID_WINDOWS = 400
MOST_BYTES = 16e9


@torch.no_grad()
def start_from_ridge(
    net: ContrastiveNet,
    forward: Forward,
    loader: Loader,
    train: Sequence[Window],
    valid: Sequence[Window],
) -> float:
    """Put ridge filters into net.linear, silence the deep path's last layer; returns lambda.

    TrainingError when the equations of all subjects do not fit into MOST_BYTES.
    """
    assert net.linear is not None
    shape = net.config
    size = (shape.n_channels * shape.linear_taps + 1) ** 2 * 8 * shape.n_subjects
    if size > MOST_BYTES:
        raise TrainingError(
            f"ridge on {shape.n_channels} channels x {shape.linear_taps} taps of {shape.n_subjects} subjects "
            f"needs {size / 1e9:.0f} GB of memory",
            hint="fewer model.linear_taps, or model.linear_start=zero",
        )
    apart = forward.config.n_frames
    fits: dict[int, NormalEquations] = {}
    for windows in _chunks(_disjoint(train, apart)):
        for subject, x, y in _samples(forward, loader, windows, shape.linear_ahead):
            if subject not in fits:
                fits[subject] = NormalEquations(shape.n_channels, shape.n_features, shape.linear_taps, 1)
            fits[subject].add(x, y, np.ones(len(y), bool))
    if len(fits) != shape.n_subjects:
        raise TrainingError(f"{shape.n_subjects} subjects, but only {len(fits)} have windows to fit ridge on")
    held = _disjoint(valid, apart) or _disjoint(train, apart)
    held = held[:: max(1, len(held) // VALID_WINDOWS)]
    samples = [s for windows in _chunks(held) for s in _samples(forward, loader, windows, shape.linear_ahead)]
    best, best_r, filters = 0.0, -np.inf, {}
    for value in LAMBDAS:
        solved = {subject: fit.solve(value) for subject, fit in fits.items()}
        r = float(np.mean([_correlation(apply_filter(x, *solved[s], 1), y) for s, x, y in samples]))
        log.info("ridge: lambda %g: r %.3f", value, r)
        if r > best_r:
            best, best_r, filters = value, r, solved
    for subject, (weight, bias) in filters.items():
        net.linear.weight[subject] = torch.from_numpy(weight)
        net.linear.bias[subject] = torch.from_numpy(bias)
    if net.head is not None:
        nn.init.zeros_(net.head.outer.weight)
        nn.init.zeros_(net.head.outer.bias)
    return best


def _disjoint(windows: Sequence[Window], apart: int) -> list[Window]:
    """Windows of which no two of a recording share a sample: the grid would show each six times."""
    kept: list[Window] = []
    for window in windows:
        last = kept[-1] if kept else None
        if last is None or last.recording != window.recording or window.sample - last.sample >= apart:
            kept.append(window)
    return kept


def _chunks(windows: Sequence[Window]) -> list[Sequence[Window]]:
    return [windows[i : i + CHUNK] for i in range(0, len(windows), CHUNK)]


def _samples(
    forward: Forward, loader: Loader, windows: Sequence[Window], ahead: int
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """(subject, x (T, C), y (T, F)) of each window, x so late that a causal filter looks `ahead`."""
    batch = loader.load(windows)
    x = forward.brain(batch)
    x = nn.functional.pad(x, (0, 0, 0, ahead))[:, ahead:]
    x = x[:, x.shape[1] - forward.config.n_frames :]
    y = forward.features(batch)
    return [(int(s), a.numpy(), b.numpy()) for s, a, b in zip(batch.subject, x.contiguous(), y, strict=True)]


def _correlation(estimate: np.ndarray, y: np.ndarray) -> float:
    a, b = estimate - estimate.mean(0), y - y.mean(0)
    norms = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return float(((a * b).sum(0) / (norms + 1e-12)).mean())
