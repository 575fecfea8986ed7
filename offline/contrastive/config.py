"""Every choice of a run of the contrastive recipe on windows, frozen; the defaults are the published recipe.

Défossez et al. 2023: 120 Hz, windows of 3 s on a grid of 0.5 s, brain 150 ms behind speech, baseline, robust
scale, clamp at 20, Adam at 3e-4, batches of 256. Read from TOML with unknown keys refused. Knows no data.
"""

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from offline.loop.config import LoopConfig
from offline.speech.spec import SpeechSpec
from rtdecode.config import from_json
from rtdecode.errors import ConfigError, closest
from rtdecode.types import to_samples

RECIPES = ("crops", "windows", "text")


@dataclass(frozen=True)
class SignalConfig:
    """Prepared samples to model input.

    sfreq          Hz; the study must have been prepared at this rate
    normalise      "reference": each window loses the mean of its baseline, then a robust scale per recording;
                   "online": nothing depends on the window, so that a stream can have the same. Slow drifts
                   are then the high-pass's business: the study must have been prepared with one
    baseline_s     from and to, seconds from the window's anchor ("reference" only)
    scaler         whose training windows the scale is fitted on: the recording's or all of the subject's
    scaler_windows how many of them, drawn at random
    unseen_s       a recording that was not trained on is scaled by so many of its first seconds, unless it
                   is calibrated
    clamp          values beyond +- this many scales are cut
    whiten         0: off; else channels of a recording are decorrelated, with this share (0 to 1) of the mean
                   variance added to every direction
    """

    sfreq: float = 120.0
    normalise: Literal["reference", "online"] = "reference"
    baseline_s: tuple[float, ...] = (-0.5, 0.0)
    scaler: Literal["recording", "subject"] = "recording"
    scaler_windows: int = 256
    unseen_s: float = 60.0
    clamp: float = 20.0
    whiten: float = 0.0


