"""Fits single rows of a model's parameters by gradient, and writes to nothing else.

A new subject is one row of a few tensors. The optimiser owns copies of those rows; after each update they are
written back, so every other number of the model keeps its bits. The model stays in eval mode (BatchNorm's
statistics are numbers, too). Knows nothing of subjects, signals or losses: those are the caller's functions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtdecode.errors import TrainingError


@dataclass(frozen=True)
class FitSettings:
    """updates at most, validated every `every`; the best by validation is kept, the start included.

    pull      strength of the pull back to the start: pull x |row - start|^2 / |start|^2 is added to the loss
    patience  validations without improvement after which it stops
    """

    updates: int = 200
    every: int = 10
    lr: float = 1e-3
    pull: float = 1.0
    patience: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.updates < 0 or self.every < 1 or not self.lr > 0 or self.pull < 0 or self.patience < 1:
            raise ValueError("updates and pull must be at least 0, every and patience at least 1, lr above 0")


@dataclass(frozen=True)
class RowFit:
    """updates: how many the kept rows have seen; start, best: validation losses; curve: (updates, loss)."""

    updates: int
    start: float
    best: float
    curve: tuple[tuple[int, float], ...]


def fit_rows(
    module: nn.Module,
    rows: Sequence[tuple[str, int]],
    loss: Callable[[], Tensor],
    validate: Callable[[], float],
    settings: FitSettings,
    progress: Callable[[str], None] | None = None,
) -> RowFit:
    """Fit `rows`, (parameter name, index) pairs of `module`, in place.

    loss      the loss of the next batch, through `module`
    validate  a held-out loss, lower is better; must not change the module
    Raises TrainingError when the loss is not finite; the rows are then what they were at the start.
    """
    module.eval()
    parameters = dict(module.named_parameters())
    places = [(parameters[name], index) for name, index in rows]
    owned = [nn.Parameter(parameter.detach()[index].clone()) for parameter, index in places]
    starts = [row.detach().clone() for row in owned]
    best, kept, at = validate(), starts, 0
    first, curve, waited = best, [(0, best)], 0
    required = [(p, p.requires_grad) for p in parameters.values()]
    try:
        for parameter in parameters.values():
            parameter.requires_grad_(False)
        for parameter, _ in places:
            parameter.requires_grad_(True)
        optimizer = torch.optim.Adam(owned, lr=settings.lr)
        for update in range(1, settings.updates + 1):
            value = _update(places, owned, starts, loss, optimizer, settings.pull)
            if not math.isfinite(value):
                _write(places, starts)
                raise TrainingError(
                    f"the loss became {value} at update {update} of the calibration",
                    hint="lower the learning rate; nothing was written",
                )
            if update % settings.every and update != settings.updates:
                continue
            found = validate()
            curve.append((update, found))
            if progress:
                progress(f"update {update}/{settings.updates} · loss {value:.3f} · held-out {found:.3f}")
            waited += 1
            if found < best:
                best, at, waited = found, update, 0
                kept = [row.detach().clone() for row in owned]
            elif waited >= settings.patience:
                break
    finally:
        for parameter, before in required:
            parameter.requires_grad_(before)
            parameter.grad = None
    _write(places, kept)
    return RowFit(at, first, best, tuple(curve))


def _update(
    places: list[tuple[nn.Parameter, int]],
    owned: list[nn.Parameter],
    starts: list[Tensor],
    loss: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
    pull: float,
) -> float:
    for parameter, _ in places:
        parameter.grad = None
    value = loss()
    value.backward()
    for row, start, (parameter, index) in zip(owned, starts, places, strict=True):
        towards = 2 * pull * (row.detach() - start) / start.square().sum().clamp_min(1e-12)
        row.grad = towards if parameter.grad is None else parameter.grad[index] + towards
    optimizer.step()
    _write(places, owned)
    return value.item()


@torch.no_grad()
def _write(places: list[tuple[nn.Parameter, int]], values: Sequence[Tensor]) -> None:
    for (parameter, index), value in zip(places, values, strict=True):
        parameter[index] = value
