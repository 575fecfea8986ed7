"""The recurrent encoder: day layers, patches, a stack of GRUs, one linear head.

Willett et al. 2023 and Card et al. 2024, causal; `bidirectional` is the form of the public PyTorch decoders,
which needs the whole sentence.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.text.front import FrontConfig
from models.text.net import TextNet


class GruStack(nn.Module):
    """(B, N, n_in) -> (B, N, hidden), twice as wide when bidirectional.

    learned_start  one trained vector is every layer's state before the first frame (zeros otherwise)
    """

    def __init__(
        self,
        n_in: int,
        hidden: int,
        layers: int,
        dropout: float = 0.0,
        learned_start: bool = False,
        bidirectional: bool = False,
    ):
        super().__init__()
        self.hidden, self.layers, self.bidirectional = hidden, layers, bidirectional
        self.width = hidden * (2 if bidirectional else 1)
        self.gru = nn.GRU(
            n_in,
            hidden,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.start = nn.Parameter(torch.empty(hidden)) if learned_start else None
        self._initialise()

    def _initialise(self) -> None:
        for name, values in self.gru.named_parameters():
            if values.is_meta:
                return
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(values)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(values)
        if self.start is not None:
            nn.init.uniform_(self.start, -(self.hidden**-0.5), self.hidden**-0.5)

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        first = None
        if self.start is not None:
            rows = self.layers * (2 if self.bidirectional else 1)
            first = self.start.to(x.dtype).expand(rows, len(x), self.hidden).contiguous()
        if not self.bidirectional:
            return self.gru(x, first)[0]
        # the backward half must begin at a sentence's own last frame, not at its batch's
        packed = pack_padded_sequence(x, frames.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed, first)[0], batch_first=True, total_length=x.shape[1])[0]

    def initial_state(self, batch: int, device: torch.device) -> Tensor:
        return torch.zeros(batch, self.layers, self.hidden, device=device)

    def step(self, x: Tensor, index: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, k, n_in), index (B, k), state (B, L, hidden). Frames of negative index leave it as it is."""
        layers = list(state.unbind(1))
        out = []
        for i in range(x.shape[1]):
            y, number = x[:, i], index[:, i : i + 1]
            for k, kept in enumerate(layers):
                before = kept if self.start is None else torch.where(number <= 0, self.start, kept)
                y = self._cell(k, y, before)
                layers[k] = torch.where(number >= 0, y, kept)
            out.append(y)
        return torch.stack(out, dim=1), torch.stack(layers, dim=1)

    def _cell(self, layer: int, x: Tensor, before: Tensor) -> Tensor:
        """nn.GRU's equations, written out: exporters keep products, sigmoid and tanh."""
        gru = self.gru
        w_in, w_rec, b_in, b_rec = (
            getattr(gru, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        reset_in, update_in, new_in = nn.functional.linear(x, w_in, b_in).chunk(3, dim=1)
        reset_rec, update_rec, new_rec = nn.functional.linear(before, w_rec, b_rec).chunk(3, dim=1)
        reset, update = torch.sigmoid(reset_in + reset_rec), torch.sigmoid(update_in + update_rec)
        new = torch.tanh(new_in + reset * new_rec)
        return new + update * (before - new)


@dataclass(frozen=True)
class GruConfig:
    front: FrontConfig
    n_symbols: int
    hidden: int = 768
    layers: int = 5
    dropout: float = 0.4
    learned_start: bool = True
    bidirectional: bool = False

    @property
    def n_channels(self) -> int:
        return self.front.n_channels


class GruNet(TextNet):
    config: GruConfig
    groups = {"days": ("front.",), "encoder": ("gru.",), "head": ("head.",)}  # noqa: RUF012

    def __init__(self, config: GruConfig):
        width = config.hidden * (2 if config.bidirectional else 1)
        super().__init__(config, config.front, width, config.n_symbols)
        self.streams = not config.bidirectional
        self.gru = GruStack(
            config.front.width,
            config.hidden,
            config.layers,
            config.dropout,
            config.learned_start,
            config.bidirectional,
        )
        if not self.head.weight.is_meta:
            nn.init.xavier_uniform_(self.head.weight)

    @property
    def remembered(self) -> int:
        return 1  # whether there was a frame before

    @property
    def delay(self) -> int | None:
        return super().delay if self.streams else None

    def encode(self, patches: Tensor, frames: Tensor) -> Tensor:
        return self.gru(patches, frames)

    def encoder_state(self, batch: int, device: torch.device) -> list[Tensor]:
        return [self.gru.initial_state(batch, device)]

    def encode_step(self, patches: Tensor, index: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        hidden, following = self.gru.step(patches, index, state[0])
        return hidden, [following]

    @torch.no_grad()
    def folded(self, day: int | None = None) -> TextNet:
        """As the base; a day layer without softsign goes into the first matrix (equal to rounding)."""
        small = super().folded(day)
        assert isinstance(small, GruNet)
        days, front = small.front.days, small.config.front
        if days is None or front.day_softsign:
            return small
        for end in ("", "_reverse") if self.config.bidirectional else ("",):
            weight, bias = (getattr(small.gru.gru, f"{name}_ih_l0{end}") for name in ("weight", "bias"))
            shape = (len(weight), front.window, front.n_channels)
            if front.layout == "time":
                taps = weight.view(shape)
            else:
                taps = weight.view(shape[0], shape[2], shape[1]).transpose(1, 2)
            bias.add_(torch.einsum("owc,c->o", taps, days.bias[0]))
            taps = torch.einsum("owd,cd->owc", taps, days.weight[0])
            weight.copy_((taps if front.layout == "time" else taps.transpose(1, 2)).reshape(weight.shape))
        small.front.days = None
        small.config = replace(small.config, front=replace(front, n_days=0))
        small.front.config = small.config.front
        return small.eval()
