"""The default engine: ONNX Runtime on the CPU, states bound as arrays. Needs no torch."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from rtdecode.bundle import BundleSpec
from rtdecode.engines import Frames
from rtdecode.errors import BundleError


class OnnxSession:
    """Runs one ONNX graph: input "x" (1, size, C), states "state_i" -> "next_i", outputs by head name."""

    def __init__(self, path: Path, spec: BundleSpec, threads: int = 1):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning pool burns a core between hops and delays everything else on the machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # the binding's own exception types are private
            raise BundleError(
                f"{path} is not a model ONNX Runtime can load: {_first_line(problem)}"
            ) from problem
        inputs = {node.name: node.shape for node in self._session.get_inputs()}
        shape = [1, spec.model.size, len(spec.stream.labels)]
        if inputs.get("x") != shape:
            raise BundleError(f"{path} takes x of shape {inputs.get('x')}, bundle.json says {shape}")
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._zero = {name: np.zeros(size, np.float32) for name, size in inputs.items() if name != "x"}
        self.reset()

    def reset(self) -> None:
        self._state = dict(self._zero)

    def rehearse(self, x: np.ndarray) -> None:
        self._session.run(None, {"x": x[None], **self._state})

    def run(self, x: np.ndarray) -> Frames:
        values = self._session.run(None, {"x": x[None], **self._state})
        named = dict(zip(self._outputs, values, strict=True))
        self._state = {name: named[name.replace("state", "next", 1)] for name in self._zero}
        return Frames(*(named[head][0] if head in named else None for head in ("estimate", "log_probs")))


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
