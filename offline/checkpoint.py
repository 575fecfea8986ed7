"""What a training run of the streaming recipe leaves behind, and the model it is about.

A checkpoint directory (`offline.loop.checkpointing`):
    run.json      configuration, model description, what is needed to make the same samples and features
    state.pt      everything to go on training from; weights of the model under "net."
    ridge.pt      the ridge filters
    metrics.jsonl

Knows nothing of the loop that fills it.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import models
from offline.config import Config
from offline.data import Source
from offline.loop.checkpointing import NET, RUN, STATE, load, read_run, weights
from rtdecode.config import from_json
from rtdecode.errors import TrainingError

RIDGE = "ridge.pt"


def untrained(config: Config, source: Source) -> models.DecoderNet:
    """A model of the same shape that has learned nothing; not the one that training started from."""
    return new_model(config, source, config.optim.seed + 1).eval()


def new_model(config: Config, source: Source, seed: int) -> models.DecoderNet:
    """A model of the configured shape before training."""
    torch.manual_seed(seed)
    shape = config.model
    encoder = None
    if shape.hidden:
        encoder = {
            "positions": [list(p) for p in source.positions],
            "n_subjects": len(source.subjects),
            **{name: getattr(shape, name) for name in _ENCODER_KEYS},
        }
    return models.build(
        {
            "name": "decoder",
            "n_channels": len(source.labels),
            "encoder": encoder,
            "n_features": len(source.speech.mean) if config.output.retrieval else 0,
            "n_symbols": len(source.symbols) if config.output.text else 0,
            "linear_taps": shape.linear_taps,
            "linear_stride": shape.stride,
            "n_subjects": len(source.subjects),
            "channel_dropout": shape.channel_dropout,
        }
    )


_ENCODER_KEYS = (
    "n_virtual",
    "hidden",
    "depth",
    "kernel",
    "dilation_period",
    "glu_every",
    "fourier_dim",
    "spatial_dropout",
    "subject_dropout",
    "dropout",
    "stride",
    "causal",
)


@dataclass(frozen=True)
class Checkpoint:
    """A finished or unfinished run: the model in eval mode, the ridge filters, and what made them."""

    config: Config
    model: models.DecoderNet
    ridge: dict[str, Tensor]
    source: Source
    step: int


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint directory; TrainingError says what is missing."""
    if not (path / RUN).is_file() or not (path / STATE).is_file():
        raise TrainingError(
            f"{path} is not a checkpoint: it needs {RUN} and {STATE}", hint="`offline train` makes one"
        )
    run = read_run(path)
    step, saved = weights(path)
    where = str(path / RUN)
    config, source = from_json(Config, run["config"], where), from_json(Source, run["source"], where)
    try:
        model = models.build(run["model"])
        model.load_state_dict({k.removeprefix(NET): v for k, v in saved.items() if k.startswith(NET)})
    except (ValueError, KeyError, RuntimeError) as problem:
        raise TrainingError(
            f"the weights in {path / STATE} are not those of the model in {path / RUN}: "
            f"{str(problem).splitlines()[0]}",
            hint="train it again with this version",
        ) from problem
    return Checkpoint(config, model.eval(), load(path / RIDGE), source, step)
