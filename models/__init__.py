"""Pure torch models and their frozen configurations. No I/O, no training, no logging; imports torch alone.

`build` and `build_contrastive` make a model from plain data (what a checkpoint or a bundle stores);
`describe` is their inverse.
"""

from dataclasses import asdict, fields
from typing import Any

from models.contrastive import ContrastiveNet, ContrastiveNetConfig
from models.decoder import DecoderConfig, DecoderNet
from models.deepmel import DeepMel, DeepMelConfig
from models.encoder import BrainEncoder, EncoderConfig
from models.heads import CtcHead, RetrievalHead
from models.linear import LinearDecoder
from models.montages import distinct_montages
from models.text import TEXT_NAMES, TextNet, build_text, describe_text

__all__ = [
    "BrainEncoder",
    "ContrastiveNet",
    "ContrastiveNetConfig",
    "CtcHead",
    "DecoderConfig",
    "DecoderNet",
    "DeepMel",
    "DeepMelConfig",
    "EncoderConfig",
    "LinearDecoder",
    "RetrievalHead",
    "TextNet",
    "build",
    "build_contrastive",
    "build_stream",
    "build_text",
    "describe",
    "distinct_montages",
]


def _positions(values: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in values)


def _encoder(config: dict[str, Any]) -> EncoderConfig:
    values = _known(EncoderConfig, config)
    values["positions"] = _positions(values["positions"])
    return EncoderConfig(**values)


def _decoder(config: dict[str, Any]) -> DecoderNet:
    values = _known(DecoderConfig, config)
    if values.get("encoder") is not None:
        values["encoder"] = _encoder(values["encoder"])
    return DecoderNet(DecoderConfig(**values))


def _known(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    names = [f.name for f in fields(cls)]
    unknown = sorted(set(config) - set(names))
    if unknown:
        raise ValueError(f"unknown {cls.__name__} keys {unknown}; valid ones are {names}")
    return dict(config)


_BUILDERS = {"decoder": _decoder}


def build_stream(config: dict[str, Any]) -> DecoderNet | TextNet:
    """Whatever a bundle holds: a model that takes steps, by its name. ValueError as for `build`."""
    return build_text(config) if config.get("name") in TEXT_NAMES else build(config)


def build(config: dict[str, Any]) -> DecoderNet:
    """Model from {"name": ..., **fields of its config}. Raises ValueError for an unknown name or key."""
    name = config.get("name")
    if name not in _BUILDERS:
        raise ValueError(f"unknown model {name!r}; valid names are {sorted([*_BUILDERS, *TEXT_NAMES])}")
    return _BUILDERS[name]({key: value for key, value in config.items() if key != "name"})


def build_contrastive(config: dict[str, Any]) -> ContrastiveNet:
    """As `build`, of a ContrastiveNet. Raises ValueError for another name or an unknown key."""
    if config.get("name") != "contrastive":
        raise ValueError(f"expected a model named 'contrastive', got {config.get('name')!r}")
    values = _known(ContrastiveNetConfig, {key: value for key, value in config.items() if key != "name"})
    values["montages"] = tuple(_positions(montage) for montage in values.get("montages", ()))
    if values.get("encoder") is not None:
        values["encoder"] = _encoder(values["encoder"])
    if values.get("speech") is not None:
        values["speech"] = DeepMelConfig(**_known(DeepMelConfig, values["speech"]))
    return ContrastiveNet(ContrastiveNetConfig(**values))


def describe(model: DecoderNet | ContrastiveNet | TextNet) -> dict[str, Any]:
    """The plain-data configuration from which `build` (or `build_contrastive`, `build_text`) makes the same
    module (JSON-serialisable).
    """
    if isinstance(model, TextNet):
        return describe_text(model)
    config = asdict(model.config)
    if config["encoder"] is not None:
        config["encoder"]["positions"] = [list(position) for position in config["encoder"]["positions"]]
    if isinstance(model, DecoderNet):
        return {"name": "decoder", **config}
    config["montages"] = [[list(position) for position in montage] for montage in config["montages"]]
    return {"name": "contrastive", **config}
