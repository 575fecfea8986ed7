"""ContrastiveNet: brain windows in, estimates of their speech features out; time-major on both sides.

The published model (Défossez et al. 2023) with three additions that are off by default: a causal form, a
linear path beside the deep one, and sensors whose places differ from recording to recording. Knows nothing
about where windows come from, losses or scaling. For the live decoder, `folded` gives the `DecoderNet` of one
subject.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models.decoder import DecoderConfig, DecoderNet
from models.deepmel import DeepMel, DeepMelConfig
from models.encoder import BrainEncoder, EncoderConfig
from models.heads import RetrievalHead
from models.linear import LinearDecoder
from models.montages import MontageFront, Positions
from models.sensors import INVALID_POSITION


@dataclass(frozen=True)
class ContrastiveNetConfig:
    """encoder None means the linear path alone.

    n_features       F of the estimate;  speech  a feature model trained beside (its n_out is F); None: fixed
                     features
    montages         sensor places by montage, all of n_channels, instead of the encoder's; () = the encoder's
    linear_taps      taps (frames) of the linear path; 0 = none
    linear_ahead     how many of them lie after the frame that is estimated
    channel_dropout  probability that a sensor is silenced in a training window
    """

    n_channels: int
    n_features: int
    encoder: EncoderConfig | None = None
    montages: tuple[Positions, ...] = ()
    speech: DeepMelConfig | None = None
    linear_taps: int = 0
    linear_ahead: int = 0
    n_subjects: int = 1
    channel_dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.encoder is None and self.linear_taps == 0:
            raise ValueError("a contrastive model needs an encoder, linear_taps > 0, or both")
        if not 0 <= self.linear_ahead <= max(self.linear_taps - 1, 0):
            raise ValueError(
                f"linear_ahead must be 0 to linear_taps - 1 ({self.linear_taps - 1}), got {self.linear_ahead}"
            )
        if self.speech is not None and self.speech.n_out != self.n_features:
            raise ValueError(
                f"the speech model gives {self.speech.n_out} features, n_features is {self.n_features}"
            )
        if self.encoder is not None:
            self._check_encoder(self.encoder)

    def _check_encoder(self, encoder: EncoderConfig) -> None:
        if encoder.folded or encoder.stride != 1:
            raise ValueError("the contrastive model trains an unfolded encoder of stride 1")
        if encoder.n_subjects != self.n_subjects:
            raise ValueError(f"{self.n_subjects} subjects, but {encoder.n_subjects} of the encoder")
        for k, positions in enumerate((encoder.positions, *self.montages)):
            if len(positions) != self.n_channels:
                which = f"montage {k - 1}" if k else "the encoder"
                raise ValueError(
                    f"{self.n_channels} channels but {len(positions)} positions in {which}; "
                    f"pad with ({INVALID_POSITION}, {INVALID_POSITION})"
                )


class ContrastiveNet(nn.Module):
    """x (B, T, C), subjects (B,), montages (B,) -> (B, T, F)."""

    def __init__(self, config: ContrastiveNetConfig):
        super().__init__()
        self.config = config
        self.encoder: BrainEncoder | None = None
        self.head: RetrievalHead | None = None
        if config.encoder is not None:
            self.encoder = BrainEncoder(config.encoder)
            self.head = RetrievalHead(config.encoder.hidden, config.n_features)
            if config.montages:
                self.encoder.front = MontageFront(config.encoder, config.montages)
        self.linear: LinearDecoder | None = None
        if config.linear_taps:
            self.linear = LinearDecoder(
                config.n_channels, config.n_features, config.linear_taps, n_subjects=config.n_subjects
            )
        self.speech = None if config.speech is None else DeepMel(config.speech)

    def forward(self, x: Tensor, subject: Tensor | None = None, montage: Tensor | None = None) -> Tensor:
        """Estimates (B, T, F).

        subject  (B,) row of each window; None: someone unseen (the shared row that subject_dropout trains,
                 and the average linear filter)
        montage  (B,) index into config.montages; None: the first of them
        """
        if self.training and self.config.channel_dropout > 0:
            x = x * (torch.rand(len(x), 1, x.shape[2], device=x.device) >= self.config.channel_dropout)
        deep = None
        if self.encoder is not None and self.head is not None:
            hidden = x.transpose(1, 2)
            if isinstance(self.encoder.front, MontageFront):
                hidden = self.encoder.front(hidden, subject, montage)
            else:
                hidden = self.encoder.front(hidden, subject)
            for layer in self.encoder.blocks:
                hidden = layer(hidden)
            deep = self.head(hidden.transpose(1, 2))
        if self.linear is None:
            assert deep is not None  # the configuration has one of the two
            return deep
        ahead = self.config.linear_ahead
        linear = self.linear(nn.functional.pad(x, (0, 0, 0, ahead))[:, ahead:], subject)
        return linear if deep is None else deep + linear

    def targets(self, features: Tensor) -> Tensor:
        """What estimates are compared with: (B, T, n) features through the speech model, if there is one."""
        return features if self.speech is None else self.speech(features)

    @torch.no_grad()
    def with_new_subject(self) -> "ContrastiveNet":
        """A copy with one subject more, the last own row (index n_subjects), for calibration.

        It starts as the shared row where subject dropout has trained one, else as the mean of all rows.
        """
        n = self.config.n_subjects
        encoder = None if self.config.encoder is None else replace(self.config.encoder, n_subjects=n + 1)
        grown = ContrastiveNet(replace(self.config, encoder=encoder, n_subjects=n + 1))
        state = self.state_dict()
        name = "encoder.front.subjects"
        if name in state:
            rows = state[name]
            new = rows[n:] if len(rows) > n else rows.mean(0, keepdim=True)
            state[name] = torch.cat([rows[:n], new, rows[n:]])
        for name in ("linear.weight", "linear.bias"):
            if name in state:
                state[name] = torch.cat([state[name], state[name].mean(0, keepdim=True)])
        grown.load_state_dict(state)
        return grown.to(next(self.parameters()).device).train(self.training)

    @torch.no_grad()
    def folded(self, subject: int | None = None, montage: int = 0) -> DecoderNet:
        """The inference form for one subject and montage, in eval mode; it streams if this model is causal.

        Raises ValueError when the linear path looks ahead: that form has no steps.
        """
        if self.config.linear_ahead:
            raise ValueError(f"linear_ahead is {self.config.linear_ahead}: only 0 can be folded for a stream")
        encoder = None
        if self.encoder is not None:
            encoder = self.encoder.folded(subject)
            if isinstance(self.encoder.front, MontageFront):
                was_training = self.training
                self.encoder.eval()
                weight, bias = self.encoder.front.matrix(subject, montage)
                self.encoder.train(was_training)
                encoder.front.load_state_dict({"weight": weight[:, :, None], "bias": bias})
                encoder.config = replace(encoder.config, positions=self.config.montages[montage])
        small = DecoderNet(
            DecoderConfig(
                n_channels=self.config.n_channels,
                encoder=None if encoder is None else encoder.config,
                n_features=self.config.n_features,
                linear_taps=self.config.linear_taps,
            )
        )
        if encoder is not None and self.head is not None and small.retrieval is not None:
            small.encoder = encoder
            small.retrieval.load_state_dict(self.head.state_dict())
        if self.linear is not None:
            small.linear = self.linear.folded(subject)
        return small.eval()
