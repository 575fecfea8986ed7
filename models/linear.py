"""The linear decoder: a causal FIR filter from sensors to speech features (ridge / TRF, backward model).

The weights are fitted in closed form elsewhere; this module only applies them, on a whole recording or in
steps. It is the honest baseline, and also the linear path beside a deep encoder.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LinearDecoder(nn.Module):
    """(B, T, C) -> (B, T', F), T' = T // stride; frame n sees the `taps` samples that end with sample
    n*stride+stride-1.

    weight (S, F, C, taps), last tap = newest sample; one filter bank per subject. bias (S, F).
    """

    def __init__(self, n_channels: int, n_features: int, taps: int, stride: int = 1, n_subjects: int = 1):
        super().__init__()
        if taps <= stride:
            raise ValueError(f"a linear decoder needs more taps ({taps}) than its stride ({stride})")
        self.n_channels, self.n_features, self.taps, self.stride = n_channels, n_features, taps, stride
        self.memory = taps - stride
        self.weight = nn.Parameter(torch.zeros(n_subjects, n_features, n_channels, taps))
        self.bias = nn.Parameter(torch.zeros(n_subjects, n_features))

    def _filter(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """x (B, C, memory + T) -> (B, T', F)."""
        if len(self.weight) == 1:
            return F.conv1d(x, self.weight[0], self.bias[0], stride=self.stride).transpose(1, 2)
        # An unseen subject gets the average filter: the only choice that needs no data of theirs.
        rows = (
            self.weight.mean(0)[None].expand(len(x), -1, -1, -1) if subject is None else self.weight[subject]
        )
        bias = self.bias.mean(0)[None].expand(len(x), -1) if subject is None else self.bias[subject]
        b, c, t = x.shape
        y = F.conv1d(x.reshape(1, b * c, t), rows.flatten(0, 1), stride=self.stride, groups=b)
        return (y.view(b, self.n_features, -1) + bias[:, :, None]).transpose(1, 2)

    def forward(self, x: Tensor, subject: Tensor | None = None) -> Tensor:
        return self._filter(F.pad(x.transpose(1, 2), (self.memory, 0)), subject)

    def initial_state(self, batch: int = 1) -> list[Tensor]:
        weight = self.weight
        return [torch.zeros(batch, self.n_channels, self.memory, device=weight.device, dtype=weight.dtype)]

    def step(
        self, x: Tensor, state: list[Tensor], subject: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        padded = torch.cat([state[0], x.transpose(1, 2)], dim=2)
        return self._filter(padded, subject), [padded[:, :, padded.shape[2] - self.memory :]]

    @torch.no_grad()
    def folded(self, subject: int | None) -> "LinearDecoder":
        """The decoder of one subject alone (None: the average filter)."""
        small = LinearDecoder(self.n_channels, self.n_features, self.taps, self.stride)
        small.weight.copy_(self.weight.mean(0)[None] if subject is None else self.weight[subject][None])
        small.bias.copy_(self.bias.mean(0)[None] if subject is None else self.bias[subject][None])
        return small.eval()
