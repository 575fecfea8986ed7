"""What every engine's session is: frames out, explicit state, and a true account of itself.

Knows no engine. A session belongs to one stream; sessions of one bundle share nothing but files.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np

from rtdecode.errors import ConfigError

Mode = Literal["stream", "window", "incremental"]
Precision = Literal["fp64", "fp32", "bf16", "int8"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Frames(NamedTuple):
    """What the network says of one step or window; absent heads are None.

    estimate   (T', F) predicted speech features;  log_probs  (T', V) CTC log-probabilities
    """

    estimate: np.ndarray | None
    log_probs: np.ndarray | None


@dataclass(frozen=True)
class Setup:
    """How a session is asked to run.

    mode       "stream": causal steps, states carried; "window": whole windows; "incremental": whole windows,
               of which only what changed since the last one is computed
    hop        model samples between two decisions
    precision  of the arithmetic;  threads  that the engine may use
    """

    mode: Mode
    hop: int
    precision: Precision = "fp32"
    threads: int = 1


@dataclass(frozen=True)
class EngineInfo:
    """What runs, and how it was found to agree.

    parity    largest difference to the golden output in standard deviations of that output; None: not
              compared
    versions  of the libraries that do the arithmetic
    reason    why this engine and not another, where it was chosen for the user
    """

    name: str
    mode: Mode
    hop: int
    precision: Precision
    threads: int
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    parity: float | None = None
    reason: str = ""


class Session(Protocol):
    """One stream's run of a network: shared weights, own state."""

    parity: float | None

    def reset(self) -> None: ...

    def run(self, x: np.ndarray) -> Frames:
        """x (size, C) float32 model samples -> frames: one hop of a stream, or a whole window."""
        ...

    def rehearse(self, x: np.ndarray) -> None:
        """Do what `run` does and forget it: the next real one finds its code and weights in the caches."""
        ...

    def warmup(self, n: int = 3) -> None:
        """Rehearse n times on silence."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Copies of everything a later `run` depends on."""
        ...

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state()` of such a session. ConfigError where names, shapes or types differ."""
        ...

    def info(self) -> EngineInfo: ...


class Base(ABC):
    """What sessions have in common. `size` and `channels` are those of `run`'s x."""

    def __init__(self, info: EngineInfo, size: int, channels: int):
        self.parity: float | None = None
        self._info, self._silence = info, np.zeros((size, channels), np.float32)

    def info(self) -> EngineInfo:
        return replace(self._info, parity=self.parity)

    def warmup(self, n: int = 3) -> None:
        for _ in range(n):
            self.rehearse(self._silence)

    @abstractmethod
    def rehearse(self, x: np.ndarray) -> None: ...


def checked_state(given: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of the arrays in `given`, which must have the names, shapes and types of `own`."""
    if set(given) != set(own):
        missing, foreign = sorted(set(own) - set(given)), sorted(set(given) - set(own))
        raise ConfigError(
            f"a state of another session: it lacks {missing or 'nothing'}, has {foreign or 'nothing'} more",
            hint="reset the session, or load a state of the same bundle, mode and hop",
        )
    for name, values in own.items():
        found = np.asarray(given[name])
        if found.shape != values.shape or found.dtype != values.dtype:
            raise ConfigError(
                f"a state of another session: {name} is {found.dtype} {found.shape}, "
                f"this one has {values.dtype} {values.shape}",
                hint="reset the session, or load a state of the same bundle, mode and hop",
            )
    return {name: np.array(given[name]) for name in own}
