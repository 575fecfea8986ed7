"""A day the model was not trained on: how it starts, and what a few minutes of known sentences change.

With day layers, the new day gets one (a copy of the last day's, or the mean of all), and only that row
learns. Without, every channel gets a gain and an offset of its own, and only those learn. Everything else
keeps its bits. Runs on the one training loop; writes to a place the caller gives. Knows no decoder.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.text import TextNet
from offline.loop import Progress, fit
from offline.text.batches import BatchSpec, Example, Features
from offline.text.checkpoint import Checkpoint
from offline.text.config import TextConfig
from offline.text.task import TextTask
from rtdecode.config import to_json
from rtdecode.errors import ConfigError, StudyError, closest

Start = Literal["last", "mean"]
STARTS: tuple[Start, ...] = ("last", "mean")


@dataclass(frozen=True)
class AdaptSpec:
    """minutes: of known sentences, the first of the day;  updates of `batch` trials at rate `lr`."""

    minutes: float = 3.0
    updates: int = 60
    batch: int = 8
    lr: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.minutes > 0 or self.updates < 1 or self.batch < 1 or not self.lr > 0:
            raise ValueError("minutes, updates, batch and lr must be above 0")


class ScaledInput(nn.Module):
    """A model behind a gain and an offset per channel: x * gain + offset, identity at first."""

    def __init__(self, net: TextNet):
        super().__init__()
        self.net = net
        self.gain = nn.Parameter(torch.ones(net.config.n_channels))
        self.offset = nn.Parameter(torch.zeros(net.config.n_channels))

    @property
    def n_days(self) -> int:
        return 0

    def forward(self, x: Tensor, lengths: Tensor, day: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.net(x * self.gain + self.offset, lengths, day)
        return found


def with_new_day(ready: Checkpoint, how: str) -> tuple[TextNet, int]:
    """The model with one day more, and that day's row; a model without day layers takes any day as it is.

    ConfigError names the closest start when there is no such one.
    """
    if how not in STARTS:
        raise ConfigError(f"a new day cannot start as {how!r}", hint=closest(how, STARTS))
    if not ready.net.n_days:
        return ready.net, 0
    grown = ready.net.with_new_day(how).eval()
    return grown, grown.n_days - 1


def known_minutes(examples: Sequence[Example], bin_s: float, minutes: float) -> tuple[Example, ...]:
    """The first examples that have a sentence, until they last so many minutes; StudyError when nothing is
    left beside them to be judged.
    """
    taken: list[Example] = []
    seconds = 0.0
    for example in examples:
        if seconds >= minutes * 60:
            break
        if example.target:
            taken.append(example)
            seconds += example.n_bins * bin_s
    if not taken or len(taken) == len(examples):
        raise StudyError(
            f"{len(examples)} sentences leave nothing to judge an adaptation of {minutes:g} min by",
            hint="adapt on fewer minutes",
        )
    return tuple(taken)


class _AdaptTask(TextTask):
    """The text recipe, of which only what belongs to the new day learns."""

    def __init__(self, net: Any, config: TextConfig, features: Features, train: Sequence[Example]):
        super().__init__(net, config, features, train, ())
        chosen = self._chosen()
        for parameter in net.parameters():
            parameter.requires_grad_(any(parameter is one for one in chosen))

    def _chosen(self) -> list[nn.Parameter]:
        net: Any = self.module.net
        if isinstance(net, ScaledInput):
            return [net.gain, net.offset]
        # of which only the row of the batch's day has a gradient
        return list(net.front.days.parameters())

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": self._chosen(), "weight_decay": 0.0}]


def adapt(
    net: TextNet,
    row: int,
    ready: Checkpoint,
    examples: Sequence[Example],
    features: Features,
    spec: AdaptSpec,
    work: Path,
    progress: Callable[[Progress], None] | None = None,
) -> TextNet | ScaledInput:
    """A copy of `net` whose day `row` has learned from `examples`. work: a folder for the loop, not yet
    there.

    Raises as `offline.loop.fit`.
    """
    new: Any = copy.deepcopy(net)
    if not net.n_days:
        new = ScaledInput(new)
    loop = replace(
        ready.config.loop,
        updates_per_epoch=spec.updates,
        max_updates=spec.updates,
        watch="",
        patience=0,
        optimizer="adam",
        lr=spec.lr,
        schedule="cosine",
        warmup=0.0,
        weight_decay=0.0,
        clip_norm=1.0,
        seed=spec.seed,
        save_every=0,
    )
    # minutes of data have no stretch to spare for silence
    augment = replace(ready.config.augment, masks=0)
    config = replace(ready.config, loop=loop, augment=augment, batch=BatchSpec(size=spec.batch, draw="pass"))
    own = [replace(example, day=row) for example in examples]
    task = _AdaptTask(new, config, features, own)
    fit(task, loop, work, run={"config": to_json(config)}, progress=progress)
    adapted: TextNet | ScaledInput = new.eval()
    return adapted
