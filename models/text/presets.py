"""Named shapes of text encoders: published geometries, our default, and small ones for tests and demos.

Channels, symbols and days come from the study. Training recipes are elsewhere.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.text.front import FrontConfig
from models.text.gru import GruConfig
from models.text.smooth import GAUSS_9, GAUSS_20
from models.text.transformer import ChunkConfig
from models.text.wav2vec2 import TransferConfig

AnyConfig = GruConfig | ChunkConfig | TransferConfig

# config.json of the two public checkpoints' encoders, as far as the encoder reads it
WAV2VEC2_BASE: dict[str, Any] = {
    "model_type": "wav2vec2",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
CONFORMER_LARGE: dict[str, Any] = {
    "model_type": "wav2vec2-conformer",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "hidden_act": "swish",
    "position_embeddings_type": "rotary",
    "conv_depthwise_kernel_size": 31,
    "do_stable_layer_norm": True,
}
SMALL_SPEECH: dict[str, Any] = {
    "model_type": "wav2vec2",
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def _nejm(front: FrontConfig, n_symbols: int) -> GruConfig:
    return GruConfig(replace(front, smooth=GAUSS_9, dropout=0.2), n_symbols)


def _tf(front: FrontConfig, n_symbols: int) -> GruConfig:
    front = replace(front, window=32, smooth=GAUSS_9, dropout=0.2)
    return GruConfig(front, n_symbols, hidden=1024, learned_start=False)


def _tf_512(front: FrontConfig, n_symbols: int) -> GruConfig:
    return GruConfig(replace(front, smooth=GAUSS_9, dropout=0.2), n_symbols, hidden=512, learned_start=False)


def _bidirectional(front: FrontConfig, n_symbols: int) -> GruConfig:
    front = replace(front, window=32, layout="channel", smooth=GAUSS_20)
    return GruConfig(front, n_symbols, hidden=1024, learned_start=False, bidirectional=True)


def _small(front: FrontConfig, n_symbols: int) -> GruConfig:
    return GruConfig(replace(front, smooth=GAUSS_9), n_symbols, hidden=96, layers=2, dropout=0.2)


def _chunk(front: FrontConfig, n_symbols: int) -> ChunkConfig:
    front = replace(front, window=5, stride=5, smooth=GAUSS_9, dropout=0.2)
    return ChunkConfig(front, n_symbols, context=100, context_train=(50, 200))


def _chunk_4(front: FrontConfig, n_symbols: int) -> ChunkConfig:
    front = replace(front, window=4, stride=4, smooth=GAUSS_9, dropout=0.2)
    return ChunkConfig(front, n_symbols, context=125, context_train=(62, 250))


def _chunk_small(front: FrontConfig, n_symbols: int) -> ChunkConfig:
    front = replace(front, window=4, stride=4, smooth=GAUSS_9)
    return ChunkConfig(
        front, n_symbols, width=64, depth=2, heads=4, head_width=16, context=25, reach=50, dropout=0.1
    )


def _transfer(front: FrontConfig, n_symbols: int, speech: dict[str, Any]) -> TransferConfig:
    front = replace(front, window=32, layout="channel", smooth=replace(GAUSS_20, sigma=1.5))
    return TransferConfig(front, n_symbols, dict(speech))


def _wav2vec2(front: FrontConfig, n_symbols: int) -> TransferConfig:
    return replace(_transfer(front, n_symbols, WAV2VEC2_BASE), layers=5)


def _conformer(front: FrontConfig, n_symbols: int) -> TransferConfig:
    return replace(_transfer(front, n_symbols, CONFORMER_LARGE), mlp=(256,), dropout=0.457)


def _wav2vec2_streaming(front: FrontConfig, n_symbols: int) -> TransferConfig:
    front = replace(front, window=32, smooth=GAUSS_9)
    return TransferConfig(front, n_symbols, dict(WAV2VEC2_BASE), layers=5, bidirectional=False, context=50)


def _wav2vec2_small(front: FrontConfig, n_symbols: int) -> TransferConfig:
    front = replace(front, smooth=GAUSS_9)
    return TransferConfig(
        front,
        n_symbols,
        dict(SMALL_SPEECH),
        hidden=64,
        layers=1,
        bidirectional=False,
        dropout=0.0,
        context=25,
    )


# name -> (what it is, how it is made of channels, days and symbols)
PRESETS: dict[str, tuple[str, Callable[[FrontConfig, int], AnyConfig]]] = {
    "nejm": ("GRU 768 x 5, patches 14/4, learned start (Card et al. 2024)", _nejm),
    "tf": ("GRU 1024 x 5, patches 32/4 (Willett et al. 2023, released run)", _tf),
    "tf-512": ("GRU 512 x 5, patches 14/4 (Willett et al. 2023, defaults)", _tf_512),
    "bidirectional": (
        "biGRU 1024 x 5, patches 32/4 (public PyTorch baseline); whole sentences",
        _bidirectional,
    ),
    "gru-small": ("GRU 96 x 2, patches 14/4", _small),
    "chunk": ("causal transformer 384 x 5, patches of 5 bins (after Feghhi et al. 2025)", _chunk),
    "chunk-4": ("causal transformer 384 x 5, patches of 4 bins", _chunk_4),
    "chunk-small": ("causal transformer 64 x 2, patches of 4 bins", _chunk_small),
    "wav2vec2": ("biGRU 512 x 5 into wav2vec2-base (Fiedler et al. 2025); whole sentences", _wav2vec2),
    "wav2vec2-conformer": ("biGRU 512 x 3 into the large rotary conformer; whole sentences", _conformer),
    "wav2vec2-streaming": ("GRU 512 x 5 into wav2vec2-base, changed architecture", _wav2vec2_streaming),
    "wav2vec2-small": ("GRU 64 into a Wav2Vec2 of 48 x 2, streaming, random weights", _wav2vec2_small),
}


def preset_text(name: str, n_channels: int, n_symbols: int, n_days: int = 0) -> AnyConfig:
    """The configuration of a named shape; the chunk transformer too takes day layers when n_days > 0.

    Raises ValueError for an unknown name, listing the valid ones.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown text encoder {name!r}; valid names are {sorted(PRESETS)}")
    return PRESETS[name][1](FrontConfig(n_channels, n_days=n_days), n_symbols)
