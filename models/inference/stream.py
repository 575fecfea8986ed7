"""One step of a causal stream: the new samples and the rows every convolution still needs, in and out."""

from typing import cast

import torch
from torch import Tensor, nn

from models.decoder import DecoderNet
from models.inference.stages import Stage, Trunk


class StreamNet(nn.Module):
    """x (B, hop, C) and states (B, memory_i, D_i) -> outputs (B, hop / stride, .) and the next states.

    Fed in pieces of any length (multiples of the stride, down to one) it equals the folded DecoderNet on the
    whole recording to float32 rounding. State i belongs to stage i, the last one to the linear path.
    """

    def __init__(self, model: DecoderNet):
        super().__init__()
        if model.config.encoder is not None and not model.config.encoder.causal:
            raise ValueError("a symmetric encoder needs future frames and cannot stream")
        self.trunk = Trunk(model)
        self.outputs = self.trunk.outputs

    @property
    def _kept(self) -> list[Stage]:
        linear = self.trunk.linear
        return self.trunk.chain if linear is None else [*self.trunk.chain, linear]

    def initial_state(self, batch: int = 1) -> list[Tensor]:
        return [stage.weight.new_zeros(batch, stage.plan.memory, stage.plan.width) for stage in self._kept]

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        following: list[Tensor] = []
        rows = x if self.trunk.front is None else self.trunk.front(x)

        def fed(stage: Stage, rows: Tensor) -> Tensor:
            padded = torch.cat([states[len(following)], rows], dim=1)
            following.append(padded[:, padded.shape[1] - stage.plan.memory :])
            return cast(Tensor, stage(padded))

        for stage in self.trunk.chain:
            rows = fed(stage, rows)
        out = self.trunk.heads(rows if self.trunk.chain else None)
        if self.trunk.linear is not None:
            linear = fed(self.trunk.linear, x)
            out["estimate"] = out["estimate"] + linear if "estimate" in out else linear
        return (*(out[name] for name in self.outputs), *following)
