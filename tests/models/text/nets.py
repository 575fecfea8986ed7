"""Tiny text encoders with weights that matter, and a stream of them: what these tests share."""

from dataclasses import replace

import torch
from torch import Tensor

from models.text import (
    GAUSS_9,
    GAUSS_20,
    NO_SMOOTHING,
    ChunkConfig,
    FrontConfig,
    GruConfig,
    TextNet,
    TransferConfig,
    text_net,
)

CHANNELS, SYMBOLS, DAYS = 3, 5, 3
SPEECH = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
CONFORMER = {
    **SPEECH,
    "model_type": "wav2vec2-conformer",
    "hidden_act": "swish",
    "position_embeddings_type": "rotary",
    "conv_depthwise_kernel_size": 5,
}

_14_4 = FrontConfig(CHANNELS, 14, 4, "time", GAUSS_9, DAYS)
_32_4 = FrontConfig(CHANNELS, 32, 4, "channel", GAUSS_20, DAYS, day_softsign=False)
_gru = GruConfig(_14_4, SYMBOLS, hidden=8, layers=3)
_chunk = ChunkConfig(
    replace(_14_4, window=5, stride=5), SYMBOLS, width=16, depth=2, heads=2, head_width=8, context=4, reach=3
)
_whole = TransferConfig(_14_4, SYMBOLS, SPEECH, hidden=8, layers=2, mlp=(6,))
_stream = replace(_whole, bidirectional=False, context=4)

STREAMING = {
    "gru": _gru,
    "gru-32": replace(_gru, front=_32_4, learned_start=False),
    "chunk": _chunk,
    "chunk-plain": replace(_chunk, front=FrontConfig(CHANNELS, 4, 4, "time", NO_SMOOTHING)),
    "chunk-overlap": replace(_chunk, front=_14_4),
    "wav2vec2": _stream,
    "wav2vec2-left": replace(_stream, convolution="left"),
    "wav2vec2-blocks": replace(_stream, block=2),
    "wav2vec2-norm-first": replace(_stream, speech={**SPEECH, "do_stable_layer_norm": True}),
}
WHOLE = {
    "gru-bidirectional": replace(_gru, bidirectional=True),
    "wav2vec2-whole": _whole,
    "wav2vec2-whole-norm-first": replace(_whole, speech={**SPEECH, "do_stable_layer_norm": True}),
    "conformer": replace(_whole, speech=CONFORMER),
}
EVERY = {**STREAMING, **WHOLE}


def net(name: str) -> TextNet:
    """In eval mode. No parameter is left at a start so small or so plain that mistakes would not show."""
    torch.manual_seed(3)
    model = text_net(EVERY[name])
    with torch.no_grad():
        for key, values in model.named_parameters():
            if key.endswith(("days.weight", "original0")):
                values.add_(0.2 * torch.randn_like(values))
            elif key.startswith("encoder.") or values.ndim < 2 or "distance" in key:
                values.add_(0.3 * torch.randn_like(values))
    return model.eval()


def day_of(model: TextNet, batch: int) -> Tensor | None:
    return torch.arange(batch) % DAYS if model.n_days else None


def streamed(model: TextNet, x: Tensor, sizes: list[int], day: Tensor | None = None) -> Tensor:
    """Log-probabilities (B, T', V) of x (B, T, C), fed in pieces of `sizes` hops."""
    hop = model.stride * model.block
    assert sum(sizes) * hop == x.shape[1]
    state, out = model.initial_state(len(x)), []
    for piece in x.split([size * hop for size in sizes], dim=1):
        heads, state = model.step(piece, state, day)
        out.append(heads["log_probs"])
    return torch.cat(out, dim=1)
