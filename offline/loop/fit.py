"""The training loop: updates, validation, checkpoints, metrics; exact when interrupted, loud about NaN.

Runs any `Task`, in one process or several. Never prints: progress goes to a callback. What is on disk is
`offline.loop.checkpointing`'s.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from offline.loop import distributed as together
from offline.loop.batchnorm import synchronise
from offline.loop.checkpointing import BEST, STATE, load, open_run, save
from offline.loop.config import LoopConfig
from offline.loop.distributed import ALONE, World
from offline.loop.finite import FiniteCheck
from offline.loop.meters import Clock, Means
from offline.loop.metrics import JsonLines, Progress, Sink
from offline.loop.pace import paced
from offline.loop.precision import autocast, numerics, scaler, seed_update
from offline.loop.prefetch import Prefetch
from offline.loop.task import Task
from rtdecode.errors import TrainingError, closest

log = logging.getLogger(__name__)

_KEYS = ("step", "model", "optimizer", "scaler", "task", "best", "bad_epochs", "skipped", "stopped", "means")


def fit(
    task: Task,
    loop: LoopConfig,
    out: Path,
    *,
    run: dict[str, Any],
    resume: bool = False,
    sinks: Sequence[Sink] = (),
    progress: Callable[[Progress], None] | None = None,
    world: World = ALONE,
) -> Path:
    """Train `task`; returns the run's directory `out`, the task's module left with the best weights.

    run     JSON that run.json keeps; run["config"] must be the same when the run is resumed
    resume  go on from `out`/state.pt, to the same weights as without the interruption; from the start where
            there is none
    Raises TrainingError when a loss or gradient is not finite, when `out` holds another run, when the disk
    is full, when another process is lost.
    """
    with numerics(loop, world.device):
        going_on = False
        if world.first:
            going_on = open_run(out, run, resume)
        going_on = bool(together.from_first(world, {"going_on": float(going_on)})["going_on"])
        fitting = _Fit(task, loop, out, [JsonLines(out / "metrics.jsonl"), *sinks], progress, world)
        if going_on:
            fitting.load(load(out / STATE, *_KEYS))
        fitting.rewind(resume)
        try:
            fitting.go()
        finally:
            fitting.close()
    return out


class _Fit:
    """The state of one run, and what moves it."""

    def __init__(
        self,
        task: Task,
        loop: LoopConfig,
        out: Path,
        sinks: list[Sink],
        progress: Callable[[Progress], None] | None,
        world: World,
    ):
        self.task, self.loop, self.out, self.world = task, loop, out, world
        self.sinks = sinks if world.first else []
        self.progress = progress if world.first else None
        self.module = task.module
        if world.size > 1:
            synchronise(self.module)
            together.share_weights(world, self.module)
        make = torch.optim.AdamW if loop.optimizer == "adamw" else torch.optim.Adam
        betas = (loop.betas[0], loop.betas[1])
        self.optimizer = make(task.groups(), lr=loop.lr, betas=betas, weight_decay=loop.weight_decay)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.scaler = scaler(loop, world.device)
        self.check = FiniteCheck(self.scaler.is_enabled())
        self.step = self.bad_epochs = 0
        self.best: dict[str, float] = {}
        self.stopped = False
        self.sampler = task.state()
        self.epoch_means, self.line_means = Means(), Means()
        self.epoch_clock, self.line_clock = Clock(), Clock()
        self.began, self.first_step = time.perf_counter(), 0

    def go(self) -> None:
        loop = self.loop
        self.first_step = self.step
        stop = self.step if self.stopped else loop.updates
        self.module.train()
        with Prefetch(self.task, self.step, stop, loop.prefetch, self.world.device) as supply:
            while self.step < stop and not self.stopped:
                self.update(supply)
                if self.step % loop.updates_per_epoch == 0 or self.step == stop:
                    self.end_epoch()
                    continue
                if self.step % loop.log_every == 0:
                    self.line()
                if loop.save_every and self.step % loop.save_every == 0:
                    self.save()
        if self.best:
            if self.world.first:
                self.module.load_state_dict(load(self.out / BEST, "model")["model"])
            together.share_weights(self.world, self.module)
        self.module.eval()

    def update(self, supply: Prefetch) -> None:
        """One step of the optimiser."""
        began, waited = time.perf_counter(), supply.waited_s
        batch, sampler = supply.next()
        seed_update(self.loop.seed, self.step, self.world.rank)
        epoch = self.step // self.loop.updates_per_epoch
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = paced(group, rate, epoch) * self.loop.rate(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.loop, self.world.device):
            parts = self.task.loss(batch)
        self.scaler.scale(parts["loss"]).backward()
        own = torch.stack([value.detach().float() for value in parts.values()])
        everywhere = together.average(self.world, self.parameters, own)
        self.scaler.unscale_(self.optimizer)
        norm = self._clip()
        *values, length = torch.cat([everywhere, norm[None]]).tolist()
        means = dict(zip(parts, values, strict=True))
        self.check(self.step, means, length, own, batch.names)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step, self.sampler = self.step + 1, sampler
        self.epoch_means.add(means)
        self.line_means.add(means)
        for clock in (self.epoch_clock, self.line_clock):
            clock.add(
                time.perf_counter() - began, supply.waited_s - waited, len(batch.names) * self.world.size
            )

    def _clip(self) -> Tensor:
        grads = [p.grad for p in self.parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(grads)
        if self.loop.clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self.loop.clip_norm, norm)
        return norm.float()

    def line(self) -> None:
        """Training metrics since the last such line."""
        means, speed = self.line_means.take(), self.line_clock.take()
        self._write("train", {**means, "lr": self.optimizer.param_groups[0]["lr"], **speed})
        self._report(means, None, speed)

    def end_epoch(self) -> None:
        """Validate, keep the best weights, decide whether to go on, save."""
        self.module.eval()
        with torch.no_grad():
            valid = together.from_first(self.world, self.task.validate())
        self.module.train()
        if self.loop.watch:
            self._judge(valid)
        means, speed = self.epoch_means.take(), self.epoch_clock.take()
        rates = {"lr": self.optimizer.param_groups[0]["lr"], **self.line_clock.take()}
        self._write("train", {**self.line_means.take(), **rates})
        self._write("valid", valid)
        self.save()
        self._report(means, valid, speed)

    def _judge(self, valid: dict[str, float]) -> None:
        watch = self.loop.watch
        if watch not in valid:
            raise TrainingError(
                f"validation gives no {watch!r} to choose the best weights by",
                hint=closest(watch, valid) if valid else "the recipe has no validation data",
            )
        value = valid[watch]
        if not math.isfinite(value):
            raise TrainingError(
                f"the validation value {watch} became {value} at step {self.step}",
                hint="the last checkpoint is untouched",
            )
        sign = 1 if self.loop.lowest else -1
        if not self.best or sign * value < sign * self.best["value"]:
            self.best, self.bad_epochs = {"value": value, "step": self.step}, 0
            if self.world.first:
                save(self.out / BEST, {**self.best, "watch": watch, "model": self.module.state_dict()})
        else:
            self.bad_epochs += 1
            self.stopped = 0 < self.loop.patience <= self.bad_epochs

    def _report(
        self, means: dict[str, float], valid: dict[str, float] | None, speed: dict[str, float]
    ) -> None:
        seconds = time.perf_counter() - self.began
        left = (self.loop.updates - self.step) * seconds / max(1, self.step - self.first_step)
        epoch = math.ceil(self.step / self.loop.updates_per_epoch)
        line = Progress(
            self.step, self.loop.updates, epoch, means, valid, **speed, seconds=seconds, eta_s=left
        )
        log.info("%s", line)
        if self.progress:
            self.progress(line)

    def _write(self, kind: str, values: dict[str, float]) -> None:
        for sink in self.sinks:
            sink.write(kind, self.step, values)

    def rewind(self, resume: bool) -> None:
        """Sinks of a resumed run forget what came after its checkpoint."""
        if resume:
            for sink in self.sinks:
                sink.rewind(self.step)

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()

    def save(self) -> None:
        """The checkpoint to go on from, by the first process."""
        together.assert_same(self.world, self.sampler)
        if self.world.first:
            save(
                self.out / STATE,
                {
                    "step": self.step,
                    "model": self.module.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "scaler": self.scaler.state_dict(),
                    "task": self.sampler,
                    "best": self.best,
                    "bad_epochs": self.bad_epochs,
                    "skipped": self.check.skipped,
                    "stopped": self.stopped,
                    "means": [self.epoch_means.state(), self.line_means.state()],
                },
            )

    def load(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.sampler = state["task"]
        self.task.load(self.sampler)
        self.step, self.best = state["step"], state["best"]
        self.bad_epochs, self.stopped = state["bad_epochs"], state["stopped"]
        self.check.skipped = state["skipped"]
        for means, saved in zip((self.epoch_means, self.line_means), state["means"], strict=True):
            means.load(saved)
