"""A bundle of any size for measuring: its network is random, but costs what a small decoder costs.

A spatial projection to 64 components, three temporal convolutions over half a second, 16 features per frame
and a bank of 40 candidates. It decodes nothing; its decisions mean nothing.
"""

from pathlib import Path

import numpy as np

from rtdecode.bundle import Bundle, BundleSpec, ModelSpec, Training, load_bundle, seal, write_bank
from rtdecode.contract import Contract
from rtdecode.onnx_bytes import Node, Port, model_bytes
from rtdecode.preprocess import PreprocessSpec
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec

HOP_S, WINDOW_S = 0.02, 0.5
UNIT = "microvolts"
_WIDTH, _FEATURES, _TAPS = 64, 16, 9
_BANK_FRAMES, _CANDIDATES = 1000, 40


def labels_of(channels: int) -> tuple[str, ...]:
    return tuple(f"ch{i:04d}" for i in range(channels))


def make_bench_bundle(path: Path, channels: int, sfreq: float) -> Bundle:
    """Write and load a bundle for `channels` at `sfreq` Hz, hop 20 ms. The directory must not exist."""
    path.mkdir(parents=True)
    model_sfreq = 250.0 if sfreq < 10_000 else 1000.0
    hop, size = round(HOP_S * model_sfreq), round(WINDOW_S * model_sfreq)
    frames = size // hop
    low_pass = min(70.0, 0.4 * model_sfreq) if sfreq < 10_000 else 300.0
    spec = BundleSpec(
        schema=1,
        name=f"bench {channels} x {sfreq:g} Hz",
        stream=Contract(labels_of(channels), UNIT, sfreq),
        preprocess=PreprocessSpec(
            sfreq, model_sfreq, 0.5, low_pass, 2, (0.0,) * channels, (10.0,) * channels, clamp=20.0
        ),
        model=ModelSpec("window", size, hop, hop, {"name": "none"}),
        retrieval=RetrievalSpec(frames, 0, "search", 10.0),
        text=None,
        training=Training("none", "nobody", 0.0, "random weights, for measuring only", "CC0"),
    )
    rng = np.random.default_rng(0)
    (path / "model.onnx").write_bytes(_network(rng, channels, size, hop))
    (path / "weights.safetensors").write_bytes(b"none: this network is written by the bench")
    write_bank(path, _bank(rng, frames))
    _write_golden(path, rng, channels, size)
    seal(path, spec)
    return load_bundle(path)


def _network(rng: np.random.Generator, channels: int, size: int, hop: int) -> bytes:
    def weight(*shape: int) -> np.ndarray:
        fan_in = shape[0] if len(shape) == 2 else shape[1] * shape[2]
        return rng.normal(size=shape, scale=fan_in**-0.5).astype(np.float32)

    weights = {
        "spatial": weight(channels, _WIDTH),
        "early": weight(_WIDTH, _WIDTH, _TAPS),
        "late": weight(_WIDTH, _WIDTH, _TAPS),
        "thin": weight(_WIDTH, _WIDTH, hop),
        "head": weight(_WIDTH, _FEATURES),
    }
    same = {"pads": (_TAPS // 2, _TAPS // 2), "kernel_shape": (_TAPS,)}
    nodes = [
        Node("MatMul", ("x", "spatial"), "components"),
        Node("Transpose", ("components",), "by_time", {"perm": (0, 2, 1)}),
        Node("Conv", ("by_time", "early"), "a", same),
        Node("Relu", ("a",), "b"),
        Node("Conv", ("b", "late"), "c", same),
        Node("Relu", ("c",), "d"),
        Node("Conv", ("d", "thin"), "e", {"strides": (hop,), "kernel_shape": (hop,)}),
        Node("Transpose", ("e",), "frames", {"perm": (0, 2, 1)}),
        Node("MatMul", ("frames", "head"), "estimate"),
    ]
    estimate = Port((1, size // hop, _FEATURES))
    return model_bytes(nodes, weights, {"x": Port((1, size, channels))}, {"estimate": estimate}, "bench")


def _bank(rng: np.random.Generator, frames: int) -> Bank:
    length = (_BANK_FRAMES - frames) // _CANDIDATES
    rate = 1 / HOP_S
    spans = [frames + k * length for k in range(_CANDIDATES)]
    candidates = tuple(
        Candidate(f"s{k:02d}", f"made up segment {k}", "bench", first, length, first / rate, length / rate)
        for k, first in enumerate(spans)
    )
    return Bank(rng.normal(size=(_BANK_FRAMES, _FEATURES)).astype(np.float32), candidates)


def _write_golden(path: Path, rng: np.random.Generator, channels: int, size: int) -> None:
    """There is no torch reference: what ONNX Runtime makes of one window is the expected output."""
    import onnxruntime as ort

    x = rng.normal(size=(1, size, channels)).astype(np.float32)
    session = ort.InferenceSession(str(path / "model.onnx"), providers=["CPUExecutionProvider"])
    np.savez(path / "golden.npz", x=x, estimate=session.run(None, {"x": x})[0][0])
