"""The recipe as a task: pairs brain and speech as published, every loss trains, processes agree."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models import ContrastiveNet
from offline.contrastive.checkpoint import net_config
from offline.contrastive.config import ContrastiveConfig, load_contrastive_config
from offline.contrastive.train import assemble
from offline.contrastive.windows import make_windows
from offline.loop import World
from offline.losses import clip_scores
from rtdecode.errors import TrainingError
from tests.offline.contrastive.pair import VARIANTS, first_update
from tests.offline.contrastive.small import CHANNELS, config, small

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def study(folder):
    return small(folder, sentences=24)


def task_of(study, **groups):
    return assemble(config(**groups), study.prepared, study.features).task


def test_brain_at_a_moment_meets_the_speech_of_150_ms_before(study):
    """On what is planted without noise, the pairing at the right offset correlates best."""
    found = {}
    for offset in (0.0, 0.1, 0.2):
        task = task_of(study, window={"offset_s": offset})
        batch = task.batch(0)
        x, y = task.forward.brain(batch), task.forward.features(batch)
        assert x.shape[1] == y.shape[1] == task.config.n_frames == 61 - round(offset * 40)
        design = torch.cat([x.flatten(0, 1), torch.ones(x.shape[0] * x.shape[1], 1)], dim=1)
        y = y.flatten(0, 1)
        left = y - design @ torch.linalg.lstsq(design, y).solution
        found[offset] = float(left.square().mean() / y.var(dim=0).mean())
    assert found[0.1] < 0.8 * min(found[0.0], found[0.2])


@pytest.mark.parametrize(
    "groups",
    [
        {"loss": {"norm": "candidates", "symmetric": False, "temperature": "none"}},
        {"loss": {"center": True}},
        {"loss": {"kind": "siglip"}},
        {"loss": {"kind": "mse"}},
        {"model": {"deep_mel": True, "deep_mel_features": 5, "deep_mel_hidden": 8, "deep_mel_depth": 2}},
        {"model": {"hidden": 0, "linear_taps": 4}, "batch": {"noise": 0.1, "mix": 0.5, "time_mask_s": 0.3}},
        {"window": {"context_s": 0.5}, "model": {"causal": True}, "batch": {"same_s": 0.0}},
    ],
)
def test_every_choice_of_loss_and_model_gives_gradients(study, groups):
    task = task_of(study, **groups)
    task.module.train()
    parts = task.loss(task.batch(0))
    assert next(iter(parts)) == "loss" and all(torch.isfinite(v) and v.ndim == 0 for v in parts.values())
    parts["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in task.module.parameters() if p.grad is not None)
    assert any(p.grad.abs().sum() > 0 for p in task.module.net.parameters() if p.grad is not None)
    task.module.eval()
    found = task.validate()
    assert found["loss"] > 0 and found["top10_chance"] == 10 / len(task.pool)


def test_windows_of_one_sound_are_no_negatives(study):
    """The loss does not change with the targets of what is masked, and does with any other."""
    task = task_of(study, batch={"size": 96}, loss={"symmetric": False})
    batch = task.batch(0)
    task.module.eval()
    z = task.forward.estimates(task.module.net, task.forward.brain(batch), batch, batch.subject).detach()
    y = task.forward.features(batch)
    together = batch.not_negative
    row = int(together.sum(dim=1).argmax())
    same = (together[row] & (torch.arange(96) != row)).nonzero()[0, 0]
    other = (~together[row]).nonzero()[0, 0]

    def loss_of_row(targets):
        from offline.losses import clip_loss

        banned = together[row : row + 1]
        return float(clip_loss(z[row : row + 1], targets, norm="both", not_negative=banned, first=row))

    changed, unlike = y.clone(), y.clone()
    changed[same] = z[row].detach()
    unlike[other] = z[row].detach()
    assert loss_of_row(changed) == loss_of_row(y) != loss_of_row(unlike)
    whole = float(task._loss(z, y, together, World()).detach())
    assert whole == pytest.approx(
        sum(
            float(-torch.log_softmax(s.masked_fill(m & (torch.arange(96) != k), -torch.inf), 0)[k])
            for k, (s, m) in enumerate(
                zip(task.module.scale.detach() * clip_scores(z, y, "both"), together, strict=True)
            )
        )
        / 96,
        rel=1e-5,
    )


def test_shuffled_windows_keep_their_brain_and_hear_another(study):
    plain, shuffled = task_of(study), task_of(study, batch={"shuffle": True})
    rows = shuffled.sampler.rows(0)
    batch = shuffled.batch(0)
    assert [shuffled.train[row].name for row in rows] == list(batch.names)
    own = plain.loader.load([plain.train[row] for row in rows])
    assert torch.equal(batch.x, own.x)
    assert not torch.equal(shuffled.forward.features(batch), plain.forward.features(own))


def test_the_linear_path_learns_at_its_own_pace_and_biases_do_not_decay(study):
    groups = task_of(study, model={"linear_taps": 4, "linear_lr": 0.1}, loop={"lr": 1e-3}).groups()
    assert [group.get("weight_decay") for group in groups] == [None, 0.0, 0.0]
    assert groups[2]["lr"] == pytest.approx(1e-4) and len(groups[2]["params"]) == 2
    assert all(p.ndim > 1 for p in groups[0]["params"])


def test_one_rank_loads_its_share_of_the_same_batch(study):
    whole = task_of(study).batch(3)
    for rank in (0, 1):
        share = assemble(config(), study.prepared, study.features, world=World(rank, 2)).task.batch(3)
        assert share.names == whole.names[16 * rank : 16 * (rank + 1)]
        assert torch.equal(share.not_negative, whole.not_negative)
    with pytest.raises(TrainingError, match="32 does not divide among 3"):
        assemble(config(), study.prepared, study.features, world=World(0, 3))


def test_two_processes_have_the_loss_and_gradients_of_one(study, folder, tmp_path):
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.offline.contrastive.pair", str(rank), str(folder), str(tmp_path)],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        alone = {name: first_update(folder, World(), loss) for name, loss in VARIANTS.items()}
        for child in children:
            _, said = child.communicate(timeout=120)
            assert child.returncode == 0, said
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.communicate()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, expected in alone.items():
            assert found[name].keys() == expected.keys()
            for key, value in expected.items():
                torch.testing.assert_close(found[name][key], value, rtol=1e-5, atol=1e-5)


def test_the_default_model_has_the_published_number_of_parameters():
    places = tuple((k / 208, 0.5) for k in range(208))
    net = ContrastiveNet(net_config(ContrastiveConfig(), [places], 1024, 27))
    assert sum(p.numel() for p in net.parameters()) == 9_565_054
    deep = load_contrastive_config("deepmel")
    net = ContrastiveNet(net_config(deep, [places], 120, 27))
    assert sum(p.numel() for p in net.parameters()) == 9_565_054 - 164_096 + 9_320_128


def test_more_channels_in_some_recordings_are_one_model(tmp_path):
    few = small(tmp_path / "few", sentences=24, channels=CHANNELS - 2)
    many = small(tmp_path / "many", sentences=24)
    both = [few.prepared.recordings[0], many.prepared.recordings[1]]
    from dataclasses import replace

    mixed = replace(many.prepared, recordings=tuple(both))
    task = assemble(config(), mixed, many.features).task
    batch = task.batch(0)
    assert batch.x.shape[2] == CHANNELS and set(batch.montage.tolist()) == {0, 1}
    padded = batch.x[batch.montage == 0]
    assert not padded[:, :, CHANNELS - 2 :].any()
    assert torch.isfinite(task.loss(batch)["loss"])
    assert len(make_windows(both, config(), grid=("train",))) > 30
