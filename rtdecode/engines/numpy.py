"""The network in plain numpy: an oracle in float64, and a fallback in float32 that needs no other library.

Reads weights.safetensors and the model's configuration; no torch, no ONNX. Threads are those of numpy's own
linear algebra and are set in its environment, not here.
"""

from collections.abc import Mapping

import numpy as np
import scipy
from scipy.special import erf, expit

from rtdecode.bundle import Bundle
from rtdecode.engines.incremental import IncrementalSession, Parts, frames_of
from rtdecode.engines.plan import Plan, Stage, plan_of
from rtdecode.engines.session import Base, EngineInfo, Frames, Session, Setup, checked_state
from rtdecode.errors import BundleError, ConfigError

DTYPES: dict[str, type[np.floating]] = {"fp64": np.float64, "fp32": np.float32}


def open_numpy(bundle: Bundle, setup: Setup) -> Session:
    """A session of any mode; ConfigError for a precision numpy has not."""
    from safetensors.numpy import load_file

    if setup.precision not in DTYPES:
        raise ConfigError(f"engine numpy has no {setup.precision}", hint=f"valid: {', '.join(DTYPES)}")
    plan = plan_of(bundle.spec.model.config)
    try:
        weights = load_file(bundle.path / "weights.safetensors")
        network = NumpyNetwork(plan, weights, DTYPES[setup.precision])
    except Exception as problem:  # the binding's own exception types are private
        raise BundleError(f"{bundle.path / 'weights.safetensors'} does not fit: {problem}") from problem
    versions = {"numpy": np.__version__, "scipy": scipy.__version__}
    info = EngineInfo("numpy", setup.mode, setup.hop, setup.precision, setup.threads, "cpu", versions)
    if setup.mode == "incremental":
        return IncrementalSession(network, plan, info, bundle.spec.model.size)
    return NumpySession(network, info, setup.hop if setup.mode == "stream" else bundle.spec.model.size)


