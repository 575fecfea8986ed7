"""Several processes, one run: who we are, gathering with gradient, averaging gradients, a lost worker.

One rule holds everywhere: the objective is the mean of the processes' losses. Collectives therefore sum
gradients over processes in their backward pass, and parameters' gradients are averaged afterwards: one
process and several compute the same. Environment of `torchrun`; gloo on CPUs, nccl on GPUs. Knows nothing of
models.
"""

import atexit
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rtdecode.errors import ConfigError, TrainingError

_LOST = ("gloo", "nccl", "connection closed", "connection reset", "timed out", "broken pipe")


class WorkerLost(TrainingError):
    """Another process of this run is gone, or does not answer."""


@dataclass(frozen=True)
class World:
    """This process (`rank`, from 0) among `size`, and the device it computes on."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def from_env(cls, device: str = "auto") -> "World":
        """From torchrun's RANK, WORLD_SIZE and LOCAL_RANK; a single process without them.

        device  "auto" (a GPU where there is one), "cpu" or "cuda". ConfigError for a GPU that is not there.
        """
        try:
            rank, size, local = (
                int(os.environ.get(name, default))
                for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
            )
        except ValueError as problem:
            raise ConfigError(
                "RANK, WORLD_SIZE and LOCAL_RANK must be numbers", hint="use torchrun"
            ) from problem
        if device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"there is no device {device!r}", hint="auto, cpu or cuda")
        found = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
        if device == "cuda" and not found:
            raise ConfigError("device cuda was asked for, and torch finds no GPU", hint="use cpu or auto")
        if found and local >= found:
            raise ConfigError(f"process {local} of this machine has no GPU: there are {found}")
        return cls(rank, size, torch.device("cuda", local) if found else torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process writes checkpoints and metrics."""
        return self.rank == 0

    def slice(self, n: int) -> slice:
        """This process's share of a global batch of n items. TrainingError when n does not divide evenly:
        the mean of unequal shares is not the mean of the batch.
        """
        if n % self.size:
            raise TrainingError(
                f"a batch of {n} does not divide among {self.size} processes",
                hint=f"use a batch of {n - n % self.size or self.size}",
            )
        each = n // self.size
        return slice(self.rank * each, (self.rank + 1) * each)


ALONE = World()


@contextmanager
def joined(
    world: World, *, timeout_s: float = 300.0, join_s: float = 600.0, init: str = "env://"
) -> Iterator[World]:
    """A block in which the processes of `world` can talk; they meet at `init` (torch's init_method).

    TrainingError when not all have come within join_s. Later, a process that is gone stops all others
    with WorkerLost, at once or, where it only hangs, within timeout_s.
    """
    if world.size == 1:
        yield world
        return
    gpu = world.device.type == "cuda"
    if gpu:
        torch.cuda.set_device(world.device)
    store = _meet(world, join_s, init)
    with lost_workers(world):
        dist.init_process_group(
            "nccl" if gpu else "gloo",
            store=store,
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=timeout_s),
        )
    try:
        with lost_workers(world):
            yield world
    except WorkerLost:
        # With a peer gone neither backend comes down safely: nccl waits for it once more, gloo's threads may
        # abort the process. It has nothing left to do but to say so; its end then skips theirs.
        atexit.register(_leave)
        raise
    except BaseException:
        if not gpu:
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


def _meet(world: World, join_s: float, init: str) -> dist.Store:
    """Wait for all processes, as long as imports on a busy machine may take."""
    patience = timedelta(seconds=join_s)
    names = [f"here {rank}" for rank in range(world.size)]
    try:
        store, _, _ = next(iter(dist.rendezvous(init, world.rank, world.size, timeout=patience)))
        store.set(names[world.rank], "yes")
        store.wait(names, patience)
    except (RuntimeError, ValueError) as problem:
        raise TrainingError(
            f"process {world.rank} did not meet the other {world.size - 1} within {join_s:g} s",
            hint="start all of them with torchrun; the first message of the others may say more",
        ) from problem
    return dist.PrefixStore("run", store)


@contextmanager
def lost_workers(world: World) -> Iterator[None]:
    """Turns what torch says when another process is gone into one sentence."""
    try:
        yield
    except RuntimeError as problem:
        said = str(problem).lower()
        if world.size == 1 or not (
            isinstance(problem, dist.DistError) or any(word in said for word in _LOST)
        ):
            raise
        raise WorkerLost(
            f"another process of this run was lost: process {world.rank} of {world.size} cannot go on",
            hint="the first message of the others says why; resume from the last checkpoint",
        ) from problem


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [
            torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())
        ]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


def gather(x: Tensor, *, own_first: bool = False) -> Tensor:
    """(B, ...) of every process -> (size * B, ...) in the order of the global batch, with gradient.

    own_first  this process's rows first, the others after them in turn: a loss over own rows whose positives
               are the first candidates. A loss that looks both ways (symmetric) needs all estimates: gather
               both sides, and every process computes the same global loss.
    Alone it returns x.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x
    rows: Tensor = _Gather.apply(x)
    return rows.roll(-dist.get_rank() * len(x), 0) if own_first else rows


def average(world: World, parameters: Iterable[nn.Parameter], values: Tensor) -> Tensor:
    """Mean over processes of all gradients, in place, and of `values` (N,), in one message."""
    if world.size == 1:
        return values
    trained = [p for p in parameters if p.requires_grad]
    has = torch.tensor([float(p.grad is not None) for p in trained], device=values.device)
    flat = torch.cat(
        [*((torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in trained), has, values]
    )
    dist.all_reduce(flat)
    flat /= world.size
    *grads, has, values = flat.split([*(p.numel() for p in trained), len(trained), len(values)])
    # A parameter that no process used keeps no gradient, as with one process: optimisers skip it.
    for parameter, grad, used in zip(trained, grads, has.tolist(), strict=True):
        parameter.grad = grad.view_as(parameter) if used else None
    return values


def share_weights(world: World, module: nn.Module) -> None:
    """Every process starts from the first one's parameters and buffers."""
    if world.size > 1:
        for tensor in [*module.parameters(), *module.buffers()]:
            dist.broadcast(tensor.data, 0)


def from_first(world: World, values: dict[str, float]) -> dict[str, float]:
    """The first process's numbers, everywhere: all decide alike."""
    if world.size == 1:
        return values
    numbers = torch.tensor(list(values.values()), dtype=torch.float64, device=world.device)
    dist.broadcast(numbers, 0)
    return dict(zip(values, numbers.tolist(), strict=True))


def assert_same(world: World, state: Any) -> None:
    """TrainingError when the processes' batch generators went apart: they would train on different data."""
    if world.size == 1:
        return
    digest = hashlib.sha256()
    _digest(state, digest)
    mine = torch.tensor([int.from_bytes(digest.digest()[:7], "big")], device=world.device)
    all_of_them = [torch.empty_like(mine) for _ in range(world.size)]
    dist.all_gather(all_of_them, mine)
    other = [rank for rank, theirs in enumerate(all_of_them) if theirs.item() != all_of_them[0].item()]
    if other:
        raise TrainingError(
            f"processes 0 and {other[0]} do not draw the same batches",
            hint="the same seed, data and version everywhere",
        )


def _digest(value: Any, into: Any) -> None:
    if isinstance(value, dict):
        for key in sorted(value):
            into.update(str(key).encode())
            _digest(value[key], into)
    elif isinstance(value, list | tuple):
        for item in value:
            _digest(item, into)
    elif isinstance(value, Tensor):
        into.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    else:
        into.update(repr(value).encode())
