"""One process of a distributed test: python -m tests.offline.loop.worker '{"job": ..., "out": ...}'.

RANK and WORLD_SIZE as torchrun sets them; the processes meet at a file. What a rank found goes to
OUT/<rank>.pt. Exit codes are the command line's.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from offline.loop import ALONE, World, fit
from offline.loop.batchnorm import SyncBatchNorm
from offline.loop.distributed import average, gather, joined
from rtdecode.errors import TrainingError
from rtdecode.options import answer
from tests.offline.loop.toy import Toy, loop

RUN = {"config": {"name": "toy"}}
UPDATES = {"updates_per_epoch": 3, "max_epochs": 2}


def learn(out: Path, world: World = ALONE, *, double: bool, symmetric: bool) -> dict:
    """Six updates: the first one's gradients, every one's loss, the last weights."""
    task, first, losses = Toy(world, double=double, symmetric=symmetric), {}, []

    def look(optimizer, args, kwargs):
        if not first:
            first.update({n: p.grad.clone() for n, p in task.module.named_parameters() if p.grad is not None})

    hook = register_optimizer_step_pre_hook(look)
    original = task.loss

    def loss(batch):
        parts = original(batch)
        losses.append(parts["loss"].detach())
        return parts

    task.loss = loss
    try:
        fit(task, loop(**UPDATES), out, run=RUN, world=world)
    finally:
        hook.remove()
    mean = average(world, [], torch.stack(losses))
    return {"gradients": first, "losses": mean, "weights": task.module.state_dict()}


def compare(out: Path, world: World) -> None:
    found = {
        f"{name} {symmetric}": learn(
            out / f"{name}{symmetric}", world, double=name == "double", symmetric=symmetric
        )
        for name in ("single", "double")
        for symmetric in (True, False)
    }
    torch.save(found, out / f"compare {world.rank}.pt")


def collectives(out: Path, world: World) -> None:
    """Gathering and BatchNorm over shares of unequal size, with gradients."""
    whole = torch.arange(24.0).reshape(4, 2, 3).sin() * 3 + 100
    share = whole[:3] if world.first else whole[3:]
    share = share.clone().requires_grad_()
    norm = SyncBatchNorm(2)
    (norm(share) ** 3).sum().backward()
    mine = torch.full((1, 2), world.rank + 1.0, requires_grad=True)
    rows = gather(mine, own_first=True)
    (rows * torch.tensor([[1.0], [10.0]]) * (world.rank + 1)).sum().backward()
    torch.save(
        {
            "rows": rows.detach(),
            "gather_grad": mine.grad,
            "x_grad": share.grad,
            "weight_grad": norm.weight.grad,
            "mean": norm.running_mean,
            "var": norm.running_var,
        },
        out / f"collectives {world.rank}.pt",
    )


def sentences(out: Path, world: World) -> None:
    """What a process says when the other draws other batches, and when a batch holds a NaN."""
    apart = Toy(world, seed=world.rank)
    poisoned = Toy(world, symmetric=False)  # each looks at its own rows
    poisoned.poison = 2
    said = []
    for name, task in (("apart", apart), ("poisoned", poisoned)):
        try:
            fit(task, loop(), out / name, run=RUN, world=world)
        except TrainingError as problem:
            said.append(str(problem))
    (out / f"sentences {world.rank}.json").write_text(json.dumps(said))


def together(out: Path, world: World) -> None:
    """All that needs two healthy processes: starting them is most of the time."""
    compare(out, world)
    collectives(out, world)
    sentences(out, world)


def lose(out: Path, world: World) -> None:
    """The last process dies in its fourth update, as the kernel kills: no goodbye."""
    task = Toy(world)
    draw = task.batch

    def batch(step):
        if step == 3 and not world.first:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(step)

    task.batch = batch
    fit(task, loop(prefetch=0, save_every=1), out / "run", run=RUN, world=world)


def hang(out: Path, world: World) -> None:
    """The last process lives, and does not take part any more."""
    task = Toy(world)
    draw = task.batch

    def batch(step):
        if step == 3 and not world.first:
            signal.pause()
        return draw(step)

    task.batch = batch
    fit(task, loop(prefetch=0), out / "run", run=RUN, world=world)


JOBS = {f.__name__: f for f in (together, lose, hang)}


def main() -> int:
    plan = json.loads(sys.argv[1])
    out, world = Path(plan["out"]), World.from_env("cpu")
    with joined(world, timeout_s=plan["timeout_s"], init=f"file://{out / 'meet'}"):
        JOBS[plan["job"]](out, world)
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(answer(main))
