"""The loop: the published recipe to the bit, exact after any interruption, loud about NaN, the best weights
kept.
"""

import dataclasses
import json

import pytest
import torch

from offline.loop import LoopConfig, fit
from offline.loop.metrics import JsonLines
from offline.loop.precision import numerics
from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError, TrainingError
from tests.offline.loop.toy import Toy, equal, loop, weights_of

RUN = {"config": {"name": "toy"}}


def untimed(out):
    """metrics.jsonl without what a clock put there."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("segments_per_s", "waiting")} for line in lines]


def test_the_defaults_are_the_published_recipe():
    recipe = LoopConfig()
    assert (recipe.optimizer, recipe.lr, recipe.betas) == ("adam", 3e-4, (0.9, 0.999))
    assert (recipe.updates_per_epoch, recipe.max_epochs, recipe.patience) == (1200, 200, 10)
    assert (recipe.weight_decay, recipe.clip_norm, recipe.schedule, recipe.precision) == (
        0,
        0,
        "none",
        "fp32",
    )
    assert (recipe.watch, recipe.lowest, recipe.updates) == ("loss", True, 240_000)


def test_a_loop_is_plain_adam_to_the_bit(tmp_path):
    fit(Toy(), loop(watch=""), tmp_path / "a", run=RUN)
    task = Toy()
    optimizer = torch.optim.Adam(task.module.parameters(), lr=3e-3)
    with numerics(loop(), torch.device("cpu")):
        for step in range(12):
            optimizer.zero_grad()
            task.loss(task.batch(step))["loss"].backward()
            optimizer.step()
    assert equal(weights_of(tmp_path / "a"), task.module.state_dict())


def test_warm_up_and_cosine():
    settings = loop(schedule="cosine", warmup=0.25, max_updates=100)
    rates = [settings.rate(step) for step in range(100)]
    assert rates[0] == 0.05 and rates[25] == 1.0
    assert rates[:26] == sorted(rates[:26]) and rates[25:] == sorted(rates[25:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize(
    ("prefetch", "save_every", "killed_at", "kept"), [(0, 0, 6, 4), (3, 0, 11, 8), (3, 3, 7, 6)]
)
def test_interrupted_and_resumed_is_uninterrupted(tmp_path, prefetch, save_every, killed_at, kept):
    settings = loop(prefetch=prefetch, save_every=save_every)
    fit(Toy(dropout=0.5), settings, tmp_path / "whole", run=RUN)
    broken = Toy(dropout=0.5)
    broken.fail_at = killed_at
    with pytest.raises(RuntimeError, match="plug"):
        fit(broken, settings, tmp_path / "parts", run=RUN)
    assert torch.load(tmp_path / "parts" / "state.pt", weights_only=True)["step"] == kept
    torch.manual_seed(123)  # a new process stands elsewhere
    again = Toy(dropout=0.5)
    fit(again, settings, tmp_path / "parts", run=RUN, resume=True)
    for name in ("state.pt", "best.pt"):
        assert equal(weights_of(tmp_path / "whole", name), weights_of(tmp_path / "parts", name))
    assert untimed(tmp_path / "whole") == untimed(tmp_path / "parts")
    states = [torch.load(tmp_path / p / "state.pt", weights_only=True) for p in ("whole", "parts")]
    for a, b in zip(*(s["optimizer"]["state"].values() for s in states), strict=True):
        assert all(torch.equal(a[k], b[k]) for k in a)
    assert states[0]["task"] == states[1]["task"]


def test_prefetching_changes_nothing(tmp_path):
    for prefetch in (0, 1, 4):
        fit(Toy(dropout=0.5), loop(prefetch=prefetch), tmp_path / str(prefetch), run=RUN)
    assert equal(weights_of(tmp_path / "0"), weights_of(tmp_path / "1"))
    assert equal(weights_of(tmp_path / "0"), weights_of(tmp_path / "4"))


def test_killed_before_the_first_checkpoint_starts_again(tmp_path):
    broken = Toy()
    broken.fail_at = 2
    with pytest.raises(RuntimeError):
        fit(broken, loop(log_every=1), tmp_path / "a", run=RUN)
    with pytest.raises(TrainingError, match="already"):
        fit(Toy(), loop(log_every=1), tmp_path / "a", run=RUN)
    fit(Toy(), loop(log_every=1), tmp_path / "a", run=RUN, resume=True)
    fit(Toy(), loop(log_every=1), tmp_path / "b", run=RUN, resume=True)
    assert equal(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"))
    assert untimed(tmp_path / "a") == untimed(tmp_path / "b")


def test_it_stops_when_validation_no_longer_improves_and_restores_the_best(tmp_path):
    task, seen = Toy(), []
    task.valid_losses = [3.0, 2.0, 2.5, 2.0, 1.0]
    out = fit(task, loop(max_epochs=9, patience=2), tmp_path / "a", run=RUN, progress=seen.append)
    assert [line.step for line in seen if line.valid] == [4, 8, 12, 16]
    best = torch.load(out / "best.pt", weights_only=True)
    assert (best["step"], best["value"], best["watch"]) == (8, 2.0, "loss")
    assert equal(task.module.state_dict(), best["model"])
    assert not equal(best["model"], weights_of(out))
    # a finished run stays finished
    fit(Toy(), loop(max_epochs=9, patience=2), out, run=RUN, resume=True)
    assert torch.load(out / "state.pt", weights_only=True)["step"] == 16


def test_an_accuracy_is_best_when_it_is_highest(tmp_path):
    task = Toy()
    task.valid_losses = [0.1, 0.3, 0.2]
    out = fit(task, loop(lowest=False), tmp_path / "a", run=RUN)
    assert torch.load(out / "best.pt", weights_only=True)["step"] == 8


def test_nan_names_step_parts_and_batch_and_leaves_the_checkpoint(tmp_path):
    task = Toy()
    task.poison = 6
    with pytest.raises(
        TrainingError, match=r"nan at step 6 \(loss nan, contrastive nan\) in the batch sub-\d\d at \d+ s"
    ):
        fit(task, loop(), tmp_path / "a", run=RUN)
    assert torch.load(tmp_path / "a" / "state.pt", weights_only=True)["step"] == 4
    assert all(value.isfinite().all() for value in weights_of(tmp_path / "a").values())
    fit(Toy(), loop(), tmp_path / "a", run=RUN, resume=True)
    fit(Toy(), loop(), tmp_path / "b", run=RUN)
    assert equal(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"))


def test_infinite_gradients_of_a_finite_loss_stop_too(tmp_path):
    class Steep(Toy):
        def loss(self, batch):
            parts = super().loss(batch)
            root = self.module.unused.sum() - 3  # zero: its square root has no slope
            return {**parts, "loss": parts["loss"] + root.abs().sqrt()}

    with pytest.raises(TrainingError, match=r"the gradient became (nan|inf) at step 0"):
        fit(Steep(), loop(), tmp_path / "a", run=RUN)
    assert not (tmp_path / "a" / "state.pt").exists()


def test_a_validation_value_that_is_not_there_or_not_a_number(tmp_path):
    with pytest.raises(TrainingError, match=r"no 'los'.*did you mean loss"):
        fit(Toy(), loop(watch="los"), tmp_path / "a", run=RUN)
    task = Toy()
    task.valid_losses = [float("nan")]
    with pytest.raises(TrainingError, match="loss became nan at step 4"):
        fit(task, loop(), tmp_path / "b", run=RUN)


def test_resume_with_a_changed_configuration_lists_the_keys(tmp_path):
    old, new = loop(), dataclasses.replace(loop(), lr=1e-3, patience=5)
    fit(Toy(), old, tmp_path / "a", run={"config": {"loop": to_json(old)}})
    before = (tmp_path / "a" / "state.pt").read_bytes()
    with pytest.raises(TrainingError) as caught:
        fit(Toy(), new, tmp_path / "a", run={"config": {"loop": to_json(new)}}, resume=True)
    assert "loop.patience: 0 -> 5; loop.lr: 0.003 -> 0.001" in str(caught.value)
    assert (tmp_path / "a" / "state.pt").read_bytes() == before


def test_batches_that_cannot_be_made_stop_the_run_with_their_own_error(tmp_path):
    task = Toy()
    task.fail_at, task.failure = 5, TrainingError("recording x is damaged")
    with pytest.raises(TrainingError, match="recording x"):
        fit(task, loop(), tmp_path / "a", run=RUN)


def test_progress_and_waiting(tmp_path):
    seen = []
    fit(Toy(), loop(), tmp_path / "a", run=RUN, progress=seen.append)
    assert [line.step for line in seen] == [3, 4, 6, 8, 9, 12]
    last = seen[-1]
    assert last.valid is not None and last.parts.keys() == {"loss", "contrastive"} and last.epoch == 3
    assert 0 <= last.waiting <= 1 and last.segments_per_s > 0 and last.eta_s == 0
    trained = [line for line in untimed(tmp_path / "a") if line["kind"] == "train"]
    assert [line["step"] for line in trained] == [3, 4, 6, 8, 9, 12]


def test_sinks_get_what_the_file_gets(tmp_path):
    other = JsonLines(tmp_path / "other.jsonl")
    fit(Toy(), loop(), tmp_path / "a", run=RUN, sinks=[other])
    assert (tmp_path / "other.jsonl").read_text() == (tmp_path / "a" / "metrics.jsonl").read_text()


def test_a_configuration_that_makes_no_sense_is_refused():
    for bad in (
        {"lr": 0.0},
        {"patience": 1, "watch": ""},
        {"max_epochs": 0},
        {"betas": [0.9]},
        {"warmup": 1.0},
    ):
        with pytest.raises(ConfigError):
            from_json(LoopConfig, {**to_json(loop()), **bad}, "tests")
