"""Gaussian smoothing over time with a declared look-ahead, on whole sentences and in steps.

One fixed kernel for all channels. Knows nothing of days, patches or networks.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KEPT = 0.01  # of a kernel cut by weight, the smallest weight that stays (before it is scaled to sum 1)


@dataclass(frozen=True)
class SmoothSpec:
    """A Gaussian of unit sum. taps 0: no smoothing.

    taps   how many bins it spans; an even number has its centre between two bins
    sigma  bins
    ahead  how many taps lie after the bin they are written to; 0 pushes the same kernel into the past
    """

    taps: int = 0
    sigma: float = 2.0
    ahead: int = 0

    def __post_init__(self) -> None:
        if self.taps < 0 or self.taps == 1:
            raise ValueError(f"smoothing taps must be 0 (none) or at least 2, got {self.taps}")
        if self.taps and not self.sigma > 0:
            raise ValueError(f"smoothing sigma must be more than 0 bins, got {self.sigma}")
        if not 0 <= self.ahead <= max(self.taps - 1, 0):
            raise ValueError(f"smoothing of {self.taps} taps cannot look {self.ahead} bins ahead")


NO_SMOOTHING = SmoothSpec()
# Willett et al. 2023 and Card et al. 2024: sigma 2 bins, nine taps, symmetric, so 4 bins of look-ahead.
GAUSS_9 = SmoothSpec(9, 2.0, 4)
# The public PyTorch decoders: 20 taps around 9.5, padded "same" with 9 zeros before and 10 after.
GAUSS_20 = SmoothSpec(20, 2.0, 10)


def gaussian_taps(taps: int, sigma: float) -> Tensor:
    """(taps,) float32 weights of sum 1, symmetric about (taps - 1) / 2."""
    place = torch.arange(taps, dtype=torch.float64, device="cpu") - (taps - 1) / 2
    weight = torch.exp(-0.5 * (place / sigma) ** 2)
    return (weight / weight.sum()).float()


def kept_taps(sigma: float, least: float = KEPT) -> int:
    """Taps of an odd kernel that keeps the weights above `least` of an unbounded one: 9 for sigma 2."""
    wide = gaussian_taps(2 * int(8 * sigma) + 1, sigma)
    return int((wide > least).sum())


class Smoother(nn.Module):
    """(B, T, C) -> (B, T, C), zeros before and after. `step` is the same, `spec.ahead` bins later."""

    def __init__(self, spec: SmoothSpec):
        super().__init__()
        self.spec = spec
        self.memory = max(spec.taps - 1, 0)
        kernel = gaussian_taps(spec.taps, spec.sigma)[None, None] if spec.taps else torch.zeros(1, 1, 0)
        self.register_buffer("kernel", kernel, persistent=False)

    def _filter(self, padded: Tensor) -> Tensor:
        kernel = self.get_buffer("kernel").to(padded.dtype)
        x = padded.transpose(1, 2)
        return F.conv1d(x, kernel.expand(x.shape[1], 1, -1), groups=x.shape[1]).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        if not self.spec.taps or not x.shape[1]:
            return x
        return self._filter(F.pad(x, (0, 0, self.memory - self.spec.ahead, self.spec.ahead)))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, size, C), state (B, taps - 1, C) of the bins before."""
        padded = torch.cat([state, x], dim=1)
        return self._filter(padded), padded[:, padded.shape[1] - self.memory :]
