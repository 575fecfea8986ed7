"""Prepares a study of trials, one day at a time: features, sentences and phonemes into the store.

All texts and all fields are looked at before anything is written, so that a study that does not fit is
refused whole. Then each day is read, normalised block by block, and described last; study.json comes after
all days. Interrupted anywhere, the next call goes on; what is unchanged is not made again.

Knows no file format (`RawStudy.survey` and `read` do) and no model.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from offline.disk import file_name, room, whole, write_json
from offline.intracortical.content import (
    contents,
    day_key,
    empty_array,
    key_of,
    known_files,
    load_scale,
    sha256_of,
)
from offline.intracortical.normalise import CausalScale, block_zscore, check_norm
from offline.intracortical.phonemes import Dictionary, phonemes_of, read_dictionary, refuse, unlisted
from offline.intracortical.store import KIND, SCHEMA
from offline.intracortical.trials import SFREQ, Day, RawStudy, Trial, chronological, resplit
from rtdecode.errors import ConfigError, StudyError, closest

CODE = 1  # one more whenever the same files would be prepared differently
UNKNOWN_WORDS = ("refuse", "drop")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrialSettings:
    """norm           'block', 'causal' or 'none'; '' as the study asks for
    split          'official', 'dev' or 'hpi' (`resplit`)
    lexicon        a pronunciation dictionary, for studies that ship no phonemes; '' none
    unknown_words  'refuse' the study, or 'drop' the trials that hold one
    """

    norm: str = ""
    split: str = "official"
    lexicon: str = ""
    unknown_words: str = "refuse"


@dataclass(frozen=True)
class PreparedTrials:
    """done, unchanged: names of days;  dropped: trials left out for their words;  trials: kept, by split"""

    done: tuple[str, ...]
    unchanged: tuple[str, ...]
    dropped: int
    trials: dict[str, int]


def prepare_trials(
    study: RawStudy,
    out: str | Path,
    settings: TrialSettings,
    *,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> PreparedTrials:
    """The days of `study` (those that match a shell pattern of `only`) into `out`.

    progress  called with ('days', done, all) and, inside each, (its name, trials done, all)

    Raises StudyError or ConfigError, nothing half-written: a field or file that is missing, words without a
    pronunciation, features that are not numbers, no day of that name, another study in `out`, a full disk.
    """
    out = Path(out)
    days = [day for day in study.days if not only or any(fnmatchcase(day.name, p) for p in only)]
    if not days:
        raise StudyError(
            f"no day of {study.name} is named {' or '.join(only) or 'anything'}",
            hint=closest(only[0] if only else "", [day.name for day in study.days]),
        )
    if settings.unknown_words not in UNKNOWN_WORDS:
        raise ConfigError(
            f"unknown words are {settings.unknown_words!r}",
            hint=closest(settings.unknown_words, UNKNOWN_WORDS),
        )
    norm = check_norm(settings.norm or study.norm)
    tables = {day.name: _table(study, day, settings.split) for day in days}
    dropped = _pronounce(tables, settings)
    chosen: dict[str, Any] = {
        "code": CODE,
        "norm": norm,
        "split": settings.split,
        "lexicon": sha256_of(Path(settings.lexicon)) if settings.lexicon else "",
        "unknown_words": settings.unknown_words,
    }
    _check_same_study(out, study.name)
    report = progress or (lambda *_: None)
    done: list[str] = []
    unchanged: list[str] = []
    scale = CausalScale()
    before = ""  # the key of the day before, which a causal scale depends on
    for number, day in enumerate(days, start=1):
        folder = out / "days" / file_name(day.name)
        files = contents(day, known_files(folder))
        key = day_key(study, day, files, tables[day.name], {**chosen, "before": before})
        if key_of(folder) == key:
            unchanged.append(day.name)
        else:
            _write_day(_Job(study, day, tables[day.name], norm, scale, folder), key, files, chosen, report)
            done.append(day.name)
        if norm == "causal":
            scale.load(load_scale(folder / "scale.npz"))
            before = key
        report("days", number, len(days))
    write_json(out / "study.json", _described(study, days, norm, chosen, dropped))
    kept = Counter(t.split for table in tables.values() for t in table if t is not None)
    return PreparedTrials(tuple(done), tuple(unchanged), sum(dropped.values()), dict(kept))


Table = list[Trial | None]  # in the order of the files; None: left out


def _table(study: RawStudy, day: Day, rule: str) -> Table:
    trials = study.survey(day)
    twice = [name for name, n in Counter(trial.name for trial in trials).items() if n > 1]
    if twice:
        raise StudyError(f"two trials are called {twice[0]}", hint="block and number tell trials apart")
    splits = resplit(trials, rule)
    return [replace(t, split=splits[t.name], source=t.source or t.split) for t in trials]


def _pronounce(tables: dict[str, Table], settings: TrialSettings) -> Counter[str]:
    """Fills phonemes in, in place, and returns how many trials of each split were left out."""
    dropped: Counter[str] = Counter()
    if not settings.lexicon:
        return dropped
    dictionary: Dictionary = read_dictionary(settings.lexicon)
    texts = [t.text for table in tables.values() for t in table if t and not t.phonemes]
    missing = unlisted(texts, dictionary)
    if missing and settings.unknown_words == "refuse":
        raise refuse(missing, settings.lexicon)
    for table in tables.values():
        for place, trial in enumerate(table):
            if trial is None or trial.phonemes or not trial.text:
                continue
            if missing and unlisted([trial.text], dictionary):
                dropped[trial.split] += 1
                table[place] = None
            else:
                table[place] = replace(trial, phonemes=phonemes_of(trial.text, dictionary))
    return dropped


@dataclass(frozen=True)
class _Job:
    study: RawStudy
    day: Day
    table: Table
    norm: str
    scale: CausalScale
    folder: Path


def _write_day(
    job: _Job, key: str, files: list[dict[str, Any]], chosen: dict[str, Any], report: Progress
) -> None:
    found = _read(job, report)
    description = job.folder / "day.json"
    description.unlink(missing_ok=True)  # until it is there again, the day is not
    placed: list[Trial] = []
    with whole(job.folder / "features.npy") as beside, room(beside):
        shape = (sum(len(x) for x in found.values()), len(job.study.labels))
        empty_array(beside, shape)
        rows = np.load(beside, mmap_mode="r+") if shape[0] else np.zeros(shape, np.float32)
        start = 0
        for _, trials in groupby(chronological(list(found)), key=lambda trial: trial.block):
            block = list(trials)
            scaled = _normalised(job, np.concatenate([found[trial] for trial in block]))
            rows[start : start + len(scaled)] = scaled
            for trial in block:
                placed.append(replace(trial, start=start))
                start += trial.n_bins
        if isinstance(rows, np.memmap):
            rows.flush()
    with whole(job.folder / "trials.jsonl") as beside:
        lines = "".join(json.dumps(asdict(trial), ensure_ascii=False) + "\n" for trial in placed)
        beside.write_text(lines, "utf-8")
    if job.norm == "causal":
        with whole(job.folder / "scale.npz") as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **job.scale.state())
    facts = {
        "schema": SCHEMA,
        "name": job.day.name,
        "index": job.day.index,
        "n_bins": start,
        "n_trials": len(placed),
        "splits": dict(Counter(trial.split for trial in placed)),
        "key": key,
        "settings": chosen,
        "facts": dict(job.day.facts),
        "files": files,
    }
    write_json(description, facts)


def _read(job: _Job, report: Progress) -> dict[Trial, np.ndarray]:
    """Trials that are kept, their bins counted, each with its features (T, C) float32."""
    found: dict[Trial, np.ndarray] = {}
    names = [trial.name if trial else "" for trial in job.table]
    for number, (read, features) in enumerate(job.study.read(job.day), start=1):
        trial = job.table[number - 1]
        report(job.day.name, number, len(names))
        if trial is None:
            continue
        if features.shape[1:] != (len(job.study.labels),):
            raise StudyError(
                f"{trial.name}: features are {features.shape}, expected {len(job.study.labels)} columns"
            )
        strange = np.argwhere(~np.isfinite(features))
        if len(strange):
            row, column = strange[0]
            raise StudyError(
                f"{trial.name}: {job.study.labels[column]} is {features[row, column]} in bin {row} of "
                f"{len(features)}",
                hint="features are numbers: is the file complete?",
            )
        known = replace(trial, n_bins=len(features), phonemes=trial.phonemes or read.phonemes)
        found[known] = np.asarray(features, np.float32)
    return found


def _normalised(job: _Job, features: np.ndarray) -> np.ndarray:
    """One block, (T, C)."""
    if job.norm == "block":
        return block_zscore(features)
    return job.scale.block(job.day.name, features) if job.norm == "causal" else features


def _described(
    study: RawStudy, days: Sequence[Day], norm: str, chosen: dict[str, Any], dropped: Counter[str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "study": study.name,
        "licence": study.licence,
        "sfreq": SFREQ,
        "unit": study.unit if norm == "none" else "zscore",
        "labels": list(study.labels),
        "days": [day.name for day in days],
        "settings": chosen,
        "facts": {**study.facts, "dropped": dict(dropped)},
    }


def _check_same_study(out: Path, name: str) -> None:
    try:
        there = json.loads((out / "study.json").read_text("utf-8"))["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing yet, or nothing that could be kept
    if there != name:
        raise StudyError(f"{out} holds the study {there!r}, not {name!r}", hint="give another directory")
