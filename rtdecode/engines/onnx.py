"""The default engine: ONNX Runtime on the CPU, states bound as arrays. Needs no torch."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from rtdecode.bundle import Bundle, BundleSpec
from rtdecode.engines.files import ACTIVATIONS, graph_file, listed
from rtdecode.engines.graph import GraphNetwork, GraphSession
from rtdecode.engines.incremental import IncrementalSession
from rtdecode.engines.plan import plan_of
from rtdecode.engines.session import EngineInfo, Session, Setup
from rtdecode.errors import BundleError, ConfigError

VERSIONS = {"onnxruntime": ort.__version__}


def open_onnx(bundle: Bundle, setup: Setup) -> Session:
    """A session of any mode; BundleError where the bundle lacks the graph, ConfigError for the precision."""
    if setup.precision != "fp32":
        raise ConfigError(
            f"engine onnx has no {setup.precision}", hint="valid: fp32, int8; bf16 is openvino's"
        )
    path, spec = listed(bundle, graph_file(bundle.spec, setup.mode, setup.hop)), bundle.spec
    if setup.mode != "incremental":
        size = setup.hop if setup.mode == "stream" else spec.model.size
        return OnnxSession(path, spec, setup.threads, size=size)
    plan = plan_of(spec.model.config)
    step, whole = (OnnxGraph(file, setup.threads) for file in (path, listed(bundle, ACTIVATIONS)))
    network = GraphNetwork(step, whole, plan, spec, setup.hop)
    info = EngineInfo("onnx", "incremental", setup.hop, "fp32", setup.threads, "cpu", VERSIONS)
    return IncrementalSession(network, plan, info, spec.model.size)


class OnnxGraph:
    """One file, loaded. `inputs` and `outputs` in the graph's order."""

    def __init__(self, path: Path, threads: int):
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
        self.path = path
        self.inputs = {node.name: list(node.shape) for node in self._session.get_inputs()}
        self.outputs = [node.name for node in self._session.get_outputs()]

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self._session.run(None, feeds), strict=True))


class IntegerGraph(OnnxGraph):
    """One that computes with integers, which cannot carry what is not a number: said here, not made up."""

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        named = super().run(feeds)
        if not all(np.isfinite(values).all() for values in feeds.values()):
            return {name: np.full_like(values, np.nan) for name, values in named.items()}
        return named


class OnnxSession(GraphSession):
    """Runs one ONNX file, as bundle.json describes it.

    size  samples of one run's x; None: as bundle.json says
    """

    def __init__(self, path: Path, spec: BundleSpec, threads: int = 1, *, size: int | None = None):
        size = spec.model.size if size is None else size
        steps = spec.model.mode == "step"
        hop = size if steps else spec.model.hop
        info = EngineInfo("onnx", "stream" if steps else "window", hop, "fp32", threads, "cpu", VERSIONS)
        super().__init__(OnnxGraph(path, threads), info, size, len(spec.stream.labels), str(path))


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
