"""A bundle: what training hands to the live decoder, one directory, checked at every load.

    bundle.json          this schema, with the SHA-256 of every other file
    model.onnx           the network, one step or one window, fixed shapes, states explicit
    weights.safetensors  the same weights, to rebuild the torch module (`model.config`)
    bank.safetensors     "features" (T_bank, F) float32: the candidates' timeline; or fewer frames,
                         and "rows" (T_bank,) int32, which of them each frame of the timeline is
    bank.jsonl           one candidate a line (retrieve.Candidate)
    golden.npz           "x" (steps, size, C) and the outputs expected for it, from the torch reference
    control.onnx         optional: the same network untrained, for comparison

The only file that turns a directory into a decoder. No pickle anywhere.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtdecode.config import from_json, to_json
from rtdecode.contract import Contract
from rtdecode.errors import BundleError, ConfigError
from rtdecode.preprocess import PreprocessSpec
from rtdecode.retrieval.bank import read_rows
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec, map_features
from rtdecode.text.arpa import read_arpa
from rtdecode.text.lexicon import Lexicon, read_lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.symbols import Symbols
from rtdecode.transcribe import TextSpec

SCHEMA = 1
REQUIRED = ("model.onnx", "weights.safetensors", "golden.npz")


@dataclass(frozen=True)
class ModelSpec:
    """How the network is run, in samples at the model's rate.

    mode    "step": streams, size == hop, states carried; "window": whole windows, no state
    stride  model samples per output frame
    baseline  samples at a window's start whose mean is taken off that window; windows only
    config  rebuilds the torch module through `models.build_stream`
    """

    mode: Literal["step", "window"]
    size: int
    hop: int
    stride: int
    config: dict[str, Any]
    baseline: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.baseline < self.size or (self.baseline and self.mode == "step"):
            raise ValueError(
                f"a {self.mode} model of {self.size} samples cannot have a baseline of {self.baseline}"
            )
        if self.mode == "step" and self.size != self.hop:
            raise ValueError(f"a step model takes exactly one hop, got size {self.size} and hop {self.hop}")
        if min(self.size, self.hop, self.stride) < 1 or self.size % self.stride or self.hop % self.stride:
            raise ValueError(
                f"size {self.size} and hop {self.hop} must be multiples of the stride {self.stride}"
            )


@dataclass(frozen=True)
class Score:
    """A held-out score, never without its chance level. `control`: an untrained or shuffled model's score."""

    name: str
    value: float
    chance: float | None = None
    control: float | None = None
    ridge: float | None = None
    ideal: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Training:
    """What the bundle was trained on. `times_real`: planted response over real EEG's; 0: simulated, with no
    such measure; None: real.
    """

    study: str
    subject: str
    hours: float
    note: str
    licence: str
    times_real: float | None = None
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True)
class BundleSpec:
    """bundle.json."""

    schema: int
    name: str
    stream: Contract
    preprocess: PreprocessSpec
    model: ModelSpec
    retrieval: RetrievalSpec | None
    text: TextSpec | None
    training: Training
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.preprocess.center) != len(self.stream.labels):
            raise ValueError(
                f"{len(self.stream.labels)} labels but {len(self.preprocess.center)} scaler values"
            )
        if self.preprocess.sfreq_in != self.stream.sfreq:
            raise ValueError(
                f"stream at {self.stream.sfreq} Hz, preprocessing of {self.preprocess.sfreq_in} Hz"
            )
        if self.retrieval is None and self.text is None:
            raise ValueError("neither retrieval nor text: nothing to decode")
        if self.text and self.model.mode != "step":
            raise ValueError("text needs a step model: overlapping windows would spell every frame twice")

    @property
    def frame_rate(self) -> float:
        """Output frames per second."""
        return self.preprocess.sfreq / self.model.stride

    @property
    def hop_s(self) -> float:
        """Seconds between decisions."""
        return self.model.hop / self.preprocess.sfreq

    @property
    def delay_s(self) -> float:
        """Seconds by which a decision speaks of the past, by construction: the model's look-ahead."""
        delay = self.retrieval.delay if self.retrieval else self.text.delay if self.text else 0
        return delay / self.frame_rate


