"""Sessions on any engine that runs one static graph: named arrays in, named arrays out.

An engine need only be a `Graph`; what is state, what is a head and how windows are continued is the same for
all. Names are those of offline.graphs. Knows no library.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from rtdecode.bundle import BundleSpec
from rtdecode.engines.incremental import Parts
from rtdecode.engines.plan import Plan
from rtdecode.engines.session import Base, EngineInfo, Frames, checked_state
from rtdecode.errors import BundleError

HEADS = ("estimate", "log_probs")
Shapes = Mapping[str, Sequence[int]]


class Graph(Protocol):
    """`inputs`: shape by name, in the graph's order. The outputs of `run` may be used until the next one."""

    @property
    def inputs(self) -> Shapes: ...

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]: ...


def expect(graph: Graph, shapes: Shapes, what: str) -> None:
    """BundleError unless these inputs have these shapes; what: the graph, in words."""
    for name, shape in shapes.items():
        found = graph.inputs.get(name)
        if found is None or list(found) != list(shape):
            raise BundleError(
                f"{what} takes {name} of shape {found and list(found)}, bundle.json says {list(shape)}",
                hint="export the bundle again",
            )


class GraphSession(Base):
    """A stream's steps ("x", "state_i" -> heads, "next_i") or whole windows ("x" -> heads).

    what  the graph, for sentences about it
    """

    def __init__(self, graph: Graph, info: EngineInfo, size: int, channels: int, what: str = ""):
        super().__init__(info, size, channels)
        what = what or f"the graph of engine {info.name}"
        expect(graph, {"x": (1, size, channels)}, what)
        self._graph = graph
        states = {name: shape for name, shape in graph.inputs.items() if name != "x"}
        if states and info.mode != "stream":
            raise BundleError(f"{what} carries states {', '.join(states)}, bundle.json says it has none")
        self._zero = {name: np.zeros(shape, np.float32) for name, shape in states.items()}
        self.reset()

    def reset(self) -> None:
        self._state = dict(self._zero)

    def rehearse(self, x: np.ndarray) -> None:
        self._graph.run({"x": x[None], **self._state})

    def run(self, x: np.ndarray) -> Frames:
        named = self._graph.run({"x": x[None], **self._state})
        self._state = {name: named[name.replace("state", "next", 1)] for name in self._zero}
        return Frames(*(named[head][0] if head in named else None for head in HEADS))

    def state(self) -> dict[str, np.ndarray]:
        return {name: np.array(values) for name, values in self._state.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._state = checked_state(state, self._zero)


class GraphNetwork:
    """The two graphs of an incremental session (see incremental.Network)."""

    def __init__(self, step: Graph, whole: Graph, plan: Plan, spec: BundleSpec, hop: int):
        stages = (*plan.stages, plan.linear) if plan.linear else plan.stages
        sides = {
            f"{side}_{i}": (1, stage.memory, stage.width)
            for i, stage in enumerate(stages)
            for side in ("left", "right")
        }
        expect(whole, {"x": (1, spec.model.size, plan.n_channels)}, "the graph of whole windows")
        expect(step, {"x": (1, hop, plan.n_channels), **sides}, "the graph of incremental steps")
        self._step, self._whole, self._contexts = step, whole, list(sides)

    def whole(self, x: np.ndarray) -> tuple[Parts, list[np.ndarray]]:
        return _split(self._whole.run({"x": x[None]}), "rows_")

    def advance(self, x: np.ndarray, contexts: list[np.ndarray]) -> tuple[Parts, list[np.ndarray]]:
        feeds = {name: rows[None] for name, rows in zip(self._contexts, contexts, strict=True)}
        return _split(self._step.run({"x": x[None], **feeds}), "new_")


def _split(named: dict[str, np.ndarray], prefix: str) -> tuple[Parts, list[np.ndarray]]:
    parts = {name: values[0] for name, values in named.items() if not name.startswith(prefix)}
    return parts, [values[0] for name, values in named.items() if name.startswith(prefix)]
