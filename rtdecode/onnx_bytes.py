"""Just enough of the ONNX format to write a small network without the onnx package.

The live decoder carries ONNX Runtime, not onnx; the 8-bit retrieval and the bench need networks of their own
all the same. Field numbers are those of onnx.proto (IR version 9, opset 17). Writes, never reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

_IR_VERSION, _OPSET, _INTS = 9, 17, 7
_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6}


@dataclass(frozen=True)
class Node:
    """One operator; ints: its attributes, all of them lists of integers."""

    op: str
    inputs: tuple[str, ...]
    output: str
    ints: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    """An input or output of the whole network."""

    shape: tuple[int, ...]
    dtype: str = "float32"


def model_bytes(
    nodes: Sequence[Node],
    weights: Mapping[str, np.ndarray],
    inputs: Mapping[str, Port],
    outputs: Mapping[str, Port],
    name: str,
) -> bytes:
    """A serialized ModelProto called `name`, of at most 2 GB."""
    graph = b"".join(_message(1, _node(node)) for node in nodes)
    graph += _text(2, name)
    graph += b"".join(_message(5, _tensor(weight, value)) for weight, value in weights.items())
    graph += b"".join(_message(11, _port(at, port)) for at, port in inputs.items())
    graph += b"".join(_message(12, _port(at, port)) for at, port in outputs.items())
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
    little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
    return dims + _number(2, _TYPES[value.dtype.name]) + _text(8, name) + _message(9, little.tobytes())


def _port(name: str, port: Port) -> bytes:
    dims = b"".join(_message(1, _number(1, d)) for d in port.shape)
    tensor = _number(1, _TYPES[port.dtype]) + _message(2, dims)
    return _text(1, name) + _message(2, _message(1, tensor))
