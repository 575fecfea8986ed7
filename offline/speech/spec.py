"""Which speech features: a frozen choice that checks itself and that a configuration or a store can hold.

Knows neither audio nor a loaded checkpoint; whether the checkpoint has the layers asked for is found out when
it is opened (`offline.speech.wav2vec2`).
"""

from dataclasses import dataclass
from typing import Literal, get_args

from rtdecode.errors import ConfigError, closest

Kind = Literal["wav2vec2", "mel", "logmel", "envelope"]
Context = Literal["block", "window", "file"]

LAYER_PRESETS = {"14-18": (14, 15, 16, 17, 18), "last4": (-4, -3, -2, -1)}
"""The published code averages hidden states 14 to 18; the paper says the last four."""

MEL_SILENCE = -5.0  # log10(0 + 1e-5), what the published recipe writes where there is no sound


@dataclass(frozen=True)
class SpeechSpec:
    """What the brain's estimate is compared with.

    kind        "wav2vec2": mean hidden state of a Hugging Face Wav2Vec2, about 50 frames per second;
                "mel": log-Mel of the published recipe, 125 per second; "logmel" and "envelope": those of the
                live decoder (offline.features), at frame_rate
    checkpoint  Hugging Face id or local folder (wav2vec2);  revision  branch, tag or commit of an id
    layers      hidden states that are averaged: 0 is the input of the first layer, n the output of the last
                of n layers; negative from the end, -1 the last (`LAYER_PRESETS`)
    context     how much of a sound a frame may have seen: "block": its block of the split table, so that
                no frame heard audio of another split; "window": only the window it is compared in, the
                honest rule for arbitrary candidate audio; "file": all of it
    bands       of mel and logmel;  frame_rate  Hz, of logmel and envelope
    """

    kind: Kind = "wav2vec2"
    checkpoint: str = "facebook/wav2vec2-large-xlsr-53"
    layers: tuple[int, ...] = LAYER_PRESETS["14-18"]
    context: Context = "block"
    bands: int = 120
    frame_rate: float = 120.0
    revision: str = ""

    def __post_init__(self) -> None:
        for name, value, valid in (("kind", self.kind, Kind), ("context", self.context, Context)):
            if value not in get_args(valid):
                raise ConfigError(
                    f"{value!r} is no {name} of speech features", hint=closest(value, get_args(valid))
                )
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise ConfigError(
                f"speech layers must be different and at least one, got {list(self.layers)}",
                hint=f"presets: {', '.join(LAYER_PRESETS)}",
            )
        if self.kind == "wav2vec2" and not self.checkpoint:
            raise ConfigError(
                "wav2vec2 features need a checkpoint", hint="a Hugging Face id or a local folder"
            )
        if not 1 <= self.bands <= 256:
            raise ConfigError(f"speech bands must be 1 to 256, got {self.bands}")
        if not 1 <= self.frame_rate <= 1000:
            raise ConfigError(f"the frame rate of speech must be 1 to 1000 Hz, got {self.frame_rate:g}")

    @property
    def silence(self) -> float:
        """What stands where there is no sound, unscaled."""
        return MEL_SILENCE if self.kind == "mel" else 0.0


def parse_layers(text: str) -> tuple[int, ...]:
    """Layers from words: a preset ("14-18", "last4"), a range "21-24", or a list "2,5,7".

    Raises ConfigError for anything else.
    """
    if text in LAYER_PRESETS:
        return LAYER_PRESETS[text]
    first, dash, last = text.partition("-")
    if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last):
        return tuple(range(int(first), int(last) + 1))
    parts = [part.strip() for part in text.split(",")]
    if all(part.removeprefix("-").isdecimal() for part in parts):
        return tuple(int(part) for part in parts)
    raise ConfigError(
        f"{text!r} names no layers", hint=f"a preset ({', '.join(LAYER_PRESETS)}), '21-24' or '2,5,7'"
    )
