"""The default engine: ONNX Runtime on the CPU, states bound as arrays. Needs no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from rtdecode.bundle import Bundle, BundleSpec
from rtdecode.engines.files import ACTIVATIONS, graph_file, listed
from rtdecode.engines.incremental import IncrementalSession, Parts
from rtdecode.engines.plan import Plan, plan_of
from rtdecode.engines.session import Base, EngineInfo, Frames, Session, Setup, checked_state
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
    network = OnnxNetwork(path, listed(bundle, ACTIVATIONS), plan, spec.model.size, setup)
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

    def expect(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """BundleError unless these inputs have these shapes."""
        for name, shape in shapes.items():
            if self.inputs.get(name) != list(shape):
                raise BundleError(
                    f"{self.path} takes {name} of shape {self.inputs.get(name)}, "
                    f"bundle.json says {list(shape)}",
                    hint="export the bundle again",
                )

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self._session.run(None, feeds), strict=True))


class OnnxSession(Base):
    """Runs one ONNX graph: input "x" (1, size, C), states "state_i" -> "next_i", outputs by head name.

    size  samples of one run's x; None: as bundle.json says
    """

    def __init__(self, path: Path, spec: BundleSpec, threads: int = 1, *, size: int | None = None):
        model, channels = spec.model, len(spec.stream.labels)
        size = model.size if size is None else size
        streams = model.mode == "step"
        hop, mode = (size, "stream") if streams else (model.hop, "window")
        super().__init__(
            EngineInfo("onnx", "stream" if streams else "window", hop, "fp32", threads, "cpu", VERSIONS),
            size,
            channels,
        )
        self._graph = OnnxGraph(path, threads)
        self._graph.expect({"x": [1, size, channels]})
        states = {name: shape for name, shape in self._graph.inputs.items() if name != "x"}
        if states and mode == "window":
            raise BundleError(f"{path} carries states {', '.join(states)}, bundle.json says it has none")
        self._zero = {name: np.zeros(shape, np.float32) for name, shape in states.items()}
        self.reset()

    def reset(self) -> None:
        self._state = dict(self._zero)

    def rehearse(self, x: np.ndarray) -> None:
        self._graph.run({"x": x[None], **self._state})

    def run(self, x: np.ndarray) -> Frames:
        named = self._graph.run({"x": x[None], **self._state})
        self._state = {name: named[name.replace("state", "next", 1)] for name in self._zero}
        return Frames(*(named[head][0] if head in named else None for head in ("estimate", "log_probs")))

    def state(self) -> dict[str, np.ndarray]:
        return {name: values.copy() for name, values in self._state.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._state = checked_state(state, self._zero)


class OnnxNetwork:
    """The two graphs of an incremental session (see incremental.Network)."""

    def __init__(self, step: Path, whole: Path, plan: Plan, size: int, setup: Setup):
        self._step, self._whole = OnnxGraph(step, setup.threads), OnnxGraph(whole, setup.threads)
        self._whole.expect({"x": [1, size, plan.n_channels]})
        stages = (*plan.stages, plan.linear) if plan.linear else plan.stages
        sides = {
            f"{side}_{i}": [1, stage.memory, stage.width]
            for i, stage in enumerate(stages)
            for side in ("left", "right")
        }
        self._contexts = list(sides)
        self._step.expect({"x": [1, setup.hop, plan.n_channels], **sides})

    def whole(self, x: np.ndarray) -> tuple[Parts, list[np.ndarray]]:
        return _split(self._whole.run({"x": x[None]}), "rows_")

    def advance(self, x: np.ndarray, contexts: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        feeds = {name: rows[None] for name, rows in zip(self._contexts, contexts, strict=True)}
        return _split(self._step.run({"x": x[None], **feeds}), "new_")


def _split(named: dict[str, np.ndarray], prefix: str) -> tuple[Parts, list[np.ndarray]]:
    parts = {name: values[0] for name, values in named.items() if not name.startswith(prefix)}
    return parts, [values[0] for name, values in named.items() if name.startswith(prefix)]


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
