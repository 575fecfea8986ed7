"""Speech transfer: a brain feature extractor in front of a Wav2Vec2 or Wav2Vec2-Conformer encoder.

After "Teaching Wav2Vec2 the Language of the Brain" (Fiedler et al. 2025, arXiv 2501.09459): patches, GRU,
MLP; then the speech model's encoder on those vectors (its convolutions and feature projection are gone), then
its CTC head. Unlike there, padding is masked everywhere.

With `context` > 0 the Wav2Vec2 encoder streams. That is a CHANGED ARCHITECTURE: attention to a bounded past,
positional convolution to the past alone. It must be trained that way.

Knows of transformers only what `models.text.speech` makes with it. Reads no files.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from models.text.attention import distances, memory_filled, seen
from models.text.front import FrontConfig
from models.text.gru import GruStack
from models.text.net import TextNet
from models.text.speech import (
    KINDS,
    fold_weight_norm,
    initialise,
    matched,
    silence_padding,
    speech_encoder,
)
from models.text.wav2vec2_stream import CONVOLUTIONS, CausalEncoder


@dataclass(frozen=True)
class TransferConfig:
    """speech  config.json of the speech checkpoint as plain data ("model_type" is one of KINDS)

    hidden, layers, bidirectional, dropout  of the GRU;  mlp  widths between it and the encoder, GELU between
    context      0: the published encoder, whole sentences; else frames before its block that a frame sees
    block        frames that see each other, streaming only
    convolution  streaming only: "crop" keeps the taps of the past and of the frame itself in place, "left"
                 pushes all taps into the past
    folded       the positional convolution's weight norm has been multiplied out
    """

    front: FrontConfig
    n_symbols: int
    speech: dict[str, Any] = field(default_factory=dict)
    hidden: int = 512
    layers: int = 3
    bidirectional: bool = True
    dropout: float = 0.45
    mlp: tuple[int, ...] = ()
    context: int = 0
    block: int = 1
    convolution: str = "crop"
    folded: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "mlp", tuple(self.mlp))
        kind = self.speech.get("model_type")
        if kind not in KINDS:
            raise ValueError(f"the speech model must have a model_type of {list(KINDS)}, it has {kind!r}")
        if self.speech.get("adapter_attn_dim") is not None:
            raise ValueError("speech checkpoints with language adapters (adapter_attn_dim) do not fit here")
        if self.context < 0 or self.block < 1 or self.convolution not in CONVOLUTIONS:
            raise ValueError(
                f"need context >= 0, block >= 1 and a convolution of {list(CONVOLUTIONS)}, "
                f"got {self.context}, {self.block} and {self.convolution!r}"
            )
        if not self.context and self.block > 1:
            raise ValueError(f"block is {self.block} but context is 0: only a streaming encoder has blocks")
        if self.context and kind != "wav2vec2":
            raise ValueError(f"only a wav2vec2 encoder has a streaming form, this is a {kind}")
        if self.context and self.bidirectional:
            raise ValueError("a streaming encoder needs bidirectional = false: the GRU would see the future")

    @property
    def n_channels(self) -> int:
        return self.front.n_channels

    @property
    def streams(self) -> bool:
        return self.context > 0

    @property
    def label(self) -> str:
        """What to call it beside published results."""
        kind = str(self.speech["model_type"])
        return f"{kind}, streaming (changed architecture)" if self.streams else kind


class BrainFeatures(nn.Module):
    """GRU, then linear layers with GELU between them: (B, N, n_in) -> (B, N, n_out)."""

    def __init__(self, config: TransferConfig, n_out: int):
        super().__init__()
        self.gru = GruStack(
            config.front.width,
            config.hidden,
            config.layers,
            config.dropout,
            bidirectional=config.bidirectional,
        )
        widths = [self.gru.width, *config.mlp, n_out]
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += [nn.GELU(), nn.Linear(before, after)]
        self.mlp = nn.Sequential(*parts[1:])

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        return self.mlp(self.gru(x, frames))


class TransferNet(TextNet):
    """forward of `TextNet`; step as well where config.context > 0.

    Groups: "bfe" (day layers, GRU, MLP), "encoder" (the speech model's), "head" (its CTC head).
    """

    config: TransferConfig
    groups = {"bfe": ("front.", "bfe."), "encoder": ("encoder.",), "head": ("head.",)}  # noqa: RUF012

    def __init__(self, config: TransferConfig):
        encoder, settings = speech_encoder(config.speech)
        width = int(settings.hidden_size)
        super().__init__(config, config.front, width, config.n_symbols, config.block)
        self.streams = config.streams
        self.bfe = BrainFeatures(config, width)
        self.encoder = encoder
        self.dropout = nn.Dropout(float(settings.final_dropout))
        initialise(self.encoder, self.head, float(settings.initializer_range))
        self._silence = silence_padding(self.encoder) if config.speech["model_type"] == KINDS[1] else None
        if config.folded:
            fold_weight_norm(self.encoder)

    @property
    def remembered(self) -> int:
        return max(self.config.context, 1)

    @property
    def delay(self) -> int | None:
        return super().delay if self.streams else None

    def encode(self, patches: Tensor, frames: Tensor) -> Tensor:
        x = self.bfe(patches, frames)
        # row 0 stays, of an empty sentence as well: a row that attends to nothing would be NaN
        number = torch.arange(x.shape[1], device=x.device)
        within = number < frames.clamp(min=1)[:, None]
        x = torch.where(within[:, :, None], x, 0.0)
        if self.streams:
            back = distances(x.shape[1], x.shape[1], x.device)
            visible = seen(back, self.config.context, self.config.block) & within[:, None]
            visible = visible | (back == 0)  # padding sees itself, for the same reason
            return self.dropout(self._causal()(x, visible[:, None]))
        if self._silence is not None:
            self._silence.within = within
        return self.dropout(self.encoder(x, attention_mask=within).last_hidden_state)

    def _causal(self) -> CausalEncoder:
        return CausalEncoder(self.encoder, self.config.convolution)

    def encoder_state(self, batch: int, device: torch.device) -> list[Tensor]:
        return [
            self.bfe.gru.initial_state(batch, device),
            *self._causal().initial_state(batch, self.config.context, device),
        ]

    def encode_step(self, patches: Tensor, index: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        context, k = self.config.context, patches.shape[1]
        x, recurrent = self.bfe.gru.step(patches, index, state[0])
        # what comes before the sentence is zero to the convolution, as in the whole
        x = torch.where((index >= 0)[:, :, None], self.bfe.mlp(x), 0.0)
        back = distances(k, context + k, patches.device)
        visible = (seen(back, context, self.config.block) & memory_filled(index, context)[:, None]) | (
            back == 0
        )
        x, following = self._causal().step(x, visible[:, None], state[1:])
        return x, [recurrent, *following]

    @torch.no_grad()
    def folded(self, day: int | None = None) -> TextNet:
        """As the base, with the positional convolution's weight norm multiplied out."""
        small = super().folded(day)
        assert isinstance(small, TransferNet)
        if small.config.folded:
            return small
        # made anew: a weight norm taken off a copy is taken off the original as well
        plain = TransferNet(replace(small.config, folded=True)).to(small.head.weight.device)
        conv, state = small.encoder.pos_conv_embed.conv, small.state_dict()
        state = {name: values for name, values in state.items() if ".parametrizations." not in name}
        plain.load_state_dict({**state, "encoder.pos_conv_embed.conv.weight": conv.weight})
        return plain.eval()

    @torch.no_grad()
    def load_speech(self, weights: dict[str, Tensor], *, head: bool = True) -> None:
        """Take a speech checkpoint's encoder, and its CTC head, by name.

        weights  tensors of a ...ForCTC or ...Model checkpoint; others in it are left alone
        Raises ValueError for a weight that is missing or has another shape, the head's included.
        """
        self.load_state_dict(matched(weights, self.state_dict(), head), strict=False)
