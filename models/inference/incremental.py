"""The next window of a symmetric encoder from the one before: only what the hop and the edges change.

A window is padded with zeros, so the frames near its ends (at layer l the first `before_l` and the last
`after_l`, the sums of the paddings so far) depend on where it lies; those between depend on the signal alone
and are the same frames in the next window, `hop` places earlier. A step therefore computes, per layer, the
`before_l` + `after_l` edge frames again and `hop` new ones:

    left edge   [0, before_l)                   needs interior rows just after the edge of layer l - 1
    right part  [size - after_l - hop, size)    needs interior rows just before the new ones of layer l - 1

Both are gathered from one padded piece and go through one product. The result equals the whole window to
float32 rounding; it holds only while a sample keeps its value from window to window.
"""

from typing import cast

import torch
from torch import Tensor, nn

from models.decoder import DecoderNet
from models.inference.stages import Stage, Trunk


class IncrementalNet(nn.Module):
    """x (B, hop, C), the newest samples, and 2 contexts per stage -> the parts of the outputs, new rows.

    contexts  left_i and right_i (B, memory_i, D_i) of every stage, then of the linear path (whose rows are
              samples): interior rows [before, before + memory) of the NEW window, and the newest interior
              rows of the window before
    returns   for every head (B, before + hop + after, .): left edge, new interior, right edge; then "linear"
              likewise with its own `before`; then every stage's new interior rows (B, hop, D_i)
    """

    def __init__(self, model: DecoderNet, hop: int):
        super().__init__()
        self.trunk, self.hop = Trunk(model), hop
        if not self.trunk.chain:
            raise ValueError("without an encoder there is nothing to reuse")
        if self.trunk.stride != 1:
            raise ValueError(f"frames must be samples to be reused, the stride is {self.trunk.stride}")
        linear = ("linear",) if self.trunk.linear is not None else ()
        self.outputs = (*self.trunk.heads_of(), *linear)

    def contexts(self, batch: int = 1) -> list[Tensor]:
        """Zero contexts of the right shapes."""
        stages = self.trunk.chain + ([] if self.trunk.linear is None else [self.trunk.linear])
        return [
            stage.weight.new_zeros(batch, stage.plan.memory, stage.plan.width)
            for stage in stages
            for _ in range(2)
        ]

    def forward(self, x: Tensor, *contexts: Tensor) -> tuple[Tensor, ...]:
        assert self.trunk.front is not None
        rows, before, new = self.trunk.front(x), 0, []
        for i, stage in enumerate(self.trunk.chain):
            new.append(rows[:, before : before + self.hop])
            rows = self._advance(stage, rows, before, contexts[2 * i], contexts[2 * i + 1])
            before += stage.plan.left
        out = self.trunk.heads(rows)
        if self.trunk.linear is not None:
            out["linear"] = self._advance(self.trunk.linear, x, 0, contexts[-2], contexts[-1])
        return (*(out[name] for name in self.outputs), *new)

    @staticmethod
    def _advance(stage: Stage, rows: Tensor, before: int, left: Tensor, right: Tensor) -> Tensor:
        """rows: left edge (`before` of them), new interior, right edge of one layer -> the same of the
        next.
        """
        plan = stage.plan
        zeros = rows.new_zeros(rows.shape[0], max(plan.left, plan.right), rows.shape[2])
        pieces = [
            zeros[:, : plan.left],
            rows[:, :before],
            left,
            right,
            rows[:, before:],
            zeros[:, : plan.right],
        ]
        padded = torch.cat([piece for piece in pieces if piece.shape[1]], dim=1)
        edge = before + plan.left
        count = rows.shape[1] - before + plan.right
        second = plan.left + before + plan.memory
        starts = [*range(edge), *range(second, second + count)]
        return cast(Tensor, stage(padded, starts))
