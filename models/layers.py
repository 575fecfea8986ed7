"""The building blocks in time: padded convolutions with an explicit memory, and the conv / GLU layer.

Channel-major (B, D, T) inside. A block knows nothing about sensors, heads or losses. In the causal form every
block is `forward(whole) == concat(step(pieces))`: the state is the last samples a convolution still needs,
owned by the caller.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeConv(nn.Conv1d):
    """Convolution over time whose padding is a fact of the constructor.

    causal=False pads both sides ("same"); causal=True pads on the left only, so frame n never sees input
    after the end of its own stride block. With stride s, frame n ends at input sample n * s + s - 1.

    forward  (B, D_in, T) -> (B, D_out, T // stride)
    step     the same on pieces whose length is a multiple of stride, with `state` (B, D_in, memory)
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: int = 3, dilation: int = 1, stride: int = 1, causal: bool = True
    ):
        super().__init__(n_in, n_out, kernel, stride=stride, dilation=dilation)
        self.causal = causal
        span = (kernel - 1) * dilation
        self.memory = span - (stride - 1)
        if self.memory < 1:
            raise ValueError(
                f"kernel {kernel} x dilation {dilation} spans less than stride {stride}: use a longer kernel"
            )
        left = self.memory if causal else span // 2
        self.pad = (left, span - (stride - 1) - left)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pad))

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(
            batch, self.in_channels, self.memory, device=self.weight.device, dtype=self.weight.dtype
        )

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        padded = torch.cat([state, x], dim=2)
        return super().forward(padded), padded[:, :, padded.shape[2] - self.memory :]


class ConvLayer(nn.Module):
    """Conv -> BatchNorm -> GELU, residual added AFTER the activation where shapes match; then, optionally, a
    GLU conv.

    The GLU conv (kernel 3, dilation 1, D -> 2D, first half * sigmoid(second half)) has neither norm nor
    residual. norm=False is the folded form: BatchNorm has gone into the convolution's weights
    (`fold_batchnorm`).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel: int,
        dilation: int,
        stride: int,
        glu: bool,
        causal: bool,
        norm: bool,
        dropout: float,
    ):
        super().__init__()
        self.residual = n_in == n_out and stride == 1
        self.conv = TimeConv(n_in, n_out, kernel, dilation, stride, causal)
        self.norm = nn.BatchNorm1d(n_out) if norm else None
        self.dropout = nn.Dropout(dropout)
        self.glu = TimeConv(n_out, 2 * n_out, 3, 1, 1, causal) if glu else None

    def _activate(self, x: Tensor, y: Tensor) -> Tensor:
        y = self.dropout(F.gelu(y if self.norm is None else self.norm(y)))
        return x + y if self.residual else y

    @staticmethod
    def _gate(y: Tensor) -> Tensor:
        value, gate = y.chunk(2, dim=1)
        # Spelled out instead of F.glu: exporters keep Mul and Sigmoid, where GLU is not everywhere an
        # operator.
        return value * torch.sigmoid(gate)

    def forward(self, x: Tensor) -> Tensor:
        y = self._activate(x, self.conv(x))
        return y if self.glu is None else self._gate(self.glu(y))

    def initial_state(self, batch: int) -> list[Tensor]:
        states = [self.conv.initial_state(batch)]
        return states if self.glu is None else [*states, self.glu.initial_state(batch)]

    def step(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        y, first = self.conv.step(x, state[0])
        y = self._activate(x, y)
        if self.glu is None:
            return y, [first]
        y, second = self.glu.step(y, state[1])
        return self._gate(y), [first, second]


def fold_batchnorm(conv: nn.Conv1d, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weight (D_out, D_in, k) and bias (D_out,) of the one convolution equal to norm(conv(x)) in eval
    mode.
    """
    assert norm.running_mean is not None and norm.running_var is not None and conv.bias is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * gain[:, None, None], (conv.bias - norm.running_mean) * gain + norm.bias
