"""The ideal observer: it whitens, its fast scores equal the definition, and it finds what is there and
nothing that is not.
"""

import numpy as np
import pytest
from scipy.signal import butter, lfilter, sosfilt

from offline.ideal import IdealObserver
from offline.simulate.forward import FEATURES, montage
from offline.simulate.session import make_subject, subject_model
from rtdecode.errors import StudyError

RATE = 256.0
SOS = butter(3, [1, 20], "bandpass", fs=RATE, output="sos")
LABELS, POSITIONS = montage()


def preprocess(x: np.ndarray) -> np.ndarray:
    return sosfilt(SOS, x - x[:1], axis=0)[::4]


def coloured(rng: np.random.Generator, count: int) -> np.ndarray:
    mix = np.random.default_rng(9).normal(size=(4, 4))
    return lfilter([1], [1, -1.2, 0.5], rng.normal(size=(count, 4)), axis=0) @ mix


def test_whitened_noise_is_white_in_space_and_time():
    rng = np.random.default_rng(0)
    observer = IdealObserver.fit(coloured(rng, 20000), order=8)
    white = observer.whiten(coloured(rng, 20000))
    assert np.allclose(np.cov(white.T), np.eye(4), atol=0.06)
    assert np.abs(white[1:].T @ white[:-1] / len(white)).max() < 0.06


def test_scores_equal_their_definition():
    rng = np.random.default_rng(1)
    observer = IdealObserver.fit(coloured(rng, 5000), order=6)
    window, timeline = rng.normal(size=(40, 4)), rng.normal(size=(100, 4))
    x = observer.whiten(window)
    slow = []
    for first in range(61):
        m = observer.whiten(timeline[first : first + 40] + observer.mean)
        slow.append((x * m).sum() - 0.5 * (m**2).sum())
    assert np.allclose(observer.scores(window, timeline), slow)
    short = observer.scores(window[:4], timeline)  # shorter than the order
    assert short.shape == (97,) and np.isfinite(short).all()


def test_log_likelihood_ratio_is_right_for_gaussian_noise():
    """2 * score of the truth averages |W m|^2: the detection index of a known signal."""
    rng = np.random.default_rng(2)
    observer = IdealObserver.fit(coloured(rng, 50000), order=4)
    signal = 0.3 * rng.normal(size=(50, 4))
    energy = (observer.whiten(signal + observer.mean) ** 2).sum()
    found = [observer.scores(signal + coloured(rng, 250)[200:], signal)[0] for _ in range(400)]
    assert abs(np.mean(found) - energy / 2) < 0.15 * energy / 2
    assert abs(np.std(found) - np.sqrt(energy)) < 0.15 * np.sqrt(energy)


@pytest.fixture(scope="module")
def setting():
    """A subject at four times real, a minute of random 'speech' heard, and the timeline expected of it."""
    model = make_subject(POSITIONS, 0, 2, 4.0, RATE, bad_channels=1)  # subject 2 has a flat channel
    assert model.levels.bad[0][1] == "flat"
    features = np.abs(np.random.default_rng(0).normal(size=(int(60 * RATE), FEATURES))).astype(np.float32)
    features *= (np.sin(np.arange(len(features)) / 20) > 0)[:, None]
    noise = preprocess(model.noise(120, 1))[128:]
    return model, preprocess(model.evoked(features)), preprocess(model.noise(60, 2)), IdealObserver.fit(noise)


def test_finds_the_heard_span_in_eeg_and_not_in_noise(setting):
    _, timeline, noise, observer = setting
    candidates = observer.against(timeline, 192)
    found, empty = [], []
    for first in range(300, len(timeline) - 200, 100):
        span = slice(first, first + 192)
        found.append(candidates.scores((timeline + noise)[span]).argmax() == first)
        empty.append(candidates.scores(noise[span]).argmax() == first)
    assert np.mean(found) > 0.9 and np.mean(empty) < 0.1


def test_model_is_rebuilt_from_study_json(setting):
    model, *_ = setting
    facts = {
        "subjects": 3,
        "positions": POSITIONS.tolist(),
        "seed": 0,
        "gain": 4.0,
        "sfreq": RATE,
        "bad_channels": 1,
    }
    with pytest.raises(StudyError, match="rms_uv_at_gain_one"):
        subject_model(facts, 2)
    from offline.simulate.forward import RMS_UV_AT_GAIN_ONE

    facts["rms_uv_at_gain_one"] = RMS_UV_AT_GAIN_ONE
    again = subject_model(facts, 2)
    features = np.ones((300, FEATURES))
    assert np.array_equal(again.evoked(features), model.evoked(features))
    assert np.array_equal(again.noise(2, 5), model.noise(2, 5))
    for wrong, message in ((4, "subject 4"), (0, "subject 0")):
        with pytest.raises(StudyError, match=message):
            subject_model(facts, wrong)
    with pytest.raises(StudyError, match="gain 1"):
        subject_model({**facts, "rms_uv_at_gain_one": 9.0}, 1)


def test_refusals(setting):
    _, timeline, _, observer = setting
    with pytest.raises(ValueError, match="longer timeline"):
        observer.against(timeline[:100], 192)
    with pytest.raises(ValueError, match="at least"):
        IdealObserver.fit(timeline[:10])
    with pytest.raises(ValueError, match="192"):
        observer.against(timeline, 192).scores(timeline[:64])
