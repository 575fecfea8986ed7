"""What every study is: recordings with events, and the sounds that were heard.

Knows no data set. Loaders in `offline.studies` return a `Study`; preparation, training and evaluation take
one.
"""

import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf

from rtdecode.errors import StudyError


@dataclass(frozen=True)
class Event:
    """Something that was heard.

    start, duration  seconds of the recording (its first sample is 0)
    kind             'sentence', 'word' or 'phoneme'
    stimulus         id of the sound, for `Study.audio`
    offset           seconds inside that sound
    """

    start: float
    duration: float
    kind: str
    text: str
    stimulus: str
    offset: float


@dataclass(frozen=True)
class StudyRecording:
    """One continuous recording of one subject, wholly in one split ('train', 'valid' or 'test')."""

    subject: str
    name: str
    split: str
    path: Path
    sfreq: float
    labels: tuple[str, ...]
    unit: str
    events: tuple[Event, ...]

    def read(self) -> np.ndarray:
        """(T, C) float32 in `unit`, channels as in `labels`. Raises StudyError when the file does not hold
        them.
        """
        try:
            streams, _ = pyxdf.load_xdf(str(self.path), dejitter_timestamps=False)
        except Exception as error:  # pyxdf raises whatever its parser met
            raise StudyError(f"cannot read {self.path}: {error}", hint="is the file complete?") from error
        for stream in streams:
            if stream["info"]["type"][0] == "EEG":
                data = np.asarray(stream["time_series"], dtype=np.float32)
                if data.ndim != 2 or data.shape[1] != len(self.labels):
                    raise StudyError(
                        f"{self.path} has data {data.shape}, the study {len(self.labels)} channels"
                    )
                return data
        raise StudyError(f"{self.path} holds no EEG stream", hint="is it a recording of this study?")

    def of_kind(self, kind: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind == kind)


@dataclass(frozen=True)
class Study:
    """A data set.

    sounds    path of the wave file of each stimulus id
    gain      times real EEG, of a simulated study; None: the study is real
    facts     what else its description says (study.json), as read
    """

    name: str
    root: Path
    licence: str
    recordings: tuple[StudyRecording, ...]
    sounds: Mapping[str, Path]
    gain: float | None
    facts: Mapping[str, Any]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(recording.subject for recording in self.recordings))

    def select(self, split: str, subject: str | None = None) -> tuple[StudyRecording, ...]:
        """The recordings of a split, of one subject or of all."""
        return tuple(r for r in self.recordings if r.split == split and subject in (None, r.subject))

    def audio(self, stimulus: str) -> tuple[np.ndarray, float]:
        """(N,) float32 in [-1, 1] and its rate in Hz. Raises StudyError for an unknown stimulus."""
        if stimulus not in self.sounds:
            raise StudyError(f"study {self.name!r} has no stimulus {stimulus!r}")
        with wave.open(str(self.sounds[stimulus]), "rb") as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise StudyError(
                    f"{self.sounds[stimulus]}: {file.getnchannels()} channels of {file.getsampwidth()} bytes",
                    hint="expected 1 of 2 bytes",
                )
            pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            return pcm.astype(np.float32) / 32767, float(file.getframerate())


def assert_disjoint(study: Study) -> None:
    """Raises StudyError when a sentence of 'valid' or 'test' is also heard in another split, by any
    subject.
    """
    heard: dict[str, set[str]] = {"train": set(), "valid": set(), "test": set()}
    for recording in study.recordings:
        heard[recording.split].update(event.text for event in recording.of_kind("sentence"))
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        shared = sorted(heard[one] & heard[other])
        if shared:
            raise StudyError(
                f"{len(shared)} sentences are in both {one} and {other}, the first: {shared[0]!r}",
                hint="split by the text of the sentence",
            )
