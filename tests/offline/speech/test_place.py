"""Where frames land: torch's own nearest interpolation, the published rule, silence outside."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from offline.speech import SpeechScaler, nearest_rows, place_nearest
from rtdecode.errors import TrainingError


def ramp(n):
    return np.arange(n, dtype=np.float32)[:, None]


def test_inside_equals_torch_interpolation_of_the_frames_under_the_window():
    rng = np.random.default_rng(0)
    for _ in range(300):
        rate = float(rng.choice([49.9, 50.0, 125.0, 64.0]))
        total = int(rng.integers(200, 900))
        n = int(rng.integers(1, 400))
        start = float(rng.uniform(0, max(0.01, total / rate - n / 120)))
        if start + n / 120 > total / rate:
            continue
        features = ramp(total)
        cut = features[round(start * rate) : round((start + n / 120) * rate)]
        if not len(cut):
            continue
        expected = F.interpolate(torch.from_numpy(cut.T)[None], n)[0].T.numpy()
        np.testing.assert_array_equal(place_nearest(features, rate, start, n, 120.0), expected)


def test_every_stretch_agrees_with_torch():
    for n_in in range(1, 60):
        for n_out in (1, 2, 7, 59, 60, 61, 118, 119, 343):
            expected = F.interpolate(torch.arange(n_in, dtype=torch.float32)[None, None], n_out)[0, 0]
            # a rate at which the sound lasts exactly as long as the window
            rows = nearest_rows(n_in, n_in * 120 / n_out, 0.0, n_out, 120.0)
            np.testing.assert_array_equal(rows, expected.numpy().astype(int))


def test_silence_before_and_after():
    #  window  |----------|
    #  sound      |----|
    placed = place_nearest(ramp(50) + 1, 50.0, -0.5, 240, 120.0, silence=-5.0)
    assert (placed[:60] == -5).all() and (placed[180:] == -5).all()
    assert placed[60] == 1 and placed[179] == 50 and (placed[60:180] >= 1).all()


def test_a_window_beside_the_sound_is_silent():
    for start in (-3.0, 1.0, 7.0):
        assert (nearest_rows(50, 50.0, start, 120, 120.0) == -1).all()


def test_nominal_rate_differs_from_the_stretched_one_by_a_frame_at_most():
    # 6 s of audio give 299 frames: the published code says 49.83 Hz, their true rate is 50
    stretched = nearest_rows(299, 299 / 6, 2.0, 343, 120.0)
    true = nearest_rows(300, 50.0, 2.0, 343, 120.0)
    assert np.abs(stretched - true).max() == 1


@pytest.mark.parametrize("per_feature", [False, True])
def test_scaler_equals_numpy_over_pieces(per_feature):
    rng = np.random.default_rng(2)
    x = rng.normal([1e4, -2.0, 0.0], [1.0, 5.0, 0.1], size=(500, 3)).astype(np.float32)
    scaler = SpeechScaler.fit(iter([x[:10], x[:0], x[10:200], x[200:]]), per_feature=per_feature)
    axis = 0 if per_feature else None
    np.testing.assert_allclose(scaler.mean, np.atleast_1d(x.astype(float).mean(axis)), rtol=1e-6)
    np.testing.assert_allclose(scaler.std, np.atleast_1d(x.astype(float).std(axis)), rtol=1e-6)
    assert len(scaler.mean) == (3 if per_feature else 1)
    assert scaler.apply(x).dtype == np.float32 and abs(scaler.apply(x).mean()) < 1e-3
    assert scaler.silence(-5.0, 3).shape == (3,)
    np.testing.assert_allclose(scaler.silence(-5.0, 3), scaler.apply(np.full((1, 3), -5.0))[0])


def test_scaler_without_frames_and_with_a_constant():
    with pytest.raises(TrainingError, match="no speech frame"):
        SpeechScaler.fit([np.zeros((0, 3))])
    assert SpeechScaler.fit([np.ones((5, 2))]).std == (1.0,)
