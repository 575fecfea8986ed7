"""Text encoders: binned neural features in, log-probabilities of CTC symbols out, whole sentences or streams.

`build_text` makes one from plain data (what a checkpoint or a bundle stores), `describe_text` is its inverse;
`preset_text` gives the configuration of a named shape. One interface: `models.text.net.TextNet`.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from models.text.days import STARTS, DayLayers
from models.text.front import Front, FrontConfig
from models.text.gru import GruConfig, GruNet
from models.text.net import NEVER, TextNet
from models.text.patches import PUBLISHED_LENGTHS, frame_count, frame_counts
from models.text.presets import PRESETS, AnyConfig, preset_text
from models.text.smooth import GAUSS_9, GAUSS_20, NO_SMOOTHING, SmoothSpec
from models.text.transformer import ChunkConfig, ChunkNet
from models.text.wav2vec2 import TransferConfig, TransferNet

__all__ = [
    "GAUSS_9",
    "GAUSS_20",
    "NEVER",
    "NO_SMOOTHING",
    "PRESETS",
    "PUBLISHED_LENGTHS",
    "STARTS",
    "TEXT_NAMES",
    "ChunkConfig",
    "ChunkNet",
    "DayLayers",
    "Front",
    "FrontConfig",
    "GruConfig",
    "GruNet",
    "SmoothSpec",
    "TextNet",
    "TransferConfig",
    "TransferNet",
    "build_text",
    "describe_text",
    "frame_count",
    "frame_counts",
    "preset_text",
    "text_net",
]

_KINDS: dict[str, tuple[type, type]] = {
    "text-gru": (GruConfig, GruNet),
    "text-chunk": (ChunkConfig, ChunkNet),
    "text-wav2vec2": (TransferConfig, TransferNet),
}
TEXT_NAMES = tuple(_KINDS)


def text_net(config: AnyConfig) -> TextNet:
    """The module of a configuration, randomly initialised."""
    for settings, net in _KINDS.values():
        if isinstance(config, settings):
            return net(config)
    raise ValueError(f"{type(config).__name__} is no configuration of a text encoder")


def _known(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = [f.name for f in fields(cls)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"unknown {cls.__name__} keys {unknown}; valid ones are {names}")
    return dict(values)


def build_text(config: Mapping[str, Any]) -> TextNet:
    """Model from {"name": one of TEXT_NAMES, **fields}. Raises ValueError for an unknown name or key."""
    name = config.get("name")
    if name not in _KINDS:
        raise ValueError(f"unknown text model {name!r}; valid names are {sorted(_KINDS)}")
    settings, net = _KINDS[name]
    values = _known(settings, {key: value for key, value in config.items() if key != "name"})
    if not isinstance(values.get("front"), Mapping):
        raise ValueError(f"{name} needs 'front', the fields of a FrontConfig, got {values.get('front')!r}")
    front = _known(FrontConfig, values["front"])
    if isinstance(front.get("smooth"), Mapping):
        front["smooth"] = SmoothSpec(**_known(SmoothSpec, front["smooth"]))
    values["front"] = FrontConfig(**front)
    return net(settings(**values))


def describe_text(model: TextNet) -> dict[str, Any]:
    """The plain-data configuration from which `build_text` makes the same module (JSON-serialisable)."""
    values = asdict(model.config)
    for key, value in values.items():
        if isinstance(value, tuple):
            values[key] = list(value)
    name = next(name for name, (_, net) in _KINDS.items() if type(model) is net)
    return {"name": name, **values}
