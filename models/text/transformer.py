"""The chunk transformer: non-overlapping patches, causal pre-norm blocks that see a bounded past.

After Feghhi et al. 2025 (time-masked causal transformer): LayerNorm, linear, LayerNorm on every patch; blocks
of attention and feed-forward; one learned bias per head and clipped distance. Causal throughout, so a
sentence's padding cannot reach it. Day layers are off unless asked for: they were measured to hurt it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.text.attention import attend, distances, memory_filled, remember, seen, split_heads
from models.text.front import FrontConfig
from models.text.net import TextNet


@dataclass(frozen=True)
class ChunkConfig:
    """context  frames before its own that a frame attends to in one block (depth times as many in all)
    context_train  (low, high): in training drawn anew for every batch, both included; (0, 0): as `context`
    reach    distances above this share one bias
    """

    front: FrontConfig
    n_symbols: int
    width: int = 384
    depth: int = 5
    heads: int = 6
    head_width: int = 64
    expansion: int = 4
    context: int = 125
    context_train: tuple[int, int] = (0, 0)
    reach: int = 200
    dropout: float = 0.35

    def __post_init__(self) -> None:
        object.__setattr__(self, "context_train", tuple(self.context_train))
        if self.context < 1 or self.reach < 1:
            raise ValueError(f"context {self.context} and reach {self.reach} must be at least 1 frame")
        low, high = self.context_train
        if not (low == high == 0 or 1 <= low <= high):
            raise ValueError(f"context_train must be (0, 0) or 1 <= low <= high, got {self.context_train}")

    @property
    def n_channels(self) -> int:
        return self.front.n_channels


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ChunkConfig):
        super().__init__()
        inner, hidden = config.heads * config.head_width, config.width * config.expansion
        self.heads, self.dropout = config.heads, config.dropout
        self.norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * inner)
        self.out = nn.Linear(inner, config.width)
        self.feed = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, config.width),
            nn.Dropout(config.dropout),
        )

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = self.qkv(self.norm(x)).chunk(3, dim=2)
        return split_heads(query, self.heads), split_heads(key, self.heads), split_heads(value, self.heads)

    def _rest(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + F.dropout(self.out(attended), self.dropout, self.training)
        return x + self.feed(x)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        query, key, value = self._heads(x)
        dropout = self.dropout if self.training else 0.0
        return self._rest(x, attend(query, key, value, bias.to(query.dtype), dropout))

    def step(self, x: Tensor, bias: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        query, key, value = self._heads(x)
        key, value, following = remember(key, value, state)
        return self._rest(x, attend(query, key, value, bias)), following


class ChunkNet(TextNet):
    """forward and step of `TextNet`; the state is one memory of keys and values per block."""

    config: ChunkConfig
    groups = {  # noqa: RUF012
        "days": ("front.",),
        "encoder": ("embed.", "blocks.", "distance.", "norm."),
        "head": ("head.",),
    }

    def __init__(self, config: ChunkConfig):
        super().__init__(config, config.front, config.width, config.n_symbols)
        self.embed = nn.Sequential(
            nn.LayerNorm(config.front.width),
            nn.Linear(config.front.width, config.width),
            nn.LayerNorm(config.width),
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.distance = nn.Embedding(config.reach + 1, config.heads)
        nn.init.zeros_(self.distance.weight)
        self.norm = nn.LayerNorm(config.width)

    @property
    def remembered(self) -> int:
        return self.config.context

    def _bias(self, back: Tensor, context: int) -> Tensor:
        """(heads, n_query, n_key): the bias of a distance where a key is seen, -inf elsewhere."""
        bias = self.distance(back.clamp(0, self.config.reach)).permute(2, 0, 1)
        return bias.masked_fill(~seen(back, context), float("-inf"))

    def _context(self) -> int:
        low, high = self.config.context_train
        if not self.training or not high:
            return self.config.context
        return int(torch.randint(low, high + 1, ()))

    def encode(self, patches: Tensor, frames: Tensor) -> Tensor:
        count = patches.shape[1]
        bias = self._bias(distances(count, count, patches.device), self._context())[None]
        x = self.embed(patches)
        for block in self.blocks:
            x = block(x, bias)
        return self.norm(x)

    def encoder_state(self, batch: int, device: torch.device) -> list[Tensor]:
        config = self.config
        shape = (2, batch, config.heads, config.context, config.head_width)
        return [torch.zeros(shape, device=device) for _ in self.blocks]

    def encode_step(self, patches: Tensor, index: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        context, k = self.config.context, patches.shape[1]
        back = distances(k, context + k, patches.device)
        # a frame always sees itself: a row without any key would be NaN
        hidden = ~memory_filled(index, context)[:, None] & (back != 0)
        bias = self._bias(back, context)[None].masked_fill(hidden[:, None], float("-inf"))
        x, following = self.embed(patches), []
        for block, memory in zip(self.blocks, state, strict=True):
            assert isinstance(block, Block)
            x, new = block.step(x, bias, memory)
            following.append(new)
        return self.norm(x), following
