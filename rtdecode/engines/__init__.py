"""Ways to run a bundle's network: model samples in, frames out. One interface, chosen by name.

`onnx` is the default and needs no torch; `numpy` needs neither and is also the float64 oracle; `torch` is the
reference that golden outputs come from. Each has three modes (`Setup.mode`). The `OPTIONAL` ones need a
library, a compiler or a GPU, and say so where it is missing; `auto` takes the quickest that agrees.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.plan import why_not_incremental
from rtdecode.engines.session import (
    MODES,
    Base,
    EngineInfo,
    Frames,
    Mode,
    Precision,
    Session,
    Setup,
    checked_state,
)
from rtdecode.errors import BundleError, ConfigError, closest

__all__ = [
    "ENGINES",
    "EVERY",
    "MODES",
    "OPTIONAL",
    "PARITY",
    "Base",
    "EngineInfo",
    "Frames",
    "Mode",
    "Precision",
    "Session",
    "Setup",
    "check_golden",
    "checked_state",
    "open_session",
    "open_trial",
    "setup_of",
    "why_not_incremental",
]


def _onnx(bundle: Bundle, setup: Setup) -> Session:
    if setup.precision == "int8":
        from rtdecode.engines.precision import open_int8

        return open_int8(bundle, setup)
    from rtdecode.engines.onnx import open_onnx

    return open_onnx(bundle, setup)


def _torch(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.torch import open_torch

    return open_torch(bundle, setup)


def _numpy(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.numpy import open_numpy

    return open_numpy(bundle, setup)


def _openvino(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.openvino import open_openvino

    return open_openvino(bundle, setup)


def _inductor(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.inductor import open_inductor

    return open_inductor(bundle, setup)


def _cuda(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.cuda import open_cuda

    return open_cuda(bundle, setup)


def _cuda_inductor(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.cuda import open_cuda_inductor

    return open_cuda_inductor(bundle, setup)


def _tensorrt(bundle: Bundle, setup: Setup) -> Session:
    from rtdecode.engines.tensorrt import open_tensorrt

    return open_tensorrt(bundle, setup)


Opener = Callable[[Bundle, Setup], Session]
ENGINES: dict[str, Opener] = {"onnx": _onnx, "torch": _torch, "numpy": _numpy}
OPTIONAL: dict[str, Opener] = {
    "openvino": _openvino,
    "inductor": _inductor,
    "cuda": _cuda,
    "cuda-inductor": _cuda_inductor,
    "tensorrt": _tensorrt,
}
EVERY = {**ENGINES, **OPTIONAL}

PARITY = 1e-4  # largest difference to the golden output, in its standard deviations, in float32


def setup_of(
    bundle: Bundle,
    *,
    mode: Mode | None = None,
    hop: int | None = None,
    precision: Precision = "fp32",
    threads: int = 1,
) -> Setup:
    """What was asked for, completed from the bundle; ConfigError with the reason where it cannot be.

    mode  None: "stream" or "window", as the network was exported;  hop  None: the bundle's
    """
    model = bundle.spec.model
    own: Mode = "stream" if model.mode == "step" else "window"
    mode, hop = mode or own, hop or model.hop
    if mode not in MODES:
        raise ConfigError(f"there is no mode {mode!r}", hint=closest(mode, MODES))
    if hop < 1 or hop % model.stride:
        raise ConfigError(f"a hop of {hop} samples is not a multiple of the model's stride {model.stride}")
    if mode == "incremental" and (reason := why_not_incremental(bundle.spec, hop, model.baseline)):
        raise ConfigError(
            f"bundle {bundle.path} cannot be evaluated incrementally: {reason}", hint=f"use mode {own}"
        )
    if mode != "incremental" and mode != own:
        kind = "streams in steps" if own == "stream" else "takes whole windows"
        raise ConfigError(
            f"bundle {bundle.path} has no mode {mode}: its network {kind}", hint=f"use mode {own}"
        )
    return Setup(mode, hop, precision, threads)


def open_session(
    bundle: Bundle,
    engine: str = "onnx",
    threads: int = 1,
    *,
    mode: Mode | None = None,
    hop: int | None = None,
    precision: Precision = "fp32",
) -> Session:
    """A session whose output was compared with the bundle's golden output; BundleError if it differs.

    engine   one of EVERY, refused in one sentence where it cannot run; "auto": the quickest that can, whose
             info() tells why it was chosen
    threads  one by default: paced hops gain nothing from a second and lose their tail latency to it
    mode, hop, precision  as in `setup_of`; bf16 and int8 need a stored agreement with float32 (`precision`)
    """
    session: Session
    if engine == "auto":
        from rtdecode.engines.select import choose

        setup = setup_of(bundle, mode=mode, hop=hop, precision=precision, threads=threads)
        session = choose(bundle, setup, _compared).session
    else:
        session = open_trial(bundle, engine, threads, mode=mode, hop=hop, precision=precision)
    if precision in ("bf16", "int8"):
        from rtdecode.engines.precision import require_agreement

        require_agreement(bundle, session.info())
    return session


def open_trial(
    bundle: Bundle,
    engine: str,
    threads: int = 1,
    *,
    mode: Mode | None = None,
    hop: int | None = None,
    precision: Precision = "fp32",
) -> Session:
    """As open_session with a name, but reduced precision is let through: to measure how it agrees."""
    if engine not in EVERY:
        raise ConfigError(f"there is no engine {engine!r}", hint=closest(engine, (*EVERY, "auto")))
    return _compared(
        bundle, engine, setup_of(bundle, mode=mode, hop=hop, precision=precision, threads=threads)
    )


def _compared(bundle: Bundle, engine: str, setup: Setup) -> Session:
    session = EVERY[engine](bundle, setup)
    if setup.precision in ("bf16", "int8"):  # golden outputs are float32's
        return session
    session.parity = check_golden(session, bundle, engine)
    return session


def check_golden(session: Session, bundle: Bundle, engine: str) -> float:
    """Largest difference to golden.npz in standard deviations of each output; leaves the session reset.

    A stream is fed the golden samples in its own hops. An incremental session also goes on by hops from one
    golden window to the next, each step compared with the same window computed whole.
    """
    worst = 0.0
    try:
        info = session.info()
        pieces = _pieces(bundle.golden["x"], info)
        session.reset()
        frames = [session.run(x) for x in pieces]
        session.reset()
        for head in ("estimate", "log_probs"):
            found = [values for frame in frames if (values := getattr(frame, head)) is not None]
            if (head in bundle.golden) != bool(found):
                raise BundleError(f"bundle {bundle.path}: golden.npz and the model disagree about {head!r}")
            if found:
                worst = max(worst, _difference(np.concatenate(found), bundle.golden[head]))
        if info.mode == "incremental":
            worst = max(worst, _check_steps(session, pieces, info.hop))
    except (KeyError, ValueError) as problem:
        raise BundleError(f"bundle {bundle.path} does not run on its golden input: {problem}") from problem
    if not worst <= PARITY:
        raise BundleError(
            f"bundle {bundle.path}: engine {engine} differs from the golden output by {worst:.2g} "
            f"of its standard deviation, allowed is {PARITY:g}",
            hint="export the bundle again, or use another engine: `rtdecode engines` compares them",
        )
    return worst


def _pieces(x: np.ndarray, info: EngineInfo) -> list[np.ndarray]:
    """The golden samples (steps, size, C) as this session takes them."""
    if info.mode != "stream" or info.hop == x.shape[1]:
        return list(x)
    whole = x.reshape(-1, x.shape[2])
    return [whole[at : at + info.hop] for at in range(0, len(whole) - info.hop + 1, info.hop)]


def _difference(found: np.ndarray, golden: np.ndarray) -> float:
    golden = golden.reshape(-1, golden.shape[-1])[: len(found)]
    spread = float(np.sqrt(golden.var(axis=0).mean()))  # over time: what is always the same says nothing
    return float(np.abs(found - golden).max()) / (spread or 1.0)


def _check_steps(session: Session, windows: list[np.ndarray], hop: int, steps: int = 3) -> float:
    worst, last = 0.0, windows[-1]
    size = len(last)
    samples = np.concatenate([last, windows[0]])
    session.run(last)
    stepped = [session.run(samples[at : at + size]) for at in _hops(hop, steps, size)]
    for at, frames in zip(_hops(hop, steps, size), stepped, strict=True):
        session.reset()
        whole = session.run(samples[at : at + size])
        for head in ("estimate", "log_probs"):
            expected, found = getattr(whole, head), getattr(frames, head)
            worst = worst if expected is None else max(worst, _difference(found, expected))
    session.reset()
    return worst


def _hops(hop: int, steps: int, size: int) -> Iterator[int]:
    return iter(range(hop, min(hop * steps, size) + 1, hop))
