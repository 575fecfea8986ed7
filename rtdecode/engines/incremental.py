"""Whole windows at the cost of a hop: what did not change since the last window is not computed again.

Between two windows `hop` apart, the inner frames of every layer are the same frames, `hop` places earlier.
They are kept here in one ring per layer; a step computes the new ones and the edges
(models.inference.incremental has the derivation). A window that lies a few hops on is reached in as many
steps, any other is computed whole, so `run` is a function of its window alone: what is kept is a cache. Knows
neither ONNX nor torch.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from rtdecode.engines.plan import Plan
from rtdecode.engines.session import Base, EngineInfo, Frames, checked_state

Parts = dict[str, np.ndarray]

CATCH_UP = 3  # hops; at the published size and 12 samples a whole window costs as much as four steps


class Network(Protocol):
    """The two graphs of an engine; parts are heads on the hidden frames, and "linear"."""

    def whole(self, x: np.ndarray) -> tuple[Parts, list[np.ndarray]]:
        """x (size, C) -> parts (size, .) and the input rows (size, D_i) of every stage."""
        ...

    def advance(self, x: np.ndarray, contexts: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        """x (hop, C), left and right context (memory_i, D_i) of every stage, then of the linear path ->
        parts (before + hop + after, .) and every stage's new rows (hop, D_i).
        """
        ...


class Rows:
    """The last n rows (n, D), always one contiguous view: every row is written twice, n apart."""

    def __init__(self, last: np.ndarray):
        self._n, self._at = len(last), 0
        self._twice = np.concatenate([last, last])

    def append(self, rows: np.ndarray) -> None:
        rows = rows[-self._n :]
        head = min(len(rows), self._n - self._at)
        for offset in (0, self._n):
            self._twice[offset + self._at : offset + self._at + head] = rows[:head]
            self._twice[offset : offset + len(rows) - head] = rows[head:]
        self._at = (self._at + len(rows)) % self._n

    def view(self) -> np.ndarray:
        """(n, D), oldest first; valid until the next append."""
        return self._twice[self._at : self._at + self._n]


class IncrementalSession(Base):
    """x (size, C) -> the frames of that window. `wholes` counts the windows that were computed whole."""

    def __init__(self, network: Network, plan: Plan, info: EngineInfo, size: int):
        super().__init__(info, size, plan.n_channels)
        self._network, self._plan, self._size, self._hop = network, plan, size, info.hop
        # Where each kept signal's interior begins and ends: every stage's input, then the parts.
        befores = np.cumsum([0, *(stage.left for stage in plan.stages)])
        afters = np.cumsum([0, *(stage.right for stage in plan.stages)])
        spans = [(int(b), size - int(a)) for b, a in zip(befores, afters, strict=True)]
        self._inputs, self._deep = spans[:-1], spans[-1]
        self.wholes = 0
        self.reset()

    def _span(self, part: str) -> tuple[int, int]:
        linear = self._plan.linear
        return (linear.left, self._size) if part == "linear" and linear else self._deep

    def reset(self) -> None:
        self._window: np.ndarray | None = None
        self._rows: list[Rows] = []
        self._parts: dict[str, Rows] = {}

    def run(self, x: np.ndarray) -> Frames:
        steps = self._steps_to(x)
        if self._window is None or not steps:
            whole = self._start(x)
        else:
            samples = np.concatenate([self._window, x[-steps * self._hop :]])
            for step in range(1, steps + 1):
                at = step * self._hop
                whole = self._advance(samples[at : at + self._size])
        self._window = np.array(x)
        return frames_of(whole)

    def _steps_to(self, x: np.ndarray) -> int:
        """Hops from the last window to this one; 0: none, or too many."""
        last = self._window
        for steps in range(1, CATCH_UP + 1):
            ahead = steps * self._hop
            if last is not None and ahead < len(x) and np.array_equal(x[:-ahead], last[ahead:]):
                return steps
        return 0

    def _advance(self, x: np.ndarray) -> Parts:
        parts, new = self._network.advance(x[-self._hop :], self._contexts(x))
        for kept, rows in zip(self._rows, new, strict=True):
            kept.append(rows)
        return {name: self._joined(name, values) for name, values in parts.items()}

    def _start(self, x: np.ndarray) -> Parts:
        self.wholes += 1
        parts, inputs = self._network.whole(x)
        self._rows = [Rows(rows[a:b]) for rows, (a, b) in zip(inputs, self._inputs, strict=True)]
        self._parts = {name: Rows(values[slice(*self._span(name))]) for name, values in parts.items()}
        return parts

    def _contexts(self, x: np.ndarray) -> list[np.ndarray]:
        hop, contexts = self._hop, []
        for kept, stage in zip(self._rows, self._plan.stages, strict=True):
            rows = kept.view()
            contexts += [rows[hop : hop + stage.memory], rows[len(rows) - stage.memory :]]
        if self._plan.linear is not None:
            memory = self._plan.linear.memory
            contexts += [x[:memory], x[len(x) - hop - memory : len(x) - hop]]
        return contexts

    def _joined(self, name: str, values: np.ndarray) -> np.ndarray:
        before = self._span(name)[0]
        kept = self._parts[name]
        kept.append(values[before : before + self._hop])
        return np.concatenate([values[:before], kept.view(), values[before + self._hop :]])

    def rehearse(self, x: np.ndarray) -> None:
        if self._window is None:
            self._network.whole(x)
        else:
            self._network.advance(x[-self._hop :], self._contexts(x))

    def warmup(self, n: int = 3) -> None:
        """Rehearse both graphs: the whole window once, the step n times."""
        kept = self._window, self._rows, self._parts, self.wholes
        self._window = None
        self.run(self._silence)
        super().warmup(n)
        self._window, self._rows, self._parts, self.wholes = kept

    def state(self) -> dict[str, np.ndarray]:
        """The last window and all that is kept of it; empty before the first window."""
        if self._window is None:
            return {}
        rows = {f"rows_{i}": kept.view().copy() for i, kept in enumerate(self._rows)}
        parts = {f"part_{name}": kept.view().copy() for name, kept in self._parts.items()}
        return {"window": self._window.copy(), **rows, **parts}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        if not state:
            return self.reset()
        if self._window is None:  # the shapes are known once a window was seen
            self.run(self._silence)
        given = checked_state(state, self.state())
        self._window = given["window"]
        self._rows = [Rows(given[f"rows_{i}"]) for i in range(len(self._rows))]
        self._parts = {name: Rows(given[f"part_{name}"]) for name in self._parts}


def frames_of(parts: Parts) -> Frames:
    """Heads and the linear path -> frames."""
    estimate = parts.get("estimate")
    if "linear" in parts:
        estimate = parts["linear"] if estimate is None else estimate + parts["linear"]
    return Frames(estimate, parts.get("log_probs"))
