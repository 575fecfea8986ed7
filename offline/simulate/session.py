"""What one simulated subject hears and what the amplifier writes, in memory.

Joins speech, forward model and noise; knows no files. `build` writes what this makes; `level` measures it;
`offline.ideal` takes its `SubjectModel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offline.simulate.forward import RMS_UV_AT_GAIN_ONE, ForwardModel, auditory_features, forward_model
from offline.simulate.noise import NoiseLevels, apply_bad_channels, simulate_noise, subject_levels
from offline.simulate.speech import Speech, synthesize
from rtdecode.errors import StudyError

LEAD_S, TAIL_S = 2.0, 1.5  # silence before the first sentence and after the last
GAP_S = (0.25, 0.6)  # silence between sentences


@dataclass(frozen=True)
class Stimulus:
    """One spoken sentence. `features` (T, FEATURES) at the study's EEG rate."""

    id: str
    text: str
    voice: str
    rate_wpm: int
    pitch: int
    speech: Speech
    features: np.ndarray


@dataclass(frozen=True)
class Placement:
    """A stimulus and the second of the recording at which its sound begins."""

    stimulus: Stimulus
    start: float


@dataclass(frozen=True)
class SubjectModel:
    """Everything that is true of one subject: the response to sound and the noise. Rebuilt from study.json by
    `subject_model`.

    positions (C, 3) in metres; levels: strengths of the noise, in µV
    """

    seed: int
    subject: int
    positions: np.ndarray
    sfreq: float
    forward: ForwardModel
    levels: NoiseLevels

    def evoked(self, features: np.ndarray) -> np.ndarray:
        """(T, FEATURES) at `sfreq` -> (T, C) float32 µV without noise; a flat channel stays flat."""
        out = self.forward.evoked(features)
        out[:, [channel for channel, kind in self.levels.bad if kind == "flat"]] = 0
        return out

    def noise(self, seconds: float, seed: int) -> np.ndarray:
        """(T, C) float32 µV of EEG with no speech, bad channels included. Other seeds than the study's
        runs'.
        """
        return self._recorded(None, round(seconds * self.sfreq), (5, seed))

    def record(self, placements: Sequence[Placement], count: int, run: int) -> np.ndarray:
        """(count, C) float32 µV: run number `run`, in which the placed sentences are heard."""
        return self._recorded(timeline(placements, count, self.sfreq), count, (4, run))

    def _recorded(self, features: np.ndarray | None, count: int, stream: tuple[int, int]) -> np.ndarray:
        rng = np.random.default_rng([self.seed, self.subject, *stream])
        eeg = simulate_noise(self.positions, self.levels, count, self.sfreq, rng)
        if features is not None:
            eeg += self.forward.evoked(features)
        apply_bad_channels(eeg, self.levels, self.sfreq, rng)
        return eeg


def make_subject(
    positions: np.ndarray, seed: int, subject: int, gain: float, sfreq: float, bad_channels: int
) -> SubjectModel:
    """Subject number `subject` (1, 2, ...) of the study with this seed and gain."""
    return SubjectModel(
        seed,
        subject,
        positions,
        sfreq,
        forward_model(positions, seed, subject, gain, sfreq),
        subject_levels(seed, subject, len(positions), bad_channels),
    )


def subject_model(study: Mapping[str, Any], subject: int) -> SubjectModel:
    """The true model of a subject, rebuilt from the contents of a study.json. Raises StudyError for a missing
    key or subject.
    """
    try:
        if not 1 <= subject <= study["subjects"]:
            raise StudyError(
                f"subject {subject} of a study of {study['subjects']}", hint=f"1 to {study['subjects']}"
            )
        if study["rms_uv_at_gain_one"] != RMS_UV_AT_GAIN_ONE:
            raise StudyError(
                f"gain 1 is {study['rms_uv_at_gain_one']} µV in the study and {RMS_UV_AT_GAIN_ONE} µV here",
                hint="make the study again with this version",
            )
        return make_subject(
            np.array(study["positions"], dtype=float),
            study["seed"],
            subject,
            study["gain"],
            study["sfreq"],
            study["bad_channels"],
        )
    except KeyError as error:
        raise StudyError(
            f"study.json has no key {error}", hint="make the study again with this version"
        ) from error


def make_stimuli(
    prefix: str,
    sentences: Sequence[str],
    voices: Sequence[str],
    rates: Sequence[int],
    seed: int,
    sfreq: float,
) -> list[Stimulus]:
    """Each sentence spoken once, its voice, rate (words a minute) and pitch drawn from the seed and its own
    text.
    """
    made = []
    for number, text in enumerate(sentences, start=1):
        rng = np.random.default_rng([seed, 6, *text.encode()])
        voice, rate = voices[int(rng.integers(len(voices)))], rates[int(rng.integers(len(rates)))]
        pitch = int(rng.integers(35, 65))
        speech = synthesize(text, voice, rate, pitch)
        features = auditory_features(speech.samples, speech.sfreq, sfreq)
        made.append(Stimulus(f"{prefix}-{number:04d}", text, voice, rate, pitch, speech, features))
    return made


def arrange(
    stimuli: Sequence[Stimulus], seconds: float, rng: np.random.Generator, sfreq: float, repeat: bool
) -> tuple[list[Placement], int]:
    """Sentences one after another until `seconds` are full, and the number of EEG samples (not more than the
    seconds hold).

    With `repeat` the stimuli come round again, each round in another order; without it StudyError tells when
    they do not suffice. Sound begins on an EEG sample.
    """
    placements: list[Placement] = []
    now = LEAD_S
    while True:
        for index in rng.permutation(len(stimuli)):
            stimulus = stimuli[index]
            if now + stimulus.speech.duration + TAIL_S > seconds:
                return placements, round(seconds * sfreq)
            placements.append(Placement(stimulus, round(now * sfreq) / sfreq))
            now += stimulus.speech.duration + rng.uniform(*GAP_S)
        if not repeat or not placements:
            raise StudyError(
                f"{len(stimuli)} held-out sentences last {now:.0f} s of the {seconds:.0f} s asked for",
                hint="ask for fewer minutes or give a longer text",
            )


def timeline(placements: Sequence[Placement], count: int, sfreq: float) -> np.ndarray:
    """(count, FEATURES) float32: the features of the placed sentences, zeros between them."""
    if not placements:
        raise ValueError("no sentence is placed: give at least one")
    out = np.zeros((count, placements[0].stimulus.features.shape[1]), dtype=np.float32)
    for placement in placements:
        first = round(placement.start * sfreq)
        features = placement.stimulus.features[: count - first]
        out[first : first + len(features)] = features
    return out
