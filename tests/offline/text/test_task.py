"""The recipe as a task: the loss sees the disturbance and not the padding, rates are of the corpus."""

import dataclasses

import pytest
import torch

from offline.loop.distributed import World
from offline.text.augment import augmented
from offline.text.batches import padded
from offline.text.ctc import greedy
from offline.text.metrics import NONE, symbol_errors
from offline.text.task import run
from offline.text.train import assemble
from tests.offline.text import tiny


@pytest.fixture
def task():
    return assemble(tiny.config(), tiny.study()).task


def test_the_loss_sees_the_disturbance_in_training_and_only_there(task):
    batch = task.batch(0)
    quiet = dataclasses.replace(
        task.config, augment=dataclasses.replace(task.config.augment, noise=0, offset=0, cut=0)
    )
    task.module.train()
    loud = float(task.loss(batch)["loss"].detach())
    still = task.config
    task.config = quiet
    assert float(task.loss(batch)["loss"].detach()) != pytest.approx(loud, rel=1e-3)
    silent = float(task.loss(batch)["loss"].detach())
    task.config = still
    task.module.eval()
    assert float(task.loss(batch)["loss"].detach()) == pytest.approx(silent, rel=1e-6)


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_padding_changes_neither_log_probabilities_nor_loss(kind):
    settings = [f"model.kind={kind}", "model.transformer.width=16", "model.transformer.depth=1"]
    task = assemble(tiny.config(*settings), tiny.study()).task
    task.module.eval()
    some = list(task.train[:3])
    longest = max(range(3), key=lambda i: some[i].n_bins)
    short = some[(longest + 1) % 3]
    cut = dataclasses.replace(short, n_bins=short.n_bins - 9)

    def features(example):
        return task.features(dataclasses.replace(example))[: example.n_bins]

    alone = padded([cut], features, [0])
    together = padded([some[longest], cut], features, [0, 0])
    own, frames = run(task.module.net, alone)
    both, count = run(task.module.net, together)
    assert int(frames[0]) == int(count[1]) < both.shape[1]
    assert torch.allclose(own[0], both[1, : own.shape[1]], atol=1e-5)
    first = padded([some[longest]], features, [0])
    losses = [float(task.loss(b)["loss"].detach()) for b in (alone, first, together)]
    assert losses[2] == pytest.approx((losses[0] + losses[1]) / 2, abs=1e-5)


def test_validation_gives_the_rate_of_the_corpus(task):
    task.module.eval()
    total = NONE
    with torch.no_grad():
        for example in task.valid:
            batch = padded([example], task.features, [0])
            log_probs, frames = run(task.module.net, batch)
            total += symbol_errors(example.target, greedy(log_probs[0, : int(frames[0])].numpy()))
    found = task.validate()
    assert set(found) == {"loss", "per"} and found["per"] == pytest.approx(total.rate)


def test_a_model_of_characters_is_also_judged_by_words():
    task = assemble(tiny.config("data.labels=characters", "loop.watch=wer"), tiny.study()).task
    task.module.eval()
    assert set(task.validate()) == {"loss", "cer", "wer"}


def test_processes_share_one_batch():
    config = tiny.config()
    whole = assemble(config, tiny.study()).task.batch(3)
    parts = [
        assemble(config, tiny.study(), world=World(rank, 2, torch.device("cpu"))).task.batch(3)
        for rank in (0, 1)
    ]
    assert whole.names == parts[0].names + parts[1].names
    assert whole.seeds == parts[0].seeds + parts[1].seeds
    spec = config.augment
    for part, rows in ((parts[0], slice(0, 4)), (parts[1], slice(4, 8))):
        alone, together = augmented(part, spec, training=True), augmented(whole, spec, training=True)
        assert torch.equal(alone.n_bins, together.n_bins[rows])
        for row, length in enumerate(alone.n_bins.tolist()):
            assert torch.equal(alone.x[row, :length], together.x[rows][row, :length])


def test_days_are_rows_in_their_order(task):
    batch = task.batch(0)
    rows = {"d1": 0, "d2": 1, "d3": 2}
    assert batch.day.tolist() == [rows[name.partition("/")[0]] for name in batch.names]
    assert task.module.net.n_days == 3
