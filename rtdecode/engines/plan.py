"""The geometry of a bundle's network from its configuration, without torch: layers, paddings, edges.

Knows no arithmetic and no engine. All counts are rows: model samples, or frames (the same at stride 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtdecode.bundle import BundleSpec
from rtdecode.errors import BundleError


@dataclass(frozen=True)
class Stage:
    """One convolution.

    name         of its weights in weights.safetensors
    width        features in;  n_out  features of its product
    left, right  rows of zero padding in a window; a causal step keeps `left` rows as its state
    after        "gelu", "gate" (first half * sigmoid(second half)) or "none"
    """

    name: str
    width: int
    n_out: int
    kernel: int
    dilation: int
    stride: int
    left: int
    right: int
    after: str
    residual: bool = False

    @property
    def memory(self) -> int:
        return self.left + self.right


@dataclass(frozen=True)
class Plan:
    """The stages from sensors to hidden frames, the linear path's (or None), and the heads on the hidden
    frames.
    """

    n_channels: int
    causal: bool
    stages: tuple[Stage, ...]
    linear: Stage | None
    heads: tuple[str, ...]

    @property
    def before(self) -> int:
        """Frames at a window's start that depend on where it starts."""
        return sum(stage.left for stage in self.stages)

    @property
    def after(self) -> int:
        """Frames at a window's end that depend on where it ends."""
        return sum(stage.right for stage in self.stages)


def plan_of(config: Mapping[str, Any]) -> Plan:
    """The plan of `ModelSpec.config`; BundleError where it is not a folded decoder's."""
    if config.get("name") != "decoder":
        raise BundleError(f"only networks named 'decoder' are known here, not {config.get('name')!r}")
    try:
        return _plan(config)
    except (KeyError, TypeError, ValueError) as problem:
        raise BundleError(f"the model's configuration in bundle.json is incomplete: {problem}") from problem


def _plan(config: Mapping[str, Any]) -> Plan:
    encoder, channels = config["encoder"], int(config["n_channels"])
    stages: list[Stage] = []
    if encoder is not None:
        if not encoder["folded"]:
            raise ValueError("the encoder is not folded")
        causal, hidden = bool(encoder["causal"]), int(encoder["hidden"])
        for k in range(int(encoder["depth"])):
            dilation = 2 ** (k % int(encoder["dilation_period"]))
            width, stride = (int(encoder["n_virtual"]), int(encoder["stride"])) if k == 0 else (hidden, 1)
            kernel, name = int(encoder["kernel"]), f"encoder.layers.{k}"
            pads = _pads(kernel, dilation, stride, causal)
            residual = width == hidden and stride == 1
            stages.append(
                Stage(f"{name}.conv", width, hidden, kernel, dilation, stride, *pads, "gelu", residual)
            )
            every = int(encoder["glu_every"])
            if every > 0 and (k + 1) % every == 0:
                pads = _pads(3, 1, 1, causal)
                stages.append(Stage(f"{name}.glu", hidden, 2 * hidden, 3, 1, 1, *pads, "gate"))
    linear, taps = None, int(config["linear_taps"])
    if taps:
        stride = int(config["linear_stride"] if encoder is None else encoder["stride"])
        features = int(config["n_features"])
        linear = Stage("linear", channels, features, taps, 1, stride, taps - stride, 0, "none")
    sizes = {"estimate": config["n_features"], "log_probs": config["n_symbols"]}
    heads = tuple(name for name, size in sizes.items() if size and encoder is not None)
    return Plan(channels, encoder is None or bool(encoder["causal"]), tuple(stages), linear, heads)


def _pads(kernel: int, dilation: int, stride: int, causal: bool) -> tuple[int, int]:
    span = (kernel - 1) * dilation
    memory = span - (stride - 1)
    left = memory if causal else span // 2
    return left, memory - left


def why_not_incremental(spec: BundleSpec, hop: int, baseline: int = 0) -> str | None:
    """Why windows of this bundle cannot be evaluated incrementally, in words; None where they can.

    baseline  samples at a window's start whose mean is subtracted from that window
    """
    model = spec.model
    if model.mode != "window":
        return "its network streams in causal steps, which reuse everything already"
    if baseline:
        return (
            f"the mean of each window's first {baseline} samples is subtracted from it, so every sample "
            "changes its value from window to window and no activation can be used again"
        )
    if hop < 1 or hop >= model.size:
        return f"a hop of {hop} samples leaves nothing of a window of {model.size} to reuse"
    try:
        plan = plan_of(model.config)
    except BundleError as problem:
        return problem.message
    if not plan.stages:
        return "it has no encoder: there is nothing to reuse"
    if model.stride != 1:
        return f"its frames are {model.stride} samples apart; only networks of stride 1 can be continued"
    before = max(plan.before, plan.linear.left if plan.linear else 0)
    if before + plan.after + hop > model.size:
        return (
            f"a window of {model.size} samples is too short: {before + plan.after} frames depend on its "
            f"edges and {hop} are new"
        )
    return None
