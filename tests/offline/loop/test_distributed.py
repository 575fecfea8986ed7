"""One process and two compute the same; a process that is gone stops the others with one sentence."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from offline.loop import ALONE, World
from offline.loop.batchnorm import SyncBatchNorm, synchronise
from offline.loop.distributed import gather, joined
from rtdecode.errors import ConfigError, TrainingError
from tests.offline.loop.toy import Net
from tests.offline.loop.worker import learn

ROOT = Path(__file__).parents[3]
DEADLINE_S = 120


@contextmanager
def pair(job, out, timeout_s=30):
    """Two real processes on this machine, ended when the block ends."""
    out.mkdir(exist_ok=True)
    plan = json.dumps({"job": job, "out": str(out), "timeout_s": timeout_s})
    children = []
    for rank in range(2):
        env = {
            **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
            "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        children.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.offline.loop.worker", plan],
                env=env,
                cwd=out,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        yield children
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
            child.communicate()


def ends(child):
    """Exit code and the sentences said to the user."""
    _, said = child.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in said, said
    return child.returncode, [line for line in said.splitlines() if line.startswith("error: ")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where two healthy processes left what they found."""
    out = tmp_path_factory.mktemp("pair")
    with pair("together", out) as children:
        assert [ends(child) for child in children] == [(0, []), (0, [])]
    return out


@pytest.fixture(scope="module")
def both(made, tmp_path_factory):
    """What each of two processes learned, and what one process alone learns."""
    out = tmp_path_factory.mktemp("alone")
    alone = {
        f"{name} {symmetric}": learn(out / f"{name}{symmetric}", double=name == "double", symmetric=symmetric)
        for name in ("single", "double")
        for symmetric in (True, False)
    }
    return [torch.load(made / f"compare {rank}.pt", weights_only=True) for rank in range(2)], alone


@pytest.mark.parametrize("case", ["single True", "single False", "double True", "double False"])
def test_two_processes_have_the_loss_and_gradients_of_one(both, case):
    """Whether the loss looks both ways (all estimates gathered) or only at own rows."""
    ranks, alone = both
    for rank in ranks:
        found = rank[case]
        assert found["gradients"].keys() == alone[case]["gradients"].keys()
        for name, gradient in alone[case]["gradients"].items():
            torch.testing.assert_close(found["gradients"][name], gradient, atol=1e-5, rtol=1e-5, msg=name)
        torch.testing.assert_close(found["losses"][:1], alone[case]["losses"][:1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", ["double True", "double False"])
def test_and_the_same_weights_after_several_updates(both, case):
    """In 64 bits, because Adam divides: where a gradient is nothing but rounding (a bias before BatchNorm),
    its direction is too.
    """
    ranks, alone = both
    for name, weight in alone[case]["weights"].items():
        torch.testing.assert_close(ranks[0][case]["weights"][name], weight, atol=1e-5, rtol=1e-5, msg=name)
    torch.testing.assert_close(ranks[0][case]["losses"], alone[case]["losses"], atol=1e-5, rtol=0)


def test_processes_never_drift_apart(both):
    ranks, _ = both
    for case, found in ranks[0].items():
        for name, weight in found["weights"].items():
            assert torch.equal(weight, ranks[1][case]["weights"][name]), (case, name)


def test_batchnorm_counts_unequal_shares_and_gathering_has_gradients(made):
    first, second = (torch.load(made / f"collectives {rank}.pt", weights_only=True) for rank in range(2))
    x = (torch.arange(24.0).reshape(4, 2, 3).sin() * 3 + 100).requires_grad_()
    norm = nn.BatchNorm1d(2)
    (norm(x) ** 3).sum().backward()
    torch.testing.assert_close(torch.cat([first["x_grad"], second["x_grad"]]), x.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        first["weight_grad"] + second["weight_grad"], norm.weight.grad, atol=1e-4, rtol=1e-4
    )
    for found in (first, second):
        torch.testing.assert_close(found["mean"], norm.running_mean)
        torch.testing.assert_close(found["var"], norm.running_var, atol=1e-5, rtol=1e-5)
    assert first["rows"][:, 0].tolist() == [1, 2] and second["rows"][:, 0].tolist() == [2, 1]
    # own row first: weight 1 at home, 10 away; process 1's objective counts double
    assert first["gather_grad"][0, 0] == 1 * 1 + 10 * 2
    assert second["gather_grad"][0, 0] == 10 * 1 + 1 * 2


def test_processes_with_other_batches_or_a_nan_stop_together(made):
    (apart, first), (other, second) = (
        json.loads((made / f"sentences {rank}.json").read_text()) for rank in range(2)
    )
    assert apart == other and "processes 0 and 1 do not draw the same batches" in apart
    assert not (made / "apart" / "state.pt").exists()
    # the NaN is in the first half of the batch; BatchNorm carries it to both
    assert all("the loss became nan at step 2" in said for said in (first, second))
    assert "in the batch sub-" in first and not (made / "poisoned" / "state.pt").exists()


def test_a_process_that_is_killed_or_hangs_stops_the_other_with_one_sentence(tmp_path):
    with pair("lose", tmp_path / "lose") as (first, killed), pair("hang", tmp_path / "hang", 5) as (third, _):
        ended = [ends(first), ends(third)]
        assert killed.wait(DEADLINE_S) == -9
    for code, said in ended:
        assert code == 2, said
        assert len(said) == 1 and "another process of this run was lost: process 0 of 2" in said[0]
    assert torch.load(tmp_path / "lose" / "run" / "state.pt", weights_only=True)["step"] == 3


def test_a_process_that_never_comes_is_one_sentence(tmp_path):
    meet = joined(World(0, 2), join_s=0.2, init=f"file://{tmp_path / 'meet'}")
    with pytest.raises(TrainingError, match=r"process 0 did not meet the other 1 within 0\.2 s"), meet:
        pass


def test_a_batch_that_does_not_divide_is_refused_with_both_numbers():
    assert World(1, 2).slice(8) == slice(4, 8)
    with pytest.raises(TrainingError, match=r"batch of 9 .* 2 processes \(use a batch of 8"):
        World(0, 2).slice(9)
    with pytest.raises(TrainingError, match=r"batch of 1 .* 4 processes \(use a batch of 4"):
        World(0, 4).slice(1)


def test_alone_nothing_is_gathered():
    x = torch.ones(2, 3)
    assert gather(x) is x and ALONE.first and ALONE.slice(5) == slice(0, 5)


def test_synchronising_keeps_parameters_and_state_names():
    net = Net()
    before, names = list(net.parameters()), list(net.state_dict())
    x, subject = torch.randn(2, 20, 6), torch.zeros(2, dtype=torch.long)
    expected = net.eval()(x, subject)
    synchronise(net)
    assert any(isinstance(m, SyncBatchNorm) for m in net.modules())
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert list(net.state_dict()) == names
    assert torch.equal(net(x, subject), expected)


def test_the_environment_of_torchrun(monkeypatch):
    for name, value in (("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    world = World.from_env("cpu")
    assert (world.rank, world.size, world.device.type, world.first) == (3, 4, "cpu", False)
    with pytest.raises(ConfigError, match="no device 'gpu'"):
        World.from_env("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="process 1 of this machine has no GPU: there are 1"):
        World.from_env()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="finds no GPU"):
        World.from_env("cuda")
    monkeypatch.setenv("RANK", "three")
    with pytest.raises(ConfigError, match="numbers"):
        World.from_env()
