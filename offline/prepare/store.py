"""A prepared study on disk, as training and evaluation read it. Writes nothing.

study.json                       name, licence, rate, unit, subjects, recordings, facts
recordings/NAME/signal.npy       (T, C) float32, memory-mapped
recordings/NAME/events.jsonl     what was heard, an event a line
recordings/NAME/blocks.jsonl     the split table, a block a line (stop null: to the end)
recordings/NAME/recording.json   written last: without it the recording is not there
stimuli/KEY/NAME.npy             (T', F) float32 speech features of a sound, in its own time
stimuli/KEY/features.json        which features, at which rate, of which sounds
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from offline.disk import file_name, read_json
from offline.split import Block
from offline.study import Event
from rtdecode.errors import StudyError, closest

SCHEMA = 1
_HINT = "run `offline prepare` again: it goes on where it stopped"
_ANEW = "prepare the study anew"


@dataclass(frozen=True)
class PreparedRecording:
    """One recording; its arrays and tables are read when they are asked for.

    subject    stable identity;  session: '' where there is one
    positions  (x, y) in [0, 1] per channel, (-0.1, -0.1) unknown
    sfreq      Hz of `signal`;  n_samples: T of it;  delay_s: how far it lags what was recorded
    key        of its content (`offline.prepare.key`);  root: its folder
    """

    name: str
    subject: str
    session: str
    labels: tuple[str, ...]
    positions: tuple[tuple[float, float], ...]
    unit: str
    sfreq: float
    n_samples: int
    delay_s: float
    key: str
    root: Path

    def signal(self) -> np.ndarray:
        """(T, C) float32 in `unit`, read-only and memory-mapped. Raises StudyError when damaged."""
        return _mapped(self.root / "signal.npy", (self.n_samples, len(self.labels)))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        return tuple(Event(**row) for row in _rows(self.root / "events.jsonl"))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The split table: all of the recording, in order."""
        rows = _rows(self.root / "blocks.jsonl")
        return tuple(Block(**{**r, "stop": float("inf") if r["stop"] is None else r["stop"]}) for r in rows)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.n_samples / self.sfreq


@dataclass(frozen=True)
class PreparedStudy:
    """subjects: stable ids, sorted;  facts: what the study's own description says"""

    name: str
    licence: str
    sfreq: float
    unit: str
    subjects: tuple[str, ...]
    recordings: tuple[PreparedRecording, ...]
    root: Path
    facts: Mapping[str, Any]


def open_prepared(path: str | Path) -> PreparedStudy:
    """The prepared study in `path`. Raises StudyError: no prepared study, another schema, or incomplete,
    naming the first thing that is missing.
    """
    root = Path(path)
    facts = header(root)
    recordings = tuple(_recording(root / "recordings" / file_name(n), n, facts) for n in facts["recordings"])
    return PreparedStudy(
        facts["study"],
        facts["licence"],
        float(facts["sfreq"]),
        facts["unit"],
        tuple(facts["subjects"]),
        recordings,
        root,
        facts["facts"],
    )


_STUDY = ("study", "licence", "sfreq", "unit", "subjects", "recordings", "settings", "facts")


def header(root: Path) -> dict[str, Any]:
    """study.json. Raises StudyError as `open_prepared`."""
    path = root / "study.json"
    if not path.is_file():
        raise StudyError(f"{root} is no prepared study: {path} is missing", hint="run `offline prepare`")
    facts = _object(
        path, ("study", "licence", "sfreq", "unit", "subjects", "recordings", "settings", "facts")
    )
    if not facts["recordings"]:
        raise StudyError(f"{path} names no recordings", hint=_HINT)
    return facts


_DESCRIBED = (
    "name", "subject", "session", "labels", "positions", "unit", "sfreq", "n_samples", "delay_s", "key",
    "preprocessing",
)  # fmt: skip


def _recording(folder: Path, name: str, study: Mapping[str, Any]) -> PreparedRecording:
    facts = _object(folder / "recording.json", _DESCRIBED)
    for file in ("signal.npy", "events.jsonl", "blocks.jsonl"):
        if not (folder / file).is_file():
            raise StudyError(f"the prepared study is incomplete: {folder / file} is missing", hint=_HINT)
    if facts["name"] != name:
        raise StudyError(f"{folder} holds the recording {facts['name']!r}, not {name!r}", hint=_ANEW)
    for setting, value in study["settings"].items():
        found = facts["preprocessing"].get(setting)
        if found != value:
            raise StudyError(
                f"the prepared study is incomplete: {name} was prepared with {setting} {found!r}, the study "
                f"is with {value!r}",
                hint=_HINT,
            )
    return PreparedRecording(
        name,
        facts["subject"],
        facts["session"],
        tuple(facts["labels"]),
        tuple((float(x), float(y)) for x, y in facts["positions"]),
        facts["unit"],
        float(facts["sfreq"]),
        int(facts["n_samples"]),
        float(facts["delay_s"]),
        facts["key"],
        folder,
    )


class FeatureStore:
    """Speech features of the sounds of a study, from the folder `path` that `prepare_features` returned.

    rate_hz  frames a second;  n_features: F;  spec: the choice they were made by, as JSON has it
    """

    def __init__(self, path: str | Path):
        """Raises StudyError: no features, another schema, or incomplete, naming the first missing sound."""
        self.path = Path(path)
        facts = _object(
            self.path / "features.json", ("kind", "rate_hz", "n_features", "spec", "wanted", "stimuli")
        )
        self.kind: str = facts["kind"]
        self.spec: dict[str, Any] = facts["spec"]
        self._stimuli: dict[str, dict[str, Any]] = facts["stimuli"]
        for stimulus in facts["wanted"]:
            if stimulus not in self._stimuli or not self._file(stimulus).is_file():
                raise StudyError(
                    f"the features in {self.path} are incomplete: those of {stimulus!r} are missing",
                    hint=_HINT,
                )
        self.rate_hz, self.n_features = float(facts["rate_hz"]), int(facts["n_features"])

    @property
    def stimuli(self) -> tuple[str, ...]:
        return tuple(self._stimuli)

    def features(self, stimulus: str) -> np.ndarray:
        """(T', F) float32, read-only and memory-mapped; frame n starts at n / rate_hz seconds of the sound.
        Raises StudyError for an unknown sound.
        """
        if stimulus not in self._stimuli:
            raise StudyError(
                f"there are no features of {stimulus!r} in {self.path}", hint=closest(stimulus, self._stimuli)
            )
        return _mapped(self._file(stimulus), (self._stimuli[stimulus]["frames"], self.n_features))

    def _file(self, stimulus: str) -> Path:
        return self.path / f"{file_name(stimulus)}.npy"


def _object(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    facts = read_json(path, "the prepared study", _HINT)
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        found = facts.get("schema") if isinstance(facts, dict) else type(facts).__name__
        raise StudyError(f"{path} has the schema {found!r}, expected {SCHEMA}", hint=_ANEW)
    for key in keys:
        if key not in facts:
            raise StudyError(f"{path} has no {key!r}", hint=_ANEW)
    return facts


def _mapped(path: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StudyError(f"cannot read {path}: {error}", hint=_ANEW) from error
    if array.shape != shape or array.dtype != np.float32:
        raise StudyError(
            f"{path} holds {array.dtype} {array.shape}, its description says float32 {shape}",
            hint=_ANEW,
        )
    return array


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise StudyError(f"{path}, line {number}, is not JSON", hint=_ANEW) from error
