"""The torch module compiled ahead of time for this processor: AOTInductor, kept in the engine cache.

Compiling needs a C++ compiler and half a minute; what it made loads in a tenth of a second without one. Needs
the extra [offline]. The kept file is a library of machine code: it is read only from the user's own cache.
"""

import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.cache import find, key_of, store
from rtdecode.engines.graph import GraphNetwork, GraphSession
from rtdecode.engines.incremental import IncrementalSession
from rtdecode.engines.modules import Part, parts_of, require_torch
from rtdecode.engines.plan import plan_of
from rtdecode.engines.session import EngineInfo, Session, Setup
from rtdecode.errors import ConfigError


def open_inductor(bundle: Bundle, setup: Setup) -> Session:
    """A session of any mode. MissingExtra without torch; ConfigError for another precision than fp32, and
    where something must be compiled and nothing here compiles C++.
    """
    torch = require_torch("inductor")
    if setup.precision != "fp32":
        raise ConfigError(f"engine inductor has no {setup.precision}", hint="valid: fp32")
    torch.set_num_threads(setup.threads)
    versions = {"torch": torch.__version__}
    graphs = [
        CompiledGraph(compiled(bundle, setup, part, versions), part)
        for part in parts_of(bundle, setup, "inductor")
    ]
    info = EngineInfo("inductor", setup.mode, setup.hop, "fp32", setup.threads, "cpu", versions)
    spec = bundle.spec
    if setup.mode == "incremental":
        plan = plan_of(spec.model.config)
        network = GraphNetwork(graphs[0], graphs[1], plan, spec, setup.hop)
        return IncrementalSession(network, plan, info, spec.model.size)
    size = setup.hop if setup.mode == "stream" else spec.model.size
    return GraphSession(graphs[0], info, size, len(spec.stream.labels))


def compiled(bundle: Bundle, setup: Setup, part: Part, versions: dict[str, str]) -> Path:
    """The library of one graph, compiled now if the cache has none."""
    key = key_of(bundle, setup, "inductor", part.role, versions)
    return find(key) or store(key, lambda path: compile_part(part, path))


def compile_part(part: Part, path: Path) -> None:
    """Write the library. ConfigError in one sentence where nothing compiles."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler or not shutil.which(compiler):
        raise ConfigError(
            "engine inductor must compile this network first, and there is no C++ compiler here",
            hint="install g++, or name one in CXX, or use --engine onnx",
        )
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.exc import InductorError, InvalidCxxCompiler

    package = path.with_name("library.pt2")  # the name must end so
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's notices about itself
            aoti_compile_and_package(part.program(), package_path=str(package))
    except (InductorError, InvalidCxxCompiler, subprocess.CalledProcessError, OSError) as problem:
        raise ConfigError(
            f"engine inductor cannot compile this network: {_first_line(problem)}",
            hint="check the C++ compiler, or use --engine onnx",
        ) from problem
    package.rename(path)


class CompiledGraph:
    """A compiled library as a Graph."""

    def __init__(self, path: Path, part: Part):
        import torch
        from torch._inductor import aoti_load_package

        self.inputs, self._outputs, self._torch = part.shapes, part.outputs, torch
        # Read by its ending; the link is beside the payload so that it goes with it.
        named = path.with_name("library.pt2")
        if not named.exists():
            named.symlink_to(path.name)
        try:
            self._run: Any = aoti_load_package(str(named))
        except Exception as problem:  # whatever the loader's compiled half raises
            raise ConfigError(
                f"the compiled engine {path} does not load here: {_first_line(problem)}",
                hint=f"remove {path.parent} and start again",
            ) from problem

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        torch = self._torch
        tensors = [torch.from_numpy(np.ascontiguousarray(feeds[name])) for name in self.inputs]
        with torch.inference_mode():
            found = self._run(*tensors)
        return {name: x.numpy() for name, x in zip(self._outputs, found, strict=True)}


def _first_line(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[0] if lines else type(problem).__name__
