"""The model of a configuration, and which of its parameters belong to which part.

From `TextConfig`, the number of channels, days and symbols, and for a transfer encoder its description, to a
module of `models.text`. Reads no files.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from models.text import (
    ChunkConfig,
    ChunkNet,
    FrontConfig,
    GruConfig,
    GruNet,
    SmoothSpec,
    TextNet,
    TransferConfig,
    TransferNet,
)
from offline.text.config import FrontShape, ModelConfig, TextConfig
from rtdecode.errors import ConfigError


def front_config(shape: FrontShape, n_channels: int, n_days: int) -> FrontConfig:
    """n_days counts where the shape has day layers. Raises ConfigError for a smoother that cannot be."""
    try:
        return FrontConfig(
            n_channels,
            shape.window,
            shape.stride,
            shape.layout,
            SmoothSpec(shape.smooth_taps, shape.smooth_sigma, shape.smooth_ahead if shape.smooth_taps else 0),
            n_days if shape.days else 0,
            shape.softsign,
            shape.dropout,
        )
    except ValueError as problem:
        raise ConfigError(f"model.front: {problem}") from problem


def build_net(
    config: TextConfig, n_channels: int, n_days: int, speech: Mapping[str, Any] | None = None
) -> TextNet:
    """The model before training, drawn from torch's generator as it stands.

    speech  config.json of the speech encoder, where the configuration transfers one
    Raises ConfigError for a shape that cannot be.
    """
    model, symbols = config.model, len(config.data.symbols)
    front = front_config(model.front, n_channels, n_days)
    try:
        if model.kind == "gru":
            gru = model.gru
            return GruNet(
                GruConfig(
                    front, symbols, gru.hidden, gru.layers, gru.dropout, gru.learned_start, gru.bidirectional
                )
            )
        if model.kind == "transformer":
            shape = model.transformer
            low, high = shape.context_train
            return ChunkNet(
                ChunkConfig(
                    front,
                    symbols,
                    shape.width,
                    shape.depth,
                    shape.heads,
                    shape.head_width,
                    shape.expansion,
                    shape.context,
                    (low, high),
                    shape.reach,
                    shape.dropout,
                )
            )
        return _transfer(model, front, symbols, speech or {})
    except ValueError as problem:
        raise ConfigError(f"model.{model.kind}: {problem}") from problem


def _transfer(model: ModelConfig, front: FrontConfig, symbols: int, speech: Mapping[str, Any]) -> TransferNet:
    gru, transfer = model.gru, model.transfer
    wanted = {"wav2vec2": "wav2vec2", "conformer": "wav2vec2-conformer"}[model.kind]
    if speech.get("model_type") != wanted:
        raise ConfigError(
            f"{transfer.checkpoint} is a model of type {speech.get('model_type')!r}, model.kind "
            f"{model.kind!r} needs {wanted!r}",
            hint="give another checkpoint, or another model.kind",
        )
    return TransferNet(
        TransferConfig(
            front,
            symbols,
            dict(speech),
            gru.hidden,
            gru.layers,
            gru.bidirectional,
            gru.dropout,
            transfer.mlp,
            transfer.context,
            transfer.block,
            transfer.convolution,
        )
    )


def parts_of(net: TextNet) -> dict[str, list[nn.Parameter]]:
    """Parameters by part ("front", "encoder", "head"; see `setups`): all of a model without a transferred
    encoder is its front.
    """
    if not isinstance(net, TransferNet):
        return {"front": list(net.parameters()), "encoder": [], "head": []}
    named = net.parameter_groups()
    groups = {"front": named["bfe"], "encoder": named["encoder"], "head": named["head"]}
    return {part: [parameter for _, parameter in members] for part, members in groups.items()}


def day_parameters(net: TextNet) -> list[nn.Parameter]:
    """Those of single days."""
    return list(net.front.days.parameters()) if net.front.days is not None else []
