"""Every choice of a training run, frozen, in groups; read from TOML with unknown keys refused.

A checkpoint stores its Config, so that evaluation and export need nothing else. Presets live in
offline/presets. Knows nothing of data.
"""

import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Literal

from rtdecode.config import from_json
from rtdecode.errors import ConfigError, closest


@dataclass(frozen=True)
class SignalConfig:
    """Raw brain signal to model samples; the scaler is fitted on training recordings."""

    sfreq: float = 64.0
    highpass_hz: float = 0.5
    lowpass_hz: float = 25.0
    order: int = 2
    clamp: float = 20.0
    n_channels: int = 0  # the first N channels of the study's recordings; 0 = all


@dataclass(frozen=True)
class SpeechConfig:
    """What the estimate is trained to resemble, at the output frame rate."""

    kind: Literal["logmel", "envelope"] = "logmel"
    bands: int = 16


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the model (models.EncoderConfig); hidden = 0 is the linear path alone, fitted by ridge.

    causal = False is the published, symmetric form: it can be trained and scored, but not exported.
    """

    n_virtual: int = 48
    hidden: int = 96
    depth: int = 8
    kernel: int = 3
    dilation_period: int = 5
    glu_every: int = 2
    fourier_dim: int = 200
    spatial_dropout: float = 0.1
    subject_dropout: float = 0.0
    dropout: float = 0.1
    channel_dropout: float = 0.1
    stride: int = 2
    linear_taps: int = 0
    causal: bool = True


@dataclass(frozen=True)
class OutputConfig:
    """What the live decoder will do with the model.

    delay_s   the estimate at time t speaks of the stimulus at t - delay_s: bounded look-ahead, part of the
              decision delay
    window_s  seconds of estimate that one retrieval compares;  hop_s  between decisions
    """

    retrieval: bool = True
    text: bool = True
    window_s: float = 3.0
    delay_s: float = 0.5
    hop_s: float = 0.25


@dataclass(frozen=True)
class OptimConfig:
    """The training loop. A crop is `context_s` of left context, without loss, then `windows_per_crop`
    retrieval windows.

    text_pad_s    seconds after a sentence in which its text may still be written
    text_late_s   by how much its text may reach into the next sentence
    noise         standard deviation of white noise added to scaled samples
    mix           up to this share of another moment of the same recording is added: brain noise of the right
                  colour
    time_mask_s   longest stretch of sensor data silenced, time_masks of them in a crop
    ctc_weight    beside the contrastive loss (weight 1); max_scale clamps the learned inverse temperature
    linear_lr     learning rate of the ridge-initialised path relative to lr
    """

    steps: int = 3000
    batch: int = 24
    windows_per_crop: int = 3
    context_s: float = 2.0
    text_pad_s: float = 1.0
    text_late_s: float = 0.3
    lr: float = 2e-3
    linear_lr: float = 0.05
    weight_decay: float = 0.02
    warmup: float = 0.1
    noise: float = 0.1
    mix: float = 0.0
    time_mask_s: float = 0.2
    time_masks: int = 1
    ctc_weight: float = 0.5
    max_scale: float = 40.0
    clip_norm: float = 1.0
    steps_per_epoch: int = 100
    threads: int = 2
    seed: int = 1


@dataclass(frozen=True)
class Config:
    """One training run.

    name           the bundle's name
    ridge_taps     model samples that ridge sees, unless model.linear_taps says so
    ridge_lambdas  tried on validation recordings
    """

    name: str
    signal: SignalConfig = field(default_factory=SignalConfig)
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    ridge_taps: int = 40
    ridge_lambdas: tuple[float, ...] = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6)

    def __post_init__(self) -> None:
        if not (self.output.retrieval or self.output.text):
            raise ValueError("neither retrieval nor text: nothing to train")
        if self.hop_samples % self.model.stride:
            raise ValueError(
                f"a hop of {self.hop_samples} samples is no multiple of the stride {self.model.stride}"
            )
        if self.model.hidden == 0 and (self.output.text or not self.model.linear_taps):
            raise ValueError(
                "hidden = 0 is the linear path alone: it needs linear_taps > 0 and cannot write text"
            )

    @property
    def frame_rate(self) -> float:
        return self.signal.sfreq / self.model.stride

    @property
    def hop_samples(self) -> int:
        return round(self.output.hop_s * self.signal.sfreq)

    @property
    def window_frames(self) -> int:
        return round(self.output.window_s * self.frame_rate)

    @property
    def delay_frames(self) -> int:
        return round(self.output.delay_s * self.frame_rate)


def linear(config: Config) -> Config:
    """The same run with the linear path alone: ridge, which writes no text."""
    shape = replace(config.model, hidden=0, linear_taps=config.model.linear_taps or config.ridge_taps)
    return replace(config, model=shape, output=replace(config.output, retrieval=True, text=False))


def load_config(path: str | Path) -> Config:
    """Config from a TOML file, or from a preset's bare name.

    ConfigError names the bad key, or the presets there are.
    """
    presets = {
        p.name.removesuffix(".toml"): p
        for p in resources.files("offline.presets").iterdir()
        if p.name.endswith(".toml")
    }
    file = presets.get(str(path)) or Path(path)
    try:
        text = file.read_text("utf-8")
    except OSError as problem:
        raise ConfigError(
            f"cannot read the configuration {path}", hint=closest(str(path), presets)
        ) from problem
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path} is not TOML: {problem}") from problem
    return from_json(Config, data, str(path))
