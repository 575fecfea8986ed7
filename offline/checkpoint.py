"""What a training run leaves behind, and the model it is about.

A checkpoint directory:
    run.json      configuration, model description, what is needed to make the same samples and features
    state.pt      tensors of model and optimiser, read back with weights_only

Knows nothing of the loop that fills it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import models
from offline.config import Config
from offline.data import Source
from rtdecode.config import from_json
from rtdecode.errors import TrainingError


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
)


def save(out: Path, state: dict[str, Any]) -> None:
    # A run killed while saving must leave the previous checkpoint whole.
    torch.save(state, out / "state.pt.part")
    (out / "state.pt.part").replace(out / "state.pt")


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
    if not (path / "run.json").is_file() or not (path / "state.pt").is_file():
        raise TrainingError(
            f"{path} is not a checkpoint: it needs run.json and state.pt", hint="`offline train` makes one"
        )
    run = json.loads((path / "run.json").read_text("utf-8"))
    state = torch.load(path / "state.pt", weights_only=True)
    model = models.build(run["model"])
    model.load_state_dict(state["model"])
    where = str(path / "run.json")
    config, source = from_json(Config, run["config"], where), from_json(Source, run["source"], where)
    return Checkpoint(config, model.eval(), state["ridge"], source, state["step"])
