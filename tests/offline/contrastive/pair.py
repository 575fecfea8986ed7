"""One of two processes that train together: python -m tests.offline.contrastive.pair RANK STUDY OUT.

Leaves what its first update found in OUT/RANK.pt.
"""

import sys
from pathlib import Path

import torch

from offline.contrastive.train import assemble
from offline.loop.batchnorm import synchronise
from offline.loop.distributed import World, average, joined
from offline.loop.prefetch import to_device
from offline.prepare.store import FeatureStore, open_prepared
from tests.offline.contrastive.small import config

VARIANTS = {
    "published": {"norm": "candidates", "symmetric": False, "temperature": "none"},
    "symmetric": {},
    "siglip": {"kind": "siglip"},
}


def first_update(folder: Path, world: World, loss: dict) -> dict:
    """Loss and gradients of the first batch."""
    prepared = open_prepared(folder / "prepared")
    (stored,) = (folder / "prepared" / "stimuli").iterdir()
    settings = config(loss=loss, model={"subject_dropout": 0.0}, batch={"size": 24})
    task = assemble(settings, prepared, FeatureStore(stored), world=world).task
    task.module.train()
    if world.size > 1:
        synchronise(task.module)
    parts = task.loss(to_device(task.batch(0), world.device))
    parts["loss"].backward()
    parameters = dict(task.module.named_parameters())
    (value,) = average(world, parameters.values(), parts["loss"].detach()[None])
    return {"loss": value, **{n: p.grad for n, p in parameters.items() if p.grad is not None}}


def main() -> None:
    rank, folder, out = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    world = World(rank, 2)
    with joined(world, timeout_s=60, init=f"file://{out}/meet"):
        found = {name: first_update(folder, world, loss) for name, loss in VARIANTS.items()}
    torch.save(found, out / f"{rank}.pt")


if __name__ == "__main__":
    main()
