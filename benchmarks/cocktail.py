"""A small neural decoder beside ridge, on two minutes of real EEG: the table as it comes out, good or bad.

    python benchmarks/cocktail.py [--data DIR] [--hold-out all|1,2,3] [--seeds 1,2] [--updates 200]

--data is the cocktail-party sample (default: eeg-cocktail-party in $RTDECODE_TEST_DATA): one listener, three
trials of 60 s. Each trial named is held out once and everything is fitted on the two others:

    ridge        `offline train --study cocktail --model ridge`, nothing else
    linear       ridge's own filter, trained on with the contrastive loss
    neural       a small causal BrainEncoder from scratch
    neural+ridge the same beside the linear path that starts from ridge; the deep path starts at nothing

Every model is written into a copy of ridge's bundle and decoded by the live engine, as ridge is: the same
preprocessing, 80 candidates, windows and shifted-in-time control (`offline.cocktail_evaluate`).

Training tells the attended envelope of a window from those of the other talkers and segments at the same
time. The held-out trial's envelope is not among these: nothing of that trial is seen. No trial is left to
tune on, so nothing is tuned: the constants below were written down before the first run, and the last weights
are kept. Three windows a trial do not overlap: differences of a few points say nothing.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import models
from offline.cocktail import train_cocktail
from offline.cocktail_evaluate import Evaluation, evaluate, total
from offline.cocktail_task import DELAY, HOP, MODEL_SFREQ
from offline.export import export_onnx, golden
from offline.loop import LoopConfig, fit
from offline.loop.checkpointing import pack, unpack
from offline.losses import Temperature, clip_loss
from offline.studies.cocktail import Cocktail, load
from offline.studies.layout import positions_from_montage
from rtdecode.bundle import Bundle, load_bundle, seal
from rtdecode.errors import RtdecodeError
from rtdecode.preprocess import Preprocess

MODELS = ("ridge", "linear", "neural", "neural+ridge")
BATCH, WINDOW, CONTEXT = 16, round(5.0 * MODEL_SFREQ), round(1.0 * MODEL_SFREQ)  # crops; frames
NOISE, MIX, MASK = 0.1, 0.3, round(0.25 * MODEL_SFREQ)  # of scaled EEG; share; longest silence, frames
LINEAR_STEP = 0.01  # learning rate of the linear path, in rms weights of ridge
ADAMW = LoopConfig(watch="", patience=0, optimizer="adamw", lr=1e-3, weight_decay=0.02, clip_norm=1.0)
LOOP = replace(ADAMW, schedule="cosine", warmup=0.1)
GOLDEN_STEPS = 8
SHAPE = models.EncoderConfig((), n_virtual=32, hidden=32, depth=4, fourier_dim=200, spatial_dropout=0.1)


@dataclass(frozen=True)
class Crops:
    """x (B, CONTEXT + WINDOW, C); y (B, K, WINDOW), the attended envelope first; names: trial and second."""

    x: Tensor
    y: Tensor
    names: tuple[str, ...]


class Trained(nn.Module):
    """The decoder, and the temperature that only the loss needs."""

    def __init__(self, net: models.DecoderNet):
        super().__init__()
        self.net, self.scale = net, Temperature()


class Envelopes:
    """`offline.loop.Task`: which envelope is in this window? Crops of the trials that are not held out."""

    def __init__(self, bundle: Bundle, study: Cocktail, held_out: int, net: models.DecoderNet, seed: int):
        assert bundle.bank is not None
        self.module, self.rng = Trained(net), np.random.default_rng(seed)
        candidates = range(len(bundle.bank.candidates))
        bank = bundle.bank.features[:, 0].reshape(len(candidates), -1)
        unseen = study.trial(held_out).attended
        self.trials = [
            (trial.number, samples(bundle, study, trial.number), bank[order])
            for trial in study.without(held_out)
            for order in [[trial.attended, *(k for k in candidates if k not in (trial.attended, unseen))]]
        ]

    def groups(self) -> list[dict[str, Any]]:
        """The linear path in steps of its own size, without decay towards zero: it starts as ridge."""
        net = self.module.net
        deep = [p for part in (net.encoder, net.retrieval) if part is not None for p in part.parameters()]
        groups: list[dict[str, Any]] = [{"params": list(self.module.scale.parameters()), "weight_decay": 0.0}]
        if deep:
            groups.append({"params": deep})
        if net.linear is not None:
            lr = LINEAR_STEP * float(net.linear.weight.detach().square().mean().sqrt())
            groups.append({"params": list(net.linear.parameters()), "lr": lr, "weight_decay": 0.0})
        return groups

    def batch(self, step: int) -> Crops:
        xs, ys, names = [], [], []
        for _ in range(BATCH):
            number, x, y = self.trials[int(self.rng.integers(len(self.trials)))]
            stop = int(self.rng.integers(CONTEXT + WINDOW, len(x) + 1))
            other = int(self.rng.integers(CONTEXT + WINDOW, len(x) + 1))
            crop = x[stop - CONTEXT - WINDOW : stop].copy()
            crop += self.rng.uniform(0, MIX) * x[other - CONTEXT - WINDOW : other]
            crop += NOISE * self.rng.standard_normal(crop.shape, np.float32)
            first, length = int(self.rng.integers(len(crop) - MASK)), int(self.rng.integers(MASK + 1))
            crop[first : first + length] = 0
            xs.append(crop)
            # The estimate at frame n answers for the speech at n - DELAY.
            ys.append(y[:, stop - DELAY - WINDOW : stop - DELAY])
            names.append(f"trial {number}, up to {stop / MODEL_SFREQ:.1f} s")
        return Crops(torch.from_numpy(np.stack(xs)), torch.from_numpy(np.stack(ys)), tuple(names))

    def loss(self, batch: Crops) -> dict[str, Tensor]:
        estimate = self.module.net(batch.x)["estimate"][:, CONTEXT:]
        scale = self.module.scale()
        parts = [
            clip_loss(z[None], y[:, :, None], norm="both", center=True, scale=scale)
            for z, y in zip(estimate, batch.y, strict=True)
        ]
        return {"loss": torch.stack(parts).mean()}

    def validate(self) -> dict[str, float]:
        return {}

    def state(self) -> dict[str, Any]:
        return {"rng": pack(self.rng)}

    def load(self, state: dict[str, Any]) -> None:
        unpack(self.rng, state["rng"])


def samples(bundle: Bundle, study: Cocktail, number: int) -> np.ndarray:
    """(T, C) float32: a trial as the bundle's network sees it."""
    recording = study.trial(number).recording
    mapped = bundle.spec.stream.bind(recording.info).apply(recording.data)
    return Preprocess(bundle.spec.preprocess).push(mapped)


