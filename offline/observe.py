"""The ideal observer on a bundle's own task: the same moments, the same bank, the same samples as the
decoder.

Joins `offline.ideal` (how to rank) with the simulated study's true forward model and noise (what is true).
The observer sees the samples that answer for the retrieval window: window plus delay. Knows nothing of
training or networks.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from offline.ideal import IdealObserver
from offline.simulate.forward import FEATURES, auditory_features
from offline.simulate.session import SubjectModel, subject_model
from offline.study import Study, StudyRecording
from offline.truth import decision_time, preprocessed, truth_of
from rtdecode.bundle import Bundle
from rtdecode.preprocess import Preprocess

NOISE_S, NOISE_SEED = 240.0, 99
"""Seconds of speech-free simulated EEG from which the noise covariance is taken: far more than its unknowns
need.
"""


def ideal_rankings(
    bundle: Bundle, study: Study, recording: StudyRecording
) -> Iterator[tuple[list[int], int | None]]:
    """(candidates by likelihood, truth) at every decision of `recording` whose truth is known."""
    spec, bank = bundle.spec, bundle.bank
    assert spec.retrieval is not None and bank is not None
    subject = subject_model(study.facts, study.subjects.index(recording.subject) + 1)
    size = (spec.retrieval.frames + spec.retrieval.delay) * spec.model.stride
    plain = replace(spec.preprocess, center=(0.0,) * len(spec.stream.labels))
    channels = len(spec.stream.labels)
    noise = Preprocess(spec.preprocess).push(subject.noise(NOISE_S, NOISE_SEED)[:, :channels])
    expected = Preprocess(plain).push(subject.evoked(_bank_features(bundle, study, subject))[:, :channels])
    spans = IdealObserver.fit(noise[round(10 * spec.preprocess.sfreq) :]).against(expected, size)
    x = preprocessed(spec.preprocess, recording, bundle)
    # A window whose estimate ends with bank frame f holds the response up to frame f + delay.
    ends = [
        (np.arange(c.first, c.first + c.frames) + spec.retrieval.delay + 1) * spec.model.stride - size
        for c in bank.candidates
    ]
    ends = [np.clip(offsets, 0, spans.spans - 1) for offsets in ends]
    hop, truth = spec.model.hop, truth_of(bundle, recording)
    for stop in range(-(-size // hop) * hop, len(x) + 1, hop):
        heard = truth.candidate(decision_time(bundle, stop // spec.model.stride) - spec.delay_s)
        if heard is None:
            continue
        scores = spans.scores(x[stop - size : stop])
        best = np.array([scores[offsets].max() for offsets in ends])
        yield np.argsort(-best, kind="stable")[:10].tolist(), heard


def _bank_features(bundle: Bundle, study: Study, subject: SubjectModel) -> np.ndarray:
    """(T, FEATURES) auditory features at the stream's rate of the bank's whole timeline, and the delay after
    it.
    """
    spec, bank = bundle.spec, bundle.bank
    assert spec.retrieval is not None and bank is not None
    per_frame = subject.sfreq / spec.frame_rate
    out = np.zeros((round((bank.frames + spec.retrieval.delay + 1) * per_frame), FEATURES), np.float32)
    done: set[str] = set()
    for candidate in bank.candidates:
        if candidate.source in done:
            continue
        done.add(candidate.source)
        first = round((candidate.first - candidate.start * spec.frame_rate) * per_frame)
        features = auditory_features(*study.audio(candidate.source), subject.sfreq)
        out[first : first + len(features)] = features[: len(out) - first]
    return out
