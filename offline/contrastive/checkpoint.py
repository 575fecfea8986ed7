"""What a run of the contrastive recipe leaves behind, and the model it is about.

    run.json         configuration, model, subjects by name, scaling of speech, digests of the data
    best.pt, state.pt, metrics.jsonl   the loop's (`offline.loop.checkpointing`)
    scalings.npz     centre and scale per recording
    windows.csv.gz   every window that was trained and validated on

Knows nothing of the loop that fills it. Subjects are found by their id, never by their place in a list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import models
from models import ContrastiveNet, ContrastiveNetConfig, DeepMelConfig, EncoderConfig
from models.sensors import INVALID_POSITION
from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.normalise import Scaling, load_scalings
from offline.contrastive.window_features import Features
from offline.loop.checkpointing import RUN, fill, read_recipe
from offline.prepare.store import PreparedRecording
from offline.speech import SpeechScaler
from rtdecode.config import from_json, to_json
from rtdecode.errors import StudyError, TrainingError

SCHEMA = 1
SCALINGS, WINDOWS = "scalings.npz", "windows.csv.gz"

Positions = tuple[tuple[float, float], ...]


def montage(recording: PreparedRecording, n_channels: int) -> Positions:
    """Where a recording's sensors are, padded to n_channels with places that attention ignores.

    StudyError when it has more channels than that.
    """
    known = recording.positions
    if len(recording.labels) > n_channels:
        raise StudyError(
            f"{recording.name} has {len(recording.labels)} channels, the model was made for {n_channels}",
            hint="leave channels out, or train with this recording among the others",
        )
    blank = (INVALID_POSITION, INVALID_POSITION)
    return tuple((float(x), float(y)) for x, y in known) + (blank,) * (n_channels - len(known))


def net_config(
    config: ContrastiveConfig, montages: Sequence[Positions], n_features: int, n_subjects: int
) -> ContrastiveNetConfig:
    """The model of a configuration, for sensors in these places (all of one length, without repeats).

    TrainingError when none of the sensors has a known place.
    """
    shape = config.model
    speech = None
    if shape.deep_mel:
        speech = DeepMelConfig(
            n_in=n_features,
            n_out=shape.deep_mel_features,
            hidden=shape.deep_mel_hidden,
            depth=shape.deep_mel_depth,
        )
    encoder = None
    if shape.hidden:
        for places in montages:
            if all(place == (INVALID_POSITION, INVALID_POSITION) for place in places):
                raise TrainingError(
                    f"none of the {len(places)} sensors of a recording has a known position",
                    hint="give the study a montage, or train the linear path: model.hidden=0",
                )
        encoder = EncoderConfig(
            positions=montages[0],
            n_subjects=n_subjects,
            **{name: getattr(shape, name) for name in _ENCODER_KEYS},
        )
    return ContrastiveNetConfig(
        n_channels=len(montages[0]),
        n_features=shape.deep_mel_features if speech else n_features,
        encoder=encoder,
        montages=tuple(montages) if encoder and len(montages) > 1 else (),
        speech=speech,
        linear_taps=shape.linear_taps,
        linear_ahead=shape.linear_ahead,
        n_subjects=n_subjects,
        channel_dropout=shape.channel_dropout,
    )


_ENCODER_KEYS = (
    "n_virtual",
    "hidden",
    "depth",
    "kernel",
    "dilation_period",
    "glu_every",
    "fourier_dim",
    "spatial_dropout",
    "subject_dropout",
    "dropout",
    "causal",
)


@dataclass(frozen=True)
class Checkpoint:
    """A finished or unfinished run.

    path       its directory
    net        in eval mode, on the CPU, with the best weights so far
    scale      multiplies scores before a softmax
    subjects   id of each row of the subject layers;  montages  places of the sensors, by row
    labels     channels, where a linear path ties the model to them; () otherwise
    scalings   by recording or subject (`normalise.scaling_key`)
    """

    path: Path
    config: ContrastiveConfig
    net: ContrastiveNet
    scale: float
    study: str
    subjects: tuple[str, ...]
    montages: tuple[Positions, ...]
    labels: tuple[str, ...]
    n_features: int
    scalings: Mapping[str, Scaling]
    speech: SpeechScaler
    step: int

    @property
    def n_channels(self) -> int:
        return self.net.config.n_channels

    def placed(
        self, recordings: Sequence[PreparedRecording], net: ContrastiveNet | None = None
    ) -> tuple[ContrastiveNet, dict[str, int]]:
        """The model for these recordings, and the row of each one's montage. Places that were not trained on
        get rows of their own: attention is a function of position.

        net  a model grown from this one, by a calibration
        StudyError for a recording whose channels do not fit.
        """
        net = net or self.net
        for recording in recordings:
            if self.labels and recording.labels != self.labels:
                found = _difference(recording.labels, self.labels)
                raise StudyError(
                    f"the channels of {recording.name} are not those of the model: {found}",
                    hint="a linear path needs the channels it was trained on",
                )
        places = {r.name: montage(r, self.n_channels) for r in recordings}
        if net.encoder is None:
            return net, dict.fromkeys(places, 0)
        known = tuple(dict.fromkeys([*self.montages, *places.values()]))
        rows = {name: known.index(place) for name, place in places.items()}
        if known == self.montages:
            return net, rows
        placed = ContrastiveNet(replace(net.config, montages=known))
        state = net.state_dict()
        state["encoder.front.attention.positions"] = torch.tensor(known, dtype=torch.float32)
        placed.load_state_dict(state)
        return placed.eval(), rows


def describe_run(
    config: ContrastiveConfig,
    net: ContrastiveNet,
    *,
    study: str,
    licence: str,
    subjects: Sequence[str],
    montages: Sequence[Positions],
    labels: Sequence[str],
    features: Features,
    speech: SpeechScaler,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    """run.json. data: counts and digests that a resumed run must find again."""
    return {
        "schema": SCHEMA,
        "recipe": "windows",
        "config": to_json(config),
        "study": study,
        "licence": licence,
        "subjects": list(subjects),
        "labels": list(labels),
        "montages": to_json(montages),
        "features": {"spec": features.spec, "rate_hz": features.rate_hz, "n_features": features.n_features},
        "speech": to_json(speech),
        "data": dict(data),
        "model": models.describe(net),
    }


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a run's directory. TrainingError says what is missing, damaged or of another recipe."""
    path = Path(path)
    run, where = read_recipe(path, "windows", SCHEMA), str(path / RUN)
    try:
        config = from_json(ContrastiveConfig, run["config"], where)
        net = models.build_contrastive(run["model"])
        subjects, labels = tuple(run["subjects"]), tuple(run["labels"])
        montages = tuple(tuple((float(x), float(y)) for x, y in places) for places in run["montages"])
        speech = from_json(SpeechScaler, run["speech"], where)
        study, n_features = str(run["study"]), int(run["features"]["n_features"])
    except (KeyError, TypeError, ValueError) as problem:
        raise TrainingError(f"{where} is damaged: {problem!r}", hint="train again") from problem
    step, beside = fill(net, path)
    log_scale = beside.get("temperature.log_scale")
    scale = 1.0 if log_scale is None else min(float(log_scale.exp()), config.loss.max_scale)
    return Checkpoint(
        path,
        config,
        net.eval(),
        scale,
        study,
        subjects,
        montages,
        labels,
        n_features,
        load_scalings(path / SCALINGS),
        speech,
        step,
    )


def check_features(config: ContrastiveConfig, features: Features) -> None:
    """TrainingError when stored features are not those the configuration is about."""
    wanted = to_json(config.speech)
    same_kind = wanted["kind"] == features.spec.get("kind")
    keys = _SPEECH_KEYS[wanted["kind"]] if same_kind else ("kind",)
    for key in keys:
        if features.spec.get(key) != wanted[key]:
            raise TrainingError(
                f"the features in {features.path} have {key} {features.spec.get(key)!r}, "
                f"the configuration asks for {wanted[key]!r}",
                hint=f"prepare those features, or --set speech.{key}={_text(features.spec.get(key))}",
            )


_SPEECH_KEYS = {
    "wav2vec2": ("checkpoint", "layers", "context"),
    "mel": ("bands", "context"),
    "logmel": ("bands", "frame_rate"),
    "envelope": ("frame_rate",),
}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _difference(found: Sequence[str], wanted: Sequence[str]) -> str:
    if len(found) != len(wanted):
        return f"{len(found)} instead of {len(wanted)}"
    at = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
    return f"{found[at]!r} where the model has {wanted[at]!r}"
