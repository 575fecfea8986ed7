"""The torch module on an NVIDIA GPU, as it is or compiled by Inductor: one CUDA graph replayed per hop.

A hop costs one copy in from pinned memory, one replay on a stream of its own, one copy out and one wait.
States never leave the GPU. Everything but the capture also runs with device "cpu", which is how it is tested
where there is no GPU; nothing here has been run on one. Needs the extra [offline] and torch built for CUDA.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.graph import HEADS
from rtdecode.engines.modules import Part, parts_of, require_torch
from rtdecode.engines.session import Base, EngineInfo, Frames, Session, Setup, checked_state
from rtdecode.errors import ConfigError

WARM = 3  # runs before a capture, in which libraries choose kernels and allocate


def open_cuda(bundle: Bundle, setup: Setup) -> Session:
    """Eager kernels, captured. Raises as `require_gpu` and `open_on_gpu`."""
    return open_on_gpu(bundle, setup, "cuda", lambda torch, part: part.module)


def open_cuda_inductor(bundle: Bundle, setup: Setup) -> Session:
    """Inductor's kernels, captured; compiling takes a minute. Raises as open_cuda."""

    def compiled(torch: Any, part: Part) -> Any:
        torch._dynamo.config.suppress_errors = False
        return torch.compile(part.module, mode="max-autotune-no-cudagraphs", dynamic=False)

    return open_on_gpu(bundle, setup, "cuda-inductor", compiled)


def require_gpu(engine: str) -> Any:
    """torch; MissingExtra without it, ConfigError in one sentence where it finds no GPU."""
    torch = require_torch(engine)
    if torch.cuda.is_available():
        return torch
    if torch.version.cuda is None:
        raise ConfigError(
            f"engine {engine} needs a torch built for CUDA, this is {torch.__version__}",
            hint="install torch for CUDA on a machine with an NVIDIA GPU, or use --engine onnx",
        )
    raise ConfigError(
        f"engine {engine} needs an NVIDIA GPU, and torch {torch.__version__} finds none",
        hint="`nvidia-smi` says whether the driver sees one; or use --engine onnx",
    )


def gpu_name(torch: Any) -> str:
    """Name, compute capability and CUDA version: what engines built here depend on."""
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()}, sm_{major}{minor}, CUDA {torch.version.cuda}"


def open_on_gpu(
    bundle: Bundle,
    setup: Setup,
    engine: str,
    make: Callable[[Any, Part], Any],
    versions: Mapping[str, str] | None = None,
) -> Session:
    """A session of streams or whole windows whose network is what `make` makes of its torch module.

    ConfigError for another precision than fp32 (tf32 is off) and for the incremental mode: to a GPU a whole
    window costs less than the copies of one step's contexts.
    """
    torch = require_gpu(engine)
    if setup.precision != "fp32":
        raise ConfigError(f"engine {engine} has no {setup.precision}", hint="valid: fp32")
    if setup.mode == "incremental":
        raise ConfigError(f"engine {engine} computes windows whole", hint="use mode window")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    (part,) = parts_of(bundle, setup, engine)
    part.module.to("cuda")
    network = make(torch, part)
    info = EngineInfo(
        engine,
        setup.mode,
        setup.hop,
        "fp32",
        setup.threads,
        gpu_name(torch),
        {"torch": torch.__version__, **(versions or {})},
    )
    size = setup.hop if setup.mode == "stream" else bundle.spec.model.size
    return DeviceSession(network, part, info, size, len(bundle.spec.stream.labels), "cuda")


class DeviceSession(Base):
    """Runs network(x, *states) -> (heads, then next states), all tensors on `device` at fixed addresses."""

    def __init__(
        self, network: Callable[..., Any], part: Part, info: EngineInfo, size: int, channels: int, device: str
    ):
        super().__init__(info, size, channels)
        import torch

        self._torch, self._network = torch, network
        self._gpu = device != "cpu"
        self._x, *self._states = (x.to(device, copy=True) for x in part.example)
        self._heads = [name for name in part.outputs if name in HEADS]
        self._host_in = torch.zeros(self._x.shape, pin_memory=self._gpu)
        self._stream = torch.cuda.Stream() if self._gpu else None
        self._graph: Any = None
        with torch.inference_mode(), self._on_stream():
            for _ in range(WARM):
                found = network(self._x, *self._states)
            self._shapes = [tuple(found[i].shape[1:]) for i in range(len(self._heads))]
            self._flat = torch.zeros(sum(int(np.prod(shape)) for shape in self._shapes), device=device)
            self._host_out = torch.zeros(self._flat.shape, pin_memory=self._gpu)
            if self._stream is not None:
                self._stream.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, stream=self._stream):
                    self._step()
                self._graph = graph
        self.reset()

    def _on_stream(self) -> Any:
        return self._torch.cuda.stream(self._stream)  # a stream of None changes nothing

    def _step(self) -> None:
        """What is captured: the network, one piece of outputs, states to where the next step finds them."""
        found = self._network(self._x, *self._states)
        count = len(self._heads)
        self._torch.cat([values.reshape(-1) for values in found[:count]], out=self._flat)
        # All before any is overwritten: a next state may be a view of the last.
        following = [values.clone() for values in found[count:]]
        for state, values in zip(self._states, following, strict=True):
            state.copy_(values)

    def run(self, x: np.ndarray) -> Frames:
        torch = self._torch
        self._host_in[0].copy_(torch.from_numpy(np.ascontiguousarray(x, np.float32)))
        with torch.inference_mode(), self._on_stream():
            self._x.copy_(self._host_in, non_blocking=True)
            if self._graph is not None:
                self._graph.replay()
            else:
                self._step()
            self._host_out.copy_(self._flat, non_blocking=True)
        self._wait()
        values, at, heads = self._host_out.numpy().copy(), 0, {}
        for name, shape in zip(self._heads, self._shapes, strict=True):
            count = int(np.prod(shape))
            heads[name], at = values[at : at + count].reshape(shape), at + count
        return Frames(*(heads.get(name) for name in HEADS))

    def _wait(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()

    def reset(self) -> None:
        with self._torch.inference_mode(), self._on_stream():
            for state in self._states:
                state.zero_()
        self._wait()

    def rehearse(self, x: np.ndarray) -> None:
        kept = self.state()
        self.run(x)
        self.load_state(kept)

    def state(self) -> dict[str, np.ndarray]:
        return {f"state_{i}": np.array(values.cpu().numpy()) for i, values in enumerate(self._states)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        given = checked_state(state, self.state())
        with self._torch.inference_mode(), self._on_stream():
            for i, kept in enumerate(self._states):
                kept.copy_(self._torch.from_numpy(given[f"state_{i}"]))
        self._wait()
