"""What every text encoder is to the outside: bins in, log-probabilities of symbols out, whole or in steps.

    forward(x (B, T, C), lengths (B,), day (B,)) -> log_probs (B, N, V), frames (B,)
    step(x (B, k * stride, C), state) -> {"log_probs": (B, k, V)}, state

A subclass gives `encode` and `encode_step`. The law: frame n of the whole is frame n + lag of the stream, to
rounding. The first `lag` frames of a stream are certain blanks and move no recurrent state. Every state is a
float32 tensor of fixed shape that is zero at reset. Knows no alphabet but its size, and no loss.
"""

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.text.front import Front, FrontConfig

NEVER = -1e4  # log-probability of what is ruled out: finite, so that no difference of two is NaN


def certain_blank(log_probs: Tensor, valid: Tensor) -> Tensor:
    """log_probs (B, N, V) where valid (B, N); elsewhere 0 for the blank and NEVER for the rest."""
    blank = torch.full_like(log_probs[:1, :1], NEVER)
    blank[..., 0] = 0.0
    return torch.where(valid[:, :, None], log_probs, blank)


class TextNet(nn.Module, ABC):
    """Base of the encoders.

    stride   bins per frame;  lag  frames by which a stream lies behind the whole sentence
    delay    bins after its own window that can change a frame; None: the whole sentence can
    streams  whether `step` exists
    """

    outputs: tuple[str, ...] = ("log_probs",)
    streams: bool = True
    groups: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init__(self, config: Any, front: FrontConfig, width: int, n_symbols: int, block: int = 1):
        super().__init__()
        if n_symbols < 2:
            raise ValueError(f"a CTC head needs a blank and at least one symbol, got n_symbols = {n_symbols}")
        self.config = config
        self.front = Front(front, block)
        self.head = nn.Linear(width, n_symbols)
        self.block = block
        self.stride, self.lag = front.stride, self.front.stream.lag

    # what a subclass gives

    @property
    @abstractmethod
    def remembered(self) -> int:
        """Frames after which the age of a stream no longer matters."""

    @abstractmethod
    def encode(self, patches: Tensor, frames: Tensor) -> Tensor:
        """(B, N, width) with N > 0, frames (B,) -> hidden (B, N, D)."""

    @abstractmethod
    def encoder_state(self, batch: int, device: torch.device) -> list[Tensor]:
        """States of a stream that has not begun."""

    @abstractmethod
    def encode_step(self, patches: Tensor, index: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """patches (B, k, width), index (B, k) their number in the sentence (float; negative: not one yet)."""

    # what the outside uses

    @property
    def delay(self) -> int | None:
        return self.front.config.smooth.ahead + (self.block - 1) * self.stride

    @property
    def n_days(self) -> int:
        return self.front.config.n_days

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, day: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Frames past a sentence's own count are certain blanks. lengths None: all of x.

        Raises ValueError for a wrong number of channels and for a day without a layer.
        """
        self._check(x)
        if lengths is None:
            lengths = torch.full((len(x),), x.shape[1])
        lengths = lengths.to(x.device)
        patches, frames = self.front(x, lengths, day)
        if not patches.shape[1]:
            return patches.new_zeros(len(x), 0, self.head.out_features), frames
        log_probs = self._log_probs(self.encode(patches, frames))
        valid = torch.arange(patches.shape[1], device=x.device) < frames[:, None]
        return certain_blank(log_probs, valid), frames

    def initial_state(self, batch: int = 1) -> list[Tensor]:
        """Frames seen (until that no longer matters), the front's bins, the encoder's memory."""
        self._streaming()
        device = self.head.weight.device
        count = torch.zeros(batch, 1, device=device)
        return [count, *self.front.initial_state(batch, device), *self.encoder_state(batch, device)]

    def step(
        self, x: Tensor, state: list[Tensor], day: Tensor | None = None
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """One piece of a stream, x (B, size, C) with size a multiple of stride * block."""
        self._streaming()
        self._check(x)
        if x.shape[1] % (self.stride * self.block) or not x.shape[1]:
            raise ValueError(
                f"a step takes a multiple of {self.stride * self.block} bins, got {x.shape[1]} bins"
            )
        count, rest = state[0], state[1:]
        n_front = self.front.n_states
        patches, front_state = self.front.step(x, rest[:n_front], day)
        k = patches.shape[1]
        index = count + torch.arange(k, device=x.device, dtype=count.dtype) - self.lag
        hidden, encoder_state = self.encode_step(patches, index, rest[n_front:])
        log_probs = certain_blank(self._log_probs(hidden), index >= 0)
        seen = (count + k).clamp(max=float(self.lag + self.remembered))
        return {"log_probs": log_probs}, [seen, *front_state, *encoder_state]

    def tail(self, n_bins: int) -> int:
        """Zero bins to feed a stream of n_bins bins so that its last frame comes out."""
        config = self.front.config
        frames = 0 if n_bins < config.window else (n_bins - config.window) // config.stride + 1
        hop = self.stride * self.block
        needed = max((frames + self.lag) * self.stride if frames else 0, n_bins)
        return -(-needed // hop) * hop - n_bins

    def parameter_groups(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        """Named parameters by group; each is in exactly one."""
        found: dict[str, list[tuple[str, nn.Parameter]]] = {group: [] for group in self.groups}
        for name, parameter in self.named_parameters():
            owners = [group for group, starts in self.groups.items() if name.startswith(starts)]
            assert len(owners) == 1, (name, owners)
            found[owners[0]].append((name, parameter))
        return found

    @torch.no_grad()
    def with_new_day(self, how: str = "last") -> "TextNet":
        """A copy that knows one day more (index n_days), starting as the last day or as the mean of all."""
        if self.front.days is None:
            raise ValueError("this model has no day layers: it takes any day as it is")
        weight, bias = self.front.days.grown(how)
        return self._copy(
            replace(self.config, front=replace(self.config.front, n_days=self.n_days + 1)),
            {"front.days.weight": weight, "front.days.bias": bias},
        ).train(self.training)

    @torch.no_grad()
    def folded(self, day: int | None = None) -> "TextNet":
        """The inference form for one day, in eval mode: only that day's layer is left.

        day None is allowed where there is at most one. Equal to this model in eval mode.
        """
        days = self.front.days
        if days is None:
            if day is not None:
                raise ValueError(f"day {day} asked for, but this model has no day layers")
            return self._copy(self.config, {}).eval()
        days.check(None if day is None else torch.tensor([day]))
        row = 0 if day is None else day
        return self._copy(
            replace(self.config, front=replace(self.config.front, n_days=1)),
            {
                "front.days.weight": days.weight[row : row + 1],
                "front.days.bias": days.bias[row : row + 1],
            },
        ).eval()

    # inside

    def _copy(self, config: Any, changed: dict[str, Tensor]) -> "TextNet":
        """The same weights under another configuration, but for the ones that changed."""
        other = copy.deepcopy(self)
        other.config = config
        other.front.config = config.front
        days = other.front.days
        for name, values in changed.items():
            assert days is not None
            setattr(days, name.rsplit(".", 1)[1], nn.Parameter(values.clone()))
        return other

    def _log_probs(self, hidden: Tensor) -> Tensor:
        return torch.log_softmax(self.head(hidden).float(), dim=-1)

    def _check(self, x: Tensor) -> None:
        wanted = self.front.config.n_channels
        if x.ndim != 3 or x.shape[2] != wanted:
            raise ValueError(f"x is (batch, bins, {wanted} channels), got shape {tuple(x.shape)}")

    def _streaming(self) -> None:
        if not self.streams:
            raise ValueError("this encoder needs the whole sentence and has no steps: build a causal one")
