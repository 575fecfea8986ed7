"""A whole zero-padded window; optionally with every stage's input, from which incremental steps start."""

import torch.nn.functional as F
from torch import Tensor, nn

from models.decoder import DecoderNet
from models.inference.stages import Trunk


class WindowNet(nn.Module):
    """x (B, size, C) -> outputs (B, size / stride, .), as the folded DecoderNet's forward.

    activations  True: in place of the outputs come their `parts` (see IncrementalNet), then every stage's
                 input rows (B, size, D_i)
    """

    def __init__(self, model: DecoderNet, activations: bool = False):
        super().__init__()
        self.trunk, self.activations = Trunk(model), activations
        deep = tuple(self.trunk.heads_of())
        linear = ("linear",) if self.trunk.linear is not None else ()
        self.outputs = (*deep, *linear) if activations else self.trunk.outputs

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        rows = x if self.trunk.front is None else self.trunk.front(x)
        inputs: list[Tensor] = []
        for stage in self.trunk.chain:
            inputs.append(rows)
            rows = stage(F.pad(rows, (0, 0, stage.plan.left, stage.plan.right)))
        out = self.trunk.heads(rows if self.trunk.chain else None)
        if self.trunk.linear is not None:
            linear = self.trunk.linear(F.pad(x, (0, 0, self.trunk.linear.plan.left, 0)))
            if self.activations:
                out["linear"] = linear
            else:
                out["estimate"] = out["estimate"] + linear if "estimate" in out else linear
        values = tuple(out[name] for name in self.outputs)
        return (*values, *inputs) if self.activations else values
