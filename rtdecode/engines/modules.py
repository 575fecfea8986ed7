"""A bundle's network as torch modules with named inputs and outputs: what compilers of torch start from.

The names are those of the bundle's ONNX graphs, so a compiled module is a `graph.Graph` like them. Needs the
extra [offline].
"""

from dataclasses import dataclass
from typing import Any

from rtdecode.bundle import Bundle
from rtdecode.engines.session import Setup
from rtdecode.errors import BundleError, ConfigError, MissingExtra


@dataclass(frozen=True)
class Part:
    """One graph: "stream", "window", "incremental" or "activations".

    module   in evaluation mode, in float32 on the CPU;  example  zeros of the input shapes
    """

    role: str
    module: Any
    example: tuple[Any, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = (tuple(x.shape) for x in self.example)
        return dict(zip(self.inputs, shapes, strict=True))

    def program(self) -> Any:
        """The module as torch.export takes it."""
        import torch

        with torch.no_grad():
            return torch.export.export(self.module, self.example, strict=False)


def require_torch(engine: str) -> Any:
    """The module torch; MissingExtra names the engine that wants it."""
    try:
        import torch
    except ImportError as problem:
        raise MissingExtra(f"torch (engine {engine})", "offline") from problem
    return torch


def parts_of(bundle: Bundle, setup: Setup, engine: str) -> list[Part]:
    """The graphs of a session of this mode; an incremental one has two, its step first."""
    torch = require_torch(engine)
    from safetensors.torch import load_file

    import models
    from models.inference import IncrementalNet, StreamNet, WindowNet

    model = bundle.spec.model
    if model.config.get("name") != "decoder":
        raise ConfigError(
            f"engine {engine} compiles networks named 'decoder' only, not {model.config.get('name')!r}",
            hint="use --engine onnx",
        )
    try:
        net = models.build(model.config).eval()
        net.load_state_dict(load_file(bundle.path / "weights.safetensors"))
    except (ValueError, TypeError, KeyError, RuntimeError) as problem:
        raise BundleError(f"bundle {bundle.path}: the torch model cannot be rebuilt: {problem}") from problem
    channels = len(bundle.spec.stream.labels)
    hop, size = torch.zeros(1, setup.hop, channels), torch.zeros(1, model.size, channels)
    if setup.mode == "stream":
        stream = StreamNet(net).eval()
        states = stream.initial_state()
        count = range(len(states))
        inputs = ("x", *(f"state_{i}" for i in count))
        outputs = (*stream.outputs, *(f"next_{i}" for i in count))
        return [Part("stream", stream, (hop, *states), inputs, outputs)]
    if setup.mode == "window":
        window = WindowNet(net).eval()
        return [Part("window", window, (size,), ("x",), tuple(window.outputs))]
    step, whole = IncrementalNet(net, setup.hop).eval(), WindowNet(net, True).eval()
    contexts, stages = step.contexts(), range(len(step.trunk.chain))
    sides = tuple(f"{side}_{i}" for i in range(len(contexts) // 2) for side in ("left", "right"))
    return [
        Part(
            "incremental",
            step,
            (hop, *contexts),
            ("x", *sides),
            (*step.outputs, *(f"new_{i}" for i in stages)),
        ),
        Part("activations", whole, (size,), ("x",), (*whole.outputs, *(f"rows_{i}" for i in stages))),
    ]
