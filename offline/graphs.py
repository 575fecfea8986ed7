"""ONNX graphs of a decoder, one per way to evaluate it: whole window, causal step, incremental step.

All have static shapes, states as plain inputs and outputs, and all weights inside the file. Knows nothing of
bundles, sessions or studies.

    window       x (1, size, C) -> heads
    window, with activations     -> parts, rows_0 ..       where an incremental session starts
    stream       x (1, hop, C), state_0 .. -> heads, next_0 ..
    incremental  x (1, hop, C), left_0, right_0, left_1 .. -> parts, new_0 ..
"""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import models
from models.inference import IncrementalNet, StreamNet, WindowNet, plan
from rtdecode.engines.files import ACTIVATIONS

OPSET = 20  # the first with Gelu as one operator


def decoder_graphs(
    model: models.DecoderNet, folder: Path, *, size: int, hop: int, hops: Sequence[int] = ()
) -> None:
    """Write every graph that a bundle of this folded model needs, under the names that sessions look for.

    A causal model gets its steps, of `hop` and of each of `hops`; a symmetric one its window of `size` and,
    where incremental evaluation can reuse anything, the steps that continue it.
    """
    encoder = model.config.encoder
    if encoder is None or encoder.causal:
        stream_graph(model, hop, folder / "model.onnx")
        for other in hops:
            stream_graph(model, other, folder / f"stream-{other}.onnx")
        return
    window_graph(model, size, folder / "model.onnx")
    net = plan(model)
    before = max(net.before, net.linear.left if net.linear else 0)
    fitting = [each for each in (hop, *hops) if before + net.after + each <= size and encoder.stride == 1]
    for each in fitting:
        incremental_graph(model, each, folder / f"incremental-{each}.onnx")
    if fitting:
        window_graph(model, size, folder / ACTIVATIONS, activations=True)


def window_graph(model: models.DecoderNet, size: int, path: Path, *, activations: bool = False) -> None:
    """Write a folded model's graph of one window of `size` samples."""
    net = WindowNet(model, activations)
    rows = [f"rows_{i}" for i in range(len(net.trunk.chain))] if activations else []
    write_graph(net, (_samples(model, size),), ["x"], [*net.outputs, *rows], path)


def stream_graph(model: models.DecoderNet, hop: int, path: Path) -> None:
    """Write a folded causal model's graph of one step of `hop` samples."""
    net = StreamNet(model)
    states = net.initial_state()
    inputs, outputs = [[f"{name}_{i}" for i in range(len(states))] for name in ("state", "next")]
    write_graph(net, (_samples(model, hop), *states), ["x", *inputs], [*net.outputs, *outputs], path)


def incremental_graph(model: models.DecoderNet, hop: int, path: Path) -> None:
    """Write a folded model's graph of one incremental step of `hop` samples."""
    net = IncrementalNet(model, hop)
    contexts = net.contexts()
    inputs = [f"{side}_{i}" for i in range(len(contexts) // 2) for side in ("left", "right")]
    rows = [f"new_{i}" for i in range(len(net.trunk.chain))]
    write_graph(net, (_samples(model, hop), *contexts), ["x", *inputs], [*net.outputs, *rows], path)


def write_graph(
    net: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str], path: Path
) -> None:
    """Export `net` with the shapes of `example`; the file tells nothing of this machine."""
    # The exporter names every optional library it does not find; nobody can act on that.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # exporter's deprecation notices about itself
        program = torch.onnx.export(
            net.eval(),
            example,
            dynamo=True,
            opset_version=OPSET,
            optimize=True,
            verbose=False,
            input_names=inputs,
            output_names=outputs,
        )
        assert program is not None
        program.save(str(path), external_data=False)
    without_traces(path)


def _samples(model: models.DecoderNet, count: int) -> Tensor:
    return torch.zeros(1, count, model.config.n_channels)


def without_traces(path: Path) -> None:
    """Take the exporter's notes out of an ONNX file: stack traces with the paths of this machine."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for function in model.functions:
        parts += [function, *function.node]
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)
