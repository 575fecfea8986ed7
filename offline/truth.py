"""A study's recording as a bundle sees it: its model samples, the times of decisions, what was heard then."""

import numpy as np

from offline.study import StudyRecording
from rtdecode.bundle import Bundle
from rtdecode.preprocess import Preprocess, PreprocessSpec
from rtdecode.score import Heard, Truth
from rtdecode.types import StreamInfo


def preprocessed(spec: PreprocessSpec, recording: StudyRecording, bundle: Bundle) -> np.ndarray:
    """(T, C) model samples of a whole recording, channels matched by label as live."""
    info = StreamInfo(
        recording.name, "EEG", recording.labels, (recording.unit,) * len(recording.labels), recording.sfreq
    )
    return Preprocess(spec).push(bundle.spec.stream.bind(info).apply(recording.read()))


def decision_time(bundle: Bundle, stop: int) -> float:
    """Seconds of recording that a live engine has read when it decides with output frame stop - 1 as its
    newest.
    """
    spec = bundle.spec
    newest = Preprocess(spec.preprocess).resampler.newest_input(stop * spec.model.stride - 1)
    return (newest + 1) / spec.stream.sfreq


def truth_of(bundle: Bundle, recording: StudyRecording) -> Truth:
    """What was heard when, in terms of the bundle's candidates."""
    events = [Heard(e.kind, e.start, e.duration, e.text, e.stimulus) for e in recording.events]
    return Truth(bundle.bank.candidates if bundle.bank else (), sorted(events, key=lambda e: e.start))
