"""int8 in halves beside float32, in turns in one run: time, size, and 8 bits alone for comparison.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/int8.py [--rounds 40]

The published encoder (208 sensors, 360 frames; step, window, incremental step), a recurrent text encoder of
published size, and three of twelve layers of a Wav2Vec2 base encoder: a whole sentence of 149 frames, and its
streaming step. Random weights, one thread. Whether an int8 network may decode is no matter of this program:
the trained demo's agreement on its held-out recording is measured first. Exit code 1 where it is missed.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import onnx
import torch
from encoder_steps import network, write_bundle
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from models.text import FrontConfig, TransferConfig, text_net
from models.text.presets import WAV2VEC2_BASE, preset_text
from models.text.speech import fold_weight_norm, speech_encoder
from offline.graphs import write_graph
from offline.text.export import StepGraph
from rtdecode.bundle import load_bundle
from rtdecode.commands.engines import agreement
from rtdecode.engines.halves import in_halves
from rtdecode.engines.onnx import OnnxGraph
from rtdecode.recordings import read

DEMO = Path(__file__).resolve().parent.parent / "recordings" / "demo"
LAYERS, FRAMES = 3, 149
BARE = "8 bits alone"


@dataclass
class Row:
    """One network's times in float32, in int8, and with 8 bits alone; share: of its products in int8."""

    name: str
    share: float
    mb: dict[str, float]
    ms: dict[str, list[float]] = field(default_factory=dict)

    def p50(self, form: str) -> float:
        return float(np.median(self.ms[form][3:]))

    @property
    def ratio(self) -> float:
        return self.p50("float32") / self.p50("int8")


class Whole(nn.Module):
    """x (1, N, D) -> the encoder's last layer."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x).last_hidden_state


def text_step(config, path: Path) -> None:
    net = text_net(config).eval().folded(None)
    states = net.initial_state(1)
    x = torch.zeros(1, net.stride * net.block, net.config.n_channels)
    names = [[f"{end}_{i}" for i in range(len(states))] for end in ("state", "next")]
    write_graph(StepGraph(net), (x, *states), ["x", *names[0]], [*net.outputs, *names[1]], path)


def networks(folder: Path) -> Iterator[tuple[str, Path]]:
    """What to compare: name and float32 graph, made one at a time."""
    write_bundle(folder / "stream", network(True).folded(0))
    yield "step, hop 12", folder / "stream" / "model.onnx"
    yield "step, hop 1", folder / "stream" / "stream-1.onnx"
    write_bundle(folder / "window", network(False).folded(0))
    yield "incremental, hop 12", folder / "window" / "incremental-12.onnx"
    yield "window", folder / "window" / "model.onnx"
    torch.manual_seed(0)
    text_step(preset_text("nejm", 512, 31), folder / "gru.onnx")
    yield "text: GRU 768 x 5, one frame", folder / "gru.onnx"
    speech = {**WAV2VEC2_BASE, "num_hidden_layers": LAYERS}
    encoder, settings = speech_encoder(speech)
    fold_weight_norm(encoder)
    whole = torch.zeros(1, FRAMES, settings.hidden_size)
    write_graph(Whole(encoder).eval(), (whole,), ["x"], ["y"], folder / "whole.onnx")
    yield f"Wav2Vec2 base, {LAYERS} layers, {FRAMES} frames", folder / "whole.onnx"
    front = FrontConfig(256, 14, 4)
    config = TransferConfig(front, 31, speech, layers=1, bidirectional=False, context=150)
    text_step(replace(config, block=5), folder / "chunk.onnx")
    yield f"Wav2Vec2 base, {LAYERS} layers, step of 5 frames", folder / "chunk.onnx"


def measured(name: str, source: Path, folder: Path, rounds: int) -> Row:
    """Each form takes its turn in every round, as the others left the caches."""
    files = {"float32": source, "int8": folder / "int8.onnx", BARE: folder / "bare.onnx"}
    model = onnx.load(source)
    share = in_halves(model)
    onnx.save(model, files["int8"])
    model = onnx.load(source)
    del model.graph.value_info[:]
    onnx.save(model, folder / "plain.onnx")
    logging.disable(logging.WARNING)
    quantize_dynamic(
        folder / "plain.onnx", files[BARE], ["MatMul"], per_channel=True, weight_type=QuantType.QInt8
    )
    logging.disable(logging.NOTSET)
    row = Row(name, share, {form: file.stat().st_size / 1e6 for form, file in files.items()})
    graphs = {form: OnnxGraph(file, 1) for form, file in files.items()}
    rng = np.random.default_rng(0)
    shapes = graphs["float32"].inputs.items()
    feeds = {at: rng.normal(size=shape).astype(np.float32) for at, shape in shapes}
    row.ms = {form: [] for form in graphs}
    for _ in range(rounds):
        for form, graph in graphs.items():
            began = time.perf_counter()
            graph.run(feeds)
            row.ms[form].append(1e3 * (time.perf_counter() - began))
    return row


def rows(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in networks(Path(folder)):
            yield measured(name, path, Path(folder), rounds)


def demo() -> tuple[float, str]:
    """Share of the demo's held-out decisions that are the same, and the report in words."""
    with tempfile.TemporaryDirectory() as folder:
        kept = os.environ.get("RTDECODE_CACHE")
        os.environ["RTDECODE_CACHE"] = folder
        try:
            source = DEMO.with_suffix(".xdf")
            report, _ = agreement(load_bundle(DEMO), read(source), source, "onnx", "int8")
        finally:
            os.environ.pop("RTDECODE_CACHE")
            if kept is not None:
                os.environ["RTDECODE_CACHE"] = kept
    return report.share, report.words


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    share, words = demo()
    print(f"demo: {words} (demanded 99 %)")
    print(f"{'p50 ms':44}{'float32':>9}{'int8':>9}{'ratio':>8}{BARE:>14}{'MB':>8}{'MB':>8}{'share':>8}")
    for row in rows(rounds):
        times = f"{row.p50('float32'):9.2f}{row.p50('int8'):9.2f}{row.ratio:7.2f}x{row.p50(BARE):14.2f}"
        print(
            f"{row.name:44}{times}{row.mb['float32']:8.1f}{row.mb['int8']:8.1f}{row.share:8.1%}", flush=True
        )
    return 0 if share >= 0.99 else 1


if __name__ == "__main__":
    raise SystemExit(main())
