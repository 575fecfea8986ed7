"""The head and the noise: physics against a series expansion, causality, and the amplitudes the docstrings
promise.
"""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt, welch
from scipy.special import eval_legendre

from offline.simulate.forward import FEATURES, auditory_features, forward_model, lead_field, montage
from offline.simulate.level import measure_level
from offline.simulate.noise import NoiseLevels, apply_bad_channels, simulate_noise, subject_levels
from offline.simulate.session import make_subject

LABELS, POSITIONS = montage()
RATE = 256.0


def test_montage_is_the_real_one():
    assert len(LABELS) == 32 and POSITIONS.shape == (32, 3)
    assert np.allclose(np.linalg.norm(POSITIONS, axis=1), 0.095, atol=0.001)
    assert POSITIONS[LABELS.index("Oz"), 1] < -0.08 and POSITIONS[LABELS.index("T8"), 0] > 0.08


def test_lead_field_equals_the_legendre_series():
    """Potential of a dipole at eccentricity b of a unit sphere: sum (2n+1)/n b^(n-1) [n p_r P_n + p_t
    dP_n/dtheta].
    """
    b, n = 0.6, np.arange(1, 120)[:, None]
    field = lead_field(POSITIONS, np.array([[0, 0, b * 0.095]] * 2), np.array([[0, 0, 1.0], [1.0, 0, 0]]))
    unit = POSITIONS / np.linalg.norm(POSITIONS, axis=1, keepdims=True)
    cos, h = unit[:, 2], 1e-6
    slope = (eval_legendre(n, cos + h) - eval_legendre(n, cos - h)) / (2 * h)
    radial = ((2 * n + 1) * b ** (n - 1) * eval_legendre(n, cos)).sum(axis=0)
    tangential = ((2 * n + 1) / n * b ** (n - 1) * slope).sum(axis=0) * unit[:, 0]
    for column, series in zip(field.T, (radial, tangential), strict=True):
        series = series - series.mean()
        assert np.allclose(column, series / np.sqrt(np.mean(series**2)), atol=1e-5)


def test_features_place_a_tone_in_time_and_frequency():
    t = np.arange(16000) / 16000
    low = np.sin(2 * np.pi * 300 * t) * (t > 0.5)
    high = np.sin(2 * np.pi * 4000 * t) * (t > 0.5)
    a, b = auditory_features(low, 16000.0), auditory_features(high, 16000.0)
    assert a.shape == (256, FEATURES) and a.dtype == np.float32
    assert a[:125].max() == 0 and a[140:250].max() > 0.5
    assert a[200, :16].argmax() < 6 and b[200, :16].argmax() > 10
    assert a[124:136, 16:].max() > 0.3 and a[140:250, 16:].max() < 0.05  # an onset, once


def test_evoked_response_follows_its_sound_at_known_lags():
    features = np.zeros((512, FEATURES), dtype=np.float32)
    features[100, :16] = 1
    power = (forward_model(POSITIONS, 0, 1, 1.0).evoked(features) ** 2).sum(axis=1)
    assert power[:100].max() < 1e-6 * power.max()
    assert power[200:].max() < 1e-6 * power.max()
    peak = (power.argmax() - 100) / RATE
    assert 0.03 < peak < 0.2


def test_gain_is_an_amplitude_and_subjects_differ():
    features = np.random.default_rng(0).random((512, FEATURES)).astype(np.float32)
    one, four = (forward_model(POSITIONS, 0, 1, gain).evoked(features) for gain in (1.0, 4.0))
    other = forward_model(POSITIONS, 0, 2, 1.0).evoked(features)
    assert np.allclose(four, 4 * one, atol=1e-4)
    correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert 0.3 < correlation < 0.98
    with pytest.raises(ValueError, match="expected"):
        forward_model(POSITIONS, 0, 1, 1.0).evoked(features[:, :5])


def test_bands_stay_separable():
    """Sixteen bands need at least sixteen patterns over sensors and lags that are not swamped by the
    strongest.
    """
    weights = forward_model(POSITIONS, 0, 1, 1.0).weights
    stacked = np.concatenate([w for w in weights], axis=1)  # (BANDS, 6 C)
    values = np.linalg.svd(stacked, compute_uv=False)
    assert values[-1] > values[0] / 30


def test_noise_has_the_promised_parts():
    levels = NoiseLevels()
    noise = simulate_noise(POSITIONS, levels, int(300 * RATE), RATE, np.random.default_rng(0))
    assert noise.dtype == np.float32
    assert noise.mean(axis=0).std() > 500  # electrode offsets
    freqs, power = welch(noise - noise.mean(axis=0), RATE, nperseg=1024, axis=0)
    cz, oz, fp1 = (LABELS.index(name) for name in ("Cz", "Oz", "Fp1"))

    def at(hz: float) -> np.ndarray:
        return power[np.abs(freqs - hz).argmin()]

    assert (at(50) > 10 * at(46)).mean() > 0.5
    assert at(10)[oz] > 5 * at(10)[cz] and at(10)[oz] > 3 * at(15)[oz]
    assert 1.5 < at(4)[cz] / at(8)[cz] < 3  # 1/f
    band = sosfiltfilt(butter(2, 1, "high", fs=RATE, output="sos"), noise, axis=0)
    assert 7 < band[:, cz].std() < 15
    blinks = np.diff((band[:, fp1] > 60).astype(int)) == 1
    assert 12 * 5 * 0.5 < blinks.sum() < 18 * 5 * 2
    neighbours = np.corrcoef(band[:, LABELS.index("C3")], band[:, LABELS.index("CP1")])[0, 1]
    assert 0.3 < neighbours < 0.95


def test_bad_channels_and_seeds():
    levels = subject_levels(0, 2, 32, bad_channels=2)
    assert sorted(kind for _, kind in levels.bad) == ["flat", "noisy"]
    eeg = np.random.default_rng(0).normal(size=(5000, 32)).astype(np.float32)
    clean = eeg.copy()
    apply_bad_channels(eeg, levels, RATE, np.random.default_rng(1))
    bad = {kind: channel for channel, kind in levels.bad}
    assert np.ptp(eeg[:, bad["flat"]]) == 0 and eeg[:, bad["noisy"]].std() > 30
    good = [c for c in range(32) if c not in bad.values()]
    assert np.array_equal(eeg[:, good], clean[:, good])

    subject = make_subject(POSITIONS, 0, 1, 1.0, RATE, 1)
    assert np.array_equal(subject.noise(3, 1), subject.noise(3, 1))
    assert not np.array_equal(subject.noise(3, 1), subject.noise(3, 2))
    flat = [
        channel for channel, kind in make_subject(POSITIONS, 0, 2, 1.0, RATE, 1).levels.bad if kind == "flat"
    ]
    assert (
        flat
        and not make_subject(POSITIONS, 0, 2, 1.0, RATE, 1).evoked(np.ones((99, FEATURES)))[:, flat].any()
    )


def test_gain_one_is_as_weak_as_real_eeg_and_four_is_not():
    weak, strong = (measure_level(gain, subjects=4) for gain in (1.0, 4.0))
    assert weak.shape == (4, 3) and 0.0 < weak.mean() < 0.13
    assert 0.3 < strong.mean() < 0.6
