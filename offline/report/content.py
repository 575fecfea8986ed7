"""What a report shows, as plain values: results, curves, learning curve, calibrations, what was not run.

Made from scores and from the CSV of runs; knows nothing of HTML or plots.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_type_hints

import numpy as np

from offline.calibration.gain import Gain
from offline.contrastive.baselines import Blind
from offline.contrastive.curves import Curve
from offline.contrastive.metrics import Accuracy, Summary, ranks, summarise
from offline.contrastive.scores import Scores
from rtdecode.errors import StudyError, closest

RANK_BINS = 20


@dataclass(frozen=True)
class Evaluated:
    """One model on one study.

    rank_counts   trials in each of RANK_BINS equal bins of the target's relative rank, best first
    control, ridge, ideal  top-10 of segments of an untrained or shuffled model, of ridge, of the ideal
                  observer, on the same trials; None where not run
    """

    study: str
    model: str
    summary: Summary
    rank_counts: tuple[int, ...]
    blind: tuple[Blind, ...] = ()
    control: float | None = None
    ridge: float | None = None
    ideal: float | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.study}, {self.model}"


def evaluated(
    scores: Scores,
    *,
    study: str,
    model: str,
    blind: Sequence[Blind] = (),
    control: float | None = None,
    ridge: float | None = None,
    ideal: float | None = None,
    note: str = "",
    window_s: float = 3.0,
) -> Evaluated:
    """Everything the report says of these scores."""
    counts, _ = np.histogram(ranks(scores).relative, bins=RANK_BINS, range=(0.0, 1.0))
    summary = summarise(scores, window_s=window_s)
    whole = tuple(int(c) for c in counts)
    return Evaluated(study, model, summary, whole, tuple(blind), control, ridge, ideal, note)


@dataclass(frozen=True)
class LearningRow:
    """One trained model: how much data it had, how strong the signal was, what it reached on the test.

    minutes  of training data a subject;  gain  signal level, times real EEG (1 for real data)
    top10 and the rest are shares in [0, 1]; None: not run
    """

    study: str
    model: str
    minutes: float
    gain: float
    top10: float
    chance: float
    shuffled: float | None = None
    ridge: float | None = None
    ideal: float | None = None
    low: float | None = None
    high: float | None = None
    subjects: float | None = None
    n: float | None = None


_OPTIONAL = {f.name for f in fields(LearningRow) if f.default is None}


def read_learning(path: str | Path) -> tuple[LearningRow, ...]:
    """Rows of a CSV whose columns are the fields of `LearningRow`; empty cells were not run.

    StudyError names the line and the cell that is wrong, or the column that does not exist.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
            columns = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise StudyError(f"cannot read the runs in {path}: {problem}") from problem
    names = [f.name for f in fields(LearningRow)]
    for column in columns:
        if column not in names:
            raise StudyError(f"{path} has an unknown column {column!r}", hint=closest(str(column), names))
    missing = [name for name in names if name not in columns and name not in _OPTIONAL]
    if missing:
        raise StudyError(f"{path} has no column {missing[0]!r}", hint=f"columns: {', '.join(names)}")
    return tuple(_learning_row(row, f"{path}, line {number}") for number, row in enumerate(lines, start=2))


def _learning_row(row: dict[str, str], where: str) -> LearningRow:
    hints = get_type_hints(LearningRow)
    values: dict[str, str | float | None] = {}
    for name, text in row.items():
        if name is None or text is None:
            raise StudyError(f"{where} has more or fewer cells than the header")
        if hints[name] is str:
            values[name] = text
            continue
        try:
            values[name] = None if not text.strip() and name in _OPTIONAL else float(text)
        except ValueError as problem:
            raise StudyError(f"{where}: {name} is {text!r}, expected a number") from problem
        found = values[name]
        if isinstance(found, float) and not math.isfinite(found):
            raise StudyError(f"{where}: {name} is {text!r}, expected a number")
    return LearningRow(**values)  # type: ignore[arg-type]  # checked against the hints above


