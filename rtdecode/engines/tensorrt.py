"""TensorRT, or TensorRT-RTX, on an NVIDIA GPU: engines from torch-tensorrt's converters. Extra [tensorrt].

Building needs no GPU and happens in another process (`tensorrt_build`); engines are kept in the cache.
Running them needs a GPU and has not been tried on one: what is tested is everything up to there, and that
machines without a GPU say so. Whether TensorRT-RTX runs on compute capability 9.0 is not known.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rtdecode.bundle import Bundle
from rtdecode.engines.cache import find, key_of, store
from rtdecode.engines.cuda import gpu_name, open_on_gpu, require_gpu
from rtdecode.engines.modules import Part, parts_of
from rtdecode.engines.session import Session, Setup
from rtdecode.errors import ConfigError, MissingExtra

PYTHON = "RTDECODE_TRT"  # names a Python with torch-tensorrt, where this one has none
BUILDER = Path(__file__).with_name("tensorrt_build.py")
RUNTIMES = ("tensorrt_rtx", "tensorrt")
LIMIT_S = 600.0


def open_tensorrt(bundle: Bundle, setup: Setup) -> Session:
    """A stream or whole windows. Without a GPU, a runtime or a builder: one sentence says which is missing
    (ConfigError, MissingExtra); ConfigError for an engine that this GPU does not take.
    """
    require_gpu("tensorrt")
    runtime = next((name for name in RUNTIMES if find_spec(name)), None)
    if runtime is None:
        raise MissingExtra("tensorrt_rtx or tensorrt (engine tensorrt)", "tensorrt")
    trt = import_module(runtime)

    def make(torch: Any, on_gpu: Part) -> "EngineModule":
        (part,) = parts_of(bundle, setup, "tensorrt")  # on the CPU: it is exported from there
        path = engine_file(bundle, setup, part, gpu_name(torch) if runtime == "tensorrt" else "")
        return EngineModule(trt, path, gpu_name(torch))

    return open_on_gpu(bundle, setup, "tensorrt", make, {runtime: str(trt.__version__)})


def builder() -> str:
    """The Python that builds: RTDECODE_TRT, or this one. MissingExtra where neither has torch-tensorrt."""
    if named := os.environ.get(PYTHON):
        if not Path(named).exists():
            raise ConfigError(f"{PYTHON} names {named}, which is not there")
        return named
    if find_spec("torch_tensorrt") is None:
        raise MissingExtra("torch-tensorrt (engine tensorrt)", "tensorrt")
    return sys.executable


def engine_file(bundle: Bundle, setup: Setup, part: Part, device: str = "") -> Path:
    """The engine of one graph, built now if the cache has none. ConfigError where it cannot be built.

    device  the GPU it must be built on; "": TensorRT-RTX's engines run on any GPU that it knows
    """
    python = builder()
    versions = _asked(python, [])["versions"]
    key = key_of(bundle, setup, "tensorrt", part.role, versions, device or "any GPU of TensorRT-RTX")

    def write(path: Path) -> None:
        build_part(part, path, python)

    return find(key) or store(key, write)


def build_part(part: Part, path: Path | None, python: str) -> dict[str, Any]:
    """Write the engine of one graph, or none for a `path` of None; returns the builder's report.

    ConfigError where an operator is not taken or more than one engine would be made: the rest would run in
    torch, at a cost nobody chose.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's notices about itself
        program = Path(folder) / "program.pt2"
        torch.export.save(part.program(), program)
        report = _asked(python, [str(program), *(["--engine", str(path)] if path else [])])
    if report["supported"] != report["operators"] or report["engines"] != 1:
        raise ConfigError(
            f"TensorRT takes {report['supported']} of {report['operators']} operators of the {part.role} "
            f"graph, in {report['engines']} engines: {', '.join(report['unsupported']) or 'no reason given'}",
            hint="use --engine cuda or --engine onnx",
        )
    return report


def _asked(python: str, arguments: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [python, "-I", str(BUILDER), *arguments], capture_output=True, text=True, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ConfigError(f"the TensorRT builder {python} cannot be run: {problem}") from problem
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise ConfigError(f"the TensorRT engine cannot be built: {lines[-1]}", hint="use --engine onnx")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


class EngineModule:
    """A serialized engine as a function of tensors on the GPU; its outputs lie at fixed addresses."""

    def __init__(self, trt: Any, path: Path, gpu: str):
        import torch

        self._torch = torch
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise ConfigError(
                f"{trt.__name__} {trt.__version__} does not take the engine {path} on {gpu}",
                hint="use --engine cuda, or another version of TensorRT",
            )
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        inward = trt.TensorIOMode.INPUT
        self._inputs = [name for name in names if self._engine.get_tensor_mode(name) == inward]
        self._outputs = {
            name: torch.empty(tuple(self._engine.get_tensor_shape(name)), device="cuda")
            for name in names
            if name not in self._inputs
        }
        for name, values in self._outputs.items():
            self._context.set_tensor_address(name, values.data_ptr())

    def __call__(self, *tensors: Any) -> tuple[Any, ...]:
        for name, values in zip(self._inputs, tensors, strict=True):
            self._context.set_tensor_address(name, values.data_ptr())
        if not self._context.execute_async_v3(self._torch.cuda.current_stream().cuda_stream):
            raise ArithmeticError("TensorRT did not run the engine")
        return tuple(self._outputs.values())
