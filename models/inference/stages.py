"""The stages of a folded decoder in time-major form: rows (B, P, D_in) in, rows (B, n, D_out) out.

A convolution is a gather of k rows per frame and one product with weights [k * D_in, D_out]: for the few
frames of a hop this is about twice as fast as a channel-major convolution, and the product is the same for a
step, a window and the edges of a window. Each stage knows how far it looks to either side; who pads, keeps
states or reuses frames is the business of the nets built from it.
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.decoder import DecoderNet
from models.heads import RetrievalHead
from models.layers import TimeConv
from models.linear import LinearDecoder


@dataclass(frozen=True)
class StagePlan:
    """One convolution's geometry.

    width        D_in;  n_out  D_out of its product
    left, right  rows of padding on either side, in input rows
    """

    width: int
    n_out: int
    kernel: int
    dilation: int
    stride: int
    left: int
    right: int

    @property
    def memory(self) -> int:
        """Input rows beside its own that a piece of frames needs."""
        return self.left + self.right

    def offsets(self, starts: list[int]) -> list[int]:
        """Rows that the frames whose first tap is at `starts` need, tap by tap: len(starts) * kernel of
        them.
        """
        return [start + tap * self.dilation for start in starts for tap in range(self.kernel)]


class Stage(nn.Module):
    """A convolution as one product, then its activation: "gelu" (with a residual or not), "gate" or
    "none".
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, plan: StagePlan, weight: Tensor, bias: Tensor, after: str, residual: bool = False):
        super().__init__()
        self.plan, self.after, self.residual = plan, after, residual
        self._indices: dict[object, Tensor] = {}
        self.register_buffer("weight", weight.detach().clone().contiguous())
        self.register_buffer("bias", bias.detach().clone())

    @classmethod
    def of(cls, conv: TimeConv, after: str, residual: bool = False) -> "Stage":
        (kernel,), (dilation,), (stride,) = conv.kernel_size, conv.dilation, conv.stride
        left, right = conv.pad
        plan = StagePlan(conv.in_channels, conv.out_channels, kernel, dilation, stride, left, right)
        assert conv.bias is not None
        return cls(plan, conv.weight.permute(2, 1, 0).flatten(0, 1), conv.bias, after, residual)

    @classmethod
    def of_linear(cls, linear: LinearDecoder) -> "Stage":
        taps, stride = linear.taps, linear.stride
        plan = StagePlan(linear.n_channels, linear.n_features, taps, 1, stride, linear.memory, 0)
        return cls(plan, linear.weight[0].permute(2, 1, 0).flatten(0, 1), linear.bias[0], "none")

    def forward(self, padded: Tensor, starts: list[int] | None = None) -> Tensor:
        """padded (B, P, D_in) -> (B, n, D_out).

        starts  row of the first tap of each wanted frame; None: every frame that fits
        """
        plan = self.plan
        if starts is None:
            last = padded.shape[1] - (plan.kernel - 1) * plan.dilation
            starts = list(range(0, last, plan.stride))
        columns = self._take(padded, plan.offsets(starts)).reshape(-1, plan.kernel * plan.width)
        rows = torch.addmm(self.bias, columns, self.weight).reshape(-1, len(starts), plan.n_out)
        if self.after == "gate":
            value, gate = rows.chunk(2, dim=2)
            return value * torch.sigmoid(gate)
        if self.after == "gelu":
            rows = F.gelu(rows)
        if self.residual:
            rows = rows + self._take(padded, [start + plan.left for start in starts])
        return rows

    def _take(self, rows: Tensor, index: list[int]) -> Tensor:
        """Rows of (B, P, D) by number; a plain slice where they follow each other."""
        if index == list(range(index[0], index[0] + len(index))):
            return rows[:, index[0] : index[0] + len(index)]
        if torch.compiler.is_compiling():
            return torch.index_select(rows, 1, torch.tensor(index, device=rows.device))
        key = (rows.device, *index)
        if key not in self._indices:  # kept on the device: a captured graph may not copy from the host
            self._indices[key] = torch.tensor(index, device=rows.device)
        return torch.index_select(rows, 1, self._indices[key])


@dataclass(frozen=True)
class Plan:
    """What a net of these stages keeps and looks at, in rows.

    stages  the convolutions from sensors to hidden frames
    linear  the linear path's, or None
    """

    stages: tuple[StagePlan, ...]
    linear: StagePlan | None

    @property
    def before(self) -> int:
        """Frames at a window's start whose deep value depends on where it starts (stride 1)."""
        return sum(stage.left for stage in self.stages)

    @property
    def after(self) -> int:
        """Frames at a window's end whose deep value depends on where it ends (stride 1)."""
        return sum(stage.right for stage in self.stages)


class Trunk(nn.Module):
    """All parts of a folded DecoderNet, without an order of evaluation."""

    def __init__(self, model: DecoderNet):
        super().__init__()
        if model.config.encoder is not None and not model.config.encoder.folded:
            raise ValueError("engines run the folded form: call folded(subject) first")
        self.front: nn.Linear | None = None
        stages: list[Stage] = []
        if model.encoder is not None:
            front = cast(nn.Conv1d, model.encoder.front)
            self.front = nn.Linear(front.in_channels, front.out_channels)
            assert front.bias is not None
            self.front.load_state_dict({"weight": front.weight[:, :, 0], "bias": front.bias})
            for layer in model.encoder.blocks:
                assert layer.norm is None  # folded
                stages.append(Stage.of(layer.conv, "gelu", layer.residual))
                if layer.glu is not None:
                    stages.append(Stage.of(layer.glu, "gate"))
        self.stages = nn.ModuleList(stages)
        self.linear = None if model.linear is None else Stage.of_linear(model.linear)
        self.retrieval: RetrievalHead | None = model.retrieval
        self.text = model.text
        self.outputs, self.stride = model.outputs, model.config.stride
        self.plan = Plan(
            tuple(stage.plan for stage in stages), None if self.linear is None else self.linear.plan
        )

    @property
    def chain(self) -> list[Stage]:
        """The stages, in order."""
        return cast(list[Stage], list(self.stages))

    def heads_of(self) -> dict[str, nn.Module]:
        """The heads there are, by the name of their output."""
        parts = {"estimate": self.retrieval, "log_probs": self.text}
        return {name: head for name, head in parts.items() if head is not None}

    def heads(self, hidden: Tensor | None) -> dict[str, Tensor]:
        """Frames (B, n, D) -> the outputs of the heads on them."""
        return {} if hidden is None else {name: head(hidden) for name, head in self.heads_of().items()}


def plan(model: DecoderNet) -> Plan:
    """The geometry of a folded decoder."""
    return Trunk(model).plan
