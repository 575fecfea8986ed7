"""Ways to run a bundle's network: model samples in, frames out. One interface, chosen by name.

`onnx` is the default and needs no torch; `torch` is the reference the others are compared with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.errors import BundleError, ConfigError, closest


@dataclass(frozen=True)
class Frames:
    """What the network says of one step or window; absent heads are None.

    estimate   (T', F) predicted speech features;  log_probs  (T', V) CTC log-probabilities
    """

    estimate: np.ndarray | None
    log_probs: np.ndarray | None


class Session(Protocol):
    """One stream's run of a network: shared weights, own state."""

    def reset(self) -> None: ...

    def run(self, x: np.ndarray) -> Frames:
        """x (size, C) float32 model samples -> frames."""
        ...

    def rehearse(self, x: np.ndarray) -> None:
        """Do what `run` does and forget it: the next real one finds its code and weights in the caches."""
        ...


def _onnx(bundle: Bundle, threads: int) -> Session:
    from rtdecode.engines.onnx import OnnxSession

    return OnnxSession(bundle.path / "model.onnx", bundle.spec, threads)


def _torch(bundle: Bundle, threads: int) -> Session:
    from rtdecode.engines.torch import TorchSession

    return TorchSession(bundle, threads)


ENGINES: dict[str, Callable[[Bundle, int], Session]] = {"onnx": _onnx, "torch": _torch}

PARITY = 1e-4  # largest difference to the torch reference that a session may show on the golden input


def open_session(bundle: Bundle, engine: str = "onnx", threads: int = 1) -> Session:
    """A session whose output was compared with the bundle's golden output; BundleError if it differs.

    threads  one by default: paced hops gain nothing from a second and lose their tail latency to it
    """
    if engine not in ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", hint=closest(engine, ENGINES))
    session = ENGINES[engine](bundle, threads)
    check_golden(session, bundle, engine)
    return session


def check_golden(session: Session, bundle: Bundle, engine: str) -> float:
    """Largest absolute difference to golden.npz; leaves the session reset."""
    try:
        session.reset()
        frames = [session.run(x) for x in bundle.golden["x"]]
        session.reset()
        worst = 0.0
        for head in ("estimate", "log_probs"):
            found = [values for frame in frames if (values := getattr(frame, head)) is not None]
            if (head in bundle.golden) != bool(found):
                raise BundleError(f"bundle {bundle.path}: golden.npz and the model disagree about {head!r}")
            if found:
                worst = max(worst, float(np.abs(np.concatenate(found) - bundle.golden[head]).max()))
    except (KeyError, ValueError) as problem:
        raise BundleError(f"bundle {bundle.path} does not run on its golden input: {problem}") from problem
    if not worst <= PARITY:
        raise BundleError(
            f"bundle {bundle.path}: engine {engine} differs from the golden output by {worst:.2g}, "
            f"allowed is {PARITY:g}",
            hint="export the bundle again, or try --engine torch",
        )
    return worst
