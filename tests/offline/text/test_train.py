"""A run: exact when interrupted, loud about what cannot be trained on, silent about nothing left out."""

import dataclasses
import json

import pytest
import torch

from offline.text.checkpoint import load_checkpoint
from offline.text.examples import target_of
from offline.text.train import assemble, train
from rtdecode.errors import ConfigError, StudyError, TrainingError
from rtdecode.text.symbols import CHARACTERS, PHONEMES, W2V_CHARACTERS
from tests.offline.text import tiny


def state(path, name="state.pt"):
    return torch.load(path / name, weights_only=True)


def test_a_run_leaves_its_model_days_and_data(tmp_path):
    study = tiny.study()
    train(tiny.config("data.hold_out=d3"), study, tmp_path / "run")
    ready = load_checkpoint(tmp_path / "run")
    assert ready.days == ("d1", "d2") and ready.net.n_days == 2 and ready.step > 0
    assert ready.labels == study.labels and ready.symbols == PHONEMES
    assert ready.run["data"]["train"]["trials"] == 12 and ready.run["data"]["valid"]["trials"] == 6
    ready.check(study)
    best = state(tmp_path / "run", "best.pt")["model"]
    assert all(torch.equal(value, best[f"net.{name}"]) for name, value in ready.net.state_dict().items())


def test_interrupted_and_resumed_is_uninterrupted(tmp_path):
    config, study = (
        tiny.config("model.gru.dropout=0.3", "model.gru.layers=2", "loop.save_every=2"),
        tiny.study(),
    )
    train(config, study, tmp_path / "whole")

    class Plug(Exception):
        pass

    def pull(progress):
        if progress.step == 3:
            raise Plug

    with pytest.raises(Plug):
        train(config, study, tmp_path / "parts", progress=pull)
    assert state(tmp_path / "parts")["step"] == 3
    torch.manual_seed(77)
    train(config, study, tmp_path / "parts", resume=True)
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert whole["step"] == parts["step"] == 6 and whole["task"] == parts["task"]
    assert all(torch.equal(value, parts["model"][name]) for name, value in whole["model"].items())


def test_a_resumed_run_wants_the_data_it_began_with(tmp_path):
    config = tiny.config()
    train(config, tiny.study(), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"began with other data: data.train.digest"):
        train(config, tiny.study(seed=1), tmp_path / "run", resume=True)
    with pytest.raises(TrainingError, match="holds a training run already"):
        train(config, tiny.study(), tmp_path / "run")


def test_a_loss_that_is_no_number_names_its_trials(tmp_path, monkeypatch):
    import offline.text.train as module

    start = module.start

    def broken(*args, **kwargs):
        net = start(*args, **kwargs)
        with torch.no_grad():
            net.head.bias[1] = float("nan")
        return net

    monkeypatch.setattr(module, "start", broken)
    with pytest.raises(TrainingError, match=r"loss became nan at step 0 .*in the batch d\d/train-01-00\d"):
        train(tiny.config(), tiny.study(), tmp_path / "run")


def test_targets_longer_than_their_frames_are_counted_and_named():
    study = tiny.study()
    long = dataclasses.replace(study.trials[0], phonemes=("AA",) * 40)
    study = dataclasses.replace(study, trials=(long, *study.trials[1:]))
    assembled = assemble(tiny.config(), study)
    assert assembled.run["data"]["left_out"] == {"trials": 1, "names": [long.name]}
    assert long.name not in [e.name for e in assembled.chosen.train]
    every = dataclasses.replace(
        study, trials=tuple(dataclasses.replace(t, phonemes=("AA",) * 40) for t in study.trials)
    )
    with pytest.raises(TrainingError, match="18 trials have fewer frames than symbols"):
        assemble(tiny.config(), every)


@pytest.mark.parametrize(
    ("changes", "settings", "said"),
    [
        (
            {"norm": "causal"},
            (),
            "prepared with the normalisation 'causal', the configuration asks for 'block'",
        ),
        ({}, ("data.days=d9",), "has no day 'd9'"),
        ({}, ("data.hold_out=d0",), "has no day 'd0'"),
        ({"trials": (("train", 4),)}, (), "no validation trial to choose the best weights by"),
        ({"trials": (("test", 4),)}, (), "has no training trial on 0 days"),
        ({"phonemes": ()}, (), "trial d1/train-01-000 has a sentence and no phonemes"),
        ({"phonemes": ("AA", "XX")}, (), "trial d1/train-01-000: symbol 2 of 2, 'XX'"),
    ],
    ids=["norm", "day", "held out", "no valid", "no train", "no phonemes", "strange phoneme"],
)
def test_data_that_do_not_fit_are_refused(changes, settings, said):
    with pytest.raises((TrainingError, StudyError), match=said):
        assemble(tiny.config(*settings), tiny.study(**changes))


def test_without_validation_the_last_weights_are_kept_when_asked(tmp_path):
    study = tiny.study(trials=(("train", 4),))
    train(tiny.config("loop.watch=", "loop.patience=0"), study, tmp_path / "run")
    assert not (tmp_path / "run" / "best.pt").exists()
    assert load_checkpoint(tmp_path / "run").step == 6


def test_sentences_are_spelled_in_the_case_of_the_alphabet():
    trial = dataclasses.replace(tiny.study().trials[0], text="It's a well-known Fact.")
    assert CHARACTERS.decode(target_of(trial, CHARACTERS)) == "it's a wellknown fact"
    assert W2V_CHARACTERS.decode(target_of(trial, W2V_CHARACTERS)) == "IT'S A WELLKNOWN FACT"


def test_a_day_that_was_not_trained_on_is_refused_by_name(tmp_path):
    train(tiny.config("data.days=d1,d2"), tiny.study(), tmp_path / "run")
    with pytest.raises(StudyError, match=r"was not trained on the day d3: it knows 2, d1 to d2 .*--new-day"):
        load_checkpoint(tmp_path / "run").row("d3")


def test_other_channels_and_another_normalisation_are_refused(tmp_path):
    train(tiny.config(), tiny.study(), tmp_path / "run")
    ready, study = load_checkpoint(tmp_path / "run"), tiny.study()
    with pytest.raises(StudyError, match="'other' where the model has 'ch0'"):
        ready.check(dataclasses.replace(study, labels=("other", *study.labels[1:])))
    with pytest.raises(StudyError, match="normalisation 'none'"):
        ready.check(tiny.study(norm="none"))


def test_a_run_that_is_damaged_or_of_another_recipe_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"needs run\.json"):
        load_checkpoint(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"recipe": "windows", "schema": 1}))
    with pytest.raises(TrainingError, match="recipe 'windows'"):
        load_checkpoint(tmp_path)
    train(tiny.config(), tiny.study(), tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    run = json.loads(path.read_text())
    path.write_text(json.dumps({**run, "symbols": run["symbols"][::-1]}))
    with pytest.raises(ConfigError, match="another order"):
        load_checkpoint(tmp_path / "run")
