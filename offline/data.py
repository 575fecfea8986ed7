"""A study becomes arrays: model samples through the live decoder's own preprocessing, and what was heard, on
one timeline.

Feature frames are computed once per stimulus, in stimulus time, and placed on recordings by their events;
seconds become frames in `rtdecode.types.to_samples` alone. Knows nothing of models or losses. Between
`offline.study` and training.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offline.config import Config
from offline.features import SYMBOLS, FeatureScaler, speech_features
from offline.segments import Sentence, Track
from offline.study import Study, StudyRecording, assert_disjoint
from rtdecode.contract import Contract
from rtdecode.errors import StudyError
from rtdecode.preprocess import BandPass, PreprocessSpec, Resampler, Scaler, robust_scale
from rtdecode.types import to_samples


@dataclass(frozen=True)
class Fitted:
    """The robust scaler of one subject, fitted on training recordings: centre and scale per channel."""

    center: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True)
class Source:
    """Where a model's samples come from, and everything fitted on training data; stored with the checkpoint.

    positions  (x, y) per channel in [0, 1];  scalers  one per subject;  speech  scaling of the target
               features
    """

    study: str
    licence: str
    times_real: float | None
    labels: tuple[str, ...]
    unit: str
    sfreq: float
    subjects: tuple[str, ...]
    positions: tuple[tuple[float, ...], ...]
    scalers: tuple[Fitted, ...]
    speech: FeatureScaler
    symbols: tuple[str, ...]
    hours: float
    train_sentences: int

    def contract(self) -> Contract:
        return Contract(self.labels, self.unit, self.sfreq)

    def preprocess(self, config: Config, subject: int) -> PreprocessSpec:
        """What the live decoder does to raw samples of this subject."""
        fitted, signal = self.scalers[subject], config.signal
        return PreprocessSpec(
            self.sfreq,
            signal.sfreq,
            signal.highpass_hz,
            signal.lowpass_hz,
            signal.order,
            fitted.center,
            fitted.scale,
            signal.clamp,
        )


@dataclass(frozen=True)
class Prepared:
    """Everything training needs, in memory."""

    source: Source
    train: tuple[Track, ...]
    valid: tuple[Track, ...]

    @property
    def n_features(self) -> int:
        return len(self.source.speech.mean)


def prepare(
    study: Study,
    config: Config,
    *,
    minutes: float | None = None,
    filtered: Mapping[str, np.ndarray] | None = None,
) -> Prepared:
    """Tracks of the training and validation recordings.

    minutes   of training data for each subject, the first ones of their recordings; None: all there are.
              Scalers and features are fitted on these alone
    filtered  what `filtered_recordings` gave for this study and signal, when it is prepared more than once
    StudyError when splits leak, when recordings do not agree, or when a subject has fewer minutes.
    """
    assert_disjoint(study)
    train, valid = study.select("train"), study.select("valid")
    if not train:
        raise StudyError(f"study {study.name!r} has no training recordings")
    labels = _common(study, "labels")[: config.signal.n_channels or None]
    unresampled = dict(filtered_recordings(study, config) if filtered is None else filtered)
    subjects = study.subjects
    if minutes is not None:
        train, cut = first_minutes(train, unresampled, minutes, config.signal.sfreq)
        unresampled |= cut
    scalers = []
    for subject in subjects:
        own = [unresampled[r.name] for r in train if r.subject == subject]
        if not own:
            raise StudyError(f"subject {subject} of study {study.name!r} has no training recording")
        center, scale = robust_scale(np.concatenate(own))
        scalers.append(Fitted(tuple(center.tolist()), tuple(scale.tolist())))
    stimuli = Stimuli(study, config)
    heard = dict.fromkeys(e.stimulus for r in train for e in r.events if e.stimulus)
    source = Source(
        study.name,
        study.licence,
        study.gain,
        labels,
        _common(study, "unit"),
        _common(study, "sfreq"),
        subjects,
        flat_positions(study, labels) if config.model.hidden else ((0.5, 0.5),) * len(labels),
        tuple(scalers),
        FeatureScaler.fit([stimuli.raw(s) for s in heard]),
        SYMBOLS,
        sum(len(x) for x in (unresampled[r.name] for r in train)) / config.signal.sfreq / 3600,
        len({e.text for r in train for e in r.of_kind("sentence")}),
    )

    def tracks(recordings: Iterable[StudyRecording]) -> tuple[Track, ...]:
        return tuple(_track(r, unresampled[r.name], source, stimuli, config) for r in recordings)

    return Prepared(source, tracks(train), tracks(valid))


def filtered_recordings(
    study: Study, config: Config, splits: Sequence[str] = ("train", "valid")
) -> dict[str, np.ndarray]:
    """(T, C) model samples of every recording of the splits, by name, before any scaler: the slow part of
    `prepare`, and the part that no choice of minutes or model changes.
    """
    n_channels = len(_common(study, "labels")[: config.signal.n_channels or None])
    return {r.name: _filtered(r, config, n_channels) for split in splits for r in study.select(split)}


def first_minutes(
    recordings: Iterable[StudyRecording], samples: Mapping[str, np.ndarray], minutes: float, sfreq: float
) -> tuple[tuple[StudyRecording, ...], dict[str, np.ndarray]]:
    """The first `minutes` of each subject, over its recordings in order: the recordings that hold them with
    what was heard completely, and their samples (at `sfreq` Hz).

    StudyError when a subject has less, by more than a second.
    """
    left: dict[str, int] = {}
    kept, cut = [], {}
    for recording in recordings:
        budget = left.setdefault(recording.subject, to_samples(60 * minutes, sfreq))
        x = samples[recording.name][:budget]
        left[recording.subject] = budget - len(x)
        if not len(x):
            continue
        end = len(x) / sfreq if len(x) < len(samples[recording.name]) else np.inf
        events = tuple(e for e in recording.events if e.start + e.duration <= end)
        kept.append(replace(recording, events=events))
        cut[recording.name] = x
    for subject, missing in left.items():
        if missing > sfreq:
            raise StudyError(
                f"{minutes:g} minutes asked for, subject {subject} has "
                f"{minutes - missing / sfreq / 60:.1f} minutes of training data",
                hint="ask for fewer minutes",
            )
    return tuple(kept), cut


def prepare_recording(recording: StudyRecording, study: Study, source: Source, config: Config) -> Track:
    """One recording (of the test split, say) with the scalers of a trained model."""
    if recording.subject not in source.subjects:
        raise StudyError(f"subject {recording.subject} was not trained on: {', '.join(source.subjects)} were")
    x = _filtered(recording, config, len(source.labels))
    return _track(recording, x, source, Stimuli(study, config), config)


class Stimuli:
    """Speech features of each stimulus, computed once."""

    def __init__(self, study: Study, config: Config):
        self._study, self._config = study, config
        self._raw: dict[str, np.ndarray] = {}

    def raw(self, stimulus: str) -> np.ndarray:
        """(T', F) unscaled."""
        if stimulus not in self._raw:
            audio, sfreq = self._study.audio(stimulus)
            speech = self._config.speech
            self._raw[stimulus] = speech_features(
                audio, sfreq, self._config.frame_rate, speech.kind, speech.bands
            )
        return self._raw[stimulus]


def place(
    recording: StudyRecording, frames: int, stimuli: Stimuli, frame_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """What a listener heard: unscaled features (frames, F), 0 in silence; and where sound was (frames,)."""
    out: np.ndarray | None = None
    heard = np.zeros(frames, bool)
    for event in recording.of_kind("sentence"):
        raw = stimuli.raw(event.stimulus)
        if out is None:
            out = np.zeros((frames, raw.shape[1]), np.float32)
        first = to_samples(event.start, frame_rate)
        skip = to_samples(event.offset, frame_rate)
        length = max(0, min(len(raw) - skip, to_samples(event.duration, frame_rate), frames - first))
        out[first : first + length] = raw[skip : skip + length]
        heard[first : first + length] = True
    if out is None:
        raise StudyError(
            f"recording {recording.name} has no sentence events: nothing is known of what was heard"
        )
    return out, heard


def _track(
    recording: StudyRecording, x: np.ndarray, source: Source, stimuli: Stimuli, config: Config
) -> Track:
    subject = source.subjects.index(recording.subject)
    fitted = source.scalers[subject]
    scaled = Scaler(fitted.center, fitted.scale, config.signal.clamp).push(x)
    frames = len(scaled) // config.model.stride
    raw, heard = place(recording, frames, stimuli, config.frame_rate)
    sentences = tuple(
        Sentence(
            to_samples(e.start, config.frame_rate),
            to_samples(e.start + e.duration, config.frame_rate),
            e.text,
        )
        for e in recording.of_kind("sentence")
    )
    # Silence between sentences is stimulus too: the listener hears it.
    scored = np.zeros(frames, bool)
    if heard.any():
        edges = np.flatnonzero(heard)
        scored[edges[0] : edges[-1] + 1] = True
    return Track(recording.name, subject, scaled, source.speech.apply(raw), scored, sentences)


def _filtered(recording: StudyRecording, config: Config, n_channels: int) -> np.ndarray:
    """(T, C) float64 at the model's rate, unscaled: the live decoder's boxes before its scaler."""
    data, signal = recording.read()[:, :n_channels], config.signal
    if not np.isfinite(data).all():
        raise StudyError(
            f"recording {recording.name} holds {np.sum(~np.isfinite(data))} values that are not numbers"
        )
    band_pass = BandPass(recording.sfreq, signal.highpass_hz, signal.lowpass_hz, signal.order)
    return Resampler(recording.sfreq, signal.sfreq).push(band_pass.push(data))


def _common(study: Study, name: str) -> Any:
    found = {getattr(r, name) for r in study.recordings}
    if len(found) != 1:
        raise StudyError(
            f"recordings of study {study.name!r} differ in {name}: {sorted(map(str, found))[:3]}"
        )
    return found.pop()


def flat_positions(study: Study, labels: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """Sensor positions on a flat map (azimuthal equidistant about the vertex), each axis scaled to [0, 1]."""
    known = study.facts.get("positions")
    if not isinstance(known, list) or len(known) < len(labels):
        raise StudyError(
            f"study {study.name!r} gives no sensor positions for its {len(labels)} channels",
            hint="give a montage, or train the linear model",
        )
    xyz = np.array(known, float)[: len(labels)]
    xyz = xyz - (xyz.min(axis=0) + xyz.max(axis=0)) / 2 * [1, 1, 0]
    polar = np.arctan2(np.hypot(xyz[:, 0], xyz[:, 1]), xyz[:, 2])
    azimuth = np.arctan2(xyz[:, 1], xyz[:, 0])
    flat = np.stack([polar * np.cos(azimuth), polar * np.sin(azimuth)], axis=1)
    flat = (flat - flat.min(axis=0)) / np.ptp(flat, axis=0)
    return tuple((round(float(x), 6), round(float(y), 6)) for x, y in flat)
