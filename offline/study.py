"""What every study is: recordings with events, and the sounds that were heard.

Knows no data set. Loaders in `offline.studies` return a `Study`; preparation, training and evaluation take
one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyxdf

from offline.sounds import read_sound
from rtdecode.errors import StudyError

KINDS = ("sound", "sentence", "word", "phoneme")
UNKNOWN_POSITION = (-0.1, -0.1)  # of a channel that no layout places


@dataclass(frozen=True)
class Event:
    """Something that was heard.

    start, duration  seconds of the recording (its first sample is 0)
    kind             'sound' (a file is played), 'sentence', 'word' or 'phoneme'
    text             the word, the sentence, the phoneme; of a sound its stimulus
    stimulus         id of the sound, for `Study.audio`; '' where there is none
    offset           seconds inside that sound
    sequence         identity of its sentence, the same for every subject; '' unknown
    index            the word's place in that sentence, 0 first; -1 unknown
    condition        'sentence', 'word_list', …: what kind of speech it is part of
    language         ISO 639-1 code; '' unknown
    """

    start: float
    duration: float
    kind: str
    text: str
    stimulus: str
    offset: float
    sequence: str = ""
    index: int = -1
    condition: str = ""
    language: str = ""

    @property
    def stop(self) -> float:
        """Seconds of the recording."""
        return self.start + self.duration


@dataclass(frozen=True)
class StudyRecording:
    """One continuous recording of one subject.

    subject    stable identity, e.g. 'sub-01': the same in every selection of the study
    split      'train', 'valid' or 'test' when it lies wholly in one, '' when `offline.split` divides it
    positions  (x, y) in [0, 1] per channel, UNKNOWN_POSITION where no layout has it; () none at all
    session    '' where the study has one
    files      all its source files, for content keys
    reader     how its samples are read; None: the EEG stream of an XDF file
    """

    subject: str
    name: str
    split: str
    path: Path
    sfreq: float
    labels: tuple[str, ...]
    unit: str
    events: tuple[Event, ...]
    _: KW_ONLY
    positions: tuple[tuple[float, float], ...] = ()
    session: str = ""
    files: tuple[Path, ...] = ()
    reader: Callable[["StudyRecording"], np.ndarray] | None = field(default=None, compare=False, repr=False)

    def read(self) -> np.ndarray:
        """(T, C) float32 in `unit`, channels as in `labels`. Raises StudyError when the file does not hold
        them, or ends before its events do.
        """
        if self.reader is None:
            return _read_xdf(self)
        data = np.asarray(self.reader(self), dtype=np.float32)
        if data.ndim != 2 or data.shape[1] != len(self.labels):
            raise StudyError(f"{self.path} has data {data.shape}, the study {len(self.labels)} channels")
        check_inside(self, len(data))
        return data

    def of_kind(self, kind: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind == kind)


def _read_xdf(recording: StudyRecording) -> np.ndarray:
    """(T, C) float32: the EEG stream of an XDF file."""
    path, labels = recording.path, recording.labels
    try:
        streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)
    except Exception as error:  # pyxdf raises whatever its parser met
        raise StudyError(f"cannot read {path}: {error}", hint="is the file complete?") from error
    for stream in streams:
        if stream["info"]["type"][0] == "EEG":
            data = np.asarray(stream["time_series"], dtype=np.float32)
            if data.ndim != 2 or data.shape[1] != len(labels):
                raise StudyError(f"{path} has data {data.shape}, the study {len(labels)} channels")
            return data
    raise StudyError(f"{path} holds no EEG stream", hint="is it a recording of this study?")


@dataclass(frozen=True)
class Grouping:
    """How the recordings of a study fall into blocks that may be given to a split (`offline.split`).

    starts  a block begins with the first 'word' of a sentence, or with each 'sound'
    uid     a block is known by its 'words', or by the 'sequence' of its one sentence
    merge   whether neighbouring blocks are joined until they are long enough for a window
    """

    starts: Literal["word", "sound"] = "word"
    uid: Literal["words", "sequence"] = "words"
    merge: bool = True


@dataclass(frozen=True)
class Study:
    """A data set.

    sounds    path of the sound file of each stimulus id
    gain      times real EEG, of a simulated study; None: the study is real
    facts     what else its description says (study.json), as read
    grouping  how its published split divides the recordings
    """

    name: str
    root: Path
    licence: str
    recordings: tuple[StudyRecording, ...]
    sounds: Mapping[str, Path]
    gain: float | None
    facts: Mapping[str, Any]
    grouping: Grouping = Grouping()

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(recording.subject for recording in self.recordings))

    def select(self, split: str, subject: str | None = None) -> tuple[StudyRecording, ...]:
        """The recordings of a split, of one subject or of all."""
        return tuple(r for r in self.recordings if r.split == split and subject in (None, r.subject))

    def audio(self, stimulus: str) -> tuple[np.ndarray, float]:
        """(N,) float32 in [-1, 1], mono, and its rate in Hz. Raises StudyError for an unknown stimulus or a
        file that is no sound, MissingExtra when its format needs soundfile.
        """
        if stimulus not in self.sounds:
            raise StudyError(f"study {self.name!r} has no stimulus {stimulus!r}")
        return read_sound(self.sounds[stimulus])


def check_inside(recording: StudyRecording, n_samples: int) -> None:
    """Raises StudyError when an event other than a sound lies outside the recording. (A sound may: a file can
    begin before the recording does and go on after it.)
    """
    length = n_samples / recording.sfreq
    for event in recording.events:
        if event.kind == "sound":
            continue
        if event.start < 0 or event.stop > length + 1 / recording.sfreq:
            raise StudyError(
                f"{recording.name}: the {event.kind} {event.text!r} lasts from {event.start:.3f} s to "
                f"{event.stop:.3f} s, the recording from 0 to {length:.3f} s",
                hint="do the events belong to this recording?",
            )


def check_order(name: str, events: tuple[Event, ...]) -> None:
    """Raises StudyError when an event of a kind starts before the one ahead of it, or lasts less than
    nothing.
    """
    last: dict[str, Event] = {}
    for event in events:
        if not event.duration >= 0 or not event.start == event.start:
            raise StudyError(
                f"{name}: the {event.kind} {event.text!r} starts at {event.start} s, lasts {event.duration} s"
            )
        before = last.get(event.kind)
        if before is not None and event.start < before.start:
            raise StudyError(
                f"{name}: events out of order: the {event.kind} {event.text!r} at {event.start:.3f} s comes "
                f"after {before.text!r} at {before.start:.3f} s",
                hint="has the events table been changed?",
            )
        last[event.kind] = event


def check_alike(recordings: tuple[StudyRecording, ...]) -> None:
    """Raises StudyError when the channels or the rate of a recording differ from the first one's."""
    for other in recordings[1:]:
        first = recordings[0]
        if other.sfreq != first.sfreq:
            raise StudyError(
                f"{other.name} was recorded at {other.sfreq:g} Hz, {first.name} at {first.sfreq:g} Hz",
                hint="a study has one rate",
            )
        if len(other.labels) != len(first.labels):
            raise StudyError(
                f"{other.name} has {len(other.labels)} channels, {first.name} has {len(first.labels)}",
                hint="a study has one set of channels",
            )
        for mine, theirs in zip(other.labels, first.labels, strict=True):
            if mine != theirs:
                raise StudyError(
                    f"{other.name} has the channel {mine!r} where {first.name} has {theirs!r}",
                    hint="a study has one set of channels, in one order",
                )


def assert_disjoint(study: Study) -> None:
    """Raises StudyError when a sentence of 'valid' or 'test' is also heard in another split, by any
    subject. (Of recordings that lie wholly in a split; `offline.split.assert_no_leak` is for divided ones.)
    """
    heard: dict[str, set[str]] = {"train": set(), "valid": set(), "test": set()}
    for recording in study.recordings:
        if recording.split:
            heard[recording.split].update(event.text for event in recording.of_kind("sentence"))
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        shared = sorted(heard[one] & heard[other])
        if shared:
            raise StudyError(
                f"{len(shared)} sentences are in both {one} and {other}, the first: {shared[0]!r}",
                hint="split by the text of the sentence",
            )
