"""Encoders of Hugging Face speech models as plain modules: made, drawn at random, or given weights.

The only module of `models` that needs transformers; it is imported when an encoder is made. Reads no files.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

KINDS = ("wav2vec2", "wav2vec2-conformer")


def fold_weight_norm(encoder: Any) -> None:
    nn.utils.parametrize.remove_parametrizations(encoder.pos_conv_embed.conv, "weight")


def _current(name: str) -> str:
    """Older checkpoints name the two parts of a weight norm otherwise."""
    return name.replace("conv.weight_g", "conv.parametrizations.weight.original0").replace(
        "conv.weight_v", "conv.parametrizations.weight.original1"
    )


def speech_encoder(speech: dict[str, Any]) -> tuple[Any, Any]:
    """The encoder of a speech model, and its settings. ImportError says which extra has transformers."""
    try:
        from transformers import Wav2Vec2Config, Wav2Vec2ConformerConfig
        from transformers.models.wav2vec2.modeling_wav2vec2 import (
            Wav2Vec2Encoder,
            Wav2Vec2EncoderStableLayerNorm,
        )
        from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
            Wav2Vec2ConformerEncoder,
        )
    except ImportError as error:
        raise ImportError(
            "a Wav2Vec2 encoder needs transformers, which is not installed: pip install 'rtdecode[offline]'"
        ) from error
    conformer = speech["model_type"] == KINDS[1]
    try:
        settings: Any = (Wav2Vec2ConformerConfig if conformer else Wav2Vec2Config).from_dict(dict(speech))
        settings._attn_implementation = "eager" if conformer else "sdpa"
        if conformer:
            return Wav2Vec2ConformerEncoder(settings), settings
        kind: Any = Wav2Vec2EncoderStableLayerNorm if settings.do_stable_layer_norm else Wav2Vec2Encoder
        return kind(settings), settings
    except Exception as problem:  # its validation has exception types of its own
        raise ValueError(
            f"no {speech['model_type']} encoder can be made of these settings: {problem}"
        ) from problem


def initialise(encoder: Any, head: nn.Linear, spread: float) -> None:
    """What the speech models start from when nothing is pretrained: small normal matrices, zero biases."""
    if head.weight.is_meta:
        return
    place = encoder.pos_conv_embed.conv
    with torch.no_grad():
        place.weight = nn.init.normal_(
            torch.empty_like(place.weight), std=2 * (place.kernel_size[0] * place.in_channels) ** -0.5
        )
        place.bias.zero_()
    for module in [*encoder.modules(), head]:
        if isinstance(module, nn.Conv1d) and module is not place:
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=spread)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Silence:
    """Zeroes padded frames in front of every depthwise convolution: nothing else there mixes frames."""

    def __init__(self) -> None:
        self.within: Tensor | None = None

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        assert self.within is not None
        return (torch.where(self.within[:, None], args[0], 0.0),)


def silence_padding(encoder: Any) -> Silence:
    silence = Silence()
    for layer in encoder.layers:
        layer.conv_module.depthwise_conv.register_forward_pre_hook(silence)
    return silence


def matched(weights: Mapping[str, Tensor], mine: Mapping[str, Tensor], head: bool) -> dict[str, Tensor]:
    """Of a checkpoint's weights, those `mine` (a state_dict) wants as "encoder.*", and if head as "head.*".

    Raises ValueError for one that is missing or has another shape.
    """
    found = {_current(name): values for name, values in weights.items()}
    prefixes = ("", *(f"{kind.replace('-', '_')}." for kind in KINDS))
    wanted = [name for name in mine if name.startswith(("encoder.", "head.") if head else "encoder.")]
    taken = {}
    for name in wanted:
        theirs = f"lm_{name}" if name.startswith("head.") else name
        source = next((found[prefix + theirs] for prefix in prefixes if prefix + theirs in found), None)
        if source is None:
            raise ValueError(f"the speech checkpoint has no weight {theirs!r}, one of {len(wanted)} needed")
        if source.shape != mine[name].shape:
            there, here = tuple(source.shape), tuple(mine[name].shape)
            raise ValueError(f"{theirs!r} has shape {there} in the speech checkpoint, {here} here")
        taken[name] = source
    return taken