def new_net(name: str, bundle: Bundle, x: np.ndarray, seed: int) -> models.DecoderNet:
    """The model `name` before training. x: training samples, on which ridge's estimate is brought to
    variance 1: retrieval does not see the factor, a deep path added to it does.
    """
    torch.manual_seed(seed)
    deep, linear = name.startswith("neural"), name != "neural"
    labels = bundle.spec.stream.labels
    places = positions_from_montage(labels, "biosemi128")
    encoder = replace(SHAPE, positions=places, dropout=0.1) if deep else None
    taps = DELAY + 1 if linear else 0
    net = models.DecoderNet(models.DecoderConfig(len(labels), encoder, n_features=1, linear_taps=taps))
    if net.linear is None:
        return net
    ridge = models.build(bundle.spec.model.config).eval()
    ridge.load_state_dict(load_file(bundle.path / "weights.safetensors"))
    assert ridge.linear is not None
    with torch.no_grad():
        std = ridge(torch.from_numpy(x)[None])["estimate"].std()
        net.linear.weight.copy_(ridge.linear.weight / std)
        net.linear.bias.copy_(ridge.linear.bias / std)
        if net.retrieval is not None:  # the deep path starts at nothing
            nn.init.zeros_(net.retrieval.outer.weight)
            nn.init.zeros_(net.retrieval.outer.bias)
    return net