@dataclass(frozen=True)
class Bundle:
    """A verified directory. `golden` maps names to arrays."""

    path: Path
    spec: BundleSpec
    bank: Bank | None
    golden: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        return self.spec.name

    @cached_property
    def language(self) -> tuple[NGram | None, Lexicon | None]:
        """The model and the words that the text is searched with, read once. BundleError for a bad file."""
        text = self.spec.text
        try:
            lm = read_arpa(self.path / text.lm) if text and text.lm else None
            words = (
                read_lexicon(self.path / text.lexicon, Symbols(text.symbols))
                if text and text.lexicon
                else None
            )
        except ConfigError as problem:
            raise BundleError(problem.message, hint=problem.hint) from problem
        return lm, words


def require_manifest(path: Path) -> None:
    """BundleError unless there is a directory with a bundle.json."""
    if not (path / "bundle.json").is_file():
        why = "it has no bundle.json" if path.is_dir() else "there is no such directory"
        raise BundleError(f"{path} is not a bundle: {why}", hint="`offline export` writes bundles")


def load_bundle(path: str | Path) -> Bundle:
    """Read and verify a bundle directory; BundleError says what is missing, changed or malformed."""
    path = Path(path)
    manifest = path / "bundle.json"
    require_manifest(path)
    try:
        data = json.loads(manifest.read_text("utf-8"))
    except ValueError as problem:
        raise BundleError(f"{manifest} is not JSON: {problem}") from problem
    if isinstance(data, dict) and data.get("schema") != SCHEMA:
        raise BundleError(
            f"{manifest} has schema {data.get('schema')!r}, this version reads {SCHEMA}",
            hint="export the bundle again",
        )
    try:
        spec = from_json(BundleSpec, data, str(manifest))
    except ConfigError as problem:
        raise BundleError(problem.message, hint=problem.hint) from problem
    needed = REQUIRED + (("bank.safetensors", "bank.jsonl") if spec.retrieval else ())
    if spec.text:
        needed += tuple(name for name in (spec.text.lm, spec.text.lexicon) if name)
    for name in needed:
        if name not in spec.files:
            raise BundleError(f"{manifest} does not list {name}")
    for name, expected in spec.files.items():
        _verify(path, name, expected)
    try:
        with np.load(path / "golden.npz", allow_pickle=False) as archive:
            golden = dict(archive)
        bank = _read_bank(path) if spec.retrieval else None
    except (ValueError, OSError, KeyError) as problem:
        raise BundleError(f"bundle {path} is damaged: {problem}") from problem
    return Bundle(path, spec, bank, golden)


def _verify(path: Path, name: str, expected: str) -> None:
    file = path / name
    # names come from a file: they may not lead out of the bundle
    if Path(name).name != name or not file.is_file():
        raise BundleError(f"bundle {path} lacks the file {name}")
    found = sha256(file)
    if found != expected:
        raise BundleError(
            f"{file} is damaged: its SHA-256 is {found[:12]}…, bundle.json says {expected[:12]}…",
            hint="copy or export the bundle again",
        )


def sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read_bank(path: Path) -> Bank:
    features = map_features(path / "bank.safetensors")
    lines = (path / "bank.jsonl").read_text("utf-8").splitlines()
    where = str(path / "bank.jsonl")
    try:
        candidates = tuple(from_json(Candidate, json.loads(line), where) for line in lines)
    except ConfigError as problem:
        raise BundleError(problem.message, hint=problem.hint) from problem
    return Bank(features, candidates, read_rows(path / "bank.safetensors", len(features)))


def seal(path: Path, spec: BundleSpec) -> BundleSpec:
    """Write bundle.json last, with the hash of every other file in `path`; returns the sealed spec."""
    names = sorted(file.name for file in path.iterdir() if file.is_file() and file.name != "bundle.json")
    sealed = dataclasses.replace(spec, files={name: sha256(path / name) for name in names})
    (path / "bundle.json").write_text(json.dumps(to_json(sealed), indent=1) + "\n", "utf-8")
    return sealed


def write_bank(path: Path, bank: Bank) -> None:
    """bank.safetensors and bank.jsonl."""
    from safetensors.numpy import save_file

    tensors = {"features": np.ascontiguousarray(bank.features, np.float32)}
    if bank.rows is not None:
        tensors["rows"] = np.ascontiguousarray(bank.rows, np.int32)
    save_file(tensors, path / "bank.safetensors")
    lines = [json.dumps(to_json(candidate), ensure_ascii=False) for candidate in bank.candidates]
    (path / "bank.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
