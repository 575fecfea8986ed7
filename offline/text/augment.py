"""What a training batch is disturbed with: noise, offsets, a cut start, silenced stretches, silenced
channels.

`augmented` returns another batch; the one it was given keeps its values, and what is not disturbed (targets,
days, names) is the same in both. Every trial draws from a generator of its own seed, so that what happens to
it depends neither on its neighbours nor on the number of processes. Padding stays at zero. Knows nothing of
models.
"""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from offline.text.batches import TrialBatch


@dataclass(frozen=True)
class AugmentSpec:
    """All 0 = nothing happens. Defaults: Card et al. 2024; the masks are Feghhi et al. 2025, there 20 of
    0.075.

    noise      standard deviation of white noise per bin and channel, in units of normalised activity
    offset     standard deviation of a constant added to a channel for a whole trial
    cut        at most so many bins are cut off the start of a trial (0 to `cut`, evenly)
    masks      so many stretches of a trial are silenced, each evenly 0 to mask_share of its bins; they may
               overlap
    channels   chance of a channel to be silenced for a whole trial
    """

    noise: float = 1.0
    offset: float = 0.2
    cut: int = 2
    masks: int = 0
    mask_share: float = 0.075
    channels: float = 0.0

    def __post_init__(self) -> None:
        for name in ("noise", "offset", "cut", "masks"):
            if getattr(self, name) < 0:
                raise ValueError(f"augment.{name} must not be below 0, got {getattr(self, name)}")
        if not 0 <= self.mask_share <= 1 or not 0 <= self.channels < 1:
            raise ValueError(
                "augment.mask_share and augment.channels are shares, got "
                f"{self.mask_share:g} and {self.channels:g}"
            )


def augmented(batch: TrialBatch, spec: AugmentSpec, *, training: bool) -> TrialBatch:
    """A disturbed copy of `batch`; `batch` itself when not training.

    x (B, T, C) keeps its shape; `n_bins` shrinks by what was cut, but never below one bin.
    """
    if not training:
        return batch
    rows, lengths = [], []
    for row, seed in enumerate(batch.seeds):
        x, length = _disturbed(batch.x[row], int(batch.n_bins[row]), spec, seed)
        rows.append(x)
        lengths.append(length)
    n_bins = torch.tensor(lengths, dtype=batch.n_bins.dtype, device=batch.n_bins.device)
    return dataclasses.replace(batch, x=torch.stack(rows), n_bins=n_bins)


def _disturbed(whole: Tensor, length: int, spec: AugmentSpec, seed: int) -> tuple[Tensor, int]:
    """(T, C), of which `length` bins are signal -> the same, disturbed, and its new length."""
    draw = torch.Generator(whole.device).manual_seed(seed)
    channels = whole.shape[1]

    def even(*shape: int) -> Tensor:
        return torch.rand(shape, generator=draw, device=whole.device)

    cut = min(int(even(1) * (spec.cut + 1)), length - 1) if spec.cut and length else 0
    x = whole[cut:length]
    length -= cut
    if spec.noise:
        x = x + spec.noise * torch.randn((length, channels), generator=draw, device=whole.device)
    if spec.offset:
        x = x + spec.offset * torch.randn((1, channels), generator=draw, device=whole.device)
    if spec.channels:
        x = x * (even(1, channels) >= spec.channels)
    if spec.masks:
        longest = int(spec.mask_share * length)
        sizes = (even(spec.masks) * (longest + 1)).floor()
        starts = (even(spec.masks) * (length - sizes + 1)).floor()
        bins = torch.arange(length, device=whole.device)[:, None]
        x = x * ~((bins >= starts) & (bins < starts + sizes)).any(dim=1, keepdim=True)
    padding = whole.new_zeros(len(whole) - length, channels)
    return torch.cat([x, padding]), length
