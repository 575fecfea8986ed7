"""Attention to a bounded past: who may see whom in a sentence, and the same with a memory of keys and values.

Heads are (B, H, N, head). A memory holds the last `context` frames and moves by one piece per step, so that
the distance of a place in it to the newest frame never changes and every shape is static.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def distances(n_query: int, n_key: int, device: torch.device) -> Tensor:
    """(n_query, n_key) frames from key back to query, the last key being the last query; negative: ahead."""
    query = torch.arange(n_query, device=device) + (n_key - n_query)
    return query[:, None] - torch.arange(n_key, device=device)


def seen(back: Tensor, context: int, block: int = 1) -> Tensor:
    """Which keys a query attends to: up to `context` frames before its block, and its own block whole.

    back  (n_query, n_key) of `distances`, where the first query begins a block
    """
    place = torch.arange(len(back), device=back.device)[:, None] % block
    return (back - place <= context) & (back >= place - (block - 1))


def memory_filled(index: Tensor, context: int) -> Tensor:
    """(B, context + k) whether a place in memory, or a new frame, belongs to the sentence; index (B, k)."""
    before = torch.arange(context, device=index.device, dtype=index.dtype) - context
    return torch.cat([index[:, :1] + before, index], dim=1) >= 0


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) -> (B, heads, N, D / heads)."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, dropout: float = 0.0) -> Tensor:
    """Heads (B, H, N, head) under an additive bias (-inf: not seen) -> (B, N, D)."""
    y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
    return y.transpose(1, 2).flatten(2)


def remember(key: Tensor, value: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values with those of the memory (2, B, H, context, head) before them, and the next memory."""
    whole = torch.cat([state, torch.stack([key, value])], dim=3)
    return whole[0], whole[1], whole[:, :, :, whole.shape[3] - state.shape[3] :]
