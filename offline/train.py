"""The streaming recipe on the training loop: crops in, a checkpoint out.

Contrastive loss in the very form in which live retrieval scores (every feature's mean over the window
removed, cosine), plus CTC over whole sentences. The linear path starts from ridge. Knows nothing of files but
its checkpoint directory; data arrive as `offline.data.Prepared`. Never prints: progress goes to a callback.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import models
from offline.baseline import fit_ridge
from offline.checkpoint import RIDGE, new_model
from offline.config import Config
from offline.data import Prepared
from offline.loop import ALONE, LoopConfig, Progress, World, fit
from offline.loop.checkpointing import STATE, check_run, open_run, pack, save, unpack
from offline.loop.distributed import gather
from offline.loop.metrics import Sink
from offline.loop.precision import full
from offline.losses import clip_loss, clip_scores, ctc_loss
from offline.segments import Batch, Crops
from offline.validate import text_error, window_topk
from rtdecode.config import to_json

DUPLICATE_COSINE = 0.9
"""Windows whose targets agree this well are the same sound (a sentence heard twice): no negatives."""


def train(
    config: Config,
    prepared: Prepared,
    out: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    sinks: Sequence[Sink] = (),
    world: World = ALONE,
) -> Path:
    """Fit ridge, then (unless hidden = 0) train the deep model; returns the checkpoint directory `out`.

    resume  go on from `out`, which must come from the same configuration
    world   this process among others (`offline.loop.distributed.joined`), and its device
    Raises TrainingError when a loss is not finite, or when `out` holds another run.
    """
    if world.first:
        check_run(out, to_json(config), resume)
    torch.set_num_threads(config.optim.threads)
    ridge: dict[str, Tensor] = {}
    best_lambda = 0.0
    if config.output.retrieval:
        weight, bias, best_lambda = fit_ridge(config, prepared)
        ridge = {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
    model = new_model(config, prepared.source, config.optim.seed)
    if model.linear is not None:
        _start_from_ridge(model, ridge)
    run = {
        "config": to_json(config),
        "model": models.describe(model),
        "source": to_json(prepared.source),
        "ridge_lambda": best_lambda,
    }
    trained = Trained(model)
    if world.first:
        open_run(out, run, resume=True)
        save(out / RIDGE, ridge)
        if config.model.hidden == 0:
            save(out / STATE, {"step": 0, "model": trained.state_dict()})
    if config.model.hidden == 0:
        return out
    task = CropTask(config, trained.to(world.device), prepared, world)
    return fit(
        task, loop_config(config), out, run=run, resume=True, sinks=sinks, progress=progress, world=world
    )


def loop_config(config: Config) -> LoopConfig:
    """This recipe's loop: AdamW, warm-up and cosine, clipped gradients, the last weights kept."""
    optim = config.optim
    return LoopConfig(
        updates_per_epoch=optim.steps_per_epoch,
        max_updates=optim.steps,
        watch="",
        patience=0,
        optimizer="adamw",
        lr=optim.lr,
        betas=(0.9, 0.98),
        weight_decay=optim.weight_decay,
        schedule="cosine",
        warmup=optim.warmup,
        clip_norm=optim.clip_norm,
        seed=optim.seed,
        threads=optim.threads,
    )


@torch.no_grad()
def _start_from_ridge(model: models.DecoderNet, ridge: dict[str, Tensor]) -> None:
    assert model.linear is not None
    model.linear.weight.copy_(ridge["weight"])
    model.linear.bias.copy_(ridge["bias"])
    if model.retrieval is not None:
        # The deep path starts at nothing, so that training can only improve on ridge.
        nn.init.zeros_(model.retrieval.outer.weight)
        nn.init.zeros_(model.retrieval.outer.bias)


class Trained(nn.Module):
    """The decoder and what the loss learns beside it: the logarithm of the inverse temperature."""

    def __init__(self, net: models.DecoderNet):
        super().__init__()
        self.net = net
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))


