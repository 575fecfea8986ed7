"""Training on windows: it learns, refuses what leaks, goes on exactly, and knows its listeners by name."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from offline.contrastive.checkpoint import load_checkpoint
from offline.contrastive.score import Calibration, score_windows
from offline.contrastive.train import assemble, train
from offline.prepare.settings import PrepareSettings
from offline.split import Block
from rtdecode.errors import StudyError, TrainingError
from tests.offline.contrastive.small import RATE, config, small

LEARNS = {"updates_per_epoch": 20, "max_epochs": 2}
QUICK = {"updates_per_epoch": 3, "max_epochs": 2}


def top10(scores):
    right = scores.scores[np.arange(scores.trials), scores.target]
    return float(((scores.scores >= right[:, None]).sum(axis=1) <= 10).mean())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return small(tmp_path_factory.mktemp("study"), sentences=60, noise=2.0)


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    """A model of the first listener alone."""
    out = tmp_path_factory.mktemp("run") / "run"
    return train(config(subjects=["sub-01"], loop=QUICK), study.prepared, study.features, out)


def with_blocks(prepared, change):
    """The study with another split table, in memory."""
    for recording in prepared.recordings:
        recording.__dict__["blocks"] = tuple(change(block) for block in recording.blocks)
    return prepared


def test_it_learns_and_shuffled_it_does_not(study, tmp_path):
    found = {}
    for shuffle in (False, True):
        out = train(
            config(loop=LEARNS, batch={"shuffle": shuffle}),
            study.prepared,
            study.features,
            tmp_path / f"{shuffle}",
        )
        scores = score_windows(out, study.prepared, study.features)
        found[shuffle] = top10(scores)
        assert scores.trials > 100 and scores.candidates > 50
        assert dict(scores.about)["scaled_by"] == {"train": 2}
    chance, spread = 10 / scores.candidates, (0.15 * 0.85 / scores.candidates) ** 0.5
    assert found[False] > 0.6 > chance + 4 * spread
    # Trials of one sentence go together: the candidates, not the trials, are what is counted.
    assert abs(found[True] - chance) < 4 * spread


def test_the_causal_form_with_online_normalisation_learns_too(tmp_path):
    settings = PrepareSettings(
        sfreq=RATE, split_rule="sentence", filter="causal", highpass_hz=0.5, lowpass_hz=18.0
    )
    study = small(tmp_path, sentences=60, noise=1.0, settings=settings)
    online = config(
        signal={"normalise": "online"},
        model={"causal": True},
        window={"offset_s": 0.3, "context_s": 0.3},
        loop=LEARNS,
    )
    out = train(online, study.prepared, study.features, tmp_path / "run")
    scores = score_windows(out, study.prepared, study.features)
    assert top10(scores) > 3 * 10 / scores.candidates and scores.about["causal"] is True
    ready = load_checkpoint(out)
    x = torch.randn(1, 80, ready.n_channels)
    with torch.no_grad():
        one = ready.net(x, torch.tensor([0]))
        x[:, 50:] += 1
        assert torch.equal(ready.net(x, torch.tensor([0]))[:, :50], one[:, :50])


def test_a_split_table_that_leaks_is_refused_at_every_start(tmp_path):
    study = small(tmp_path, sentences=20)
    settings, out = config(loop=QUICK), tmp_path / "run"
    train(settings, study.prepared, study.features, out)
    first = study.prepared.recordings[0]
    victim = [b for b in first.blocks if b.split == "test"][-1]
    # The same sentence is heard by another listener; there it stays in the test.
    first.__dict__["blocks"] = tuple(replace(b, split="train") if b == victim else b for b in first.blocks)
    for resume in (True, False):
        with pytest.raises(StudyError, match=r"leak in .* places: the sentence .* is in test"):
            train(settings, study.prepared, study.features, out if resume else tmp_path / "no", resume=resume)
    assert not (tmp_path / "no").exists()


def test_a_leak_outside_the_selection_is_found_too(tmp_path):
    study = small(tmp_path, sentences=20)
    uid = next(b.uid for b in study.prepared.recordings[1].blocks if b.split == "test")
    second = study.prepared.recordings[1]
    second.__dict__["blocks"] = tuple(replace(b, split="train") if b.uid == uid else b for b in second.blocks)
    with pytest.raises(StudyError, match="leak"):
        train(config(subjects=["sub-01"]), study.prepared, study.features, tmp_path / "run")


def test_going_on_gives_the_weights_of_an_uninterrupted_run(study, tmp_path):
    settings = config(loop={**QUICK, "save_every": 1}, batch={"noise": 0.1, "mix": 0.3})
    whole = train(settings, study.prepared, study.features, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(line):
        if line.step == 3:
            raise Stop

    with pytest.raises(Stop):
        train(settings, study.prepared, study.features, tmp_path / "part", progress=stop)
    part = train(settings, study.prepared, study.features, tmp_path / "part", resume=True)
    one, two = (torch.load(run / "state.pt", weights_only=True) for run in (whole, part))
    assert one["step"] == two["step"] == 6
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])
    with pytest.raises(TrainingError, match="holds a training run already"):
        train(settings, study.prepared, study.features, whole)
    other = replace(settings, signal=replace(settings.signal, clamp=10.0))
    with pytest.raises(TrainingError, match=r"signal.clamp: 20.0 -> 10.0"):
        train(other, study.prepared, study.features, whole, resume=True)


def test_going_on_with_other_data_is_refused(tmp_path):
    study = small(tmp_path / "one", sentences=20)
    out = train(config(loop=QUICK), study.prepared, study.features, tmp_path / "run")
    other = small(tmp_path / "two", sentences=20, noise=0.5)
    with pytest.raises(TrainingError, match=r"began with other data: data.scalings"):
        train(config(loop=QUICK), other.prepared, other.features, out, resume=True)


def test_run_json_says_what_was_trained_on(run, study):
    said = json.loads((run / "run.json").read_text())
    assert said["recipe"] == "windows" and said["subjects"] == ["sub-01"]
    assert said["config"]["subjects"] == ["sub-01"] and said["study"] == "small"
    counts = said["data"]["counts"]
    assert counts["train"] > 200 and counts["valid"] > 20
    first = said["data"]["first_batch"]
    again = assemble(config(subjects=["sub-01"], loop=QUICK), study.prepared, study.features)
    assert again.run["data"]["first_batch"] == first and first["brain"] > 0 and first["speech"] > 0


def test_rows_belong_to_names_whatever_is_selected(study, tmp_path):
    """The second listener's row is silenced: it stays the second listener's in every selection and order."""
    out = train(config(loop=QUICK), study.prepared, study.features, tmp_path / "both")
    ready = load_checkpoint(out)
    assert ready.subjects == ("sub-01", "sub-02")
    with torch.no_grad():
        ready.net.encoder.front.subjects[1].zero_()

    def silenced(prepared, subjects=None):
        scores = score_windows(ready, prepared, study.features, subjects=subjects)
        own = {name: [k == name for k in scores.subject] for name in scores.subjects}
        return {name: np.ptp(scores.scores[rows], axis=0).max() < 1e-4 for name, rows in own.items()}

    backwards = replace(study.prepared, recordings=study.prepared.recordings[::-1])
    for prepared in (study.prepared, backwards):
        assert silenced(prepared) == {"sub-01": False, "sub-02": True}
        assert silenced(prepared, ["sub-02"]) == {"sub-02": True}
        assert silenced(prepared, ["sub-01"]) == {"sub-01": False}
    again = assemble(config(loop=QUICK), backwards, study.features)
    assert again.run["subjects"] == ["sub-01", "sub-02"]


def test_an_unseen_listener_is_scored_with_and_without_calibration(run, study):
    plain = score_windows(run, study.prepared, study.features, subjects=["sub-02"])
    assert plain.about["unseen"] == ["sub-02"] and plain.about["scaled_by"] == {"start": 1}
    name = study.prepared.recordings[1].name
    stretch = Calibration(stretches={name: [(0.0, 100.0)]})
    scaled = score_windows(run, study.prepared, study.features, subjects=["sub-02"], calibration=stretch)
    assert scaled.about["scaled_by"] == {"calibration": 1} and not np.array_equal(scaled.scores, plain.scores)
    ready = load_checkpoint(run)
    grown = ready.net.with_new_subject()
    with torch.no_grad():
        grown.encoder.front.subjects[1] *= -1
    own = Calibration(net=grown.eval(), rows={"sub-02": 1})
    found = score_windows(ready, study.prepared, study.features, subjects=["sub-02"], calibration=own)
    assert found.about["calibrated"] == ["sub-02"] and found.about["unseen"] == []
    assert not np.array_equal(found.scores, plain.scores)
    everybody = score_windows(run, study.prepared, study.features)
    assert everybody.about["scaled_by"] == {"train": 1, "start": 1}


def test_candidates_are_distinct_and_scored_as_the_loss_scores(run, study):
    scores = score_windows(run, study.prepared, study.features)
    assert len(set(scores.candidate_id)) == scores.candidates < scores.trials
    assert {scores.candidate_id[k][1] for k in scores.target} <= set(range(9))
    for row in range(0, scores.trials, 17):
        assert scores.candidate_word[scores.target[row]] == scores.word[row]
    small_steps = score_windows(run, study.prepared, study.features, size=7)
    np.testing.assert_allclose(small_steps.scores, scores.scores, atol=1e-4)


def test_evaluating_on_another_split_table_is_refused(run, tmp_path):
    study = small(tmp_path, sentences=60, noise=2.0)
    swap = {"train": "test", "test": "train", "valid": "valid", "": ""}
    with_blocks(study.prepared, lambda b: Block(b.start, b.stop, b.uid, swap[b.split]))
    with pytest.raises(StudyError, match="is to be tested, but small was trained on the sentence"):
        score_windows(run, study.prepared, study.features)


def test_a_sensor_in_a_new_place_needs_no_new_training(run, study):
    ready = load_checkpoint(run)
    first, second = study.prepared.recordings
    moved = replace(second, positions=tuple((1 - x, y) for x, y in second.positions))
    net, rows = ready.placed([first, moved])
    assert rows == {first.name: 0, moved.name: 1}
    x = torch.randn(1, 50, ready.n_channels)
    with torch.no_grad():
        old, same, new = (
            ready.net(x, torch.tensor([0])),
            net(x, torch.tensor([0]), torch.tensor([0])),
            net(x, torch.tensor([0]), torch.tensor([1])),
        )
    torch.testing.assert_close(old, same)
    assert not torch.allclose(old, new)
    with pytest.raises(StudyError, match="10 channels, the model was made for 8"):
        ready.placed([replace(second, labels=tuple("abcdefghij"))])


def test_ridge_is_where_the_linear_path_starts(study):
    """Before any update the model finds about what ridge finds, and the deep path says nothing."""
    shape = {"linear_taps": 12, "linear_ahead": 6, "linear_start": "ridge"}
    assembled = assemble(config(model=shape), study.prepared, study.features)
    net = assembled.task.module.net
    assert assembled.run["ridge_lambda"] > 0 and not net.head.outer.weight.any()
    net.eval()
    assert assembled.task.validate()["top10"] > 2 * assembled.task.validate()["top10_chance"]


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"signal": {"sfreq": 50.0}}, "prepared at 40 Hz, the configuration asks for 50 Hz"),
        ({"signal": {"normalise": "online"}}, "online normalisation has no baseline.*without a high-pass"),
        ({"speech": {"bands": 9}}, "have bands 6, the configuration asks for 9"),
        ({"speech": {"kind": "mel"}}, "have kind 'logmel', the configuration asks for 'mel'"),
        ({"batch": {"size": 5000}}, "do not fill a batch of 5000"),
        ({"window": {"tmax": 30.0}}, "no training window of 30.32 s"),
        ({"subjects": ["sub-3"]}, "no subject 'sub-3' .did you mean sub-0"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(study, tmp_path, groups, said):
    with pytest.raises((TrainingError, StudyError), match=said):
        train(config(**groups), study.prepared, study.features, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sensors_without_places_and_missing_features_are_said(study, tmp_path):
    nowhere = tuple(replace(r, positions=((-0.1, -0.1),) * 8) for r in study.prepared.recordings)
    with pytest.raises(TrainingError, match=r"none of the 8 sensors .* has a known position"):
        train(config(), replace(study.prepared, recordings=nowhere), study.features, tmp_path / "run")
    few = study.features
    less = type(few)(few.path)
    del less._stimuli["part3.wav"]
    with pytest.raises(StudyError, match=r"hears 'part3.wav', of which .* has no features"):
        train(config(), study.prepared, less, tmp_path / "run")


def test_a_directory_that_is_no_run_is_refused(tmp_path, run):
    with pytest.raises(TrainingError, match=r"is not a checkpoint: it needs run.json"):
        load_checkpoint(tmp_path)
    (tmp_path / "run.json").write_text('{"config": {}}')
    with pytest.raises(TrainingError, match=r"the recipe 'crops'.*expected 'windows'"):
        load_checkpoint(tmp_path)
    said = json.loads((run / "run.json").read_text())
    del said["speech"]
    (tmp_path / "run.json").write_text(json.dumps(said))
    with pytest.raises(TrainingError, match="is damaged: KeyError"):
        load_checkpoint(tmp_path)
