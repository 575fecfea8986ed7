"""A tiny bundle and a recording that fits it, made by hand without torch.

Planted relation: F slow features reach C channels through a known matrix, and the model inverts it, so that a
decoder that works finds the segment it is given and one that does not cannot.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy import signal

from rtdecode.bundle import Bundle, BundleSpec, ModelSpec, Training, load_bundle, seal, write_bank
from rtdecode.contract import Contract
from rtdecode.preprocess import Preprocess, PreprocessSpec
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec
from rtdecode.transcribe import BLANK, TextSpec

SFREQ, MODEL_SFREQ, HOP, STRIDE = 128.0, 64.0, 16, 2
LABELS = ("Fz", "Cz", "Pz", "Oz", "C3", "C4", "T7", "T8")
SYMBOLS = (BLANK, " ", "a", "b", "c")
FEATURES, WINDOW_FRAMES = 3, 48
_RNG = np.random.default_rng(20)
_TO_CHANNELS = _RNG.normal(size=(FEATURES, len(LABELS)))
_TO_SYMBOLS = 3 * _RNG.normal(size=(FEATURES, len(SYMBOLS)))


def planted(seconds: float = 20.0, seed: int = 0) -> np.ndarray:
    """A recording (T, C) float32 µV at SFREQ with the planted features, noise and amplifier offsets."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * SFREQ)
    sos = signal.butter(2, (1.0, 8.0), btype="bandpass", fs=SFREQ, output="sos")
    features = signal.sosfilt(sos, rng.normal(size=(samples, FEATURES)), axis=0) * 20
    noise = rng.normal(size=(samples, len(LABELS)))
    return (features @ _TO_CHANNELS + noise + 1000 * np.arange(len(LABELS))).astype(np.float32)


def _weights() -> tuple[np.ndarray, np.ndarray]:
    inverse = np.linalg.pinv(_TO_CHANNELS).astype(np.float32)
    return inverse, _TO_SYMBOLS.astype(np.float32)


def _reference(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The model in numpy: the mean of this sample and the one before, every STRIDE samples."""
    inverse, to_symbols = _weights()
    x = steps.reshape(-1, steps.shape[-1])
    y = 0.5 * (x + np.vstack([np.zeros_like(x[:1]), x[:-1]])) @ inverse
    estimate = y[::STRIDE]
    logits = estimate @ to_symbols
    logits -= logits.max(axis=1, keepdims=True)
    return estimate, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _graph(text: bool, scale: float = 1.0) -> onnx.ModelProto:
    inverse, to_symbols = _weights()
    channels = len(LABELS)

    def constant(name: str, value: np.ndarray) -> onnx.TensorProto:
        return numpy_helper.from_array(value, name)

    nodes = [
        helper.make_node("Concat", ["state_0", "x"], ["held"], axis=1),
        helper.make_node("Slice", ["held", "zero", "minus1", "axis1"], ["before"]),
        helper.make_node("Add", ["x", "before"], ["both"]),
        helper.make_node("MatMul", ["both", "inverse"], ["dense"]),
        helper.make_node("Slice", ["dense", "zero", "end", "axis1", "stride"], ["estimate"]),
        helper.make_node("Slice", ["x", "minus1", "end", "axis1"], ["next_0"]),
    ]
    if text:
        nodes += [
            helper.make_node("MatMul", ["estimate", "to_symbols"], ["logits"]),
            helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
        ]
    tensors = [
        constant("inverse", (0.5 * scale * inverse).astype(np.float32)),
        constant("to_symbols", to_symbols),
        constant("zero", np.array([0])),
        constant("minus1", np.array([-1])),
        constant("axis1", np.array([1])),
        constant("stride", np.array([STRIDE])),
        constant("end", np.array([2**31])),
    ]
    frames = HOP // STRIDE

    def port(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    outputs = [port("estimate", 1, frames, FEATURES), port("next_0", 1, 1, channels)]
    if text:
        outputs.append(port("log_probs", 1, frames, len(SYMBOLS)))
    graph = helper.make_graph(
        nodes, "tiny", [port("x", 1, HOP, channels), port("state_0", 1, 1, channels)], outputs, tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def bundle_spec(labels: tuple[str, ...] = LABELS, text: bool = True) -> BundleSpec:
    """The manifest of the tiny bundle, without file hashes."""
    channels = len(labels)
    return BundleSpec(
        schema=1,
        name="tiny",
        stream=Contract(labels, "microvolts", SFREQ),
        preprocess=PreprocessSpec(
            SFREQ, MODEL_SFREQ, 0.5, 20.0, 2, (0.0,) * channels, (30.0,) * channels, clamp=20.0
        ),
        model=ModelSpec("step", HOP, HOP, STRIDE, {"name": "none"}),
        retrieval=RetrievalSpec(WINDOW_FRAMES, 0, "search", 10.0),
        text=TextSpec(SYMBOLS) if text else None,
        training=Training("planted", "nobody", 0.0, "made by hand for tests", "CC0"),
    )


def make_bundle(
    path: Path,
    *,
    text: bool = True,
    golden_error: float = 0.0,
    recording: np.ndarray | None = None,
    labels: tuple[str, ...] = LABELS,
) -> Bundle:
    """Write and load the tiny bundle. Its bank holds the features of `recording` (default: `planted()`)."""
    path.mkdir(parents=True)
    spec = bundle_spec(labels, text)
    raw = planted() if recording is None else recording
    model_samples = Preprocess(spec.preprocess).push(raw)
    whole = model_samples[: len(model_samples) // HOP * HOP].reshape(-1, HOP, len(LABELS))
    features, _ = _reference(whole)
    length = 16
    candidates = tuple(
        Candidate(f"c{k:02d}", f"segment {k}", "planted", first, length, first / 32, length / 32)
        for k, first in enumerate(range(WINDOW_FRAMES, len(features) - length + 1, length))
    )
    write_bank(path, Bank(features.astype(np.float32), candidates))
    steps = np.random.default_rng(1).normal(size=(4, HOP, len(LABELS))).astype(np.float32)
    estimate, log_probs = _reference(steps)
    golden = {"x": steps, "estimate": (estimate + golden_error).astype(np.float32)}
    if text:
        golden["log_probs"] = log_probs.astype(np.float32)
    np.savez(path / "golden.npz", **golden)
    (path / "model.onnx").write_bytes(_graph(text).SerializeToString())
    (path / "weights.safetensors").write_bytes(b"none: this model was made by hand")
    seal(path, spec)
    return load_bundle(path)


def edit_manifest(path: Path, **changes: object) -> None:
    """Change top-level keys of bundle.json in place; None removes a key."""
    manifest = path / "bundle.json"
    data = json.loads(manifest.read_text())
    for key, value in changes.items():
        if value is None:
            data.pop(key)
        else:
            data[key] = value
    manifest.write_text(json.dumps(data))
