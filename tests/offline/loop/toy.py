"""A small contrastive task for the loop's tests: convolutions, BatchNorm, subject layers, the published loss.

Sensors are a mixture, per subject, of the target one wants to find. Real in everything but size.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models import BrainEncoder, EncoderConfig
from offline.loop import ALONE, LoopConfig, World
from offline.loop.checkpointing import pack, unpack
from offline.loop.distributed import gather
from offline.losses import clip_loss

CHANNELS, FRAMES, FEATURES, SUBJECTS, BATCH = 6, 20, 4, 3, 8


class Net(nn.Module):
    def __init__(self, dropout: float = 0.0):
        super().__init__()
        shape = EncoderConfig(
            tuple((k / CHANNELS, 0.5) for k in range(CHANNELS)),
            n_subjects=SUBJECTS,
            n_virtual=6,
            hidden=8,
            depth=2,
            fourier_dim=32,
            spatial_dropout=0.0,
            dropout=dropout,
            causal=False,
        )
        self.encoder = BrainEncoder(shape)
        self.head = nn.Linear(8, FEATURES)
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor, subject: Tensor) -> Tensor:
        return self.head(self.encoder(x.transpose(1, 2), subject))


@dataclass(frozen=True)
class Items:
    x: Tensor
    y: Tensor
    subject: Tensor
    names: tuple[str, ...]


class Toy:
    """Task. fail_at  the update whose batch raises `failure`;  poison  the update whose batch holds a NaN."""

    def __init__(self, world: World = ALONE, *, dropout=0.0, seed=0, double=False, symmetric=True):
        torch.manual_seed(7)
        self.module: nn.Module = Net(dropout)
        self.world, self.symmetric = world, symmetric
        self.dtype = torch.float64 if double else torch.float32
        self.module.to(self.dtype)
        self.rng = np.random.default_rng(seed)
        self.mix = np.random.default_rng(1).normal(size=(SUBJECTS, FEATURES, CHANNELS))
        self.fail_at, self.poison = -1, -1
        self.failure: BaseException = RuntimeError("pulled the plug")
        self.valid_losses: list[float] = []

    def groups(self):
        return [{"params": list(self.module.parameters())}]

    def draw(self, rng) -> Items:
        subject = rng.integers(SUBJECTS, size=BATCH)
        y = rng.normal(size=(BATCH, FRAMES, FEATURES))
        x = np.einsum("btf,bfc->btc", y, self.mix[subject]) + 0.1 * rng.normal(size=(BATCH, FRAMES, CHANNELS))
        names = tuple(f"sub-{s:02d} at {rng.integers(100)} s" for s in subject)
        x, y = (torch.from_numpy(values).to(self.dtype) for values in (x, y))
        return Items(x, y, torch.from_numpy(subject), names)

    def batch(self, step):
        if step == self.fail_at:
            raise self.failure
        items, rows = self.draw(self.rng), self.world.slice(BATCH)
        if step == self.poison:
            items.x[0, 0, 0] = torch.nan
        return Items(items.x[rows], items.y[rows], items.subject[rows], items.names[rows])

    def loss(self, batch):
        estimate = self.module(batch.x, batch.subject)
        if self.symmetric:
            loss = clip_loss(gather(estimate), gather(batch.y), symmetric=True)
        else:
            loss = clip_loss(estimate, gather(batch.y, own_first=True))
        return {"loss": loss, "contrastive": loss}

    def validate(self):
        if self.valid_losses:
            return {"loss": self.valid_losses.pop(0)}
        items = self.draw(np.random.default_rng(99))
        return {"loss": clip_loss(self.module(items.x, items.subject), items.y).item()}

    def state(self):
        return {"rng": pack(self.rng)}

    def load(self, state):
        unpack(self.rng, state["rng"])


def loop(**changes) -> LoopConfig:
    """Three epochs of four updates. One thread: several would wait for each other on a busy machine."""
    values = {
        "updates_per_epoch": 4,
        "max_epochs": 3,
        "patience": 0,
        "log_every": 3,
        "lr": 3e-3,
        "threads": 1,
    }
    return LoopConfig(**{"threads": 1, **values, **changes})


def weights_of(out: Path, name: str = "state.pt") -> dict[str, Tensor]:
    return torch.load(out / name, weights_only=True)["model"]


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
