"""The engine `auto`: what is here, agrees with the golden output and is quickest in a short trial; and why.

Every engine that was considered has a `Trial` with a reason, chosen or not. An engine asked for by name is
never replaced: `open_session` refuses it in one sentence. Engines that need a GPU are not even imported where
there is no driver, and those that need torch on the CPU are left out: they are no quicker and cost a second
and 200 MB at the start.
"""

import ctypes.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.session import EngineInfo, Session, Setup
from rtdecode.errors import ConfigError, RtdecodeError

GPU = ("tensorrt", "cuda-inductor", "cuda")
CPU = ("onnx", "openvino", "numpy")
AUTO = (*GPU, *CPU)
GAIN = 0.9  # another engine must need less than this of onnx's time to be taken instead: noise is as large
ROUNDS = 9


@dataclass(frozen=True)
class Need:
    """What an engine needs: one of the modules, from the extra ("" with rtdecode itself), and torch for some.

    about  what it is good for
    """

    modules: tuple[str, ...]
    extra: str
    about: str
    torch: bool = False


NEEDS = {
    "onnx": Need(("onnxruntime",), "", "the default"),
    "torch": Need(("torch",), "offline", "the reference that golden outputs come from"),
    "numpy": Need(("numpy",), "", "the fallback, and the oracle in float64"),
    "openvino": Need(("openvino",), "openvino", "bfloat16 on processors that have it"),
    "inductor": Need(("torch",), "offline", "compiled ahead of time; needs a C++ compiler once"),
    "cuda": Need(("torch",), "offline", "torch's kernels on an NVIDIA GPU"),
    "cuda-inductor": Need(("torch",), "offline", "compiled kernels on an NVIDIA GPU"),
    "tensorrt": Need(("tensorrt_rtx", "tensorrt"), "tensorrt", "TensorRT on an NVIDIA GPU", torch=True),
}

Opener = Callable[[Bundle, str, Setup], Session]


@dataclass(frozen=True)
class Trial:
    """One engine considered. `info` and `p50_ms`: None where it did not get so far; `why`: in words."""

    engine: str
    precision: str
    why: str
    info: EngineInfo | None = None
    p50_ms: float | None = None


@dataclass(frozen=True)
class Choice:
    """The session that won, and the trials of all, the chosen one first."""

    session: Session
    trials: tuple[Trial, ...]

    @property
    def words(self) -> list[str]:
        """A line for the engine that was chosen and one for each other."""
        first, *others = self.trials
        return [
            f"engine {first.engine} in {first.precision}: {first.why}",
            *(f"not {trial.engine}: {trial.why}" for trial in others),
        ]


class Chosen:
    """A session that knows why it was chosen; everything else is the session's own."""

    def __init__(self, session: Session, why: str):
        self._session, self._why = session, why
        self.parity = session.parity
        self.reset, self.run, self.rehearse = session.reset, session.run, session.rehearse
        self.warmup, self.state, self.load_state = session.warmup, session.state, session.load_state

    def info(self) -> EngineInfo:
        return replace(self._session.info(), reason=self._why)


def driver() -> str:
    """The NVIDIA driver's version, "present" where it does not tell, empty where there is none. Without
    torch.
    """
    try:
        line = Path("/proc/driver/nvidia/version").read_text("utf-8").splitlines()[0]
    except (OSError, IndexError):
        return "present" if ctypes.util.find_library("cuda") else ""
    return next((word for word in line.split() if word[:1].isdigit()), "present")


def missing(engine: str) -> str:
    """Why an engine is not worth importing here, in words; empty: it may run."""
    if engine in GPU and not driver():
        return "no NVIDIA GPU: this machine has no driver of one"
    if (need := NEEDS.get(engine)) is None:
        return ""
    if not any(map(find_spec, need.modules)):
        extra = f"'rtdecode[{need.extra}]'" if need.extra else "rtdecode"
        return f"{' or '.join(need.modules)} is not installed (pip install {extra})"
    if need.torch and not find_spec("torch"):
        return "torch is not installed (pip install 'rtdecode[offline]')"
    return ""


class Feed:
    """The golden samples, again and again, as a session takes them hop by hop."""

    def __init__(self, bundle: Bundle, info: EngineInfo):
        samples = bundle.golden["x"].reshape(-1, bundle.golden["x"].shape[2])
        self._size = info.hop if info.mode == "stream" else bundle.spec.model.size
        self._hop = info.hop
        repeats = 1 + -(-(self._size + self._hop) // len(samples))
        self._length, self._samples = len(samples), np.tile(samples, (repeats, 1))

    def __call__(self, k: int) -> np.ndarray:
        """x of hop k, contiguous."""
        at = self._hop * k % self._length
        return np.ascontiguousarray(self._samples[at : at + self._size])


def choose(
    bundle: Bundle,
    setup: Setup,
    open_engine: Opener,
    candidates: Sequence[str] = AUTO,
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Choice:
    """The quickest candidate that runs and agrees. ConfigError where none does, with every reason.

    open_engine  opens one engine and compares it with the golden output; raises what is wrong
    rounds       hops of the trial; each round every engine takes its turn, so that all find the same caches
    """
    rejected: list[Trial] = []
    opened: dict[str, Session] = {}
    for name in candidates:
        why = missing(name)
        if not why:
            try:
                opened[name] = open_engine(bundle, name, setup)
                continue
            except RtdecodeError as problem:
                why = problem.message
            except Exception as problem:  # a foreign library's loader: anything
                lines = str(problem).splitlines() or [""]
                why = f"it does not start: {type(problem).__name__}: {lines[0]}"
        rejected.append(Trial(name, setup.precision, why))
    if not opened:
        reasons = "; ".join(f"{trial.engine}: {trial.why}" for trial in rejected)
        raise ConfigError(f"no engine can run bundle {bundle.path}: {reasons}")
    times = bake_off(bundle, opened, rounds if len(opened) > 1 else 0, clock)
    best = min(opened, key=lambda name: times[name])
    # The default stays unless it is clearly beaten: less to go wrong, and the same choice every time.
    if "onnx" in opened and times[best] > GAIN * times["onnx"]:
        best = "onnx"
    winner, base = opened[best].info(), times[best]
    rivals = [name for name in opened if name != best]
    why = f"parity {winner.parity:.1g}" if winner.parity is not None else "not compared"
    why += (
        f", {base:.2f} ms a hop; " + ", ".join(f"{name} {times[name]:.2f} ms" for name in rivals)
        if rivals
        else ", the only one that runs here"
    )
    trials = [Trial(best, winner.precision, why, winner, base)]
    for name in rivals:
        slower = f"{times[name]:.2f} ms a hop, {best} needs {base:.2f} ms"
        if times[name] < base:
            slower = f"{times[name]:.2f} ms a hop, not clearly quicker than {best} with {base:.2f} ms"
        trials.append(Trial(name, winner.precision, slower, opened[name].info(), times[name]))
    session = opened.pop(best)
    return Choice(Chosen(session, why), (*trials, *rejected))


def bake_off(
    bundle: Bundle, sessions: dict[str, Session], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median milliseconds of a hop, in turns; all sessions are left reset. Zero rounds: all 0."""
    feeds = {name: Feed(bundle, session.info()) for name, session in sessions.items()}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for k in range(rounds):
        for name, session in sessions.items():
            x = feeds[name](k)
            began = clock()
            session.run(x)
            times[name].append(1e3 * (clock() - began))
    for session in sessions.values():
        session.reset()
    # The first hop of an incremental session is a whole window, and every first one fills caches.
    return {name: float(np.median(values[2:] or [0.0])) for name, values in times.items()}
