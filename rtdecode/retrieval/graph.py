"""The ONNX graph of one integer product, as bytes: the live decoder carries ONNX Runtime, not onnx.

    sums (1, K) int32 = (query (1, D) uint8 - zero) x bank (D, K) int8

Field numbers are those of onnx.proto (IR version 9, opset 17). The bank lies inside; ONNX Runtime packs it
for the processor when the graph is loaded. Writes, never reads.
"""

import numpy as np

_IR_VERSION, _OPSET, _UINT8, _INT8, _INT32 = 9, 17, 2, 3, 6


def integer_product(bank: np.ndarray, zero: int) -> bytes:
    """A serialized ModelProto: input "query", output "sums"; bank (D, K) int8, at most 2 GB."""
    depth, count = bank.shape
    node = b"".join(_text(1, name) for name in ("query", "bank", "zero")) + _text(2, "sums")
    graph = _field(1, node + _text(4, "MatMulInteger")) + _text(2, "retrieval")
    graph += _field(5, _tensor("bank", _INT8, bank.shape, bank.tobytes()))
    graph += _field(5, _tensor("zero", _UINT8, (), bytes([zero])))
    graph += _field(11, _port("query", _UINT8, (1, depth))) + _field(12, _port("sums", _INT32, (1, count)))
    return _number(1, _IR_VERSION) + _field(7, graph) + _field(8, _text(1, "") + _number(2, _OPSET))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _tensor(name: str, kind: int, shape: tuple[int, ...], raw: bytes) -> bytes:
    dims = b"".join(_number(1, size) for size in shape)
    return dims + _number(2, kind) + _text(8, name) + _field(9, raw)


def _port(name: str, kind: int, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_field(1, _number(1, size)) for size in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, kind) + _field(2, dims)))
