"""The training loop: crops in, a checkpoint out. Resumable, deterministic, loud about NaN.

Contrastive loss in the very form in which live retrieval scores (every feature's mean over the window
removed, cosine), plus CTC over whole sentences. The linear path starts from ridge. Knows nothing of files but
its checkpoint directory; data arrive as `offline.data.Prepared`. Never prints: progress goes to a callback.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import models
from offline.baseline import fit_ridge
from offline.checkpoint import new_model, save
from offline.config import Config
from offline.data import Prepared
from offline.losses import clip_loss, clip_scores, ctc_loss
from offline.segments import Batch, Crops
from offline.validate import text_error, window_topk
from rtdecode.config import to_json
from rtdecode.errors import TrainingError

log = logging.getLogger(__name__)

DUPLICATE_COSINE = 0.9
"""Windows whose targets agree this well are the same sound (a sentence heard twice): no negatives."""


@dataclass(frozen=True)
class Progress:
    """One line of training. top10 (of windows) and cer are validation scores, None where absent."""

    step: int
    steps: int
    loss: float
    contrastive: float | None
    ctc: float | None
    top10: float | None
    chance: float | None
    cer: float | None
    seconds: float

    def __str__(self) -> str:
        parts = [f"step {self.step}/{self.steps}", f"loss {self.loss:.3f}"]
        if self.contrastive is not None:
            parts.append(f"contrastive {self.contrastive:.3f}")
        if self.ctc is not None:
            parts.append(f"ctc {self.ctc:.3f}")
        if self.top10 is not None:
            parts.append(f"valid top-10 {self.top10:.1%} (chance {self.chance:.1%})")
        if self.cer is not None:
            parts.append(f"valid CER {self.cer:.1%}")
        return " · ".join([*parts, f"{self.seconds:.0f} s"])


def train(
    config: Config,
    prepared: Prepared,
    out: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Fit ridge, then (unless hidden = 0) train the deep model; returns the checkpoint directory `out`.

    resume  go on from `out`/state.pt, which must come from the same configuration.
    Raises TrainingError when the loss is not finite, or when `out` holds another run.
    """
    if (out / "run.json").exists() and not resume:
        raise TrainingError(
            f"{out} holds a training run already", hint="resume it, or choose another directory"
        )
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
    state = {"step": 0}
    out.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(config, model, prepared)
    if resume and (out / "state.pt").exists():
        if json.loads((out / "run.json").read_text("utf-8"))["config"] != run["config"]:
            raise TrainingError(
                f"{out} was trained with another configuration", hint="choose another directory"
            )
        state = torch.load(out / "state.pt", weights_only=True)
        trainer.load(state)
    (out / "run.json").write_text(json.dumps(run, indent=1) + "\n", "utf-8")
    if config.model.hidden == 0:
        save(out, {"step": 0, "model": model.state_dict(), "ridge": ridge})
        return out
    began = time.perf_counter()
    while trainer.step < config.optim.steps:
        line = trainer.epoch(began)
        save(out, {**trainer.state(), "ridge": ridge})
        log.info("%s", line)
        if progress:
            progress(line)
    return out


@torch.no_grad()
def _start_from_ridge(model: models.DecoderNet, ridge: dict[str, Tensor]) -> None:
    assert model.linear is not None
    model.linear.weight.copy_(ridge["weight"])
    model.linear.bias.copy_(ridge["bias"])
    if model.retrieval is not None:
        # The deep path starts at nothing, so that training can only improve on ridge.
        nn.init.zeros_(model.retrieval.outer.weight)
        nn.init.zeros_(model.retrieval.outer.bias)


