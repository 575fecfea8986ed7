"""The Wav2Vec2 encoder run causally: bounded attention, positional convolution to the past alone.

Uses the modules and weights of a Hugging Face encoder and owns none. CHANGED ARCHITECTURE: with the same
weights its numbers differ from the published encoder's, so a model must be trained in this form. Whole
sentences and steps give the same numbers.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.text.attention import attend, remember, split_heads

CONVOLUTIONS = ("crop", "left")


class CausalEncoder:
    """encoder: Wav2Vec2Encoder (norms after) or Wav2Vec2EncoderStableLayerNorm (norms before)."""

    def __init__(self, encoder: Any, convolution: str):
        self.encoder, self.settings = encoder, encoder.config
        self.norm_first = bool(self.settings.do_stable_layer_norm)
        self.convolution = encoder.pos_conv_embed
        taps = int(self.settings.num_conv_pos_embeddings)
        # "same" padding puts tap taps // 2 on the frame itself
        self.taps = taps // 2 + 1 if convolution == "crop" else taps

    @property
    def memory(self) -> int:
        return self.taps - 1

    def initial_state(self, batch: int, context: int, device: torch.device) -> list[Tensor]:
        """Inputs of the convolution, then keys and values of every layer."""
        width, heads = int(self.settings.hidden_size), int(self.settings.num_attention_heads)
        memories = [torch.zeros(batch, self.memory, width, device=device)] if self.memory else []
        shape = (2, batch, heads, context, width // heads)
        return memories + [torch.zeros(shape, device=device) for _ in self.encoder.layers]

    def __call__(self, x: Tensor, visible: Tensor) -> Tensor:
        """x (B, N, D), visible (B, 1, N, N) -> (B, N, D)."""
        x = self._begin(x, F.pad(x, (0, 0, self.memory, 0)))
        bias = _bias(visible, x.dtype)
        for layer in self.encoder.layers:
            if self._dropped():
                continue
            x, _ = self._layer(layer, x, bias, None)
        return self._end(x)

    def step(self, x: Tensor, visible: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """x (B, k, D), visible (B, 1, k, context + k)."""
        padded, rest, following = x, state, []
        if self.memory:
            padded, rest = torch.cat([state[0], x], dim=1), state[1:]
            following.append(padded[:, padded.shape[1] - self.memory :])
        x = self._begin(x, padded)
        bias = _bias(visible, x.dtype)
        for layer, memory in zip(self.encoder.layers, rest, strict=True):
            x, new = self._layer(layer, x, bias, memory)
            following.append(new)
        return self._end(x), following

    def _dropped(self) -> bool:
        rate = float(self.settings.layerdrop)
        return self.encoder.training and rate > 0 and float(torch.rand(())) < rate

    def _begin(self, x: Tensor, padded: Tensor) -> Tensor:
        conv = self.convolution.conv
        weight = conv.weight[:, :, : self.taps]
        place = F.conv1d(padded.transpose(1, 2), weight, conv.bias, groups=conv.groups)
        x = x + self.convolution.activation(place).transpose(1, 2)
        return self.encoder.dropout(x if self.norm_first else self.encoder.layer_norm(x))

    def _end(self, x: Tensor) -> Tensor:
        return self.encoder.layer_norm(x) if self.norm_first else x

    def _layer(self, layer: Any, x: Tensor, bias: Tensor, memory: Tensor | None) -> tuple[Tensor, Any]:
        """One layer; with a memory of keys and values also the next memory."""
        attention = layer.attention
        y = layer.layer_norm(x) if self.norm_first else x
        query, key, value = (
            split_heads(project(y), attention.num_heads)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        following = None
        if memory is not None:
            key, value, following = remember(key, value, memory)
        rate = attention.dropout if attention.training else 0.0
        y = x + layer.dropout(attention.out_proj(attend(query, key, value, bias, rate)))
        if self.norm_first:
            return y + layer.feed_forward(layer.final_layer_norm(y)), following
        y = layer.layer_norm(y)
        return layer.final_layer_norm(y + layer.feed_forward(y)), following


def _bias(visible: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, float("-inf"))