class NumpyNetwork:
    """The folded decoder's arithmetic. Rows are (n, D), time-major, everywhere."""

    def __init__(self, plan: Plan, weights: Mapping[str, np.ndarray], dtype: type[np.floating]):
        self.plan, self.dtype = plan, dtype
        self._weights = {name: np.asarray(values, dtype) for name, values in weights.items()}
        self._front: np.ndarray | None = None
        if plan.stages:
            self._front = np.ascontiguousarray(self._weights["encoder.front.weight"][:, :, 0].T)
        stages = (*plan.stages, plan.linear) if plan.linear else plan.stages
        self._products = {stage.name: self._product(stage) for stage in stages}
        for stage in stages:  # kept once, as products
            del self._weights[f"{stage.name}.weight"]

    def _product(self, stage: Stage) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = self._weights[f"{stage.name}.weight"], self._weights[f"{stage.name}.bias"]
        if stage.name == "linear":
            weight, bias = weight[0], bias[0]
        if weight.shape != (stage.n_out, stage.width, stage.kernel):
            wanted = (stage.n_out, stage.width, stage.kernel)
            raise ValueError(f"{stage.name} has weights {weight.shape}, bundle.json says {wanted}")
        rows = weight.transpose(2, 1, 0).reshape(stage.kernel * stage.width, stage.n_out)
        return np.ascontiguousarray(rows), bias

    def stage(self, stage: Stage, padded: np.ndarray, starts: np.ndarray | None = None) -> np.ndarray:
        """padded (P, D_in) -> (n, D_out); starts: row of the first tap of each frame, None: all that fit."""
        if starts is None:
            starts = np.arange(0, len(padded) - (stage.kernel - 1) * stage.dilation, stage.stride)
        weight, bias = self._products[stage.name]
        taps = starts[:, None] + stage.dilation * np.arange(stage.kernel)
        rows = padded[taps].reshape(len(starts), -1) @ weight
        rows += bias
        if stage.after == "gate":
            value, gate = np.split(rows, 2, axis=1)
            return value * expit(gate)
        if stage.after == "gelu":
            rows = rows * (self.dtype(0.5) * (1 + erf(rows * self.dtype(np.sqrt(0.5)))))
            return rows + padded[starts + stage.left] if stage.residual else rows
        return rows

    def front(self, x: np.ndarray) -> np.ndarray:
        """Sensors (n, C) -> virtual channels (n, O); the sensors themselves without an encoder."""
        if self._front is None:
            return x
        return x @ self._front + self._weights["encoder.front.bias"]

    def heads(self, hidden: np.ndarray) -> Parts:
        """Hidden frames (n, D) -> parts (n, .)."""
        parts: Parts = {}
        if "estimate" in self.plan.heads:
            inner = self._affine("retrieval.inner", hidden)
            inner *= self.dtype(0.5) * (1 + erf(inner * self.dtype(np.sqrt(0.5))))
            parts["estimate"] = self._affine("retrieval.outer", inner)
        if "log_probs" in self.plan.heads:
            logits = self._affine("text.linear", hidden)
            logits -= logits.max(axis=1, keepdims=True)
            parts["log_probs"] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return parts

    def _affine(self, name: str, rows: np.ndarray) -> np.ndarray:
        return rows @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def whole(self, x: np.ndarray) -> tuple[Parts, list[np.ndarray]]:
        """x (size, C), zero-padded at every stage -> parts and every stage's input rows."""
        x = x.astype(self.dtype)
        rows, inputs = self.front(x), []
        for stage in self.plan.stages:
            inputs.append(rows)
            rows = self.stage(stage, np.pad(rows, ((stage.left, stage.right), (0, 0))))
        parts = self.heads(rows) if self.plan.stages else {}
        if self.plan.linear:
            parts["linear"] = self.stage(self.plan.linear, np.pad(x, ((self.plan.linear.left, 0), (0, 0))))
        return parts, inputs

    def step(self, x: np.ndarray, states: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        """x (hop, C) and the last rows of every stage, then the linear path's -> parts and the next
        states.
        """
        x = x.astype(self.dtype)
        rows, following = self.front(x), []
        for stage, state in zip(self.plan.stages, states, strict=False):
            padded = np.concatenate([state, rows])
            following.append(padded[len(padded) - stage.memory :])
            rows = self.stage(stage, padded)
        parts = self.heads(rows) if self.plan.stages else {}
        if self.plan.linear:
            padded = np.concatenate([states[-1], x])
            following.append(padded[len(padded) - self.plan.linear.memory :])
            parts["linear"] = self.stage(self.plan.linear, padded)
        return parts, following

    def advance(self, x: np.ndarray, contexts: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        """See incremental.Network."""
        x = x.astype(self.dtype)
        hop, before, new, rows = len(x), 0, [], self.front(x)
        for i, stage in enumerate(self.plan.stages):
            new.append(rows[before : before + hop])
            rows = self._edges(stage, rows, before, *contexts[2 * i : 2 * i + 2])
            before += stage.left
        parts = self.heads(rows)
        if self.plan.linear:
            parts["linear"] = self._edges(self.plan.linear, x, 0, *contexts[-2:])
        return parts, new

    def _edges(
        self, stage: Stage, rows: np.ndarray, before: int, left: np.ndarray, right: np.ndarray
    ) -> np.ndarray:
        zeros = np.zeros((max(stage.left, stage.right), rows.shape[1]), rows.dtype)
        ends = zeros[: stage.left], zeros[: stage.right]
        padded = np.concatenate([ends[0], rows[:before], left, right, rows[before:], ends[1]])
        second = stage.left + before + stage.memory
        count = len(rows) - before + stage.right
        starts = np.concatenate([np.arange(before + stage.left), second + np.arange(count)])
        return self.stage(stage, padded, starts)


class NumpySession(Base):
    """Stream or whole windows."""

    def __init__(self, network: NumpyNetwork, info: EngineInfo, size: int):
        super().__init__(info, size, network.plan.n_channels)
        self._network, self._streams = network, info.mode == "stream"
        self.reset()

    def reset(self) -> None:
        plan, dtype = self._network.plan, self._network.dtype
        stages = (*plan.stages, plan.linear) if plan.linear else plan.stages
        kept = stages if self._streams else ()
        self._states = [np.zeros((stage.memory, stage.width), dtype) for stage in kept]

    def run(self, x: np.ndarray) -> Frames:
        if self._streams:
            parts, self._states = self._network.step(x, self._states)
        else:
            parts, _ = self._network.whole(x)
        return frames_of(parts)

    def rehearse(self, x: np.ndarray) -> None:
        kept = self._states
        self.run(x)
        self._states = kept

    def state(self) -> dict[str, np.ndarray]:
        return {f"state_{i}": values[None].copy() for i, values in enumerate(self._states)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        given = checked_state(state, self.state())
        self._states = [given[f"state_{i}"][0] for i in range(len(self._states))]