def with_net(bundle: Bundle, net: models.DecoderNet, x: np.ndarray, out: Path) -> Bundle:
    """The bundle `out`: `bundle`, its network replaced. x: training samples for the golden output."""
    shutil.copytree(bundle.path, out)
    net = net.eval().folded()
    export_onnx(net, HOP, out / "model.onnx")
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, out / "weights.safetensors")
    steps = np.ascontiguousarray(x[: GOLDEN_STEPS * HOP].reshape(GOLDEN_STEPS, HOP, -1))
    expected = golden(net, steps)
    np.savez(out / "golden.npz", x=expected["x"], estimate=expected["estimate"])
    seal(out, replace(bundle.spec, model=replace(bundle.spec.model, config=models.describe(net))))
    return load_bundle(out)


def measured(
    name: str, bundle: Bundle, study: Cocktail, held_out: int, seed: int, updates: int, work: Path
) -> Evaluation:
    """Train one model without trial `held_out`, then decode that trial."""
    trial = study.trial(held_out)
    x = samples(bundle, study, study.without(held_out)[0].number)
    task = Envelopes(bundle, study, held_out, new_net(name, bundle, x, seed), seed)
    loop = replace(LOOP, updates_per_epoch=updates, max_updates=updates, seed=seed)
    fit(task, loop, work / "run", run={"config": {"model": name, "held_out": held_out}})
    return evaluate(with_net(bundle, task.module.net, x, work / "bundle"), trial.recording, trial.attended)


def row(trial: str, name: str, by_seed: Sequence[Sequence[Evaluation]]) -> str:
    """A line of the table: the mean over seeds, and top-10 of every seed."""
    true, turned = total([found for seed in by_seed for found in seed])
    seeds = " ".join(f"{total(seed)[0].top10:.1%}" for seed in by_seed) if len(by_seed) > 1 else ""
    r = np.mean([found.r for seed in by_seed for found in seed])
    return (
        f"| {trial} | {name} | {true.top1:.1%} | {true.top10:.1%} | {turned.top1:.1%} | {turned.top10:.1%} "
        f"| {r:.3f} | {true.n // len(by_seed)} | {seeds} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    folder = Path(os.environ.get("RTDECODE_TEST_DATA", "../shared/data")) / "eeg-cocktail-party"
    parser.add_argument("--data", type=Path, default=folder)
    parser.add_argument("--hold-out", default="all")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--updates", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    study = load(args.data)
    every = [trial.number for trial in study.trials]
    numbers = every if args.hold_out == "all" else [int(number) for number in args.hold_out.split(",")]
    found: dict[str, list[list[Evaluation]]] = {name: [[] for _ in seeds] for name in MODELS}
    found["ridge"] = [[]]  # has no seed
    print("| held out | model | top-1 | top-10 | control top-1 | top-10 | r | windows | top-10 by seed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number in numbers:
        with tempfile.TemporaryDirectory() as work:
            bundle = load_bundle(train_cocktail(args.data, number, Path(work) / "ridge"))
            trial = study.trial(number)
            for name in MODELS:
                for k in range(len(found[name])):
                    if name == "ridge":
                        one = evaluate(bundle, trial.recording, trial.attended)
                    else:
                        place = Path(work) / f"{name}-{k}"
                        one = measured(name, bundle, study, number, seeds[k], args.updates, place)
                    found[name][k].append(one)
                print(row(str(number), name, [[seed[-1]] for seed in found[name]]), flush=True)
    if len(numbers) > 1:
        for name in MODELS:
            print(row("all", name, found[name]))
    scores = found["ridge"][0][0].scores
    print(f"chance: {scores.chance1:.2%} and {scores.chance10:.2%}, {scores.candidates} candidates")


if __name__ == "__main__":
    try:
        main()
    except RtdecodeError as problem:
        sys.exit(f"{problem}\n{problem.hint or ''}".rstrip())
