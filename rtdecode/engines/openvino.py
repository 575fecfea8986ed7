"""OpenVINO on the CPU, from the bundle's ONNX graphs: float32, or bfloat16 when asked for. Extra [openvino].

Knows the graphs' names only through `graph`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.files import ACTIVATIONS, graph_file, listed
from rtdecode.engines.graph import GraphNetwork, GraphSession
from rtdecode.engines.incremental import IncrementalSession
from rtdecode.engines.plan import plan_of
from rtdecode.engines.session import EngineInfo, Session, Setup
from rtdecode.errors import BundleError, ConfigError, MissingExtra

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


def open_openvino(bundle: Bundle, setup: Setup) -> Session:
    """A session of any mode. MissingExtra without OpenVINO, ConfigError for a precision that it or this
    processor has not, BundleError for a graph it cannot read.
    """
    try:
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as problem:
        raise MissingExtra("openvino (engine openvino)", "openvino") from problem
    if setup.precision not in PRECISIONS:
        raise ConfigError(f"engine openvino has no {setup.precision}", hint=f"valid: {', '.join(PRECISIONS)}")
    core = openvino.Core()
    if setup.precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ConfigError(
            "this processor has no bfloat16 products (avx512_bf16 or amx_bf16): nothing would be gained",
            hint="use fp32",
        )
    spec = bundle.spec
    version = str(openvino.get_version()).split("-")[0]
    info = EngineInfo(
        "openvino", setup.mode, setup.hop, setup.precision, setup.threads, "cpu", {"openvino": version}
    )
    main = OpenVinoGraph(core, listed(bundle, graph_file(spec, setup.mode, setup.hop)), setup)
    if setup.mode == "incremental":
        whole, plan = OpenVinoGraph(core, listed(bundle, ACTIVATIONS), setup), plan_of(spec.model.config)
        network = GraphNetwork(main, whole, plan, spec, setup.hop)
        return IncrementalSession(network, plan, info, spec.model.size)
    size = setup.hop if setup.mode == "stream" else spec.model.size
    return GraphSession(main, info, size, len(spec.stream.labels))


class OpenVinoGraph:
    """One ONNX file, compiled for one stream of requests."""

    def __init__(self, core: Any, path: Path, setup: Setup):
        wanted = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[setup.precision],
            "INFERENCE_NUM_THREADS": setup.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            model = core.compile_model(core.read_model(str(path)), "CPU", wanted)
        except Exception as problem:  # the binding raises RuntimeErrors of many lines
            last = [line.strip() for line in str(problem).splitlines() if line.strip()] or ["no reason given"]
            raise BundleError(f"{path} is not a model OpenVINO can load: {last[-1]}") from problem
        self.inputs = {each.get_any_name(): tuple(each.shape) for each in model.inputs}
        self._names = [each.get_any_name() for each in model.outputs]
        self._request = model.create_infer_request()

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        feeds = {name: np.ascontiguousarray(values, np.float32) for name, values in feeds.items()}
        found = self._request.infer(feeds, share_inputs=True)
        return {name: found[i] for i, name in enumerate(self._names)}
