"""Small decoders of every shape, and bundles of them: for tests of engines. Needs torch."""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import models
from models import DecoderConfig, DecoderNet, EncoderConfig
from offline.export import golden
from offline.graphs import decoder_graphs
from rtdecode.bundle import SCHEMA, Bundle, BundleSpec, ModelSpec, Training, load_bundle, seal, write_bank
from rtdecode.contract import Contract
from rtdecode.preprocess import PreprocessSpec
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec
from rtdecode.transcribe import BLANK, TextSpec

CHANNELS, FEATURES, SYMBOLS = 7, 5, (BLANK, " ", "a")
SIZE, HOP = 70, 6


def scramble(module: torch.nn.Module) -> None:
    """Statistics and gains of every BatchNorm as training would leave them."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.uniform_(part.bias, -0.5, 0.5)


def decoder(*, causal: bool, taps: int = 0, text: bool = False, **encoder) -> DecoderNet:
    """Two subjects, unfolded, in evaluation mode; the linear path has weights."""
    torch.manual_seed(4)
    places = tuple((0.5 + 0.4 * math.cos(k), 0.5 + 0.4 * math.sin(k)) for k in range(CHANNELS))
    small = {"n_virtual": 6, "hidden": 8, "depth": 4, "dilation_period": 3, "fourier_dim": 32}
    shape = EncoderConfig(places, n_subjects=2, causal=causal, **{**small, **encoder})
    symbols = len(SYMBOLS) if text else 0
    net = DecoderNet(DecoderConfig(CHANNELS, shape, FEATURES, symbols, taps, n_subjects=2))
    scramble(net)
    if net.linear is not None:
        torch.nn.init.normal_(net.linear.weight, std=0.3)
        torch.nn.init.normal_(net.linear.bias)
    return net.eval()


def decoder_bundle(path: Path, net: DecoderNet, *, hops: tuple[int, ...] = (), graphs: bool = True) -> Bundle:
    """The bundle of subject 1: steps of HOP samples, or windows of SIZE.

    graphs  False: none are exported, which takes seconds; for engines that run the weights
    """
    path.mkdir(parents=True)
    model = net.folded(1)
    encoder = model.config.encoder
    assert encoder is not None
    steps = encoder.causal
    size = HOP if steps else SIZE
    if graphs:
        decoder_graphs(model, path, size=size, hop=HOP, hops=hops)
    else:
        (path / "model.onnx").write_bytes(b"none")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path / "weights.safetensors")
    x = np.random.default_rng(0).normal(size=(12 if steps else 3, size, CHANNELS)).astype(np.float32)
    np.savez(path / "golden.npz", allow_pickle=False, **golden(model, x))
    write_bank(path, Bank(np.ones((40, FEATURES), np.float32), (Candidate("c", "c", "c", 0, 16, 0.0, 0.5),)))
    labels = tuple(f"E{k}" for k in range(CHANNELS))
    spec = BundleSpec(
        SCHEMA,
        "small",
        Contract(labels, "microvolts", 64.0),
        PreprocessSpec(64.0, 64.0, 0.5, 20.0, 2, (0.0,) * CHANNELS, (1.0,) * CHANNELS),
        ModelSpec("step" if steps else "window", size, HOP, encoder.stride, models.describe(model)),
        RetrievalSpec(16, 0, "search", 10.0),
        TextSpec(SYMBOLS) if model.text is not None else None,
        Training("none", "nobody", 0.0, "random weights", "CC0"),
    )
    seal(path, spec)
    return load_bundle(path)
