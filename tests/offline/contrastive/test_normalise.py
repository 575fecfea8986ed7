"""What the model sees of a window: the published numbers, nothing of the window itself when online, and a
scale for everybody.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.normalise import (
    Scaling,
    ScalingTable,
    digest,
    fit,
    fit_stretches,
    fit_trained,
    load_scalings,
    quartiles,
    save_scalings,
    scalings_for,
    whitening,
)
from rtdecode.errors import StudyError, TrainingError
from tests.offline.contrastive.small import config

ONLINE = config(signal={"normalise": "online"})
ROW = torch.zeros(1, dtype=torch.long)


def scaling(center, scale, origin="train"):
    return Scaling(np.array(center, np.float32), np.array(scale, np.float32), None, origin, 1.0)


def normalised(x, found, settings, lead=0):
    table = ScalingTable.of([found], x.shape[2])
    return table.normalise(torch.from_numpy(x), ROW, torch.tensor([lead]), settings).numpy()


def recording(data, name="r", subject="s"):
    return SimpleNamespace(
        name=name,
        subject=subject,
        labels=tuple(f"E{i}" for i in range(data.shape[1])),
        sfreq=40.0,
        n_samples=len(data),
        signal=lambda: data,
    )


def windows(name, subject, samples, split="train"):
    return [SimpleNamespace(recording=name, subject=subject, sample=s, split=split) for s in samples]


def test_quartiles_are_sorted_values_at_whole_places_and_a_flat_channel_has_scale_one():
    x = np.stack([np.arange(10.0)[::-1] ** 2, np.full(10, 3.0)], axis=1)
    center, scale = quartiles(x)
    # places int(2.5), int(5.0), int(7.5) of 0, 1, 4, 9, ...
    assert center.tolist() == [25.0, 3.0] and scale.tolist() == [49.0 - 4.0, 1.0]


def test_baseline_scale_and_clamp_are_the_published_ones():
    settings = ContrastiveConfig()
    x = np.zeros((1, 361, 2), np.float32)
    x[0, :61, 0] = 7.0  # -0.5 to 0 s, both included: 61 samples
    x[0, 61:, 0] = 11.0
    x[0, 200, 1] = 1e6
    y = normalised(x, scaling([1.0, 0.0], [2.0, 1.0]), settings)
    assert y[0, 0, 0] == pytest.approx((7 - 7 - 1) / 2) and y[0, 61, 0] == pytest.approx((11 - 7 - 1) / 2)
    assert y[0, 200, 1] == 20.0 and abs(y[0, :200, 1]).max() == 0
    x[0, 60, 0] = 7.0 + 61.0  # the last of them moves the baseline by one
    assert normalised(x, scaling([1.0, 0.0], [2.0, 1.0]), settings)[0, 0, 0] == pytest.approx((7 - 8 - 1) / 2)
    x[0, 60, 0] = 7.0
    x[0, 61, 0] = 1e3  # one sample later does not
    assert normalised(x, scaling([1.0, 0.0], [2.0, 1.0]), settings)[0, 0, 0] == pytest.approx(-0.5)


def test_scales_are_fitted_after_the_baseline():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(40, ONLINE.n_window, 2)).astype(np.float32)
    drift = samples + 100 * rng.normal(size=(40, 1, 2)).astype(np.float32)
    still, moved = (fit(s, config(), "train", "r") for s in (samples, drift))
    np.testing.assert_allclose(still.scale, moved.scale, atol=1e-3)
    assert still.scale[0] == pytest.approx(1.35 * (1 + 1 / 13) ** 0.5, rel=0.1)
    assert fit(drift, ONLINE, "train", "r").scale[0] > 20


def test_online_a_sample_is_the_same_whatever_window_it_is_in():
    data = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    found = scaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])
    n = ONLINE.n_window
    one, two = (normalised(data[None, s : s + n], found, ONLINE)[0] for s in (0, 20))
    np.testing.assert_array_equal(one[20:], two[:-20])
    one, two = (normalised(data[None, s : s + n], found, config())[0] for s in (0, 20))
    assert abs(one[20:] - two[:-20]).max() > 0.01


def test_context_of_another_block_is_silent():
    settings = config(window={"context_s": 0.5})
    x = (
        np.random.default_rng(0)
        .normal(size=(1, settings.n_context + settings.n_window, 2))
        .astype(np.float32)
    )
    y = normalised(x, scaling([5.0, 5.0], [1.0, 1.0]), settings, lead=7)
    assert not y[0, :7].any() and y[0, 7:].all()


def test_a_recording_is_scaled_by_its_own_training_windows_or_by_its_subjects():
    rng = np.random.default_rng(0)
    data = [rng.normal(scale=s, size=(2000, 2)).astype(np.float32) for s in (1.0, 10.0)]
    both = [recording(d, f"r{k}") for k, d in enumerate(data)]
    table = windows("r0", "s", range(50, 1500, 20)) + windows("r1", "s", range(50, 1500, 20))
    own = fit_trained(both, table, ONLINE)
    assert own["r1"].scale[0] / own["r0"].scale[0] == pytest.approx(10, rel=0.1)
    shared = fit_trained(both, table, config(signal={"normalise": "online", "scaler": "subject"}))
    assert list(shared) == ["s"] and own["r0"].scale[0] < shared["s"].scale[0] < own["r1"].scale[0]
    alone = fit_trained(both[:1], table[: len(table) // 2], ONLINE)
    np.testing.assert_array_equal(alone["r0"].scale, own["r0"].scale)  # whoever else is there
    # what a recording holds besides its training windows changes nothing
    data[0][1700:] = 1e4
    np.testing.assert_array_equal(fit_trained(both, table, ONLINE)["r0"].scale, own["r0"].scale)


def test_who_was_not_trained_on_is_scaled_by_calibration_or_by_the_first_seconds():
    settings = config(signal={"normalise": "online", "unseen_s": 10.0})
    data = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    data[400:] *= 5
    data[1200:] *= 5
    new, known = recording(data, "new"), recording(data, "known")
    trained = {"known": scaling([0.0, 0.0], [7.0, 7.0])}
    found = scalings_for([new, known], trained, settings)
    assert (found["new"].origin, found["known"].origin) == ("start", "train")
    assert found["new"].scale[0] == pytest.approx(1, rel=0.2) and found["known"].scale[0] == 7.0
    found = scalings_for([new], trained, settings, {"new": [(12.0, 28.0)]})
    assert found["new"].origin == "calibration" and found["new"].scale[0] == pytest.approx(5, rel=0.2)
    short = fit_stretches(recording(data[:30]), [(0.0, 60.0)], settings, "start")
    assert short.scale[0] == pytest.approx(1, rel=0.5)
    with pytest.raises(StudyError, match="no samples in the stretch"):
        fit_stretches(new, [(900.0, 960.0)], settings, "calibration")


def test_values_that_are_no_numbers_name_the_recording():
    samples = np.ones((3, 60, 2), np.float32)
    samples[1, 5, 0] = np.nan
    with pytest.raises(StudyError, match="sub-07_story holds values that are not numbers"):
        fit(samples, config(), "train", "sub-07_story")


def test_whitening_decorrelates_and_stays_near_the_sensors():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 3)) @ (np.eye(3) + 0.8)
    matrix = whitening(x, 0.0)
    np.testing.assert_allclose(np.cov(x @ matrix, rowvar=False), np.eye(3), atol=1e-3)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    assert np.isfinite(whitening(np.repeat(x[:, :1], 3, axis=1), 0.1)).all()


def test_scalings_survive_the_disk_and_fewer_channels_are_padded(tmp_path):
    rng = np.random.default_rng(0)
    white = fit(rng.normal(size=(9, 60, 3)).astype(np.float32), config(signal={"whiten": 0.1}), "train", "r")
    kept = {"sub-01/röd": white, "b": scaling([1.0], [2.0], "start")}
    save_scalings(tmp_path / "s.npz", kept)
    back = load_scalings(tmp_path / "s.npz")
    assert digest(back) == digest(kept) and list(back) == list(kept) and back["b"].origin == "start"
    table = ScalingTable.of(list(back.values()), 4)
    assert table.center[1].tolist() == [1, 0, 0, 0] and table.scale[1].tolist() == [2, 1, 1, 1]
    assert table.whiten is not None and torch.equal(table.whiten[1], torch.eye(4))
    (tmp_path / "s.npz").write_bytes(b"PK nothing")
    with pytest.raises(TrainingError, match="cannot read"):
        load_scalings(tmp_path / "s.npz")
