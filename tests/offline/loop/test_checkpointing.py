"""Checkpoints are whole or absent, data and not code, and say what is wrong with them."""

import json
import pickle
import resource
from contextlib import contextmanager

import pytest
import torch

from offline.loop import fit
from offline.loop.checkpointing import (
    check_data,
    differences,
    fill,
    load,
    read_recipe,
    read_run,
    save,
    weights,
)
from rtdecode.errors import TrainingError
from tests.offline.loop.toy import Toy, equal, loop, weights_of


@contextmanager
def files_no_longer_than(n_bytes):
    """What a full disk does to a writer, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_sentence_and_the_old_checkpoint_stands(tmp_path):
    path = tmp_path / "state.pt"
    save(path, {"step": 1, "model": {"w": torch.ones(3)}})
    before = path.read_bytes()
    with files_no_longer_than(20_000), pytest.raises(TrainingError, match=r"cannot write .*: File too large"):
        save(path, {"step": 2, "model": {"w": torch.randn(50_000)}})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_a_disk_that_fills_during_training(tmp_path):
    settings = loop(prefetch=0)  # the disk fills when update 5 begins, not when its batch is made ahead
    fit(Toy(), settings, tmp_path / "whole", run={"config": {}})
    task = Toy()
    draw = task.batch

    def batch(step):
        if step == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
        return draw(step)

    task.batch = batch
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(TrainingError, match="previous checkpoint is untouched"):
            fit(task, settings, tmp_path / "a", run={"config": {}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load(tmp_path / "a" / "state.pt")["step"] == 4
    assert not list((tmp_path / "a").glob("*.part"))
    fit(Toy(), settings, tmp_path / "a", run={"config": {}}, resume=True)
    assert equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "a"))


def test_killed_while_writing_the_checkpoint(tmp_path, monkeypatch):
    """The moment between the new file and its name."""
    from pathlib import Path

    class Killed(BaseException):
        pass

    replace, count = Path.replace, []

    def at_last(self, target):
        if Path(target).name == "state.pt":
            count.append(1)
            if len(count) == 2:
                raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", at_last)
    with pytest.raises(Killed):
        fit(Toy(), loop(), tmp_path / "a", run={"config": {}})
    assert load(tmp_path / "a" / "state.pt")["step"] == 4
    fit(Toy(), loop(), tmp_path / "a", run={"config": {}}, resume=True)
    fit(Toy(), loop(), tmp_path / "b", run={"config": {}})
    for name in ("state.pt", "best.pt"):
        assert equal(weights_of(tmp_path / "a", name), weights_of(tmp_path / "b", name))


def test_the_best_weights_are_the_ones_to_use(tmp_path):
    task = Toy()
    task.valid_losses = [1.0, 2.0, 3.0]
    fit(task, loop(), tmp_path / "a", run={"config": {}})
    step, best = weights(tmp_path / "a")
    assert step == 4 and equal(best, weights_of(tmp_path / "a", "best.pt"))
    fit(Toy(), loop(watch=""), tmp_path / "b", run={"config": {}})
    assert weights(tmp_path / "b")[0] == 12


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_what_is_no_checkpoint_is_refused_and_never_run(tmp_path, capsys):
    path = tmp_path / "state.pt"
    with pytest.raises(TrainingError, match="is missing"):
        load(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="not a checkpoint, or damaged"):
        load(path)
    torch.save({"model": Evil()}, path)
    with pytest.raises(TrainingError, match="not a checkpoint, or damaged"):
        load(path)
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(TrainingError):
        load(path)
    assert capsys.readouterr().out == ""
    save(path, {"step": 1})
    with pytest.raises(TrainingError, match="holds no 'model'"):
        load(path, "step", "model")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError, match="damaged"):
        load(path)


def test_a_damaged_run_file(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(TrainingError, match="not JSON"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(TrainingError, match="holds no run"):
        read_run(tmp_path)


def test_a_model_is_filled_with_its_own_weights_and_no_others(tmp_path):
    net, trained = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    own = {f"net.{name}": value for name, value in trained.state_dict().items()}
    save(tmp_path / "state.pt", {"step": 7, "model": {**own, "scale": torch.tensor(2.0)}})
    step, beside = fill(net, tmp_path)
    assert step == 7 and equal(net.state_dict(), trained.state_dict())
    assert beside == {"scale": torch.tensor(2.0)}
    with pytest.raises(TrainingError, match=r"the weights in .* do not fit its run\.json: .*size mismatch"):
        fill(torch.nn.Linear(3, 1), tmp_path)


def test_a_run_of_another_recipe_is_told_apart(tmp_path):
    with pytest.raises(TrainingError, match=r"is not a checkpoint: it needs run\.json"):
        read_recipe(tmp_path, "text", 1)
    run = {"recipe": "text", "schema": 1}
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert read_recipe(tmp_path, "text", 1) == run
    with pytest.raises(TrainingError, match=r"of the recipe 'text' \(schema 1\), expected 'windows' \(1\)"):
        read_recipe(tmp_path, "windows", 1)
    with pytest.raises(TrainingError, match=r"schema 1\), expected 'text' \(2\)"):
        read_recipe(tmp_path, "text", 2)
    (tmp_path / "run.json").write_text("{}")  # the first recipe did not say its name
    with pytest.raises(TrainingError, match="of the recipe 'crops'"):
        read_recipe(tmp_path, "text", 1)


def test_only_the_parts_that_are_data_must_be_the_same(tmp_path):
    check_data(tmp_path, {"days": ("a",)}, ("days",))  # no run yet
    (tmp_path / "run.json").write_text(json.dumps({"days": ["a"], "note": "then"}))
    check_data(tmp_path, {"days": ("a",), "note": "now"}, ("days",))
    with pytest.raises(TrainingError, match=r'began with other data: days: \["a"\] -> \["b"\]'):
        check_data(tmp_path, {"days": ("b",), "note": "now"}, ("days",))
    with pytest.raises(TrainingError, match="began with other data: labels: null -> 3"):
        check_data(tmp_path, {"days": ("a",), "labels": 3}, ("days", "labels"))


def test_differences_name_every_key_that_changed():
    old = {"a": {"b": 1, "c": [1, 2]}, "gone": True, "same": None}
    new = {"a": {"b": 2, "c": [1, 2, 3]}, "same": None, "new": "x"}
    assert list(differences(old, json.loads(json.dumps(new)))) == [
        "a.b: 1 -> 2",
        "a.c: [1, 2] -> [1, 2, 3]",
        "gone: true -> absent",
        'new: absent -> "x"',
    ]
    assert not list(differences(old, old))
