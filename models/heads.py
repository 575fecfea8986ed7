"""What a sequence of hidden frames is turned into: speech features to retrieve with, or characters.

Frame-wise, so a head needs no state. Knows nothing about candidates, alphabets or losses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RetrievalHead(nn.Module):
    """(B, T', D) -> (B, T', F): linear D -> 2D, exact GELU, linear 2D -> F (the published model's last two
    layers).
    """

    def __init__(self, width: int, n_features: int):
        super().__init__()
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, n_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(F.gelu(self.inner(x)))


class CtcHead(nn.Module):
    """(B, T', D) -> (B, T', V) log-probabilities; symbol 0 is the blank."""

    def __init__(self, width: int, n_symbols: int):
        super().__init__()
        self.linear = nn.Linear(width, n_symbols)

    def forward(self, x: Tensor) -> Tensor:
        return torch.log_softmax(self.linear(x), dim=-1)
