"""The contrastive recipe as a task of the training loop: windows in, a loss out.

Owns the model, its loss's parameters, the sampler and the loader. Knows nothing of optimisers, checkpoints or
files of a run. All randomness of batches follows from seed and step; that of the forward pass is the loop's.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import ContrastiveNet
from offline.contrastive.batches import Loader, Sampler, WindowBatch, distinct, near, stretched
from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.normalise import ScalingTable
from offline.contrastive.windows import Window
from offline.loop.distributed import ALONE, World, gather
from offline.loop.precision import full
from offline.loop.prefetch import to_device
from offline.losses import Temperature, clip_loss, clip_scores, siglip_loss
from offline.speech import SpeechScaler
from rtdecode.errors import TrainingError

SIGLIP_SCALE, SIGLIP_BIAS = 10.0, -10.0  # where Zhai et al. 2023 start
# Beside the seed: generators that share nothing with the batches' own.
VALID_STREAM, MIX_STREAM, SHUFFLE_STREAM = 1, 2, 3


class Trained(nn.Module):
    """The model, and the parameters of its loss."""

    def __init__(self, net: ContrastiveNet, config: ContrastiveConfig):
        super().__init__()
        self.net = net
        self.temperature: Temperature | None = None
        self.bias: nn.Parameter | None = None
        siglip = config.loss.kind == "siglip"
        if siglip:
            self.bias = nn.Parameter(torch.tensor(SIGLIP_BIAS))
        if siglip or config.loss.temperature == "learned":
            start = SIGLIP_SCALE if siglip else 1 / 0.07
            limit = config.loss.max_scale
            self.temperature = Temperature(min(start, limit), limit)

    @property
    def scale(self) -> Tensor | float:
        """Multiplies scores."""
        return 1.0 if self.temperature is None else self.temperature()


@dataclass(frozen=True)
class Forward:
    """From a batch to estimates and targets; shared by training, validation and evaluation.

    scalings  on the model's device
    """

    config: ContrastiveConfig
    scalings: ScalingTable
    speech: SpeechScaler

    def brain(self, batch: WindowBatch) -> Tensor:
        """(B, T0, C) normalised; without context the offset is cut here, as published."""
        config = self.config
        with full(batch.x):
            x = self.scalings.normalise(batch.x, batch.recording, batch.lead, config)
            if batch.other is not None:
                other = self.scalings.normalise(batch.other, batch.recording, batch.lead, config)
                share = torch.rand(len(x), 1, 1, device=x.device) * config.batch.mix
                x = x + share * other
        return x if config.n_context else x[:, config.n_offset :]

    def estimates(self, net: ContrastiveNet, x: Tensor, batch: WindowBatch, subject: Tensor) -> Tensor:
        """(B, T, F)."""
        z = net(x, subject, batch.montage)
        return z[:, z.shape[1] - self.config.n_frames :]

    def features(self, batch: WindowBatch) -> Tensor:
        """(B, T, F') scaled speech features at the model's rate."""
        with full(batch.frames):
            y = stretched(batch.frames, batch.rows, self.config.speech.silence)
            mean, std = (torch.tensor(v, device=y.device) for v in (self.speech.mean, self.speech.std))
            return (y - mean) / std

    def augmented(self, x: Tensor) -> Tensor:
        """Noise and silenced stretches, for training."""
        batch = self.config.batch
        if batch.noise:
            x = x + batch.noise * torch.randn_like(x)
        longest = round(batch.time_mask_s * self.config.signal.sfreq)
        if longest:
            time = torch.arange(x.shape[1], device=x.device)
            for _ in range(batch.time_masks):
                first = torch.rand(len(x), 1, device=x.device) * x.shape[1]
                length = torch.rand(len(x), 1, device=x.device) * longest
                x = x * ((time < first) | (time >= first + length))[:, :, None]
        return x


class WindowTask:
    """Implements `offline.loop.task.Task`."""

    def __init__(
        self,
        net: ContrastiveNet,
        forward: Forward,
        loader: Loader,
        train: Sequence[Window],
        valid: Sequence[Window],
        world: World = ALONE,
    ):
        config = forward.config
        self.config, self.forward, self.loader, self.world = config, forward, loader, world
        self.module = Trained(net, config).to(world.device)
        world.slice(config.batch.size)  # refuses a size that does not divide
        self.train = self.heard = train
        if config.batch.shuffle:
            rng = np.random.default_rng([config.loop.seed, SHUFFLE_STREAM])
            self.heard = [train[row] for row in rng.permutation(len(train))]
        self.sampler = Sampler(self.heard, config.batch.size, config.batch.same_s, config.loop.seed)
        self.by_recording: dict[str, list[int]] = {}
        for row, window in enumerate(train):
            self.by_recording.setdefault(window.recording, []).append(row)
        self.valid = valid
        self.valid_sampler: Sampler | None = None
        if len(valid) >= 2:
            size = min(config.batch.size, len(valid))
            self.valid_sampler = Sampler(valid, size, config.batch.same_s, VALID_STREAM)
        elif config.loop.watch:
            raise TrainingError(
                f"{len(valid)} validation windows cannot choose the best weights",
                hint="more data, or loop.watch= and loop.patience=0 to keep the last weights",
            )
        self.pool = [
            valid[row] for row in distinct(valid, config.window.step_s / 2, config.batch.valid_candidates)
        ]
        self._drawn = ""

    def groups(self) -> list[dict[str, Any]]:
        """Weight decay is for weights alone; the linear path may learn at its own pace."""
        loop = self.config.loop
        linear = self.module.net.linear
        slow = {id(p) for p in linear.parameters()} if linear is not None else set()
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        path: list[nn.Parameter] = []
        for parameter in self.module.parameters():
            which = path if id(parameter) in slow else matrices if parameter.ndim > 1 else others
            which.append(parameter)
        lr = loop.lr * self.config.model.linear_lr
        groups: list[dict[str, Any]] = [
            {"params": matrices},
            {"params": others, "weight_decay": 0.0},
            {"params": path, "lr": lr, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def batch(self, step: int) -> WindowBatch:
        rows = self.sampler.rows(step)
        self._drawn = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
        mine = self.world.slice(len(rows))
        others = None
        if self.config.batch.mix:
            rng = np.random.default_rng([self.config.loop.seed, MIX_STREAM, step])
            picks = rng.random(len(rows))
            others = [self._other(row, pick) for row, pick in zip(rows, picks, strict=True)][mine]
        heard = [self.heard[row] for row in rows]
        together = near(heard, heard, self.config.batch.same_s)
        windows = [self.train[row] for row in rows[mine]]
        return self.loader.load(windows, others, together, heard[mine])

    def _other(self, row: int, pick: float) -> Window:
        same = self.by_recording[self.train[row].recording]
        return self.train[same[int(pick * len(same))]]

    def loss(self, batch: WindowBatch) -> dict[str, Tensor]:
        x = self.forward.augmented(self.forward.brain(batch))
        net = self.module.net
        z = self.forward.estimates(net, x, batch, batch.subject)
        y = net.targets(self.forward.features(batch))
        parts = {"loss": self._loss(z, y, batch.not_negative, self.world)}
        if self.module.temperature is not None:
            parts["scale"] = self.module.temperature().detach()
        if self.config.batch.same_s:
            off_diagonal = batch.not_negative.sum() - batch.not_negative.diagonal().sum()
            parts["masked"] = off_diagonal / max(1, batch.not_negative.numel() - len(batch.not_negative))
        return parts

    def _loss(self, z: Tensor, y: Tensor, together: Tensor, world: World) -> Tensor:
        """z, y (B, T, F) of this process; together (K, K)."""
        loss, scale = self.config.loss, self.module.scale
        if loss.kind == "mse":
            return F.mse_loss(z.float(), y.float())
        first = 0
        if world.size > 1:
            y = gather(y)
            if loss.symmetric:
                z = gather(z)  # it looks both ways: every process then computes the same global loss
            else:
                first = world.rank * len(z)
        banned = together[first : first + len(z)] if self.config.batch.same_s else None
        if loss.kind == "siglip":
            bias = self.module.bias
            assert bias is not None
            # Windows that only lie near each other are no positives; cosine finds those that are equal.
            return siglip_loss(
                z,
                y,
                norm=loss.norm,
                center=loss.center,
                scale=scale,
                bias=bias,
                not_negative=banned,
                first=first,
            )
        return clip_loss(
            z,
            y,
            norm=loss.norm,
            center=loss.center,
            scale=scale,
            symmetric=loss.symmetric,
            not_negative=banned,
            first=first,
        )

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The loss over validation batches, and the top-10 among windows of different moments of sound."""
        if self.valid_sampler is None:
            return {}
        sampler = self.valid_sampler
        count = max(1, min(sampler.per_pass, self.config.batch.valid_windows // sampler.size))
        total = 0.0
        for step in range(count):
            windows = [self.valid[row] for row in sampler.rows(step)]
            z, y, batch = self._run(windows)
            total += float(self._loss(z, y, batch.not_negative, ALONE))
        found = {"loss": total / count}
        if len(self.pool) > 10:
            found["top10"], found["top10_chance"] = self._top10()
        return found

    def _run(self, windows: Sequence[Window]) -> tuple[Tensor, Tensor, WindowBatch]:
        together = near(windows, windows, self.config.batch.same_s)
        batch = to_device(self.loader.load(windows, None, together), self.world.device)
        z = self.forward.estimates(self.module.net, self.forward.brain(batch), batch, batch.subject)
        return z, self.module.net.targets(self.forward.features(batch)), batch

    def _top10(self) -> tuple[float, float]:
        estimates, targets = [], []
        size = self.config.batch.size
        for start in range(0, len(self.pool), size):
            z, y, _ = self._run(self.pool[start : start + size])
            estimates.append(z)
            targets.append(y)
        y, right = torch.cat(targets), 0
        at = 0
        for z in estimates:
            scores = clip_scores(z, y, self.config.loss.norm, self.config.loss.center)
            rows = torch.arange(len(z), device=scores.device)
            own = scores[rows, at + rows]
            # not better and itself: what ties with the right one counts against it
            right += int(((~(scores < own[:, None])).sum(dim=1) <= 10).sum())
            at += len(z)
        return right / len(self.pool), 10 / len(self.pool)

    def state(self) -> dict[str, Any]:
        """Batches follow from the step; the last one drawn is for comparing processes."""
        return {"drawn": self._drawn}

    def load(self, state: dict[str, Any]) -> None:
        """Batches need nothing restored."""
        self._drawn = str(state["drawn"])
