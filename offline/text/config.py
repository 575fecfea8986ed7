"""Every choice of a run of the text recipe, frozen; read from TOML with unknown keys refused.

Trials of binned activity (50 Hz, normalised when they were prepared) to symbols by CTC. The defaults are the
causal transformer on phonemes. Presets are `offline/presets/text-*.toml`. Knows no data.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from offline.contrastive.config import read_toml
from offline.loop.config import LoopConfig
from offline.text.augment import AugmentSpec
from offline.text.batches import BatchSpec
from offline.text.setups import SetupSpec
from rtdecode.config import from_json
from rtdecode.errors import ConfigError
from rtdecode.text.symbols import CHARACTERS, PHONEMES, W2V_CHARACTERS, Symbols

RECIPE = "text"
ALPHABETS: dict[str, Symbols] = {
    "phonemes": PHONEMES,
    "characters": CHARACTERS,
    "w2v-characters": W2V_CHARACTERS,
}


@dataclass(frozen=True)
class DataConfig:
    """Which trials, and what they are to become.

    norm      how features must have been normalised when the study was prepared: "block" (as published,
              needs the end of a block), "causal" (nothing from later), "none" (as shipped)
    labels    the alphabet
    days      trained on; none named = all that have training trials, less hold_out
    hold_out  days that are kept for judging a day never seen
    """

    norm: Literal["block", "causal", "none"] = "block"
    labels: Literal["phonemes", "characters", "w2v-characters"] = "phonemes"
    days: tuple[str, ...] = ()
    hold_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        both = sorted(set(self.days) & set(self.hold_out))
        if both:
            raise ValueError(f"day {both[0]} is both trained on and held out")

    @property
    def symbols(self) -> Symbols:
        return ALPHABETS[self.labels]


@dataclass(frozen=True)
class FrontShape:
    """From bins to vectors: smoothing, day layer, patches (models.text.FrontConfig).

    window, stride  bins of a patch, and from one to the next
    layout          of a flattened patch: "time" (bin, channel) or "channel" (channel, bin)
    smooth_taps, smooth_sigma, smooth_ahead   Gaussian over bins; taps 0 = none; bins it looks ahead
    days            a layer for each day, with softsign behind it or not
    dropout         behind it
    """

    window: int = 4
    stride: int = 4
    layout: Literal["time", "channel"] = "time"
    smooth_taps: int = 9
    smooth_sigma: float = 2.0
    smooth_ahead: int = 4
    days: bool = False
    softsign: bool = True
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise ValueError(
                f"model.front.stride must be 1 to the window's {self.window} bins, got {self.stride}"
            )


@dataclass(frozen=True)
class GruShape:
    """models.text.GruConfig; also the brain feature extractor in front of a transfer encoder."""

    hidden: int = 768
    layers: int = 5
    dropout: float = 0.4
    learned_start: bool = True
    bidirectional: bool = False


@dataclass(frozen=True)
class TransformerShape:
    """models.text.ChunkConfig. context: frames; context_train: drawn for each batch, from and to."""

    width: int = 384
    depth: int = 5
    heads: int = 6
    head_width: int = 64
    expansion: int = 4
    context: int = 250
    context_train: tuple[int, ...] = (62, 250)
    reach: int = 200
    dropout: float = 0.35

    def __post_init__(self) -> None:
        if len(self.context_train) != 2:
            raise ValueError(
                f"model.transformer.context_train should be two numbers, got {list(self.context_train)}"
            )


@dataclass(frozen=True)
class TransferShape:
    """A speech encoder of Hugging Face behind the GRU of [model.gru].

    checkpoint   id, or a folder on this machine; "scratch" takes its shape alone
    head         "pretrained" (its alphabet must be ours) or "new"
    mlp          widths between the GRU and the encoder
    context      0 = whole utterances, as published; else the changed architecture that streams: so many
                 frames before its block are seen
    block        frames that see each other, of that form;  convolution  what of the positional one is kept
    """

    checkpoint: str = "facebook/wav2vec2-base-960h"
    head: Literal["pretrained", "new"] = "pretrained"
    mlp: tuple[int, ...] = ()
    context: int = 0
    block: int = 1
    convolution: Literal["crop", "left"] = "crop"


@dataclass(frozen=True)
class ModelConfig:
    """kind: which of the groups below counts; a transfer encoder takes [model.gru] as its feature
    extractor.
    """

    kind: Literal["transformer", "gru", "wav2vec2", "conformer"] = "transformer"
    front: FrontShape = field(default_factory=FrontShape)
    gru: GruShape = field(default_factory=GruShape)
    transformer: TransformerShape = field(default_factory=TransformerShape)
    transfer: TransferShape = field(default_factory=TransferShape)

    @property
    def transfers(self) -> bool:
        """Can it start from a pretrained speech encoder?"""
        return self.kind in ("wav2vec2", "conformer")


def _loop() -> LoopConfig:
    return LoopConfig(watch="per")


@dataclass(frozen=True)
class TextConfig:
    """One training run. loop.watch: validation "per" of phonemes, "cer" or "wer" of characters, or "" for
    the last weights; a loss that falls need not mean fewer errors, so it cannot be watched.
    """

    name: str = "text-transformer"
    recipe: Literal["text"] = "text"
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    batch: BatchSpec = field(default_factory=BatchSpec)
    training: SetupSpec = field(default_factory=SetupSpec)
    loop: LoopConfig = field(default_factory=_loop)

    def __post_init__(self) -> None:
        watched = ("per",) if self.data.labels == "phonemes" else ("cer", "wer")
        if self.loop.watch not in (*watched, ""):
            raise ValueError(
                f"loop.watch is {self.loop.watch!r}, and the best weights of a model of {self.data.labels} "
                f"are chosen by {' or '.join(map(repr, watched))}"
            )
        if self.loop.watch and not self.loop.lowest:
            raise ValueError("loop.lowest must be true: an error rate is best when it is lowest")
        setup, transfer = self.training.setup, self.model.transfer
        if setup != "scratch" and not self.model.transfers:
            raise ValueError(
                f"training.setup {setup!r} starts from a pretrained encoder, and model.kind "
                f"{self.model.kind!r} has none"
            )
        if setup == "frozen" and transfer.head == "new":
            raise ValueError(
                "training.setup 'frozen' with model.transfer.head 'new' would freeze a head of chance"
            )


def load_text_config(path: str | Path) -> TextConfig:
    """From a TOML file, or from a preset's bare name. ConfigError names the bad key, or the presets
    there are.
    """
    data = read_toml(path, RECIPE)
    if data.setdefault("recipe", RECIPE) != RECIPE:
        raise ConfigError(f"{path} is a configuration of the recipe {data['recipe']!r}, expected {RECIPE!r}")
    return from_json(TextConfig, data, str(path))