@dataclass(frozen=True)
class WindowConfig:
    """Where windows lie.

    tmin, tmax  seconds from the anchor, both ends included;  step_s  the grid for training and validation
    offset_s    by how much the brain is late: brain at t + offset_s goes with speech at t. For a causal
                model this is its look-ahead
    context_s   brain signal before the window that the model sees and no loss looks at; silent where it would
                reach into another block
    """

    tmin: float = -0.5
    tmax: float = 2.5
    step_s: float = 0.5
    offset_s: float = 0.15
    context_s: float = 0.0


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the model (models.ContrastiveNetConfig). hidden = 0 is the linear path alone.

    deep_mel      learn the speech features too, from log-Mel frames: deep_mel_features of them
    linear_taps   samples that a linear path beside the deep one sees, linear_ahead of them after the frame
    linear_start  "zero" (alone: next to it), or "ridge": that path starts as per-subject ridge regression,
                  the deep path at nothing
    linear_lr     its learning rate relative to loop.lr
    """

    causal: bool = False
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
    channel_dropout: float = 0.0
    linear_taps: int = 0
    linear_ahead: int = 0
    linear_start: Literal["zero", "ridge"] = "zero"
    linear_lr: float = 1.0
    deep_mel: bool = False
    deep_mel_features: int = 768
    deep_mel_hidden: int = 320
    deep_mel_depth: int = 10


@dataclass(frozen=True)
class LossConfig:
    """How estimates are pulled to their speech.

    kind         "clip": cross-entropy over the batch; "siglip": every pair by itself; "mse": the baseline
                 without contrast
    norm         what is divided by its norm: "candidates" (published) or "both" (cosine)
    center       remove each feature's mean over the window first
    symmetric    also find the brain window of each speech window
    temperature  "none" (published) or "learned", its inverse never above max_scale
    """

    kind: Literal["clip", "siglip", "mse"] = "clip"
    norm: Literal["candidates", "both"] = "candidates"
    center: bool = False
    symmetric: bool = False
    temperature: Literal["none", "learned"] = "none"
    max_scale: float = 100.0


@dataclass(frozen=True)
class BatchConfig:
    """What is drawn.

    size        windows in a batch, all processes together
    same_s      two windows of one sound that lie closer than this are never each other's negatives: batches
                avoid them, and where a study has too little sound they are masked. 0: as published, anything
                may be a negative
    noise       standard deviation of white noise added to scaled training samples
    mix         training windows get up to this share of another window of the same recording: brain noise of
                the right colour
    shuffle     a control that cannot learn: each brain window is trained on the speech of another one
    time_mask_s longest stretch of a training window that is silenced, time_masks of them
    valid_windows, valid_candidates   at most so many windows for the validation loss, and for its top-10
    """

    size: int = 256
    same_s: float = 3.0
    shuffle: bool = False
    noise: float = 0.0
    mix: float = 0.0
    time_mask_s: float = 0.0
    time_masks: int = 1
    valid_windows: int = 20_000
    valid_candidates: int = 400


@dataclass(frozen=True)
class ContrastiveConfig:
    """One training run.

    subjects            stable ids of who is trained on; none named = everybody
    scale_per_feature   speech features are scaled one by one instead of all alike
    """

    name: str = "reference"
    recipe: Literal["windows"] = "windows"
    subjects: tuple[str, ...] = ()
    scale_per_feature: bool = False
    signal: SignalConfig = field(default_factory=SignalConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    speech: SpeechSpec = field(default_factory=SpeechSpec)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        signal, window, model, batch = self.signal, self.window, self.model, self.batch
        if not signal.sfreq > 0 or not signal.clamp > 0 or not signal.unseen_s > 0:
            raise ValueError("signal.sfreq, signal.clamp and signal.unseen_s must be above 0")
        if signal.scaler_windows < 1:
            raise ValueError(f"signal.scaler_windows must be at least 1, got {signal.scaler_windows}")
        if not 0 <= signal.whiten <= 1:
            raise ValueError(f"signal.whiten is a share from 0 to 1, got {signal.whiten:g}")
        if not window.tmin < window.tmax:
            raise ValueError(f"a window from {window.tmin:g} s to {window.tmax:g} s has no samples")
        if not 0 <= window.offset_s < window.tmax - window.tmin:
            raise ValueError(
                f"window.offset_s must be 0 to less than the window's {window.tmax - window.tmin:g} s, "
                f"got {window.offset_s:g}"
            )
        if not window.step_s > 0 or window.context_s < 0:
            raise ValueError("window.step_s must be above 0 and window.context_s not below")
        if signal.normalise == "reference":
            base = signal.baseline_s
            if len(base) != 2 or not window.tmin <= base[0] < base[1] <= window.tmax:
                raise ValueError(
                    f"signal.baseline_s must be two times inside the window "
                    f"({window.tmin:g} to {window.tmax:g} s), got {list(base)}"
                )
        if model.hidden == 0 and not model.linear_taps:
            raise ValueError("model.hidden = 0 is the linear path alone: it needs model.linear_taps")
        if model.linear_start == "ridge" and (not model.linear_taps or model.deep_mel):
            raise ValueError(
                "model.linear_start = 'ridge' needs model.linear_taps and fixed speech features (no deep mel)"
            )
        if model.deep_mel and self.speech.kind not in ("mel", "logmel"):
            raise ValueError(
                f"deep mel learns from mel or logmel frames, speech.kind is {self.speech.kind!r}"
            )
        if model.deep_mel and self.loss.kind == "mse":
            raise ValueError("deep mel needs a contrastive loss: by 'mse' it would learn to say nothing")
        if batch.size < 2 or batch.same_s < 0 or batch.valid_candidates < 2 or batch.valid_windows < 2:
            raise ValueError(
                "batch.size and the validation sizes must be at least 2, batch.same_s not below 0"
            )

    @property
    def n_window(self) -> int:
        """Samples of a window, both ends included."""
        return round(self.window.tmax * self.signal.sfreq) - round(self.window.tmin * self.signal.sfreq) + 1

    @property
    def n_offset(self) -> int:
        """Samples by which the brain is late (18 of 150 ms at 120 Hz; cut, as the published code does)."""
        return int(self.window.offset_s * self.signal.sfreq + 1e-6)

    @property
    def n_frames(self) -> int:
        """Samples that are compared: the window less the offset."""
        return self.n_window - self.n_offset

    @property
    def n_context(self) -> int:
        return to_samples(self.window.context_s, self.signal.sfreq)


def load_contrastive_config(path: str | Path) -> ContrastiveConfig:
    """From a TOML file, or from a preset's bare name. ConfigError names the bad key, or the presets there
    are.
    """
    data = read_toml(path, "windows")
    if data.setdefault("recipe", "windows") != "windows":
        raise ConfigError(f"{path} is a configuration of the recipe {data['recipe']!r}, expected 'windows'")
    return from_json(ContrastiveConfig, data, str(path))


def recipe_of(path: str | Path) -> str:
    """Which recipe a configuration file or preset is for: "windows" or "text" where it says so, else
    "crops".
    """
    recipe = read_toml(path).get("recipe", "crops")
    if recipe not in RECIPES:
        raise ConfigError(f"{path} is for the recipe {recipe!r}", hint=closest(str(recipe), RECIPES))
    return str(recipe)


def read_toml(path: str | Path, recipe: str = "") -> dict[str, Any]:
    """What a TOML file or preset says. recipe: whose presets an error shows; "" = all."""
    files: dict[str, Traversable] = {
        p.name.removesuffix(".toml"): p
        for p in resources.files("offline.presets").iterdir()
        if p.name.endswith(".toml")
    }
    try:
        text = (files.get(str(path)) or Path(path)).read_text("utf-8")
    except OSError as problem:
        shown = [name for name, file in files.items() if recipe in ("", _recipe(file))]
        raise ConfigError(
            f"cannot read the configuration {path}", hint=closest(str(path), shown)
        ) from problem
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} is not a text file") from problem
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path} is not TOML: {problem}") from problem


def _recipe(preset: Traversable) -> str:
    return str(tomllib.loads(preset.read_text("utf-8")).get("recipe", "crops"))
