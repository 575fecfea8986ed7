"""Reads the events tables of MEG-MASC, in both ways its release writes them.

Some subjects have a column for every property (19 columns), the others one column, `trial_type`, that holds a
Python dictionary. That is read as a literal, never run. Both become the same rows.
"""

import ast
import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from rtdecode.errors import StudyError

KINDS = ("sound", "word", "phoneme")
_LONGEST = 4096  # characters of a dictionary
_HINT = "is it an events table of MEG-MASC?"


@dataclass(frozen=True)
class Row:
    """start, duration: seconds of the recording; stimulus, offset: which sound, and seconds of it; text: the
    word or the phoneme; sequence: number of the sentence in its story, -1 none; index: the word's place in
    it, -1 none; pronounced: whether it is in the sound at all
    """

    start: float
    duration: float
    kind: str
    text: str
    stimulus: str
    offset: float
    sequence: int
    index: int
    condition: str
    pronounced: bool


def read_events(path: Path) -> tuple[Row, ...]:
    """All rows of a table. Raises StudyError naming the first line that is not an event, or that is out of
    order.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"cannot read {path}: {error}", hint=_HINT) from error
    rows = tuple(_rows(path, lines))
    if not rows:
        raise StudyError(f"{path} holds no events", hint=_HINT)
    for number, (before, row) in enumerate(pairwise(rows), start=3):
        if row.start < before.start:
            raise StudyError(
                f"{path}, line {number}: events out of order: {row.start:.3f} s comes after "
                f"{before.start:.3f} s"
            )
    return rows


def stimulus_id(path: str) -> str:
    """The sound a path means: 'stimuli/audio/LW1_0.0.wav' and 'stimuli/audio/lw1_0.wav' are both 'lw1_0'."""
    return PurePosixPath(path.strip().lower()).name.split(".")[0]


def _rows(path: Path, lines: list[dict[str, str]]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=2):
        try:
            yield _row(line)
        except (KeyError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
            raise StudyError(f"{path}, line {number} is not an event: {error!r}", hint=_HINT) from error


def _row(line: Mapping[str, str]) -> Row:
    said: Mapping[str, object] = line
    if line["trial_type"].startswith("{"):
        if len(line["trial_type"]) > _LONGEST:
            raise ValueError(f"{len(line['trial_type'])} characters of trial_type")
        said = ast.literal_eval(line["trial_type"])
        if not isinstance(said, dict):
            raise TypeError("trial_type is no dictionary")
    kind = str(said["kind"])
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}")
    stimulus = stimulus_id(str(said["sound"]))
    return Row(
        _number(line["onset"]),
        _number(line["duration"]),
        kind,
        stimulus if kind == "sound" else str(said[kind]),
        stimulus,
        round(_number(said["start"]), 3),  # some are 14.139999
        _whole(said, "sequence_id", -1),
        _whole(said, "word_index", -1),
        str(said.get("condition", "")).replace("n/a", ""),
        _whole(said, "pronounced", 1) != 0,
    )


def _number(value: object) -> float:
    number = float(str(value))
    if not math.isfinite(number):
        raise ValueError(f"{value!r} where a number of seconds should be")
    return number


def _whole(said: Mapping[str, object], key: str, missing: int) -> int:
    value = str(said.get(key, "n/a"))
    return missing if value in ("n/a", "nan", "None", "") else int(float(value))
