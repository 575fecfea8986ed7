"""BrainEncoder: sensors in, a sequence of hidden frames out. One class, two forms.

The symmetric form is the published one (Défossez et al. 2023): it sees +-67 frames and cannot stream. The
causal form pads on the left only and streams in exact steps. The encoder knows nothing about heads, targets
or streams. A bounded look-ahead needs no change here: it is a later training target (the model is asked about
the past).
"""

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from models.layers import ConvLayer, fold_batchnorm
from models.sensors import SensorFront


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of an encoder. The defaults, with causal=False, are the published model.

    positions       (x, y) of every sensor in [0, 1]; (-0.1, -0.1) where unknown
    stride          input samples per output frame (the first convolution's stride)
    spatial_dropout radius of the dropped disc, in the units of positions (training only)
    folded          sensors -> virtual channels is one plain matrix and there is no BatchNorm: the inference
                    form
    """

    positions: tuple[tuple[float, float], ...]
    n_subjects: int = 1
    n_virtual: int = 270
    hidden: int = 320
    depth: int = 10
    kernel: int = 3
    dilation_period: int = 5
    glu_every: int = 2
    fourier_dim: int = 2048
    spatial_dropout: float = 0.2
    subject_dropout: float = 0.0
    dropout: float = 0.0
    stride: int = 1
    causal: bool = True
    folded: bool = False

    @property
    def n_channels(self) -> int:
        return len(self.positions)

    @property
    def dilations(self) -> tuple[int, ...]:
        return tuple(2 ** (k % self.dilation_period) for k in range(self.depth))

    def has_glu(self, layer: int) -> bool:
        return self.glu_every > 0 and (layer + 1) % self.glu_every == 0

    @property
    def context(self) -> int:
        """Input samples before a frame's own block that can change it (causal), or on each side
        (symmetric).
        """
        rate, total = 1, 0
        for k, dilation in enumerate(self.dilations):
            stride = self.stride if k == 0 else 1
            total += ((self.kernel - 1) * dilation - (stride - 1)) * rate
            rate *= stride
            total += 2 * rate if self.has_glu(k) else 0
        return total if self.causal else total // 2


class BrainEncoder(nn.Module):
    """(B, C, T) and subjects (B,) -> (B, T', hidden), T' = T // stride.

    step takes and returns a list of states, one tensor (B, D, memory) per convolution, all zero at the start.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        if config.folded:
            self.front: nn.Module = nn.Conv1d(config.n_channels, config.n_virtual, 1)
        else:
            self.front = SensorFront(
                torch.tensor(config.positions, dtype=torch.float32),
                config.n_virtual,
                config.n_subjects,
                config.fourier_dim,
                config.spatial_dropout,
                config.subject_dropout,
            )
        self.layers = nn.ModuleList(
            ConvLayer(
                config.n_virtual if k == 0 else config.hidden,
                config.hidden,
                kernel=config.kernel,
                dilation=dilation,
                stride=config.stride if k == 0 else 1,
                glu=config.has_glu(k),
                causal=config.causal,
                norm=not config.folded,
                dropout=config.dropout,
            )
            for k, dilation in enumerate(config.dilations)
        )

    @property
    def blocks(self) -> list[ConvLayer]:
        """The convolution layers, in order."""
        return cast(list[ConvLayer], list(self.layers))

    def _front(self, x: Tensor, subject: Tensor | None) -> Tensor:
        return self.front(x) if self.config.folded else self.front(x, subject)

    def forward(self, x: Tensor, subject: Tensor | None = None) -> Tensor:
        x = self._front(x, subject)
        for layer in self.blocks:
            x = layer(x)
        return x.transpose(1, 2)

    def initial_state(self, batch: int = 1) -> list[Tensor]:
        return [state for layer in self.blocks for state in layer.initial_state(batch)]

    def step(
        self, x: Tensor, state: list[Tensor], subject: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        if not self.config.causal:
            raise ValueError(
                "the symmetric encoder needs future frames and has no step; build it with causal=True"
            )
        x = self._front(x, subject)
        following: list[Tensor] = []
        for layer in self.blocks:
            width = 1 if layer.glu is None else 2
            x, new = layer.step(x, state[len(following) : len(following) + width])
            following += new
        return x.transpose(1, 2), following

    @torch.no_grad()
    def folded(self, subject: int | None) -> "BrainEncoder":
        """The same function of one subject with one matrix in front and no BatchNorm; equal in eval mode."""
        if self.config.folded:
            raise ValueError("this encoder is folded already")
        was_training = self.training
        self.eval()
        small = BrainEncoder(replace(self.config, folded=True, n_subjects=1, subject_dropout=0.0))
        weight, bias = cast(SensorFront, self.front).matrix(subject)
        small.front.load_state_dict({"weight": weight[:, :, None], "bias": bias})
        for mine, theirs in zip(self.blocks, small.blocks, strict=True):
            assert mine.norm is not None  # only the folded form has none
            weight, bias = fold_batchnorm(mine.conv, mine.norm)
            theirs.conv.load_state_dict({"weight": weight, "bias": bias})
            if mine.glu is not None and theirs.glu is not None:
                theirs.glu.load_state_dict(mine.glu.state_dict())
        self.train(was_training)
        return small.eval()
