"""Precision, determinism and prefetching: inside the run only, and refused where they cannot be."""

import threading

import pytest
import torch

from offline.loop import fit
from offline.loop.precision import full, numerics, seed_update
from offline.loop.prefetch import Prefetch
from rtdecode.errors import ConfigError, TrainingError
from tests.offline.loop.toy import Toy, loop

CPU = torch.device("cpu")
RUN = {"config": {}}


def test_switches_are_put_back():
    before = (torch.get_num_threads(), torch.backends.cudnn.benchmark)

    def fail():
        assert torch.are_deterministic_algorithms_enabled() and torch.get_num_threads() == 3
        assert not torch.utils.deterministic.fill_uninitialized_memory
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), numerics(loop(deterministic=True, threads=3), CPU):
        fail()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert (torch.get_num_threads(), torch.backends.cudnn.benchmark) == before


def test_half_precision_on_a_cpu_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        fit(Toy(), loop(precision="fp16"), tmp_path / "a", run=RUN)
    assert not (tmp_path / "a").exists()


def test_bf16_computes_in_16_bits_and_learns_in_32(tmp_path):
    class Watching(Toy):
        def loss(self, batch):
            estimate = self.module(batch.x, batch.subject)
            self.seen = estimate.dtype
            with full(estimate):
                self.inside = (estimate.float() @ estimate.float().transpose(1, 2)).dtype
            return super().loss(batch)

    task, lines = Watching(), []
    fit(task, loop(precision="bf16", max_epochs=10), tmp_path / "a", run=RUN, progress=lines.append)
    assert (task.seen, task.inside) == (torch.bfloat16, torch.float32)
    assert all(p.dtype == torch.float32 for p in task.module.parameters())
    epochs = [line.parts["loss"] for line in lines if line.valid]
    assert epochs[-1] < epochs[0]


def test_an_operation_without_a_deterministic_form_is_one_sentence():
    def work():
        raise RuntimeError(
            "ctc_backward does not have a deterministic implementation, but you set 'x'. More."
        )

    with (
        pytest.raises(
            TrainingError, match=r"ctc_backward does not have .* \(train with deterministic = false"
        ),
        numerics(loop(deterministic=True), CPU),
    ):
        work()


def test_draws_of_an_update_follow_from_seed_step_and_process():
    def draw(*numbers):
        seed_update(*numbers)
        return torch.rand(4).tolist()

    assert draw(1, 2, 0) == draw(1, 2, 0)
    assert len({tuple(draw(*n)) for n in [(1, 2, 0), (1, 2, 1), (1, 3, 0), (2, 2, 0)]}) == 4


def test_a_prefetched_batch_comes_with_the_state_that_follows_it():
    """However far ahead the thread is: a checkpoint must not skip batches that nobody trained on."""
    with Prefetch(Toy(), 0, 6, 4, CPU) as supply:
        ahead = [supply.next() for _ in range(3)]
    plain = Toy()
    for batch, state in ahead:
        assert torch.equal(plain.batch(0).x, batch.x) and plain.state() == state
    assert supply.waited_s > 0


def test_the_thread_ends_with_the_run():
    before = threading.active_count()
    with Prefetch(Toy(), 0, 1000, 2, CPU) as supply:
        supply.next()
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with Prefetch(Toy(), 5, 5, 2, CPU):
        assert threading.active_count() == before
