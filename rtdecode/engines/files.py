"""Which file of a bundle holds which graph. One graph per mode and hop: all shapes are static."""

from pathlib import Path

from rtdecode.bundle import Bundle, BundleSpec
from rtdecode.engines.session import Mode
from rtdecode.errors import BundleError

ACTIVATIONS = "activations.onnx"
"""The window graph that also gives every layer's rows: where incremental sessions start."""


def graph_file(spec: BundleSpec, mode: Mode, hop: int) -> str:
    """Name of the ONNX file of this mode and hop; model.onnx is the bundle's own."""
    if mode == "window" or (mode == "stream" and hop == spec.model.hop):
        return "model.onnx"
    return f"{mode}-{hop}.onnx"


def listed(bundle: Bundle, name: str) -> Path:
    """The path of a file whose hash the bundle vouches for; BundleError where it has none."""
    if name not in bundle.spec.files:
        raise BundleError(
            f"bundle {bundle.path} holds no {name}",
            hint="export it with that mode and hop, or use another engine",
        )
    return bundle.path / name
