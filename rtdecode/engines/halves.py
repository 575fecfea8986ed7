"""Matrix products in int8 whose numbers are given in two halves: nearly float32's answer, half its memory.

Eight bits are too few to keep a ranking: one layer of a trained network in int8 is enough to exchange
candidates. Two numbers of 8 bits together are enough, and processors multiply those as quickly:

    x = s (q1 + q2 / 254)     of each step's inputs: q1, q2 uint8 around 128, s from the largest of them
    W = t (w1 + w2 / 254)     of the weights: w1, w2 int8, t from the largest of each output
    x W = s t (q1 w1 + q2 w1 / 254 + q1 w2 / 254)     in sums of int32; q2 w2 / 64,516 is left out

Knows ONNX graphs and no bundle; needs the package onnx, and ONNX Runtime to run what it writes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, helper, numpy_helper, shape_inference

from rtdecode.onnx_bytes import Node, Port, model_bytes

LEAST = 8192  # weights; a smaller product takes longer to prepare than to do
RUNTIME = "com.microsoft"
FINE = 254  # one step of q1 in those of q2


@cache
def limit() -> int:
    """The largest half of a weight: 127, or 63 where two products are added in 16 bits, which two of 255 and
    127 overflow. So do x86 processors without VNNI; whether this one does is tried.
    """
    count = 64
    nodes, ports = [Node("MatMulInteger", ("x", "w"), "y")], {"y": Port((1, count), "int32")}
    weights = {"w": np.full((count, count), 127, np.int8)}
    file = model_bytes(nodes, weights, {"x": Port((1, count), "uint8")}, ports, "limit")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"x": np.full((1, count), 255, np.uint8)})
    return 127 if (sums == count * 255 * 127).all() else 63


def split(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """weights (D, K) -> halves w1, w2 (D, K) int8 and the scales of their columns (K,) float32."""
    most, largest = limit(), np.abs(weights).max(0)
    scale = np.where(largest > 0, largest / most, 1.0)
    coarse = np.rint(weights / scale)
    fine = np.rint((weights / scale - coarse) * 2 * most)
    small = (scale / (2 * most)).astype(np.float32)
    return coarse.astype(np.int8), fine.astype(np.int8), scale.astype(np.float32), small


def in_halves(model: ModelProto) -> float:
    """Change the model's matrix products with known weights, but for small ones beside others; the rest stays
    in float32. Shapes must be static. Returns what share of the multiplications with weights is in int8 now.
    """
    del model.graph.value_info[:]  # shapes from before the exporter's own changes
    rewriting = _Rewriting(shape_inference.infer_shapes(model).graph)
    products = [rewriting.product(node) for node in model.graph.node]
    work = [each.rows * each.weights.size if each else 0 for each in products]
    least = min(LEAST, max((each.weights.size for each in products if each), default=0))
    done = 0
    for node, product, multiplications in zip(model.graph.node, products, work, strict=True):
        if product is None or product.weights.size < least:
            rewriting.nodes.append(node)
        else:
            rewriting.rewrite(product)
            done += multiplications
    _replace(model, rewriting)
    return done / (sum(work) or 1)


@dataclass(frozen=True)
class _Product:
    """node: y = x W (+ bias);  shape: of x, D last;  rows: of x;  weights (D, K)"""

    node: NodeProto
    shape: list[int]
    weights: np.ndarray

    @property
    def rows(self) -> int:
        return int(np.prod(self.shape[:-1]))


@dataclass
class _Rewriting:
    graph: Any
    nodes: list[NodeProto] = field(default_factory=list)
    added: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.graph
        self.known = {each.name: each for each in graph.initializer}
        constants = (node for node in graph.node if node.op_type == "Constant")
        self.known |= {n.output[0]: n.attribute[0].t for n in constants if n.attribute[0].name == "value"}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.shapes = {
            each.name: [d.dim_value for d in each.type.tensor_type.shape.dim]
            for each in (*graph.value_info, *graph.input, *graph.output)
        }
        self.halved: set[str] = set()

    def product(self, node: NodeProto) -> _Product | None:
        """What this node multiplies with; None where it is no plain product with known weights."""
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in self.known:
            return None
        said = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if said.get("transA") or said.get("alpha", 1.0) != 1 or said.get("beta", 1.0) != 1:
            return None
        shape = self.shapes.get(node.input[0], [])
        weights = numpy_helper.to_array(self.known[node.input[1]])
        if weights.ndim != 2 or weights.dtype != np.float32 or not shape or not all(shape):
            return None
        weights = weights.T if said.get("transB") else weights
        biases = (self.known.get(name) for name in node.input[2:])
        if any(bias is None or list(bias.dims) != [weights.shape[1]] for bias in biases):
            return None
        return _Product(node, shape, weights)

    def rewrite(self, product: _Product) -> None:
        node, rows, out = product.node, product.rows, product.node.output[0]
        name, bias = f"{out}.y", ["", node.input[2]] if len(node.input) > 2 else []
        coarse, fine, scales = self._weights(product)
        scale, first, both = self._inputs(product)
        ends = [scale, scales[0], self._zero()], [scale, scales[1], self._zero(), *bias]
        self._add("MatMulIntegerToFloat", [both, coarse, *ends[0]], f"{name}.coarse", domain=RUNTIME)
        self._add("MatMulIntegerToFloat", [first, fine, *ends[1]], f"{name}.fine", domain=RUNTIME)
        parts = [f"{name}.first", f"{name}.second"]
        equal = self._constant(f"halves.{rows}", np.array([rows, rows]))
        self.nodes.append(helper.make_node("Split", [f"{name}.coarse", equal], parts, axis=0))
        self._add("Mul", [f"{name}.second", self._small()], f"{name}.small")
        flat = out if len(product.shape) == 2 else f"{name}.flat"
        self._add("Sum", [f"{name}.first", f"{name}.small", f"{name}.fine"], flat)
        if flat != out:
            self._reshape(flat, [*product.shape[:-1], product.weights.shape[1]], out)

    def _weights(self, product: _Product) -> tuple[str, str, list[str]]:
        """Names of w1, of w2 and of their scales; once, where a recurrent layer has them in every frame."""
        turned = any(each.name == "transB" and each.i for each in product.node.attribute)
        name = f"{product.node.input[1]}.w{'t' if turned else ''}"
        coarse, fine, *scales = (f"{name}.{end}" for end in ("coarse", "fine", "coarse.scale", "fine.scale"))
        if coarse not in self.added:
            self.added |= zip((coarse, fine, *scales), split(product.weights), strict=True)
        return coarse, fine, scales

    def _inputs(self, product: _Product) -> tuple[str, str, str]:
        """Names of the scale, of q1 (rows, D), and of q1 over q2 (2 rows, D)."""
        name, rows, depth = f"{product.node.output[0]}.y", product.rows, product.weights.shape[0]
        gather = self._gathered(product)
        source = gather.input[0] if gather else product.node.input[0]
        scale, first, both = self._halve(source)
        if gather is None and len(product.shape) == 2:
            return scale, first, both
        if gather is not None:  # the taps of a convolution: the halves before they are laid out
            self._add("Gather", [both, gather.input[1]], f"{name}.taps", axis=1)
            both = f"{name}.taps"
        self._reshape(both, [2 * rows, depth], f"{name}.q")
        ends = [self._constant(f"halves.to.{end}", np.array([end])) for end in (0, rows)]
        self._add("Slice", [f"{name}.q", *ends], f"{name}.q1")
        return scale, f"{name}.q1", f"{name}.q"

    def _gathered(self, product: _Product) -> NodeProto | None:
        """The node that lays out a convolution's taps, if its input is no larger than what it makes."""
        flat = self.makers.get(product.node.input[0])
        gather = self.makers.get(flat.input[0]) if flat is not None and flat.op_type == "Reshape" else None
        if gather is None or gather.op_type != "Gather":
            return None
        shape = self.shapes.get(gather.input[0], [])
        over_rows = [helper.get_attribute_value(each) for each in gather.attribute] == [1]
        fits = len(shape) == 3 and shape[0] == 1 and 0 < np.prod(shape) <= np.prod(product.shape)
        return gather if over_rows and fits else None

    def _halve(self, x: str) -> tuple[str, str, str]:
        """Names of the scale, of q1, and of q1 over q2 along the first axis; made once for each x."""
        name = f"{x}.x"
        scale, first, both = f"{name}.scale", f"{name}.q1", f"{name}.q"
        if x in self.halved:
            return scale, first, both
        self.halved.add(x)
        unit = self._constant("halves.unit", np.array(1 / 127, np.float32))
        self._add("Abs", [x], f"{name}.abs")
        self._add("ReduceMax", [f"{name}.abs"], f"{name}.max", keepdims=0)
        self._add("Mul", [f"{name}.max", unit], scale)
        self._add("QuantizeLinear", [x, scale, self._zero()], first)
        self._add("DequantizeLinear", [first, scale, self._zero()], f"{name}.near")
        self._add("Sub", [x, f"{name}.near"], f"{name}.rest")
        self._add("Mul", [scale, self._small()], f"{name}.fine")
        self._add("QuantizeLinear", [f"{name}.rest", f"{name}.fine", self._zero()], f"{name}.q2")
        self._add("Concat", [first, f"{name}.q2"], both, axis=0)
        return scale, first, both

    def _zero(self) -> str:
        return self._constant("halves.zero", np.array(128, np.uint8))

    def _small(self) -> str:
        return self._constant("halves.small", np.array(1 / FINE, np.float32))

    def _constant(self, name: str, value: np.ndarray) -> str:
        self.added[name] = value
        return name

    def _reshape(self, x: str, shape: list[int], out: str) -> None:
        said = self._constant("halves." + "x".join(map(str, shape)), np.array(shape, np.int64))
        self._add("Reshape", [x, said], out)

    def _add(self, op: str, inputs: list[str], output: str, **said: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], **said))


def _inputs(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """What they take; a branch or a loop takes what its own nodes do, from around it."""
    for node in nodes:
        yield from node.input
        for each in node.attribute:
            for inner in (each.g, *each.graphs):
                yield from _inputs(inner.node)


def _replace(model: ModelProto, rewriting: _Rewriting) -> None:
    """The model's nodes and weights by those of the rewriting, without what nothing needs any more."""
    graph, kept = model.graph, list(rewriting.nodes)
    kept = [NodeProto.FromString(node.SerializeToString()) for node in kept]
    while True:
        used = set(_inputs(kept)) | {each.name for each in graph.output}
        needed = [node for node in kept if used.intersection(node.output)]
        if len(needed) == len(kept):
            break
        kept = needed
    weights = [each for each in graph.initializer if each.name in used]
    weights = [onnx.TensorProto.FromString(each.SerializeToString()) for each in weights]
    weights += [numpy_helper.from_array(v, name) for name, v in rewriting.added.items() if name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(weights)
    if all(each.domain != RUNTIME for each in model.opset_import):
        model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
