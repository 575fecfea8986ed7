"""Calibration: a third listener joins a model of two; their rows are fitted, every other bit stays."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from offline.calibrate import CalibrationSettings, calibrate
from offline.calibration.command import calibrate_run
from offline.calibration.gain import gain, unseen_scores
from offline.calibration.grow import adopt
from offline.calibration.known import fitting, known_recording
from offline.calibration.linear import equations, ridge_towards
from offline.calibration.rows import FitSettings, fit_rows
from offline.checkpoint import load_checkpoint
from offline.contrastive.metrics import ranks
from offline.data import prepare
from offline.ridge import NormalEquations
from offline.segments import Track
from offline.study import StudyRecording
from offline.train import train
from rtdecode.bundle import load_bundle
from rtdecode.errors import ConfigError, StudyError, TrainingError
from tests.offline.tiny import config, tiny_study

NEW = "sub-03"
QUICK = CalibrationSettings(minutes=3.0, fit=FitSettings(updates=40, every=10, lr=3e-3))


def only(study, subjects):
    kept = tuple(r for r in study.recordings if r.subject in subjects)
    return dataclasses.replace(study, recordings=kept)


def trained_on_two(folder, study, **groups):
    settings = config(**groups)
    return train(settings, prepare(only(study, ("sub-01", "sub-02")), settings), folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny_study(tmp_path_factory.mktemp("calibrate"), sentences=72, subjects=3)


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    """A model of two with a shared row, and what calibration made of it for the third."""
    folder = tmp_path_factory.mktemp("runs")
    run = trained_on_two(
        folder / "run",
        study,
        model={"subject_dropout": 0.3},
        optim={"steps": 60, "steps_per_epoch": 60, "lr": 3e-3},
    )
    found = calibrate(run, study, study.select("train", NEW), folder / "new", QUICK)
    return run, found


def test_a_stranger_evaluates_without_calibration_and_better_with_it(study, made):
    run, found = made
    test = study.select("test", NEW)
    unseen = unseen_scores(run, study, test)
    assert unseen.subjects == (NEW,) and np.isfinite(unseen.scores).all()
    result = gain(run, found.path, study, study.select("train", NEW), test, minutes=3.0)
    assert result.after.n == result.before.n == unseen.trials and result.ridge is not None
    # another head: without calibration near chance, with it far above
    assert result.after.value > result.before.value + 0.2
    assert result.interval.low > 0
    assert "gain +" in result.lines()[0] and "chance" in result.lines()[0]


def test_everything_else_keeps_its_bits(made):
    run, found = made
    before, after = load_checkpoint(run), load_checkpoint(found.path)
    old, new = before.model.state_dict(), after.model.state_dict()
    grown = {"encoder.front.subjects", "linear.weight", "linear.bias"}
    assert set(old) == set(new)
    for name in old:
        if name not in grown:
            assert torch.equal(old[name], new[name]), name
    for name in ("linear.weight", "linear.bias"):
        assert torch.equal(old[name], new[name][:2]) and len(new[name]) == 3
    subjects = new["encoder.front.subjects"]
    # two own rows, the new one, and the shared row, last as before
    assert torch.equal(subjects[[0, 1, 3]], old["encoder.front.subjects"])
    assert not torch.equal(subjects[2], old["encoder.front.subjects"][2])
    assert after.source.subjects == ("sub-01", "sub-02", NEW)
    assert after.source.scalers[:2] == before.source.scalers
    for name in before.ridge:
        assert torch.equal(after.ridge[name][:2], before.ridge[name])
    x = torch.randn(2, 64, 8)
    for subject in (0, 1):
        row = torch.tensor([subject, subject])
        assert torch.equal(before.model(x, row)["estimate"], after.model(x, row)["estimate"])


def test_it_is_judged_on_a_part_it_does_not_fit_and_never_gets_worse_there(made):
    _, found = made
    assert found.after <= found.linear <= found.before
    assert found.after < found.before - 0.3 and found.layer.updates > 0
    assert found.layer.best == pytest.approx(found.after)
    assert found.lines()[0] == f"calibrated {NEW} with {found.minutes:.1f} min"


def test_calibration_repeats_itself(study, made, tmp_path):
    run, found = made
    again = calibrate(run, study, study.select("train", NEW), tmp_path / "again", QUICK)
    one, two = load_checkpoint(found.path).model.state_dict(), load_checkpoint(again.path).model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_new_row_starts_as_the_shared_one_else_as_the_mean(study, made, tmp_path):
    run, _ = made
    shared = load_checkpoint(run)
    own = [fitting(r, shared.source) for r in study.select("train", NEW)]
    rows = shared.model.state_dict()["encoder.front.subjects"]
    started = adopt(shared, NEW, own).model.state_dict()["encoder.front.subjects"]
    assert torch.equal(started[2], rows[2]) and torch.equal(started[3], rows[2])

    plain = load_checkpoint(trained_on_two(tmp_path / "plain", study, optim={"steps": 2}))
    rows = plain.model.state_dict()["encoder.front.subjects"]
    started = adopt(plain, NEW, own).model.state_dict()["encoder.front.subjects"]
    assert len(rows) == 2 and torch.equal(started[2], rows.mean(0)) and len(started) == 3
    assert ranks(unseen_scores(tmp_path / "plain", study, study.select("test", NEW))).of > 5


def test_the_linear_model_is_calibrated_by_ridge_alone(study, tmp_path):
    run = trained_on_two(tmp_path / "run", study, model={"hidden": 0}, output={"text": False})
    found = calibrate(run, study, study.select("train", NEW), tmp_path / "new", QUICK)
    assert found.layer is None and found.ridge_lambda is not None and found.after < found.before


def test_nothing_to_learn_leaves_the_mean(study, made, tmp_path):
    """Signal without any response: the best on the held-out part is (nearly) the start."""
    run, _ = made
    rng = np.random.default_rng(0)
    first = study.select("train", NEW)[0]
    deaf = dataclasses.replace(first, data=rng.normal(size=first.data.shape).astype(np.float32))
    found = calibrate(run, study, [deaf], tmp_path / "deaf", QUICK)
    assert found.after <= found.before and found.after > found.before - 0.15


def test_ridge_towards_a_filter():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(900, 3)).astype(np.float32), rng.normal(size=(900, 2)).astype(np.float32)
    settings = config(model={"stride": 1, "linear_taps": 4}, output={"delay_s": 0.25})
    track = Track("x", 0, x, y, np.ones(900, bool), ())
    sums = equations([track], settings)
    assert isinstance(sums, NormalEquations)
    weight, bias = rng.normal(size=(2, 3, 4)).astype(np.float32), np.zeros(2, np.float32)
    kept, _ = ridge_towards(sums, weight, bias, 1e9)
    np.testing.assert_allclose(kept, weight, atol=1e-4)
    free, offset = ridge_towards(sums, weight, bias, 1e-3)
    plain, plain_offset = sums.solve(1e-3)
    np.testing.assert_allclose(free, plain, atol=1e-4)
    np.testing.assert_allclose(offset, plain_offset, atol=1e-4)


def test_rows_are_fitted_with_a_pull_and_the_best_is_kept():
    module = torch.nn.Embedding(3, 2)
    before = module.weight.detach().clone()
    goal = torch.tensor([4.0, -4.0])

    def loss():
        return (module(torch.tensor(1)) - goal).square().sum()

    found = fit_rows(
        module, [("weight", 1)], loss, lambda: loss().item(), FitSettings(updates=300, lr=0.1, pull=0.0)
    )
    assert torch.allclose(module.weight[1], goal, atol=0.05) and found.best < 0.01 < found.start
    assert torch.equal(module.weight[[0, 2]], before[[0, 2]])

    module.weight.data.copy_(before)
    fit_rows(module, [("weight", 1)], loss, lambda: loss().item(), FitSettings(updates=300, lr=0.1, pull=1e6))
    assert torch.allclose(module.weight[1], before[1], atol=0.2)

    module.weight.data.copy_(before)
    fit_rows(module, [("weight", 1)], loss, lambda: -loss().item(), FitSettings(updates=50, lr=0.1))
    assert torch.equal(module.weight, before)  # every step was worse: the start is kept

    with pytest.raises(TrainingError, match="update 1 of the calibration"):
        fit_rows(module, [("weight", 1)], lambda: loss() * np.nan, lambda: 0.0, FitSettings())
    assert torch.equal(module.weight, before) and module.weight.requires_grad


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: dataclasses.replace(r, split="test"), "belongs to the test"),
        (lambda r: dataclasses.replace(r, subject="sub-01"), "knows subject 'sub-01' already"),
        (lambda r: dataclasses.replace(r, sfreq=256.0), "rate is 256 Hz"),
        (lambda r: dataclasses.replace(r, labels=("Fz", *r.labels[1:])), "missing: E0"),
        (lambda r: dataclasses.replace(r, data=r.data * np.nan), "no numbers"),
        (lambda r: dataclasses.replace(r, data=r.data[:1500], events=r.events[:12]), "too short"),
        (
            lambda r: dataclasses.replace(r, events=(dataclasses.replace(r.events[0], stimulus="s999"),)),
            "no such sound",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(study, made, tmp_path, change, words):
    recording = change(study.select("train", NEW)[0])
    with pytest.raises(StudyError, match=words):
        calibrate(made[0], study, [recording], tmp_path / "new", QUICK)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_and_several_subjects_are_refused(study, made, tmp_path):
    run, found = made
    again = study.select("train", NEW)
    both = [*again, *study.select("train", "sub-02")]
    with pytest.raises(TrainingError, match="exists"):
        calibrate(run, study, study.select("train", NEW), found.path, QUICK)
    with pytest.raises(StudyError, match="one subject, got 2"):
        calibrate(run, study, both, tmp_path / "new", QUICK)
    with pytest.raises(StudyError, match="heard in the calibration"):
        gain(run, found.path, study, again, again, minutes=3.0)


def test_channels_are_matched_by_name(study, made):
    source = load_checkpoint(made[0]).source
    recording = study.select("train", NEW)[0]
    order = [3, 1, 0, 2, 7, 6, 5, 4]
    turned = dataclasses.replace(
        recording, labels=tuple(recording.labels[i] for i in order), data=recording.data[:, order]
    )
    np.testing.assert_array_equal(fitting(turned, source).read(), recording.data)


def test_a_recording_file_with_its_events_table(study, made, tmp_path):
    recording = study.select("train", NEW)[0]
    path = write_edf(tmp_path / "new.edf", recording)
    table = write_events(tmp_path / "events.tsv", recording)
    source = load_checkpoint(made[0]).source
    found = known_recording(path, table, NEW, source)
    assert found.events == tuple(sorted(recording.events, key=lambda e: e.start))
    assert found.subject == NEW and found.labels == source.labels
    np.testing.assert_allclose(found.read(), recording.data[: len(found.read())], atol=0.1)
    with pytest.raises(StudyError, match="does not say which sentences"):
        known_recording(path, None, NEW, source)
    table.write_text(HEADER + "\nsoon\t1\tsentence\ta\tb\t0\n", "utf-8")
    with pytest.raises(StudyError, match=r"line 2 of .*events.tsv is no event"):
        known_recording(path, table, NEW, source)


HEADER = "onset\tduration\ttrial_type\tvalue\tstimulus\toffset"


def write_events(path, recording: StudyRecording):
    rows = [
        f"{e.start}\t{e.duration}\t{e.kind}\t{e.text}\t{e.stimulus}\t{e.offset}" for e in recording.events
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return path


def write_edf(path, recording: StudyRecording):
    edfio = pytest.importorskip("edfio")
    whole = len(recording.data) - len(recording.data) % int(recording.sfreq)
    signals = [
        edfio.EdfSignal(column[:whole].astype(float), recording.sfreq, label=label, physical_dimension="uV")
        for column, label in zip(recording.data.T, recording.labels, strict=True)
    ]
    edfio.Edf(signals).write(path)
    return path


def test_the_run_tells_what_was_done(made):
    _, found = made
    run = json.loads((found.path / "run.json").read_text())
    (told,) = run["calibrations"]
    assert told["subject"] == NEW and told["minutes"] == 3.0
    assert told["held_out_loss"] == [found.before, found.after]


def test_the_command_calibrates_from_a_file_and_makes_a_bundle(study, made, tmp_path):
    """Somebody of whom the study has nothing: their file, its table, and the programme of the others."""
    recording = study.select("train", NEW)[0]
    path = write_edf(tmp_path / "new.edf", recording)
    table = write_events(tmp_path / "events.tsv", recording)
    known = only(study, ("sub-01", "sub-02"))
    outcome = calibrate_run(
        made[0], Path("."), "me", tmp_path / "new", load=lambda _: known, settings=QUICK,
        recording=path, events=table, bundle=tmp_path / "bundle",
    )  # fmt: skip
    assert outcome.gain is None and "gain not measured" in "\n".join(outcome.lines())
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.spec.training.subject == "me" and bundle.spec.training.scores == ()
    assert bundle.spec.preprocess.center == load_checkpoint(tmp_path / "new").source.scalers[2].center
    test = {e.stimulus for r in study.select("test") for e in r.events}
    assert {c.source for c in bundle.bank.candidates} <= test


def test_the_command_takes_what_the_study_has_and_measures_the_gain(study, made, tmp_path):
    outcome = calibrate_run(made[0], Path("."), NEW, tmp_path / "a", load=lambda _: study, settings=QUICK)
    assert outcome.gain.difference > 0.2 and "chance" in outcome.lines()[-1]
    with pytest.raises(StudyError, match="no recording of 'sub-09'"):
        calibrate_run(made[0], Path("."), "sub-09", tmp_path / "b", load=lambda _: study)
    with pytest.raises(ConfigError, match="exists"):
        calibrate_run(made[0], Path("."), NEW, tmp_path / "a", load=lambda _: study)
    with pytest.raises(ConfigError, match="--events"):
        calibrate_run(made[0], Path("."), NEW, tmp_path / "b", load=lambda _: study, events=tmp_path)
