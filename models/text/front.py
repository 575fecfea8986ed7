"""What all text encoders begin with: smoothing, day layer, dropout, patches.

(B, T, C) bins in, (B, N, window * C) vectors out, on whole sentences and in steps. Order and geometry follow
Willett et al. 2023 and Card et al. 2024; what lies beyond a sentence's own length counts as zeros.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.text.days import DayLayers
from models.text.patches import PatchStream, frame_counts, patches
from models.text.smooth import NO_SMOOTHING, Smoother, SmoothSpec


@dataclass(frozen=True)
class FrontConfig:
    """n_days 0: no day layers. dropout: of what leaves the day layer (or of the bins), in training only."""

    n_channels: int
    window: int = 14
    stride: int = 4
    layout: str = "time"
    smooth: SmoothSpec = NO_SMOOTHING
    n_days: int = 0
    day_softsign: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.n_channels < 1 or self.n_days < 0:
            raise ValueError(f"{self.n_channels} channels and {self.n_days} days: need >= 1 and >= 0")
        PatchStream(self.window, self.stride, self.layout)  # checks its own values

    @property
    def width(self) -> int:
        return self.window * self.n_channels


class Front(nn.Module):
    """block: frames that a stream moves by at least."""

    def __init__(self, config: FrontConfig, block: int = 1):
        super().__init__()
        self.config = config
        self.smoother = Smoother(config.smooth)
        self.days = (
            DayLayers(config.n_days, config.n_channels, config.day_softsign) if config.n_days else None
        )
        self.dropout = nn.Dropout(config.dropout)
        self.stream = PatchStream(
            config.window, config.stride, config.layout, late=config.smooth.ahead, block=block
        )

    @property
    def n_states(self) -> int:
        return int(self.smoother.memory > 0) + int(self.stream.memory > 0)

    def _of_day(self, y: Tensor, day: Tensor | None) -> Tensor:
        return self.dropout(y if self.days is None else self.days(y, day))

    def forward(self, x: Tensor, lengths: Tensor, day: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, T, C), lengths (B,) in bins -> patches (B, N, width), frames (B,)."""
        config = self.config
        within = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        # what was put behind a sentence to fill its batch must not reach it through the smoother
        y = self._of_day(self.smoother(torch.where(within[:, :, None], x, 0.0)), day)
        return (
            patches(y, config.window, config.stride, config.layout),
            frame_counts(lengths, config.window, config.stride),
        )

    def initial_state(self, batch: int, device: torch.device) -> list[Tensor]:
        """Bins the smoother and the patches still need; a part without memory has no state."""
        memories = (self.smoother.memory, self.stream.memory)
        return [torch.zeros(batch, m, self.config.n_channels, device=device) for m in memories if m]

    def step(self, x: Tensor, state: list[Tensor], day: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """x (B, k * stride, C) -> patches (B, k, width), the first whole one `stream.lag` frames late."""
        following: list[Tensor] = []
        y, rest = x, list(state)
        if self.smoother.memory:
            y, new = self.smoother.step(y, rest.pop(0))
            following.append(new)
        y = self._of_day(y, day)
        empty = y[:, :0]
        out, new = self.stream.step(y, rest.pop(0) if self.stream.memory else empty)
        return out, [*following, new] if self.stream.memory else following
