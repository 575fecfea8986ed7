"""The recipe of windows: a third listener joins a run of two, and only their rows are new."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from offline.calibration.result import CalibrationSettings
from offline.calibration.rows import FitSettings
from offline.contrastive.calibrate import calibrate_windows, gain_windows
from offline.contrastive.checkpoint import load_checkpoint
from offline.contrastive.score import score_windows
from offline.contrastive.train import train
from rtdecode.errors import StudyError, TrainingError

NEW = "sub-03"
QUICK = CalibrationSettings(minutes=3.0, fit=FitSettings(updates=60, every=20, lr=1e-2))


@pytest.fixture(scope="module")
def made(planted_windows, planted_run, tmp_path_factory):
    _, study, features = planted_windows
    out = tmp_path_factory.mktemp("calibrated") / "new"
    return planted_run, calibrate_windows(planted_run, study, features, NEW, out, QUICK)


def test_a_stranger_is_scored_without_and_better_with_calibration(planted_windows, made):
    _, study, features = planted_windows
    run, found = made
    unseen = score_windows(run, study, features, "test", (NEW,))
    assert unseen.subjects == (NEW,) and unseen.about["unseen"] == [NEW]
    result = gain_windows(run, found.path, study, features, NEW, QUICK)
    assert result.after.value > result.before.value + 0.1 and result.after.n == unseen.trials
    assert score_windows(found.path, study, features, "test", (NEW,)).about["unseen"] == []


def test_the_rest_keeps_its_bits(planted_windows, made):
    _, study, features = planted_windows
    run, found = made
    before, after = load_checkpoint(run), load_checkpoint(found.path)
    old, new = before.net.state_dict(), after.net.state_dict()
    for name in set(old) - {"encoder.front.subjects"}:
        assert torch.equal(old[name], new[name]), name
    subjects = new["encoder.front.subjects"]
    assert torch.equal(subjects[[0, 1, 3]], old["encoder.front.subjects"])
    assert not torch.equal(subjects[2], subjects[3])
    assert after.subjects == ("sub-01", "sub-02", NEW) and after.scale == before.scale
    known = ("sub-01", "sub-02")
    for one, two in zip(
        (score_windows(before, study, features, "test", (s,)).scores for s in known),
        (score_windows(after, study, features, "test", (s,)).scores for s in known),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_it_is_judged_on_other_sounds_and_tells_what_it_did(made):
    _, found = made
    assert found.after <= found.linear <= found.before and found.after < found.before - 0.2
    (told,) = json.loads((found.path / "run.json").read_text())["calibrations"]
    assert told["subject"] == NEW and told["held_out_loss"] == [found.before, found.after]


def test_windows_of_the_calibration_cannot_be_tested_on(planted_windows, made):
    """The split table of the calibration counts as what was trained on."""
    from offline.contrastive.score import assert_unheard
    from offline.contrastive.windows import make_windows

    config, study, _ = planted_windows
    own = [r for r in study.recordings if r.subject == NEW]
    used = make_windows(own, config, grid=("train",)).windows[5]
    with pytest.raises(StudyError, match="was trained on"):
        assert_unheard(load_checkpoint(made[1].path), [dataclasses.replace(used, split="test")])


def test_what_cannot_be_calibrated_is_refused(planted_windows, made, tmp_path):
    _, study, features = planted_windows
    run, found = made
    for subject, words in (("sub-01", "knows subject"), ("sub-09", "no subject 'sub-09'")):
        with pytest.raises(StudyError, match=words):
            calibrate_windows(run, study, features, subject, tmp_path / "new", QUICK)
    short = dataclasses.replace(QUICK, minutes=0.05)
    with pytest.raises(StudyError, match="to judge by"):
        calibrate_windows(run, study, features, NEW, tmp_path / "new", short)
    with pytest.raises(TrainingError, match="exists"):
        calibrate_windows(run, study, features, NEW, found.path, QUICK)
    assert list(tmp_path.iterdir()) == []


def test_the_linear_path_is_calibrated_by_ridge(planted_windows, tmp_path):
    config, study, features = planted_windows
    linear = dataclasses.replace(config.model, hidden=0, linear_taps=12, linear_start="ridge")
    once = dataclasses.replace(config.loop, updates_per_epoch=1, lr=1e-6)
    run = train(dataclasses.replace(config, model=linear, loop=once), study, features, tmp_path / "run")
    found = calibrate_windows(run, study, features, NEW, tmp_path / "new", QUICK)
    assert found.layer is None and found.ridge_lambda is not None and found.after < found.before - 0.2
    old, new = (load_checkpoint(path).net.state_dict() for path in (run, found.path))
    assert torch.equal(new["linear.weight"][:2], old["linear.weight"]) and len(new["linear.weight"]) == 3
