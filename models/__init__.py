"""Pure torch models and their frozen configurations. No I/O, no training, no logging; imports torch alone.

`build` makes a model from plain data (what a checkpoint or a bundle stores); `describe` is its inverse.
"""

from dataclasses import asdict, fields
from typing import Any

from models.decoder import DecoderConfig, DecoderNet
from models.encoder import BrainEncoder, EncoderConfig
from models.heads import CtcHead, RetrievalHead
from models.linear import LinearDecoder

__all__ = [
    "BrainEncoder",
    "CtcHead",
    "DecoderConfig",
    "DecoderNet",
    "EncoderConfig",
    "LinearDecoder",
    "RetrievalHead",
    "build",
    "describe",
]


def _decoder(config: dict[str, Any]) -> DecoderNet:
    values = _known(DecoderConfig, config)
    if values.get("encoder") is not None:
        encoder = _known(EncoderConfig, values["encoder"])
        encoder["positions"] = tuple((float(x), float(y)) for x, y in encoder["positions"])
        values["encoder"] = EncoderConfig(**encoder)
    return DecoderNet(DecoderConfig(**values))


def _known(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    names = [f.name for f in fields(cls)]
    unknown = sorted(set(config) - set(names))
    if unknown:
        raise ValueError(f"unknown {cls.__name__} keys {unknown}; valid ones are {names}")
    return dict(config)


_BUILDERS = {"decoder": _decoder}


def build(config: dict[str, Any]) -> DecoderNet:
    """Model from {"name": ..., **fields of its config}. Raises ValueError for an unknown name or key."""
    name = config.get("name")
    if name not in _BUILDERS:
        raise ValueError(f"unknown model {name!r}; valid names are {sorted(_BUILDERS)}")
    return _BUILDERS[name]({key: value for key, value in config.items() if key != "name"})


def describe(model: DecoderNet) -> dict[str, Any]:
    """The plain-data configuration from which `build` makes the same module (JSON-serialisable)."""
    config = asdict(model.config)
    if config["encoder"] is not None:
        config["encoder"]["positions"] = [list(position) for position in config["encoder"]["positions"]]
    return {"name": "decoder", **config}
