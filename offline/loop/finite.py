"""NaN and infinity stop a run, in one sentence that says where to look. Knows nothing of checkpoints."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rtdecode.errors import TrainingError

SKIPS_ALLOWED = 30
"""fp16 only: so many overflows in a row halve the loss scale from 65536 to nothing."""
NAMES_SHOWN = 8


class FiniteCheck:
    """scaled: fp16, whose gradients overflow now and then; that update is left out and the scale lowered."""

    def __init__(self, scaled: bool):
        self._scaled = scaled
        self.skipped = 0

    def __call__(
        self, step: int, means: dict[str, float], norm: float, own: Tensor, names: Sequence[str]
    ) -> None:
        """TrainingError unless the loss, its parts (means over processes) and the gradient's norm are finite.

        own, names  loss parts and batch of this process: in one of several, it may be another's fault
        """
        finite = all(map(math.isfinite, means.values()))
        overflow = finite and not math.isfinite(norm)
        self.skipped = self.skipped + 1 if overflow else 0
        if finite and (not overflow or (self._scaled and self.skipped < SKIPS_ALLOWED)):
            return
        what = f"the gradient became {norm}" if finite else f"the loss became {means['loss']}"
        parts = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
        where = "in another process's batch"
        if finite or not bool(torch.isfinite(own).all()):
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            where = f"in the batch {', '.join(names[:NAMES_SHOWN])}{more}"
        raise TrainingError(
            f"{what} at step {step} ({parts}) {where}",
            hint="look at these recordings or lower the learning rate; the last checkpoint is untouched",
        )
