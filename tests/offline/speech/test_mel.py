"""Log-Mel against numbers of torchaudio 2.11, and against an independent implementation."""

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from offline.speech.mel import log_mel, mel_triangles

FRAMES, BANDS = [0, 25, 60, 100, 125], [5, 30, 60, 90, 119]
GOLDEN = [  # bands x frames
    [-0.09739, -4.99981, -4.99998, -5.00000, -3.71566],
    [-2.28533, -4.65835, -4.99992, -5.00000, -3.72636],
    [-3.85395, -4.99922, -1.18039, -4.99959, -3.25472],
    [-4.61209, -5.00000, -4.99998, -4.99121, -1.18057],
    [-4.78583, -5.00000, -5.00000, -5.00000, -3.10093],
]
MEAN = -4.58673


def chirp():
    n = np.arange(16000) / 16000
    return np.sin(2 * np.pi * (200 * n + 1800 * n * n)) * (0.2 + n)


def test_golden_values_of_torchaudio():
    # log10(MelSpectrogram(n_fft=512, hop_length=128, n_mels=120, normalized=True)(z-scored chirp) + 1e-5)
    got = log_mel(chirp(), 120)
    assert got.shape == (126, 120) and got.dtype == np.float32
    np.testing.assert_allclose(got[np.ix_(FRAMES, BANDS)].T, GOLDEN, atol=2e-3)
    assert float(got.mean()) == pytest.approx(MEAN, abs=1e-3)


@pytest.mark.filterwarnings("ignore:At least one mel filter")
@pytest.mark.parametrize("bands", [40, 120])
def test_equals_an_independent_implementation(bands):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 0.2, 5000)
    z = (x - x.mean()) / x.std()
    filters = mel_filter_bank(257, bands, 0, 8000, 16000, norm=None, mel_scale="htk")
    window = window_function(512, "hann")
    power = spectrogram(z, window, 512, 128, power=2.0, mel_filters=filters, mel_floor=0.0)
    expected = np.log10(power / (window**2).sum() + 1e-5).T
    np.testing.assert_allclose(log_mel(x, bands), expected, atol=1e-4)


def test_level_does_not_matter_and_silence_is_minus_five():
    x = chirp()
    np.testing.assert_allclose(log_mel(x, 40), log_mel(0.01 * x + 3, 40), atol=1e-4)
    assert (log_mel(np.zeros(3000), 40) == -5).all()


def test_a_long_sound_equals_its_frames(monkeypatch):
    x = np.random.default_rng(1).normal(size=20000)
    whole = log_mel(x, 20)
    monkeypatch.setattr("offline.speech.mel._PIECE", 7)
    np.testing.assert_array_equal(log_mel(x, 20), whole)


def test_sounds_shorter_than_a_window():
    assert log_mel(np.ones(1), 20).shape == (1, 20)
    assert np.isfinite(log_mel(np.arange(100.0), 20)).all()


def test_triangles_have_peak_one_between_their_neighbours():
    triangles = mel_triangles(20)
    assert triangles.shape == (257, 20) and triangles.min() == 0 and triangles.max() <= 1
    assert (np.diff(triangles.argmax(axis=0)) > 0).all()
