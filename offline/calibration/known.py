"""Recordings of somebody new, brought into the form a model was trained on, with what they heard.

Channels are matched by name, units converted, as live. What was heard comes from a study, from an events
table, or from the markers of the file itself. Knows nothing of training.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from offline.config import Config
from offline.data import Source
from offline.study import Event, Study, StudyRecording
from rtdecode.errors import ContractError, StudyError
from rtdecode.preprocess import BandPass, Resampler
from rtdecode.recordings import read
from rtdecode.score import heard
from rtdecode.types import StreamInfo

COLUMNS = ("onset", "duration", "trial_type", "value", "stimulus", "offset")


def fitting(recording: StudyRecording, source: Source) -> StudyRecording:
    """The same recording with the model's channels, unit and rate, its samples in memory. StudyError where
    they do not fit.
    """
    units = (recording.unit,) * len(recording.labels)
    info = StreamInfo(recording.name, "EEG", recording.labels, units, recording.sfreq)
    data = _bound(recording.name, info, recording.read(), source)
    return _memory(
        recording.subject, recording.name, recording.split, recording.path, data, source, recording.events
    )


def known_recording(path: Path, events: Path | None, subject: str, source: Source) -> StudyRecording:
    """A recording file or session log of `subject` in which it is known what was heard.

    events  a table as in simulated studies (tab-separated: onset, duration, trial_type, value, stimulus,
            offset; seconds from the first sample); None: JSON markers in the file
    """
    found = read(path)
    if len(found.segments) > 1:
        raise StudyError(
            f"{path} has {len(found.segments)} unbroken parts: after a gap nobody knows what was heard when",
            hint="calibrate with a recording without a gap",
        )
    if events is None:
        said = heard((marker.t, marker.text) for marker in found.markers)
        known = tuple(Event(h.start, h.duration, h.kind, h.text, h.stimulus, 0.0) for h in said)
        hint = "give a table with --events; a session log keeps no exact marker times"
    else:
        known, hint = events_table(events), f"its columns are {', '.join(COLUMNS)}"
    if not any(event.kind == "sentence" and event.stimulus for event in known):
        raise StudyError(f"{events or path} does not say which sentences were heard when", hint=hint)
    data = _bound(str(path), found.info, found.data, source)
    return _memory(subject, path.stem, "train", path, data, source, known)


def events_table(path: Path) -> tuple[Event, ...]:
    """The events of a tab-separated table; StudyError names the first line that is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as problem:
        raise StudyError(f"cannot read the events table {path}: {problem}") from problem
    events = []
    for number, row in enumerate(rows, start=2):
        try:
            times = [float(row["onset"]), float(row["duration"]), float(row.get("offset") or 0.0)]
            if not np.isfinite(times).all() or times[1] < 0:
                raise ValueError("a time that is no number")
            events.append(
                Event(times[0], times[1], row["trial_type"], row["value"], row["stimulus"], times[2])
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise StudyError(
                f"line {number} of {path} is no event: {problem!r}", hint=f"columns: {', '.join(COLUMNS)}"
            ) from problem
    return tuple(sorted(events, key=lambda event: event.start))


def check_sounds(recordings: Sequence[StudyRecording], study: Study) -> None:
    """StudyError for the first stimulus whose sound the study does not have."""
    for recording in recordings:
        for event in recording.of_kind("sentence"):
            if event.stimulus not in study.sounds:
                raise StudyError(
                    f"{recording.name}: {event.stimulus!r} was heard, study {study.name!r} has no such sound",
                    hint=f"it has {len(study.sounds)} sounds under {study.root}",
                )


def model_samples(recording: StudyRecording, config: Config) -> np.ndarray:
    """(T, C) float64 at the model's rate, unscaled: the live decoder's boxes before its scaler."""
    data, signal = recording.read(), config.signal
    band_pass = BandPass(recording.sfreq, signal.highpass_hz, signal.lowpass_hz, signal.order)
    return Resampler(recording.sfreq, signal.sfreq).push(band_pass.push(data))


def first_minutes(recordings: Sequence[StudyRecording], minutes: float) -> tuple[StudyRecording, ...]:
    """The recordings up to `minutes` in all; the last is cut, without the events that reach beyond."""
    left, kept = minutes * 60, []
    for recording in recordings:
        data = recording.read()
        samples = min(len(data), round(left * recording.sfreq))
        if samples <= 0:
            break
        end = samples / recording.sfreq
        events = tuple(e for e in recording.events if e.start + e.duration <= end)
        kept.append(_with(recording, data[:samples], events))
        left -= end
    return tuple(kept)


def _bound(name: str, info: StreamInfo, data: np.ndarray, source: Source) -> np.ndarray:
    try:
        found = source.contract().bind(info).apply(data)
    except ContractError as problem:
        said = "; ".join(problem.problems).replace("bundle", "model")
        raise StudyError(
            f"recording {name} does not fit the model: {said}",
            hint="calibrate with the channels and the rate that the model was trained on",
        ) from problem
    if not np.isfinite(found).all():
        raise StudyError(
            f"recording {name} holds {int((~np.isfinite(found)).sum())} values that are no numbers"
        )
    return found


def _memory(
    subject: str,
    name: str,
    split: str,
    path: Path,
    data: np.ndarray,
    source: Source,
    events: tuple[Event, ...],
) -> StudyRecording:
    return StudyRecording(
        subject, name, split, path, source.sfreq, source.labels, source.unit, events, reader=lambda _: data
    )


def _with(recording: StudyRecording, data: np.ndarray, events: tuple[Event, ...]) -> StudyRecording:
    r = recording
    return StudyRecording(
        r.subject, r.name, r.split, r.path, r.sfreq, r.labels, r.unit, events, reader=lambda _: data
    )
