"""A tiny planted study in memory: tone bursts for speech, sensors that follow them. No espeak, no MNE."""

import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from offline.config import Config
from offline.features import speech_features
from offline.study import Event, Study, StudyRecording
from rtdecode.config import from_json

SFREQ, AUDIO_HZ, CHANNELS = 128.0, 8000, 8
WORDS = ("ba", "do", "fi", "gu", "ke", "lo", "mi", "nu")

SMALL = {
    "name": "tiny",
    "signal": {"sfreq": 64.0, "highpass_hz": 0.5, "lowpass_hz": 25.0},
    "speech": {"bands": 4},
    "model": {
        "n_virtual": 8,
        "hidden": 16,
        "depth": 4,
        "dilation_period": 3,
        "fourier_dim": 32,
        "dropout": 0.0,
        "channel_dropout": 0.0,
        "spatial_dropout": 0.0,
        "linear_taps": 16,
    },
    "output": {"window_s": 1.0, "delay_s": 0.25},
    "optim": {
        "steps": 6,
        "steps_per_epoch": 3,
        "batch": 4,
        "windows_per_crop": 4,
        "context_s": 0.5,
        "threads": 1,
    },
}


def config(**groups) -> Config:
    """SMALL with changes in its groups: config(optim={"steps": 2})."""
    data = {
        **SMALL,
        **{k: {**SMALL.get(k, {}), **v} if isinstance(v, dict) else v for k, v in groups.items()},
    }
    return from_json(Config, data, "tests")


@dataclass(frozen=True)
class MemoryRecording(StudyRecording):
    """A recording whose samples are at hand."""

    data: np.ndarray = field(default=None, compare=False, repr=False)

    def read(self) -> np.ndarray:
        return self.data.copy()


def tiny_study(folder: Path, sentences: int = 24, noise: float = 0.3, subjects: int = 1) -> Study:
    """`sentences` sentences of three or four bursts each: two thirds for training, the rest held out."""
    rng = np.random.default_rng(0)
    stimuli: dict[str, tuple[np.ndarray, str, list[tuple[str, float, float]]]] = {}
    for number in range(sentences):
        stimuli[f"s{number:03d}"] = _speak(rng, number)
    sounds = {}
    for name, (audio, _, _) in stimuli.items():
        sounds[name] = folder / f"{name}.wav"
        with wave.open(str(sounds[name]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(AUDIO_HZ)
            file.writeframes((audio * 32767).astype("<i2").tobytes())
    names = list(stimuli)
    cut = 2 * sentences // 3
    parts = {
        "train": names[:cut],
        "valid": names[cut : cut + sentences // 6],
        "test": names[cut + sentences // 6 :],
    }
    recordings = []
    for subject in range(1, subjects + 1):
        mix = np.random.default_rng(subject).normal(size=(4, CHANNELS))
        for split, chosen in parts.items():
            recordings.append(_listen(f"sub-{subject:02d}", split, chosen, stimuli, mix, noise, rng))
    angle = np.linspace(0, 2 * np.pi, CHANNELS, endpoint=False)
    positions = np.stack([np.cos(angle), np.sin(angle), np.linspace(0, 0.5, CHANNELS)], axis=1)
    facts = {"positions": positions.tolist()}
    return Study("tiny", folder, "CC0", tuple(recordings), sounds, None, facts)


def _speak(rng, number):
    words, pieces, now = [], [], 0.0
    for _ in range(int(rng.integers(3, 5))):
        word = WORDS[rng.integers(len(WORDS))]
        length = float(rng.uniform(0.25, 0.45))
        t = np.arange(round(length * AUDIO_HZ)) / AUDIO_HZ
        tone = np.sin(2 * np.pi * (300 + 400 * WORDS.index(word)) * t) * np.hanning(len(t)) * 0.5
        pieces += [tone, np.zeros(round(0.08 * AUDIO_HZ))]
        words.append((word, now, length))
        now += len(pieces[-2]) / AUDIO_HZ + len(pieces[-1]) / AUDIO_HZ
    # a number in letters keeps every sentence different, whatever its words
    label = "".join("abcdefghij"[int(d)] for d in f"{number:03d}")
    return np.concatenate(pieces), " ".join(w for w, _, _ in words) + " " + label, words


def _listen(subject, split, chosen, stimuli, mix, noise, rng):
    events, now = [], 1.0
    for name in chosen:
        audio, text, words = stimuli[name]
        duration = len(audio) / AUDIO_HZ
        events.append(Event(now, duration, "sentence", text, name, 0.0))
        events += [Event(now + start, length, "word", word, name, start) for word, start, length in words]
        now += duration + 0.3
    count = round((now + 1.0) * SFREQ)
    heard = np.zeros((count, 4), np.float32)
    for event in events:
        if event.kind == "sentence":
            features = speech_features(stimuli[event.stimulus][0], AUDIO_HZ, SFREQ, "logmel", 4)
            first = round((event.start + 0.1) * SFREQ)
            heard[first : first + len(features)] = features[: count - first]
    data = (10 * (heard @ mix + noise * rng.normal(size=(count, CHANNELS)))).astype(np.float32)
    labels = tuple(f"E{i}" for i in range(CHANNELS))
    return MemoryRecording(
        subject, f"{subject}_{split}", split, Path("memory"), SFREQ, labels, "microvolts", tuple(events), data
    )
