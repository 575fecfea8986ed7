"""DeepMel: speech features learned together with the brain model, from log-Mel frames.

The convolution stack of the published encoder with ReLU instead of GELU, whose last convolution is bare: no
norm, no activation, no residual. Knows nothing about sensors, audio or losses.
Source: Défossez et al. 2023, "Deep Mel".
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from models.layers import TimeConv


@dataclass(frozen=True)
class DeepMelConfig:
    """Shape of the feature model; the defaults are the published one (9,320,128 parameters).

    n_in      log-Mel bands;  n_out  features, the width of the brain model's estimate
    causal    look at the past alone; the published one sees +-67 frames
    """

    n_in: int = 120
    n_out: int = 768
    hidden: int = 320
    depth: int = 10
    kernel: int = 3
    dilation_period: int = 5
    glu_every: int = 2
    causal: bool = False

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise ValueError(f"deep mel needs at least 2 layers, got {self.depth}")

    def has_glu(self, layer: int) -> bool:
        return self.glu_every > 0 and (layer + 1) % self.glu_every == 0


class _Layer(nn.Module):
    """Conv -> BatchNorm -> ReLU -> residual where shapes match, or the bare conv; then, optionally, a GLU
    conv.
    """

    def __init__(self, n_in: int, n_out: int, dilation: int, glu: bool, bare: bool, config: DeepMelConfig):
        super().__init__()
        self.conv = TimeConv(n_in, n_out, config.kernel, dilation, 1, config.causal)
        self.norm = None if bare else nn.BatchNorm1d(n_out)
        self.residual = not bare and n_in == n_out
        self.glu = TimeConv(n_out, 2 * n_out, 3, 1, 1, config.causal) if glu else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.norm is not None:
            y = torch.relu(self.norm(y))
        y = x + y if self.residual else y
        if self.glu is None:
            return y
        value, gate = self.glu(y).chunk(2, dim=1)
        return value * torch.sigmoid(gate)


class DeepMel(nn.Module):
    """(B, T, n_in) -> (B, T, n_out)."""

    def __init__(self, config: DeepMelConfig):
        super().__init__()
        self.config = config
        sizes = [config.n_in, *[config.hidden] * (config.depth - 1), config.n_out]
        self.layers = nn.ModuleList(
            _Layer(
                sizes[k],
                sizes[k + 1],
                2 ** (k % config.dilation_period),
                config.has_glu(k),
                k == config.depth - 1,
                config,
            )
            for k in range(config.depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for layer in cast(list[_Layer], list(self.layers)):
            x = layer(x)
        return x.transpose(1, 2)