@dataclass(frozen=True)
class Share:
    """One process's crops of a batch, and whose they are."""

    crops: Batch
    names: tuple[str, ...]


class CropTask:
    """`offline.loop.Task`: crops of continuous recordings for the causal decoder."""

    def __init__(self, config: Config, module: Trained, prepared: Prepared, world: World = ALONE):
        self.config, self.prepared, self.world = config, prepared, world
        self.module = module
        self.rng = np.random.default_rng(config.optim.seed)
        self.crops = Crops(list(prepared.train), config, self.rng)

    def groups(self) -> list[dict[str, Any]]:
        """Matrices decay, vectors do not; the path that starts from ridge learns slowly."""
        optim, net = self.config.optim, self.module.net
        linear = {id(p) for p in net.linear.parameters()} if net.linear is not None else set()
        decay: list[nn.Parameter] = []
        plain: list[nn.Parameter] = [self.module.log_scale]
        slow: list[nn.Parameter] = []
        for parameter in net.parameters():
            (slow if id(parameter) in linear else decay if parameter.ndim > 1 else plain).append(parameter)
        return [
            {"params": decay},
            {"params": plain, "weight_decay": 0.0},
            {"params": slow, "lr": optim.lr * optim.linear_lr, "weight_decay": 0.0},
        ]

    def batch(self, step: int) -> Share:
        """This process's share of the next crops."""
        drawn = self.crops.batch()
        rows = self.world.slice(len(drawn.x))
        windows = len(drawn.y) // len(drawn.x)
        own = replace(
            drawn,
            y=drawn.y[rows.start * windows : rows.stop * windows],
            **{name: getattr(drawn, name)[rows] for name in _PER_CROP},
        )
        return Share(own, drawn.names[rows])

    def loss(self, batch: Share) -> dict[str, Tensor]:
        """Contrastive over all windows of all processes, CTC over own sentences."""
        crops, output = batch.crops, self.config.output
        out = self.module.net(crops.x, crops.subject)
        parts = {}
        with full(crops.x):
            if output.retrieval:
                parts["contrastive"] = self._contrastive(out["estimate"].float(), crops)
            if output.text:
                parts["ctc"] = self._ctc(out["log_probs"].float(), crops)
        zero = torch.zeros((), device=crops.x.device)
        loss = parts.get("contrastive", zero) + self.config.optim.ctc_weight * parts.get("ctc", zero)
        return {"loss": loss, **parts}

    def _contrastive(self, estimate: Tensor, crops: Batch) -> Tensor:
        own = estimate[:, crops.context :].reshape(crops.y.shape)
        estimates, y = gather(own), gather(crops.y)
        same = clip_scores(y, y, norm="both", center=True) > DUPLICATE_COSINE
        scale = self.module.log_scale.exp().clamp(1.0, self.config.optim.max_scale)
        return clip_loss(
            estimates, y, norm="both", center=True, scale=scale, symmetric=True, not_negative=same
        )

    @staticmethod
    def _ctc(log_probs: Tensor, crops: Batch) -> Tensor:
        index = crops.spans[:, :, None].expand(-1, -1, log_probs.shape[2])
        return ctc_loss(log_probs.gather(1, index), crops.targets, crops.n_frames, crops.n_symbols)

    def validate(self) -> dict[str, float]:
        """Top-10 over windows and character error rate, of whole validation recordings, on the CPU."""
        tracks, output, net = self.prepared.valid, self.config.output, self.module.net
        if not tracks:
            return {}
        if self.world.device.type != "cpu":
            net = copy.deepcopy(net).cpu()
        found = {}
        if output.retrieval:
            found["top10"], found["top10_chance"] = window_topk(net, tracks, self.config)
        if output.text:
            found["cer"] = text_error(net, tracks, self.prepared.source.symbols)
        return found

    def state(self) -> dict[str, Any]:
        return {"rng": pack(self.rng)}

    def load(self, state: dict[str, Any]) -> None:
        unpack(self.rng, state["rng"])


_PER_CROP = ("x", "subject", "spans", "n_frames", "targets", "n_symbols")