@dataclass(frozen=True)
class CalibrationRow:
    """Top-k of a new subject's test with and without calibration; low, high: interval of the gain."""

    subject: str
    minutes: float
    k: int
    before: float
    after: float
    ridge: float | None
    chance: float
    low: float | None
    high: float | None
    n: int

    @property
    def gain(self) -> float:
        return self.after - self.before


def calibration_row(subject: str, minutes: float, found: Gain) -> CalibrationRow:
    """From a measured gain."""
    low, high = (None, None) if found.interval is None else (found.interval.low, found.interval.high)
    ridge = None if found.ridge is None else found.ridge.value
    after = found.after
    return CalibrationRow(
        subject, minutes, after.k, found.before.value, after.value, ridge, after.chance, low, high, after.n
    )


@dataclass(frozen=True)
class NotRun:
    """Something the reader may expect, and why it is not here."""

    what: str
    why: str


@dataclass(frozen=True)
class Content:
    """A whole report. facts: (name, value) pairs on versions, machine, configuration, for the head."""

    title: str
    evaluated: tuple[Evaluated, ...] = ()
    curves: tuple[Curve, ...] = ()
    learning: tuple[LearningRow, ...] = ()
    calibrations: tuple[CalibrationRow, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Signal-blind baselines that are not at chance."""
        return tuple(
            f"{one.name}: {blind.sentence}"
            for one in self.evaluated
            for blind in one.blind
            if not blind.within
        )


Line = dict[str, str | float | int | None]


def lines(content: Content) -> list[Line]:
    """The summary as flat rows, for CSV and for the table: level 'segments', 'words', 'segments, no overlap',
    'subject' (top-10 of one) and 'signal-blind'.
    """
    out: list[Line] = []
    for one in content.evaluated:
        for found in one.summary.segments:
            beside = (one.control, one.ridge, one.ideal) if found.k == 10 else (None, None, None)
            out.append(_line(one, "segments", "", found, *beside))
        out += [_line(one, "words", "", found) for found in one.summary.words]
        if one.summary.non_overlapping is not None:
            out.append(_line(one, "segments, no overlap", "", one.summary.non_overlapping))
        chance = next((found.chance for found in one.summary.segments if found.k == 10), None)
        for subject, value in one.summary.per_subject.items():
            out.append(_flat(one, "subject", subject, 10, value, chance))
        for blind in one.blind:
            line = _flat(one, "signal-blind", blind.name, blind.k, blind.value, blind.chance)
            out.append({**line, "low": blind.interval.low, "high": blind.interval.high})
    return out


COLUMNS = (
    "study", "model", "level", "of", "k", "value", "chance", "frequency_chance", "low", "high",
    "low_subjects", "high_subjects", "control", "ridge", "ideal", "n", "candidates",
)  # fmt: skip


def _flat(one: Evaluated, level: str, of: str, k: int, value: float, chance: float | None) -> Line:
    line: Line = dict.fromkeys(COLUMNS)
    return line | {
        "study": one.study, "model": one.model, "level": level, "of": of, "k": k, "value": value,
        "chance": chance,
    }  # fmt: skip


def _line(
    one: Evaluated,
    level: str,
    of: str,
    found: Accuracy,
    control: float | None = None,
    ridge: float | None = None,
    ideal: float | None = None,
) -> Line:
    blocks, subjects = found.by_blocks, found.by_subjects
    return _flat(one, level, of, found.k, found.value, found.chance) | {
        "frequency_chance": found.frequent,
        "low": None if blocks is None else blocks.low,
        "high": None if blocks is None else blocks.high,
        "low_subjects": None if subjects is None else subjects.low,
        "high_subjects": None if subjects is None else subjects.high,
        "control": control,
        "ridge": ridge,
        "ideal": ideal,
        "n": found.n,
        "candidates": found.of,
    }
