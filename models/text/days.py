"""Day-specific input layers: one affine map per recording day, identity at first, with an optional softsign.

A day the model was not trained on has no map until one is made (`DayLayers.grown`); asking for it is refused.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STARTS = ("last", "mean")


class DayLayers(nn.Module):
    """x (B, T, C), day (B,) -> softsign(x @ weight[day] + bias[day]).

    weight (D, C, C) starts as identity, bias (D, C) as zeros. day None is allowed where there is
    one day only.
    """

    def __init__(self, n_days: int, n_channels: int, softsign: bool = True):
        super().__init__()
        if n_days < 1:
            raise ValueError(f"day layers need at least one day, got {n_days}")
        self.softsign = softsign
        self.weight = nn.Parameter(torch.eye(n_channels).repeat(n_days, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n_days, n_channels))

    @property
    def n_days(self) -> int:
        return len(self.bias)

    def check(self, day: Tensor | None) -> None:
        """ValueError for a day without a layer, or for none given where there are several."""
        if day is None:
            if self.n_days > 1:
                raise ValueError(f"the model has layers of {self.n_days} days: say which day, or fold one")
            return
        low, high = int(day.min()), int(day.max())
        if low < 0 or high >= self.n_days:
            raise ValueError(
                f"day {low if low < 0 else high} has no layer, the model knows days 0 to {self.n_days - 1}: "
                f"make one with with_new_day(how), how being {' or '.join(STARTS)}"
            )

    def forward(self, x: Tensor, day: Tensor | None = None) -> Tensor:
        self.check(day)
        if day is None:
            y = x @ self.weight[0] + self.bias[0]
        else:
            y = torch.bmm(x, self.weight[day].to(x.dtype)) + self.bias[day][:, None]
        return F.softsign(y) if self.softsign else y

    @torch.no_grad()
    def grown(self, how: str) -> tuple[Tensor, Tensor]:
        """Weight and bias with one day more, which starts as the last day or as the mean of all."""
        if how not in STARTS:
            raise ValueError(f"a new day starts as one of {list(STARTS)}, not {how!r}")
        rows = []
        for values in (self.weight, self.bias):
            new = values[-1:] if how == "last" else values.mean(0, keepdim=True)
            rows.append(torch.cat([values, new]))
        return rows[0], rows[1]
