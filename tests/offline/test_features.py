"""Speech features and their place on a recording."""

import numpy as np
import pytest

from offline.data import Stimuli, place
from offline.features import SYMBOLS, FeatureScaler, encode_text, mel_filters, speech_features
from rtdecode.errors import StudyError
from rtdecode.types import to_samples
from tests.offline.tiny import config, tiny_study


def test_a_tone_lands_in_its_band_and_in_its_frames():
    t = np.arange(16000) / 16000
    audio = np.sin(2 * np.pi * 1000 * t) * (t >= 0.5)
    features = speech_features(audio, 16000, 32.0, "logmel", 16)
    assert features.shape == (32, 16) and features.dtype == np.float32
    assert (features[:14] == 0).all()
    filters = mel_filters(16, 16000, 501)
    expected = filters[round(1000 / 16)].argmax()
    assert (features[17:31].argmax(axis=1) == expected).all()


def test_envelope_is_one_feature_in_decibels():
    audio = np.random.default_rng(0).normal(size=16000) * 0.1
    quiet = speech_features(audio * 0.1, 16000, 64.0, "envelope", 1)
    loud = speech_features(audio, 16000, 64.0, "envelope", 1)
    assert loud.shape == (64, 1)
    np.testing.assert_allclose(loud - quiet, 20 / 60, atol=1e-5)  # 20 dB on a scale of 60 dB


def test_unknown_kind():
    with pytest.raises(ValueError, match="logmel"):
        speech_features(np.zeros(100), 16000, 64.0, "mfcc", 1)


def test_text_round_trip_and_refusal():
    assert [SYMBOLS[k] for k in encode_text("it's a")] == list("it's a")
    with pytest.raises(StudyError, match="normalise"):
        encode_text("Çà")


def test_scaler_is_z_scoring_and_keeps_constant_features_finite():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(3, 2, (500, 1)), np.ones((500, 1))], axis=1)
    scaler = FeatureScaler.fit([x[:200], x[200:]])
    y = scaler.apply(x)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), [1, 0], atol=1e-5)


def test_features_lie_where_the_events_say(tmp_path):
    study, settings = tiny_study(tmp_path), config()
    recording = study.recordings[0]
    stimuli = Stimuli(study, settings)
    features, heard = place(recording, 2000, stimuli, settings.frame_rate)
    for event in recording.of_kind("sentence"):
        first = to_samples(event.start, settings.frame_rate)
        raw = stimuli.raw(event.stimulus)
        n = min(len(raw), to_samples(event.duration, settings.frame_rate))
        np.testing.assert_array_equal(features[first : first + n], raw[:n])
        assert heard[first : first + n].all()
    assert (features[~heard] == 0).all()
