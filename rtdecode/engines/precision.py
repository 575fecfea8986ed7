"""Less than float32, by explicit choice: what it must be shown to agree with before it may decode.

bfloat16 and int8 differ from the golden output by construction, so a session of theirs is compared in another
way: the rankings of held-out queries beside those of float32 (`Agreement`). The report is kept beside the
cached engines; without one that passes, such a session is refused. Knows no recording: who measures brings
the rankings.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines.cache import find, folder, key_of, store
from rtdecode.engines.files import ACTIVATIONS, graph_file, listed
from rtdecode.engines.graph import GraphNetwork, GraphSession
from rtdecode.engines.incremental import IncrementalSession
from rtdecode.engines.plan import plan_of
from rtdecode.engines.session import EngineInfo, Session, Setup
from rtdecode.errors import BundleError, ConfigError, MissingExtra

REDUCED = ("bf16", "int8")
RELATIVE = 5e-2  # bfloat16: largest error of the golden outputs, relative, in the square mean
SHARE = 0.99  # int8: of held-out queries whose first ten candidates are the same, in the same order
TOP = 10
FORM = "in halves 1"
"""Raised with what `halves` computes: cached graphs, and reports on them, are found by it."""


@dataclass(frozen=True)
class Agreement:
    """How one engine in one precision ranked beside float32.

    bundle    of what network and bank it speaks (`identity`)
    same      queries of `queries` whose first TOP candidates are the same, in the same order; or their text
    relative  error of the golden outputs, relative, in the square mean
    source    the recording of the queries, and its hash
    what      of a query was compared
    """

    bundle: str
    engine: str
    precision: str
    mode: str
    hop: int
    versions: dict[str, str]
    queries: int
    same: int
    relative: float
    source: str
    source_sha256: str
    what: str = f"first {TOP}"

    @property
    def share(self) -> float:
        return self.same / self.queries if self.queries else 0.0

    @property
    def passes(self) -> bool:
        return self.relative <= RELATIVE if self.precision == "bf16" else self.share >= SHARE

    @property
    def words(self) -> str:
        return (
            f"{self.what} of {self.queries} queries the same in {100 * self.share:.1f} %, "
            f"outputs differ by {100 * self.relative:.2g} %"
        )


def identity(bundle: Bundle) -> str:
    """A hash of the network and of the candidates, or the language, it was compared on: others differ."""
    names = ["weights.safetensors", "model.onnx", "bank.safetensors", "bank.jsonl"]
    if bundle.spec.retrieval is None and bundle.spec.text:
        names += [bundle.spec.text.lm, bundle.spec.text.lexicon]
    return hashlib.sha256(json.dumps([bundle.spec.files.get(name) for name in names]).encode()).hexdigest()


def report_file(bundle: str, info: EngineInfo) -> Path:
    """Where the report of such a session is kept: on this machine, whose arithmetic it speaks of."""
    what = [bundle, info.name, info.precision, info.mode, info.hop, dict(info.versions)]
    return folder() / f"agreement-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]}.json"


def keep(report: Agreement, info: EngineInfo) -> Path:
    """Write the report, whole or not at all."""
    path = report_file(report.bundle, info)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=".agreement.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(report), file, indent=1)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def stored(bundle: Bundle, info: EngineInfo) -> Agreement | None:
    """The report on such sessions of this bundle; None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        said = json.loads(report_file(identity(bundle), info).read_text(encoding="utf-8"))
        names = [field.name for field in fields(Agreement) if field.name in said]
        return Agreement(**{name: said[name] for name in names})
    return None


def require_agreement(bundle: Bundle, info: EngineInfo) -> None:
    """ConfigError unless a report on such sessions was stored and passes."""
    report = stored(bundle, info)
    how = f"`rtdecode engines {bundle.path} --agree RECORDING --precision {info.precision}` measures it"
    if report is None:
        raise ConfigError(
            f"engine {info.name} in {info.precision} has not been compared with float32 on this bundle",
            hint=how,
        )
    if not report.passes:
        raise ConfigError(
            f"engine {info.name} in {info.precision} disagrees with float32: {report.words}",
            hint=f"use fp32; demanded are {100 * SHARE:g} % (int8) or at most {100 * RELATIVE:g} % (bf16)",
        )


def relative(session: Session, bundle: Bundle) -> float:
    """Error of the golden outputs in the square mean, the worst head's; the session is left reset."""
    session.reset()
    frames = [session.run(x) for x in bundle.golden["x"]]
    session.reset()
    worst = 0.0
    for head in ("estimate", "log_probs"):
        parts = [values for frame in frames if (values := getattr(frame, head)) is not None]
        if parts:
            found, golden = np.concatenate(parts), bundle.golden[head]
            golden = golden.reshape(found.shape)
            worst = max(worst, float(np.linalg.norm(found - golden) / (np.linalg.norm(golden) or 1.0)))
    return worst


def same_rankings(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> int:
    """How many queries have the same first candidates in both."""
    return sum(tuple(a[:TOP]) == tuple(b[:TOP]) for a, b in zip(one, other, strict=True))


def open_int8(bundle: Bundle, setup: Setup) -> Session:
    """ONNX Runtime with products of int8, each number in two halves (`halves`).

    MissingExtra where the graphs have not been quantised and the package onnx, which that takes, is missing.
    """
    from rtdecode.engines.onnx import VERSIONS, IntegerGraph

    spec, versions = bundle.spec, {**VERSIONS, "int8": FORM}
    info = EngineInfo("onnx", setup.mode, setup.hop, "int8", setup.threads, "cpu", versions)
    name = graph_file(spec, setup.mode, setup.hop)
    graph = IntegerGraph(quantised(bundle, setup, name, setup.mode), setup.threads)
    if setup.mode == "incremental":
        whole = IntegerGraph(quantised(bundle, setup, ACTIVATIONS, "activations"), setup.threads)
        plan = plan_of(spec.model.config)
        network = GraphNetwork(graph, whole, plan, spec, setup.hop)
        return IncrementalSession(network, plan, info, spec.model.size)
    size = setup.hop if setup.mode == "stream" else spec.model.size
    return GraphSession(graph, info, size, len(spec.stream.labels))


def quantised(bundle: Bundle, setup: Setup, name: str, part: str) -> Path:
    """The int8 form of one of the bundle's graphs, made now if the cache has none."""
    import onnxruntime

    source = listed(bundle, name)
    key = key_of(bundle, setup, "onnx", part, {"onnxruntime": onnxruntime.__version__, "int8": FORM})
    return find(key) or store(key, lambda path: quantise(source, path))


def quantise(source: Path, path: Path) -> None:
    """Write the int8 form of an ONNX file: its matrix products in halves."""
    try:
        import onnx

        from rtdecode.engines.halves import in_halves
    except ImportError as problem:
        raise MissingExtra("onnx (needed once, to quantise this network)", "offline") from problem
    try:
        model = onnx.load(source)
        share = in_halves(model)
        onnx.save(model, path)
    except Exception as problem:  # whatever the package's helpers raise
        said = (str(problem) or type(problem).__name__).splitlines()[0]
        raise BundleError(f"{source} cannot be quantised: {said}") from problem
    if not share:
        raise BundleError(f"{source} has no product with known weights to do in int8", hint="use fp32")
