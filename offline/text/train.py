"""Train the text recipe on a prepared study of trials: checks, model, its pretrained start, then the one
loop.

Refuses to start when what is prepared does not fit the configuration, or when a resumed run would see other
data than it began with. Never prints: progress goes to a callback.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.text.net import TextNet
from models.text.patches import frame_count
from models.text.wav2vec2 import TransferNet
from offline.intracortical.store import TrialStudy
from offline.loop import ALONE, Progress, World, fit
from offline.loop.checkpointing import STATE, check_data, check_run
from offline.loop.metrics import Sink
from offline.text.checkpoint import describe_run
from offline.text.config import TextConfig
from offline.text.examples import Chosen, check_study, choose, digest, reader
from offline.text.net import build_net
from offline.text.pretrained import check_head, load_pretrained, speech_folder, speech_shape
from offline.text.task import TextTask
from rtdecode.config import to_json

NAMES_KEPT = 50


@dataclass(frozen=True)
class Assembled:
    """Everything a run needs before its first update; `run` is what run.json will say."""

    task: TextTask
    chosen: Chosen
    run: dict[str, Any]


def train(
    config: TextConfig,
    study: TrialStudy,
    out: Path,
    *,
    resume: bool = False,
    sinks: Sequence[Sink] = (),
    progress: Callable[[Progress], None] | None = None,
    world: World = ALONE,
) -> Path:
    """Returns the run's directory `out`. Several processes: call it in each, inside `joined(world)`.

    resume  go on from `out`; the same configuration and data as when it began
    Raises StudyError when a trial or the speech checkpoint is not what it should be; TrainingError when the
    data does not fit the configuration or the run, when a loss is not finite, when the disk is full.
    """
    if world.first:
        check_run(out, to_json(config), resume)
    going_on = resume and (out / STATE).exists()
    assembled = assemble(config, study, world=world, weights=not going_on)
    if world.first:
        check_data(out, assembled.run, ("study", "days", "labels", "prepared", "data", "model"))
    return fit(
        assembled.task,
        config.loop,
        out,
        run=assembled.run,
        resume=resume,
        sinks=sinks,
        progress=progress,
        world=world,
    )


def assemble(
    config: TextConfig, study: TrialStudy, *, world: World = ALONE, weights: bool = True
) -> Assembled:
    """All checks, then examples, model and task. Raises as `train`. Writes nothing.

    weights  read those of the pretrained encoder; a run that goes on has its own
    """
    check_study(config, study)
    front = config.model.front
    chosen = choose(config, study, lambda bins: frame_count(bins, front.window, front.stride))
    net = start(config, len(study.labels), len(chosen.days), weights=weights)
    task = TextTask(net, config, reader(study), chosen.train, chosen.valid, world)
    data = {
        "train": {"trials": len(chosen.train), "digest": digest(chosen.train)},
        "valid": {"trials": len(chosen.valid), "digest": digest(chosen.valid)},
        "left_out": {"trials": len(chosen.left_out), "names": list(chosen.left_out[:NAMES_KEPT])},
        "hours": round(sum(e.n_bins for e in chosen.train) * study.bin_s / 3600, 4),
        "parameters": sum(p.numel() for p in net.parameters()),
        "trained": sum(p.numel() for p in net.parameters() if p.requires_grad),
    }
    return Assembled(task, chosen, describe_run(config, study, net, chosen.days, data))


def start(config: TextConfig, n_channels: int, n_days: int, *, weights: bool = True) -> TextNet:
    """The model before its first update, seeded by loop.seed. The set-up decides whether a transferred
    encoder comes with its weights.
    """
    torch.manual_seed(config.loop.seed)
    if not config.model.transfers:
        return build_net(config, n_channels, n_days)
    transfer, pretrained = config.model.transfer, config.training.setup != "scratch"
    folder = speech_folder(transfer.checkpoint, weights=pretrained)
    speech = speech_shape(transfer.checkpoint, folder)
    head = pretrained and transfer.head == "pretrained"
    if head:
        check_head(transfer.checkpoint, folder, config.data.symbols)
    net = build_net(config, n_channels, n_days, speech)
    assert isinstance(net, TransferNet)
    if pretrained and weights:
        load_pretrained(net, transfer.checkpoint, folder, head=head)
    return net
