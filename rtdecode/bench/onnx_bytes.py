"""Just enough of the ONNX format to write a small network without the onnx package.

The live install carries ONNX Runtime, not onnx; the bench needs a network of its own all the same. Field
numbers are those of onnx.proto (IR version 9, opset 17). Writes, never reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_IR_VERSION, _OPSET, _FLOAT, _INTS = 9, 17, 1, 7


@dataclass(frozen=True)
class Node:
    """One operator; ints: its attributes, all of them lists of integers."""

    op: str
    inputs: tuple[str, ...]
    output: str
    ints: dict[str, tuple[int, ...]] = field(default_factory=dict)


def model_bytes(
    nodes: Sequence[Node],
    weights: dict[str, np.ndarray],
    inputs: dict[str, tuple[int, ...]],
    outputs: dict[str, tuple[int, ...]],
) -> bytes:
    """A serialized ModelProto; weights, inputs and outputs are float32."""
    graph = b"".join(_message(1, _node(node)) for node in nodes)
    graph += _text(2, "bench")
    graph += b"".join(_message(5, _tensor(name, value)) for name, value in weights.items())
    graph += b"".join(_message(11, _port(name, shape)) for name, shape in inputs.items())
    graph += b"".join(_message(12, _port(name, shape)) for name, shape in outputs.items())
    return _number(1, _IR_VERSION) + _message(7, graph) + _message(8, _text(1, "") + _number(2, _OPSET))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _message(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _node(node: Node) -> bytes:
    attributes = [
        _text(1, name) + b"".join(_number(8, v) for v in values) + _number(20, _INTS)
        for name, values in node.ints.items()
    ]
    body = b"".join(_text(1, name) for name in node.inputs) + _text(2, node.output) + _text(4, node.op)
    return body + b"".join(_message(5, attribute) for attribute in attributes)


def _tensor(name: str, value: np.ndarray) -> bytes:
    dims = b"".join(_number(1, d) for d in value.shape)
    raw = np.ascontiguousarray(value, "<f4").tobytes()
    return dims + _number(2, _FLOAT) + _text(8, name) + _message(9, raw)


def _port(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_message(1, _number(1, d)) for d in shape)
    tensor = _number(1, _FLOAT) + _message(2, dims)
    return _text(1, name) + _message(2, _message(1, tensor))
