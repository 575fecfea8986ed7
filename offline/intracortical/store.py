"""A prepared study of trials on disk, as training and evaluation read it. Writes nothing.

    study.json                name, licence, rate, unit, labels, days, settings, facts
    days/DAY/features.npy     (T, C) float32, the trials of the day one after another, memory-mapped
    days/DAY/trials.jsonl     a trial a line: `Trial` as JSON, `start` its first bin
    days/DAY/day.json         written last: without it the day is not there

A sibling of `offline.prepare.store`, whose recordings are continuous; `kind` in study.json tells them apart.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offline.disk import file_name, read_json
from offline.intracortical.trials import SPLITS, Trial
from rtdecode.errors import StudyError, closest

SCHEMA = 1
KIND = "trials"
_HINT = "run `offline prepare` again: it goes on where it stopped"
_ANEW = "prepare the study anew"
_STUDY = ("study", "licence", "sfreq", "unit", "labels", "days", "settings", "facts")
_DAY = ("name", "index", "n_bins", "n_trials", "key", "settings", "facts")


@dataclass(frozen=True)
class PreparedDay:
    """index: place in the study's own table of days;  n_bins: T of its features;  root: its folder"""

    name: str
    index: int
    n_bins: int
    facts: Mapping[str, Any]
    root: Path


@dataclass(frozen=True)
class TrialStudy:
    """days in order, trials in order of days and of time within each.

    labels    one a feature;  unit: 'zscore' where normalised, else as shipped;  bin_s: seconds
    settings  what it was prepared with;  facts: what the study says of itself
    """

    name: str
    licence: str
    days: tuple[PreparedDay, ...]
    trials: tuple[Trial, ...]
    labels: tuple[str, ...]
    unit: str
    bin_s: float
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    root: Path
    _open: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def features(self, trial: Trial) -> np.ndarray:
        """(T, C) float32, read-only and memory-mapped. Raises StudyError: no such day, or damaged."""
        return self.day_features(trial.day)[trial.start : trial.start + trial.n_bins]

    def day_features(self, name: str) -> np.ndarray:
        """(T, C) float32 of all trials of a day, one after another."""
        if name not in self._open:
            day = self.day(name)
            self._open[name] = _mapped(day.root / "features.npy", (day.n_bins, len(self.labels)))
        return self._open[name]

    def day(self, name: str) -> PreparedDay:
        for day in self.days:
            if day.name == name:
                return day
        raise StudyError(
            f"{self.name} has no day {name!r}", hint=closest(name, [day.name for day in self.days])
        )

    def of(self, split: str, days: tuple[str, ...] = ()) -> tuple[Trial, ...]:
        """The trials of a split, of some days (none given: all). Raises StudyError for what is not there."""
        if split not in SPLITS:
            raise StudyError(f"there is no split {split!r}", hint=closest(split, SPLITS))
        wanted = {self.day(day).name for day in days}
        return tuple(t for t in self.trials if t.split == split and (not wanted or t.day in wanted))


def is_trials(path: str | Path) -> bool:
    """Whether `path` holds a prepared study of trials, complete or not."""
    try:
        facts = json.loads((Path(path) / "study.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("kind") == KIND


def open_trials(path: str | Path) -> TrialStudy:
    """The prepared study in `path`. Raises StudyError: no study of trials, another schema, or incomplete,
    naming the first thing that is missing.
    """
    root = Path(path)
    if not (root / "study.json").is_file():
        raise StudyError(
            f"{root} is no prepared study: {root / 'study.json'} is missing", hint="run `offline prepare`"
        )
    if not is_trials(root):
        raise StudyError(
            f"{root} is no prepared study of trials: {root / 'study.json'} is of another kind",
            hint="a study of continuous recordings is trained without text presets",
        )
    facts = _object(root / "study.json", _STUDY)
    days, trials = [], []
    for name in facts["days"]:
        day = _read_day(root / "days" / file_name(name), name, facts)
        days.append(day)
        trials += _read_trials(day)
    return TrialStudy(
        facts["study"],
        facts["licence"],
        tuple(days),
        tuple(trials),
        tuple(facts["labels"]),
        facts["unit"],
        1 / float(facts["sfreq"]),
        facts["settings"],
        facts["facts"],
        root,
    )


def _read_day(folder: Path, name: str, study: Mapping[str, Any]) -> PreparedDay:
    facts = _object(folder / "day.json", _DAY)
    if facts["name"] != name:
        raise StudyError(f"{folder} holds the day {facts['name']!r}, not {name!r}", hint=_ANEW)
    for file in ("features.npy", "trials.jsonl"):
        if not (folder / file).is_file():
            raise StudyError(f"the prepared study is incomplete: {folder / file} is missing", hint=_HINT)
    for setting, value in study["settings"].items():
        found = facts["settings"].get(setting)
        if found != value:
            raise StudyError(
                f"the prepared study is incomplete: {name} was prepared with {setting} {found!r}, the study "
                f"is with {value!r}",
                hint=_HINT,
            )
    return PreparedDay(name, int(facts["index"]), int(facts["n_bins"]), facts["facts"], folder)


def _read_trials(day: PreparedDay) -> list[Trial]:
    path, trials, start = day.root / "trials.jsonl", [], 0
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            trials.append(Trial(**{**row, "phonemes": tuple(row["phonemes"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise StudyError(f"{path}, line {number}, is no trial: {error!r}", hint=_ANEW) from error
        if trials[-1].start != start:
            raise StudyError(
                f"{path}, line {number}: the trial starts at bin {trials[-1].start}, the one before ends at "
                f"{start}",
                hint=_ANEW,
            )
        start += trials[-1].n_bins
    if start != day.n_bins:
        raise StudyError(f"{path} ends at bin {start}, its features at {day.n_bins}", hint=_ANEW)
    return trials


def _object(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    facts = read_json(path, "the prepared study", _HINT)
    found = facts.get("schema") if isinstance(facts, dict) else type(facts).__name__
    if found != SCHEMA:
        raise StudyError(f"{path} has the schema {found!r}, expected {SCHEMA}", hint=_ANEW)
    for key in keys:
        if key not in facts:
            raise StudyError(f"{path} has no {key!r}", hint=_ANEW)
    return dict(facts)


def _mapped(path: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        # an empty file cannot be mapped
        array = np.load(path, mmap_mode="r" if shape[0] else None, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StudyError(f"cannot read {path}: {error}", hint=_ANEW) from error
    if array.shape != shape or array.dtype != np.float32:
        raise StudyError(
            f"{path} holds {array.dtype} {array.shape}, its description says float32 {shape}", hint=_ANEW
        )
    return array
