"""Trials become padded batches; which trials are in which batch follows from seed and step alone.

Two ways of drawing: whole passes over the shuffled trials, or some days a batch and as many trials of each,
with replacement, so that a day of few trials counts like the others (Card et al. 2024: 4 days of 16). Knows
nothing of models, nor of how features are read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rtdecode.errors import StudyError, TrainingError

# Beside seed and step: generators that share nothing.
ROWS, SEEDS = 0, 1


@dataclass(frozen=True)
class BatchSpec:
    """size: trials in a batch, all processes together.

    draw  "pass": each trial once in every pass; "days": `days` days drawn without replacement (with, where
          there are fewer), and size / days trials of each with replacement
    """

    size: int = 64
    draw: Literal["pass", "days"] = "days"
    days: int = 4

    def __post_init__(self) -> None:
        if self.size < 1 or self.days < 1:
            raise ValueError(f"batch.size and batch.days must be at least 1, got {self.size} and {self.days}")
        if self.draw == "days" and self.size % self.days:
            raise ValueError(f"batch.size {self.size} is no multiple of batch.days {self.days}")


@dataclass(frozen=True)
class Example:
    """A trial to be learned from or judged by.

    name    for messages: day, block and number
    day     its row among the days of the run
    place   its place among the trials of the study
    target  symbols, as numbers of the alphabet, without blanks
    """

    name: str
    day: int
    place: int
    n_bins: int
    text: str
    target: tuple[int, ...]


Features = Callable[[Example], np.ndarray]
"""(T, C) float32, normalised."""


@dataclass(frozen=True)
class TrialBatch:
    """x (B, T, C), zero behind each trial's n_bins (B,); targets (B, S), zero behind n_symbols (B,); day
    (B,).

    seeds  one for each trial's disturbance
    """

    x: Tensor
    n_bins: Tensor
    targets: Tensor
    n_symbols: Tensor
    day: Tensor
    seeds: tuple[int, ...]
    names: tuple[str, ...]


def padded(examples: Sequence[Example], features: Features, seeds: Sequence[int]) -> TrialBatch:
    """The batch of these trials, as long as its longest. StudyError names a trial whose features are not
    numbers or not as long as its trial says.
    """
    pieces = [features(example) for example in examples]
    for example, piece in zip(examples, pieces, strict=True):
        if len(piece) != example.n_bins:
            raise StudyError(
                f"trial {example.name} has {len(piece)} bins of features, its table says {example.n_bins}",
                hint="prepare the study again",
            )
        if not np.isfinite(piece).all():
            bin_, channel = np.argwhere(~np.isfinite(piece))[0]
            raise StudyError(
                f"trial {example.name} holds {piece[bin_, channel]} at bin {bin_}, channel {channel}",
                hint="leave this trial out, or look at its recording",
            )
    x = np.zeros((len(pieces), max(map(len, pieces)), pieces[0].shape[1]), np.float32)
    targets = np.zeros((len(pieces), max([1, *(len(e.target) for e in examples)])), np.int64)
    for row, (example, piece) in enumerate(zip(examples, pieces, strict=True)):
        x[row, : len(piece)] = piece
        targets[row, : len(example.target)] = example.target
    return TrialBatch(
        torch.from_numpy(x),
        torch.tensor([len(piece) for piece in pieces]),
        torch.from_numpy(targets),
        torch.tensor([len(example.target) for example in examples]),
        torch.tensor([example.day for example in examples]),
        tuple(int(seed) for seed in seeds),
        tuple(example.name for example in examples),
    )


class Sampler:
    """Rows of the training trials for each update, and the seeds of their disturbance."""

    def __init__(self, examples: Sequence[Example], spec: BatchSpec, seed: int):
        if not examples:
            raise TrainingError("there is no trial to train on")
        self.spec, self.seed, self._count = spec, seed, len(examples)
        by_day: dict[int, list[int]] = {}
        for row, example in enumerate(examples):
            by_day.setdefault(example.day, []).append(row)
        self._days = [np.array(rows) for _, rows in sorted(by_day.items())]

    def rows(self, step: int) -> np.ndarray:
        """(size,) places of trials."""
        if self.spec.draw == "days":
            rng = np.random.default_rng([self.seed, ROWS, step])
            each = self.spec.size // self.spec.days
            few = len(self._days) < self.spec.days
            days = rng.choice(len(self._days), self.spec.days, replace=few)
            return np.concatenate([rng.choice(self._days[day], each) for day in days])
        wanted = np.arange(step * self.spec.size, (step + 1) * self.spec.size)
        found = np.empty(len(wanted), np.int64)
        for lap in np.unique(wanted // self._count):
            order = np.random.default_rng([self.seed, ROWS, int(lap)]).permutation(self._count)
            here = wanted // self._count == lap
            found[here] = order[wanted[here] % self._count]
        return found

    def seeds(self, step: int) -> np.ndarray:
        """(size,) one for each trial of the batch; a trial that is drawn twice is disturbed in two ways."""
        drawn = np.random.SeedSequence([self.seed, SEEDS, step]).generate_state(self.spec.size, np.uint64)
        return drawn >> np.uint64(1)  # torch takes 63 bits
