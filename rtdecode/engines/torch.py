"""The reference engine: the torch module itself, from the bundle's weights. Needs the extra [offline]."""

from collections.abc import Mapping

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.incremental import IncrementalSession, Parts
from rtdecode.engines.plan import plan_of
from rtdecode.engines.session import Base, EngineInfo, Frames, Session, Setup, checked_state
from rtdecode.errors import BundleError, ConfigError, MissingExtra


def open_torch(bundle: Bundle, setup: Setup) -> Session:
    """A session of any mode; MissingExtra without torch, ConfigError for a precision it has not."""
    if setup.precision != "fp32":
        raise ConfigError(f"engine torch has no {setup.precision}", hint="valid: fp32")
    if setup.mode != "incremental":
        return TorchSession(bundle, setup.threads, setup)
    plan, size = plan_of(bundle.spec.model.config), bundle.spec.model.size
    network = TorchNetwork(bundle, setup)
    return IncrementalSession(network, plan, _info(network.torch, setup), size)


def _info(torch, setup: Setup) -> EngineInfo:
    versions = {"torch": torch.__version__}
    return EngineInfo("torch", setup.mode, setup.hop, "fp32", setup.threads, "cpu", versions)


def _model(bundle: Bundle, threads: int):
    """torch, and the bundle's folded module in evaluation mode."""
    try:
        import torch
        from safetensors.torch import load_file
    except ImportError as problem:
        raise MissingExtra("torch (engine torch)", "offline") from problem
    import models

    torch.set_num_threads(threads)
    try:
        net = models.build(bundle.spec.model.config).eval()
        net.load_state_dict(load_file(bundle.path / "weights.safetensors"))
    except (ValueError, TypeError, KeyError, RuntimeError) as problem:
        raise BundleError(f"bundle {bundle.path}: the torch model cannot be rebuilt: {problem}") from problem
    return torch, net


class TorchSession(Base):
    """Runs `models.build(config)` with the weights of weights.safetensors, in float32 on the CPU."""

    def __init__(self, bundle: Bundle, threads: int = 1, setup: Setup | None = None):
        spec = bundle.spec
        setup = setup or Setup(
            "stream" if spec.model.mode == "step" else "window", spec.model.hop, "fp32", threads
        )
        self._torch, model = _model(bundle, threads)
        self._streams = setup.mode == "stream"
        size = setup.hop if self._streams else spec.model.size
        super().__init__(_info(self._torch, setup), size, len(spec.stream.labels))
        from models.inference import StreamNet, WindowNet

        self._net = StreamNet(model) if self._streams else WindowNet(model)
        self._zero = self._net.initial_state() if isinstance(self._net, StreamNet) else []
        self.reset()

    def reset(self) -> None:
        self._state = list(self._zero)

    def rehearse(self, x: np.ndarray) -> None:
        state = self._state
        self.run(x)
        self._state = state  # a step returns a new one

    def run(self, x: np.ndarray) -> Frames:
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(np.ascontiguousarray(x))[None]
            found = self._net(batch, *self._state)
        count = len(self._net.outputs)
        self._state = list(found[count:])
        heads = dict(zip(self._net.outputs, found, strict=False))
        return Frames(
            *(heads[head][0].numpy() if head in heads else None for head in ("estimate", "log_probs"))
        )

    def state(self) -> dict[str, np.ndarray]:
        return {f"state_{i}": values.numpy().copy() for i, values in enumerate(self._state)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        given = checked_state(state, self.state())
        self._state = [self._torch.from_numpy(given[f"state_{i}"]) for i in range(len(self._state))]


class TorchNetwork:
    """The two modules of an incremental session (see incremental.Network)."""

    def __init__(self, bundle: Bundle, setup: Setup):
        self.torch, model = _model(bundle, setup.threads)
        from models.inference import IncrementalNet, WindowNet

        self._whole, self._step = WindowNet(model, activations=True), IncrementalNet(model, setup.hop)

    def whole(self, x: np.ndarray) -> tuple[Parts, list[np.ndarray]]:
        return self._run(self._whole, [x])

    def advance(self, x: np.ndarray, contexts: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        return self._run(self._step, [x, *contexts])

    def _run(self, net, arrays: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        with self.torch.inference_mode():
            found = net(*(self.torch.from_numpy(np.ascontiguousarray(rows))[None] for rows in arrays))
        values = [tensor[0].numpy() for tensor in found]
        return dict(zip(net.outputs, values, strict=False)), values[len(net.outputs) :]
