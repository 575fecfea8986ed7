"""DecoderNet: what a bundle holds. Time-major samples in, the outputs of its heads out.

Wraps a BrainEncoder with a retrieval head, a CTC head, and an optional linear path beside the deep one. Knows
nothing about bundles, candidates or alphabets; models of every kind speak this interface (`OUTPUTS`,
`forward`, `step`).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models.encoder import BrainEncoder, EncoderConfig
from models.heads import CtcHead, RetrievalHead
from models.linear import LinearDecoder

OUTPUTS = ("estimate", "log_probs")


@dataclass(frozen=True)
class DecoderConfig:
    """encoder None means the linear path alone.

    n_features       F of the retrieval estimate; 0 = no retrieval head
    n_symbols        V of the CTC head, blank included; 0 = no text head
    linear_taps      taps (input samples) of the linear path to the estimate; 0 = none
    channel_dropout  probability that a sensor is silenced in a training crop
    """

    n_channels: int
    encoder: EncoderConfig | None = None
    n_features: int = 0
    n_symbols: int = 0
    linear_taps: int = 0
    linear_stride: int = 1
    n_subjects: int = 1
    channel_dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.encoder is None and self.linear_taps == 0:
            raise ValueError("a decoder needs an encoder, linear_taps > 0, or both")
        if self.linear_taps and not self.n_features:
            raise ValueError(
                f"linear_taps is {self.linear_taps} but n_features is 0: the linear path has no output"
            )
        if self.encoder is not None and self.encoder.n_channels != self.n_channels:
            raise ValueError(f"{self.n_channels} channels but {self.encoder.n_channels} sensor positions")

    @property
    def stride(self) -> int:
        return self.linear_stride if self.encoder is None else self.encoder.stride


class DecoderNet(nn.Module):
    """x (B, T, C), subjects (B,) -> {"estimate": (B, T', F), "log_probs": (B, T', V)}, each only if it has
    that head.
    """

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        self.encoder = None if config.encoder is None else BrainEncoder(config.encoder)
        width = 0 if config.encoder is None else config.encoder.hidden
        deep = self.encoder is not None
        self.retrieval = RetrievalHead(width, config.n_features) if deep and config.n_features else None
        self.text = CtcHead(width, config.n_symbols) if deep and config.n_symbols else None
        self.linear = None
        if config.linear_taps:
            self.linear = LinearDecoder(
                config.n_channels, config.n_features, config.linear_taps, config.stride, config.n_subjects
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        has = {
            "estimate": self.retrieval is not None or self.linear is not None,
            "log_probs": self.text is not None,
        }
        return tuple(name for name in OUTPUTS if has[name])

    def _drop_channels(self, x: Tensor) -> Tensor:
        if not self.training or self.config.channel_dropout == 0:
            return x
        kept = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.config.channel_dropout
        return x * kept

    def _heads(self, hidden: Tensor | None, linear: Tensor | None) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        if hidden is not None and self.retrieval is not None:
            out["estimate"] = self.retrieval(hidden)
        if linear is not None:
            out["estimate"] = out["estimate"] + linear if "estimate" in out else linear
        if hidden is not None and self.text is not None:
            out["log_probs"] = self.text(hidden)
        return out

    def forward(self, x: Tensor, subject: Tensor | None = None) -> dict[str, Tensor]:
        x = self._drop_channels(x)
        hidden = None if self.encoder is None else self.encoder(x.transpose(1, 2), subject)
        linear = None if self.linear is None else self.linear(x, subject)
        return self._heads(hidden, linear)

    def initial_state(self, batch: int = 1) -> list[Tensor]:
        """All state of one stream, zero at reset: the encoder's convolutions in order, then the linear
        path.
        """
        deep = [] if self.encoder is None else self.encoder.initial_state(batch)
        return deep if self.linear is None else deep + self.linear.initial_state(batch)

    def step(
        self, x: Tensor, state: list[Tensor], subject: Tensor | None = None
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """One piece of a stream, x (B, size, C) with size a multiple of the stride."""
        hidden: Tensor | None = None
        linear: Tensor | None = None
        following: list[Tensor] = []
        n_linear = 0 if self.linear is None else 1
        n_deep = len(state) - n_linear
        if self.encoder is not None:
            hidden, following = self.encoder.step(x.transpose(1, 2), state[:n_deep], subject)
        if self.linear is not None:
            linear, new = self.linear.step(x, state[n_deep:], subject)
            following = following + new
        return self._heads(hidden, linear), following

    @torch.no_grad()
    def folded(self, subject: int | None = None) -> "DecoderNet":
        """The inference form for one subject: equal to this model in eval mode to float32 rounding."""
        encoder = None if self.encoder is None else self.encoder.folded(subject)
        small = DecoderNet(
            replace(
                self.config,
                encoder=None if encoder is None else encoder.config,
                n_subjects=1,
                channel_dropout=0.0,
            )
        )
        small.encoder = encoder
        if self.retrieval is not None and small.retrieval is not None:
            small.retrieval.load_state_dict(self.retrieval.state_dict())
        if self.text is not None and small.text is not None:
            small.text.load_state_dict(self.text.state_dict())
        if self.linear is not None:
            small.linear = self.linear.folded(subject)
        return small.eval()
