"""The choices of a training loop, frozen. The defaults are the published contrastive recipe.

Défossez et al. 2023: Adam, 1200 updates an epoch, at most 200 epochs, stopped after 10 epochs without a
better validation loss, best weights kept; no schedule, no clipping, 32-bit floats. Knows nothing of models or
data.
"""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LoopConfig:
    """How long, how fast and how exactly to train.

    updates_per_epoch  updates between two validations; the last epoch may be shorter
    max_updates        the end of training; 0 = max_epochs epochs
    watch              validation value that decides which weights are the best; "" = the last are kept
    lowest             the best value is the lowest (a loss), else the highest (an accuracy)
    patience           stop after so many epochs without a better value; 0 = never
    lr, weight_decay   for parameter groups that do not bring their own
    warmup             "cosine" only: share of the run over which the learning rate rises from 5 %
    clip_norm          longest gradient, over all parameters; 0 = as it comes
    precision          "bf16" and "fp16" are automatic mixed precision (fp16 on a GPU only)
    deterministic      the same bits on the same machine, at a price on GPUs
    threads            of torch on the CPU; 0 = as they are
    save_every         updates between checkpoints inside an epoch; 0 = at the end of epochs only
    log_every          updates between two lines of training metrics
    prefetch           batches made ahead by a thread; 0 = made when they are needed
    """

    updates_per_epoch: int = 1200
    max_epochs: int = 200
    max_updates: int = 0
    watch: str = "loss"
    lowest: bool = True
    patience: int = 10
    optimizer: Literal["adam", "adamw"] = "adam"
    lr: float = 3e-4
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Literal["none", "cosine"] = "none"
    warmup: float = 0.0
    clip_norm: float = 0.0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    deterministic: bool = True
    seed: int = 2036
    threads: int = 0
    save_every: int = 0
    log_every: int = 50
    prefetch: int = 2

    def __post_init__(self) -> None:
        if self.updates_per_epoch < 1:
            raise ValueError(f"updates_per_epoch must be at least 1, got {self.updates_per_epoch}")
        if self.updates < 1:
            raise ValueError(f"nothing to do in {self.max_epochs} epochs of {self.updates_per_epoch} updates")
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise ValueError(f"betas must be two numbers from 0 to 1, got {list(self.betas)}")
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr:g}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the run from 0 to 1, got {self.warmup:g}")
        if self.patience and not self.watch:
            raise ValueError(f"a patience of {self.patience} epochs needs a value to watch")
        for name in ("patience", "clip_norm", "weight_decay", "threads", "save_every", "prefetch"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be below 0, got {getattr(self, name)}")
        if self.log_every < 1:
            raise ValueError(f"log_every must be at least 1, got {self.log_every}")

    @property
    def updates(self) -> int:
        """Updates of a run that is not stopped early."""
        return self.max_updates or self.max_epochs * self.updates_per_epoch

    def rate(self, step: int) -> float:
        """Share of the learning rate for update `step` (from 0).

        "cosine": linear warm-up from 5 %, then half a cosine down to 1 %.
        """
        if self.schedule == "none":
            return 1.0
        done = step / self.updates
        if done < self.warmup:
            return 0.05 + 0.95 * done / self.warmup
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))
