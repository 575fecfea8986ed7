"""The ONNX graph of one integer product, as bytes: the live decoder carries ONNX Runtime, not onnx.

    sums (1, K) int32 = (query (1, D) uint8 - zero) x bank (D, K) int8

The bank lies inside; ONNX Runtime packs it for the processor when the graph is loaded.
"""

import numpy as np

from rtdecode.onnx_bytes import Node, Port, model_bytes


def integer_product(bank: np.ndarray, zero: int) -> bytes:
    """A serialized ModelProto: input "query", output "sums"; bank (D, K) int8, at most 2 GB."""
    depth, count = bank.shape
    return model_bytes(
        [Node("MatMulInteger", ("query", "bank", "zero"), "sums")],
        {"bank": bank, "zero": np.array(zero, np.uint8)},
        {"query": Port((1, depth), "uint8")},
        {"sums": Port((1, count), "int32")},
        "retrieval",
    )