class _Trainer:
    """Model, optimiser and crops of one run; `state` / `load` make it resumable."""

    def __init__(self, config: Config, model: models.DecoderNet, prepared: Prepared):
        self.config, self.model, self.prepared, self.step = config, model, prepared, 0
        if config.model.hidden == 0:
            return
        self.rng = np.random.default_rng(config.optim.seed)
        self.crops = Crops(list(prepared.train), config, self.rng)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.optimizer = torch.optim.AdamW(self._groups(), lr=config.optim.lr, betas=(0.9, 0.98))
        self.base_lrs = [group["lr"] for group in self.optimizer.param_groups]

    def _groups(self) -> list[dict[str, Any]]:
        optim = self.config.optim
        linear = {id(p) for p in self.model.linear.parameters()} if self.model.linear is not None else set()
        decay: list[nn.Parameter] = []
        plain: list[nn.Parameter] = [self.log_scale]
        slow: list[nn.Parameter] = []
        for parameter in self.model.parameters():
            (slow if id(parameter) in linear else decay if parameter.ndim > 1 else plain).append(parameter)
        return [
            {"params": decay, "lr": optim.lr, "weight_decay": optim.weight_decay},
            {"params": plain, "lr": optim.lr, "weight_decay": 0.0},
            {"params": slow, "lr": optim.lr * optim.linear_lr, "weight_decay": 0.0},
        ]

    def epoch(self, began: float) -> Progress:
        """`steps_per_epoch` updates, then validation."""
        optim = self.config.optim
        self.model.train()
        sums = np.zeros(3)
        count = min(optim.steps_per_epoch, optim.steps - self.step)
        for _ in range(count):
            sums += self._update()
        self.model.eval()
        total, contrastive, ctc = (sums / count).tolist()
        has_valid = bool(self.prepared.valid)
        top10 = chance = cer = None
        if has_valid and self.config.output.retrieval:
            top10, chance = window_topk(self.model, self.prepared.valid, self.config)
        if has_valid and self.config.output.text:
            cer = text_error(self.model, self.prepared.valid, self.prepared.source.symbols)
        output = self.config.output
        return Progress(
            self.step,
            optim.steps,
            total,
            contrastive if output.retrieval else None,
            ctc if output.text else None,
            top10,
            chance,
            cer,
            time.perf_counter() - began,
        )

    def _update(self) -> np.ndarray:
        optim = self.config.optim
        factor = _schedule(self.step / optim.steps, optim.warmup)
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * factor
        batch = self.crops.batch()
        out = self.model(batch.x, batch.subject)
        contrastive = self._contrastive(out, batch) if self.config.output.retrieval else torch.zeros(())
        ctc = self._ctc(out, batch) if self.config.output.text else torch.zeros(())
        loss = contrastive + optim.ctc_weight * ctc
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss.item()} at step {self.step} (contrastive {contrastive.item():.3g}, "
                f"CTC {ctc.item():.3g})",
                hint="lower optim.lr; the last checkpoint is untouched",
            )
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), optim.clip_norm)
        self.optimizer.step()
        self.step += 1
        return np.array([loss.item(), contrastive.item(), ctc.item()])

    def _contrastive(self, out: dict[str, Tensor], batch: Batch) -> Tensor:
        estimate = out["estimate"][:, batch.context :].reshape(batch.y.shape)
        same = clip_scores(batch.y, batch.y, norm="both", center=True) > DUPLICATE_COSINE
        scale = self.log_scale.exp().clamp(1.0, self.config.optim.max_scale)
        return clip_loss(
            estimate, batch.y, norm="both", center=True, scale=scale, symmetric=True, not_negative=same
        )

    @staticmethod
    def _ctc(out: dict[str, Tensor], batch: Batch) -> Tensor:
        log_probs = out["log_probs"]
        index = batch.spans[:, :, None].expand(-1, -1, log_probs.shape[2])
        return ctc_loss(log_probs.gather(1, index), batch.targets, batch.n_frames, batch.n_symbols)

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "log_scale": self.log_scale.detach(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": json.dumps(self.rng.bit_generator.state),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.step = state["step"]
        if "optimizer" not in state:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        self.log_scale.data.copy_(state["log_scale"])
        torch.set_rng_state(state["torch_rng"])
        self.rng.bit_generator.state = json.loads(state["numpy_rng"])


def _schedule(done: float, warmup: float) -> float:
    """Share of the learning rate after `done` of the run: linear warm-up, then half a cosine to 1 %."""
    if done < warmup:
        return 0.05 + 0.95 * done / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))
