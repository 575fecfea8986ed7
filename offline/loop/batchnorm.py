"""BatchNorm over the items of all processes, on CPUs and GPUs alike.

torch's own SyncBatchNorm works on GPUs only. Statistics are combined from every process's mean and squared
deviations (Chan et al. 1979), not from sums of squares, which cancel. Shares of unequal size are counted as
such.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Normalise(torch.autograd.Function):
    """(B, C, ...) -> the same shape, normalised per channel over all processes; also mean, variance,
    count.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        dims = [d for d in range(x.ndim) if d != 1]
        values, channels = _exact(x), x.shape[1]
        mine = torch.cat(
            [
                values.mean(dims),
                values.var(dims, correction=0),
                values.new_full((1,), values.numel() / channels),
            ]
        )
        parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, mine)
        gathered = torch.stack(parts)
        counts = gathered[:, -1:]
        total = counts.sum()
        means, variances = gathered[:, :channels], gathered[:, channels:-1]
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total
        rate = (variance + eps).rsqrt()
        shape = [1, -1] + [1] * (x.ndim - 2)
        normed = (values - mean.view(shape)) * rate.view(shape)
        ctx.save_for_backward(normed, weight, rate, total)
        ctx.mark_non_differentiable(mean, variance, total)
        out = normed * weight.view(shape) + bias.view(shape)
        return out.to(x.dtype), mean, variance, total

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        normed, weight, rate, total = ctx.saved_tensors
        dims = [d for d in range(grad.ndim) if d != 1]
        shape = [1, -1] + [1] * (grad.ndim - 2)
        dy = _exact(grad)
        d_bias, d_weight = dy.sum(dims), (dy * normed).sum(dims)
        # The input's gradient sees the objective of every process; that of weight and bias is averaged with
        # all other parameters, after the backward pass.
        everywhere = torch.cat([d_bias, d_weight])
        dist.all_reduce(everywhere)
        of_mean, of_rate = (everywhere / total).chunk(2)
        dx = (dy - of_mean.view(shape) - normed * of_rate.view(shape)) * (weight * rate).view(shape)
        return dx.to(grad.dtype), d_weight, d_bias, None


def _exact(x: Tensor) -> Tensor:
    """At least 32 bits."""
    return x if x.dtype == torch.float64 else x.float()


class SyncBatchNorm(nn.BatchNorm1d):
    """nn.BatchNorm1d, except that training statistics are those of the global batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(x)
        y, mean, variance, total = _Normalise.apply(x, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None and self.momentum is not None
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * total / (total - 1), self.momentum)
        return y


def synchronise(module: nn.Module) -> None:
    """Put SyncBatchNorm in the place of every nn.BatchNorm1d inside; parameters and buffers stay the same
    objects.
    """
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm1d:
            assert child.affine and child.momentum is not None
            new = SyncBatchNorm(child.num_features, child.eps, child.momentum)
            new.weight, new.bias, new.training = child.weight, child.bias, child.training
            new.running_mean, new.running_var = child.running_mean, child.running_var
            new.num_batches_tracked = child.num_batches_tracked
            setattr(module, name, new)
        else:
            synchronise(child)
