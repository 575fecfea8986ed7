"""How fast is training, from prepared data, and where does the time go? Both recipes, on made-up data.

    python benchmarks/train.py [--recipe crops|windows] [--config PRESET] [--device cpu|cuda]
                               [--precision bf16] [--updates 40] [--rounds 3] [--threads 2]

Prints segments/s of the whole loop (data, update, checks, metrics; without validation), the share of that
time spent waiting for data, the ratio to a plain torch loop on ready batches of the same model, and the ratio
of the deterministic mode to the fast one. Rounds alternate, and ratios are medians over rounds, because
machines drift. On a GPU also the share of its peak, by torch's own count of floating-point operations (the
published model: 15.2 GFLOP forward and backward per window of 343 frames).
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from train_data import crops_task, windows_task

from offline.loop import LoopConfig, Task, World, fit
from offline.loop.precision import autocast, numerics
from offline.loop.prefetch import to_device

PEAK_TFLOPS = {
    "H200": {"bf16": 989, "fp16": 989, "fp32": 67},
    "H100": {"bf16": 989, "fp16": 989, "fp32": 67},
    "A100": {"bf16": 312, "fp16": 312, "fp32": 19.5},
    "L40": {"bf16": 181, "fp16": 181, "fp32": 90.5},
    "4090": {"bf16": 165, "fp16": 165, "fp32": 82.6},
}
"""Dense peak of the makers' data sheets (SXM forms)."""

MakeTask = Callable[[], Task]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipe", choices=("crops", "windows"), action="append")
    parser.add_argument("--config", help="a preset or TOML file of that recipe (default demo, windows-small)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--updates", type=int, default=40, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=10.0, help="of signal, in four recordings")
    parser.add_argument("--peak-tflops", type=float, help="of this GPU at this precision")
    options = parser.parse_args()
    world = World.from_env(options.device)
    where = torch.cuda.get_device_name() if world.device.type == "cuda" else f"{options.threads} CPU threads"
    print(f"{where}, {options.precision}, torch {torch.__version__}")
    for recipe in options.recipe or ("crops", "windows"):
        with tempfile.TemporaryDirectory() as folder:
            made = crops_task if recipe == "crops" else windows_task
            make, loop = made(Path(folder), options.config, options.channels, options.minutes, world)
            loop = dataclasses.replace(
                loop, precision=options.precision, threads=options.threads, log_every=options.updates,
                updates_per_epoch=options.updates, max_updates=2 * options.updates, watch="", patience=0,
                save_every=0,
            )  # fmt: skip
            report(recipe, make, loop, Path(folder), world, options)
    return 0


def report(
    recipe: str, make: MakeTask, loop: LoopConfig, folder: Path, world: World, options: argparse.Namespace
) -> None:
    exact = dataclasses.replace(loop, deterministic=True)
    fast = dataclasses.replace(loop, deterministic=False)
    rounds: list[tuple[float, float, float, float]] = []
    for number in range(options.rounds):
        speed, waiting = whole_loop(make, exact, folder / f"exact {number}", world)
        other, _ = whole_loop(make, fast, folder / f"fast {number}", world)
        plain = plain_loop(make, fast, world)
        rounds.append((speed, waiting, speed / other, speed / plain))
    speed, waiting, of_fast, of_plain = (statistics.median(column) for column in zip(*rounds, strict=True))
    task = make()
    n_parameters = sum(p.numel() for p in task.module.parameters())
    flop = flop_per_segment(task, loop, world)
    print(f"\n{recipe}: {n_parameters / 1e6:.2f} M parameters, {flop / 1e9:.3g} GFLOP a segment")
    print(f"  whole loop           {speed:10.1f} segments/s")
    print(f"  waiting for data     {waiting:10.1%}")
    print(f"  of a plain loop      {of_plain:10.2f} x  (same model, batches ready, no checks, no metrics)")
    print(f"  deterministic / fast {of_fast:10.2f} x  (costs {1 - of_fast:.1%})")
    print(f"  arithmetic           {speed * flop / 1e12:10.3g} TFLOP/s", end="")
    peak = options.peak_tflops
    if world.device.type == "cuda" and peak is None:
        name = torch.cuda.get_device_name()
        peak = next((p[options.precision] for key, p in PEAK_TFLOPS.items() if key in name), None)
    print(f", {speed * flop / 1e12 / peak:.1%} of the peak of {peak:g}" if peak else "")


def whole_loop(make: MakeTask, loop: LoopConfig, out: Path, world: World) -> tuple[float, float]:
    """Segments/s and share of waiting in the second of two epochs: the first one warms up."""
    lines: list[Any] = []
    fit(make(), loop, out, run={"config": {}}, progress=lines.append, world=world)
    return lines[-1].segments_per_s, lines[-1].waiting


def plain_loop(make: MakeTask, loop: LoopConfig, world: World) -> float:
    """Segments/s of what anybody would write, on batches that lie ready."""
    task = make()
    batches = [to_device(task.batch(step), world.device) for step in range(4)]
    kind = torch.optim.AdamW if loop.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(task.groups(), lr=loop.lr)
    task.module.train()
    began, segments = 0.0, 0
    with numerics(loop, world.device):
        for step in range(2 * loop.updates_per_epoch):
            if step == loop.updates_per_epoch:
                wait_for(world)
                began, segments = time.perf_counter(), 0
            batch = batches[step % 4]
            optimizer.zero_grad()
            with autocast(loop, world.device):
                loss = task.loss(batch)["loss"]
            loss.backward()
            if loop.clip_norm:
                nn.utils.clip_grad_norm_(task.module.parameters(), loop.clip_norm)
            optimizer.step()
            segments += len(batch.names)
        wait_for(world)
    return segments / (time.perf_counter() - began)


def flop_per_segment(task: Task, loop: LoopConfig, world: World) -> float:
    """Of one update, forward and backward: matrix products and convolutions, two per multiply-add."""
    batch = to_device(task.batch(0), world.device)
    task.module.train()
    with FlopCounterMode(display=False) as counter, autocast(loop, world.device):
        task.loss(batch)["loss"].backward()
    return counter.get_total_flops() / len(batch.names)


def wait_for(world: World) -> None:
    if world.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
