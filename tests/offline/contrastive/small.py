"""A small planted study, prepared on disk by the very code that prepares real ones: tones for words, sensors
that follow them.

Two listeners hear one story of sentences, each in a recording that blocks divide between the splits.
"""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.contrastive.config import ContrastiveConfig
from offline.prepare.features import prepare_features
from offline.prepare.run import prepare_study
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import FeatureStore, PreparedStudy, open_prepared
from offline.speech import SpeechSpec, compute
from offline.study import Event, Study, StudyRecording
from rtdecode.config import from_json

RAW_HZ, AUDIO_HZ, RATE, CHANNELS, BANDS = 80.0, 8000, 40.0, 8, 6
WORDS = ("ba", "do", "fi", "gu", "ke", "lo", "mi", "nu")
SPEECH = SpeechSpec(kind="logmel", bands=BANDS, frame_rate=RATE)

SMALL = {
    "name": "small",
    "signal": {"sfreq": RATE, "baseline_s": [-0.3, 0.0], "scaler_windows": 64},
    "window": {"tmin": -0.3, "tmax": 1.2, "step_s": 0.25, "offset_s": 0.1},
    "speech": {"kind": "logmel", "bands": BANDS, "frame_rate": RATE},
    "model": {
        "n_virtual": 8,
        "hidden": 24,
        "depth": 4,
        "dilation_period": 2,
        "fourier_dim": 32,
        "spatial_dropout": 0.0,
        "subject_dropout": 0.1,
    },
    "loss": {"norm": "both", "symmetric": True, "temperature": "learned"},
    "batch": {"size": 32, "same_s": 1.5, "valid_candidates": 200},
    "loop": {"lr": 3e-3, "updates_per_epoch": 4, "max_epochs": 2, "threads": 1, "seed": 1, "prefetch": 0},
}


def config(**groups) -> ContrastiveConfig:
    """SMALL with changes in its groups: config(loop={"max_epochs": 1})."""
    data = {**SMALL}
    for name, value in groups.items():
        data[name] = {**SMALL.get(name, {}), **value} if isinstance(value, dict) else value
    return from_json(ContrastiveConfig, data, "tests")


@dataclass(frozen=True)
class Small:
    """A prepared study and its features."""

    study: Study
    prepared: PreparedStudy
    features: FeatureStore


def small(folder: Path, *, settings: PrepareSettings | None = None, **options) -> Small:
    """`story` with these options, prepared."""
    study = story(folder / "source", **options)
    settings = settings or PrepareSettings(sfreq=RATE, split_rule="sentence")
    prepare_study(study, folder / "prepared", settings)
    features = prepare_features(study, folder / "prepared", SPEECH)
    return Small(study, open_prepared(folder / "prepared"), FeatureStore(features))


def story(folder, *, sentences=40, subjects=2, noise=0.3, seed=0, channels=CHANNELS) -> Study:
    """One sound per ten sentences; every listener hears all of them, with pauses of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    sounds, table, audio = {}, [], {}
    for part in range(0, sentences, 10):
        name = f"part{part // 10}.wav"
        pieces, now = [np.zeros(AUDIO_HZ // 4)], 0.25
        for number in range(part, min(part + 10, sentences)):
            words = [WORDS[k] for k in rng.integers(len(WORDS), size=rng.integers(5, 9))]
            uid = " ".join(words) + f" {number}"
            for index, word in enumerate(words):
                length = float(rng.uniform(0.2, 0.45))
                t = np.arange(round(length * AUDIO_HZ)) / AUDIO_HZ
                pieces += [0.5 * np.sin(2 * np.pi * (300 + 400 * WORDS.index(word)) * t) * np.hanning(len(t))]
                table.append((name, now, length, word, uid, index))
                now += len(pieces[-1]) / AUDIO_HZ
            pieces.append(np.zeros(round(0.3 * AUDIO_HZ)))
            now += 0.3
        audio[name] = np.concatenate(pieces)
        sounds[name] = folder / name
        _write_wav(sounds[name], audio[name])
    heard = {name: compute(sound, AUDIO_HZ, SPEECH)[0] for name, sound in audio.items()}
    recordings = tuple(
        _listen(f"sub-{s:02d}", folder, audio, heard, table, noise, channels, seed)
        for s in range(1, subjects + 1)
    )
    return Study("small", folder, "CC0", recordings, sounds, None, {})


def _listen(subject, folder, audio, heard, table, noise, channels, seed) -> StudyRecording:
    rng = np.random.default_rng([seed, int(subject[-2:])])
    events, starts, now = [], {}, 1.0
    for name, sound in audio.items():
        starts[name] = now
        events.append(Event(now, len(sound) / AUDIO_HZ, "sound", name, name, 0.0))
        now += len(sound) / AUDIO_HZ + float(rng.uniform(0.5, 1.5))
    for name, at, length, word, uid, index in table:
        events.append(Event(starts[name] + at, length, "word", word, name, at, uid, index, "sentence"))
    count = round((now + 1.0) * RAW_HZ)
    response = np.zeros((count, BANDS), np.float32)
    for name, features in heard.items():
        frames = np.repeat(features, round(RAW_HZ / RATE), axis=0)
        first = round((starts[name] + 0.1) * RAW_HZ)
        response[first : first + len(frames)] += frames[: count - first]
    data = 10 * (response @ rng.normal(size=(BANDS, channels)) + noise * rng.normal(size=(count, channels)))
    path = folder / f"{subject}.npy"
    np.save(path, data.astype(np.float32))
    angle = np.linspace(0, 2 * np.pi, channels, endpoint=False)
    places = tuple((float(0.5 + 0.5 * np.cos(a)), float(0.5 + 0.5 * np.sin(a))) for a in angle)
    labels = tuple(f"E{i}" for i in range(channels))
    return StudyRecording(
        subject,
        f"{subject}_story",
        "",
        path,
        RAW_HZ,
        labels,
        "microvolts",
        tuple(sorted(events, key=lambda e: e.start)),
        positions=places,
        files=(path,),
        reader=lambda r: np.load(r.path),
    )


def _write_wav(path, audio):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AUDIO_HZ)
        file.writeframes((audio * 32767).astype("<i2").tobytes())
