"""The tables of the Alice study: its words, and which sample of a recording is which word."""

import csv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from offline.studies.matlab import load_mat
from rtdecode.errors import StudyError

SEGMENTS = range(1, 13)
_COLUMNS = ("Word", "Segment", "onset", "offset", "Order", "Position", "Sentence")
_TRL = ("begin", "end", "offset")  # the columns FieldTrip gives every trial
_VARNAMES = ("segment", "tmin", "Order")  # those of the study


@dataclass(frozen=True)
class Word:
    """A row of the table. onset, offset: where it starts and ends, seconds of the segment's sound; index: its
    place in the sentence, 0 first; order: its number in the story (of 2150, some left out)
    """

    text: str
    segment: int
    onset: float
    offset: float
    order: int
    index: int
    sentence: int


def read_words(path: Path) -> tuple[Word, ...]:
    """The words, in the order they are heard. Texts are as in the table, its four 0x1A for apostrophes too:
    the published split is by these very texts. Raises StudyError: not the table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            words = tuple(
                Word(
                    row["Word"],
                    _whole(row["Segment"]),
                    float(row["onset"]),
                    float(row["offset"]),
                    _whole(row["Order"]),
                    _whole(row["Position"]) - 1,
                    _whole(row["Sentence"]),
                )
                for row in csv.DictReader(file)
            )
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(
            f"{path} is not the table of words: {error!r}", hint=f"its columns are {', '.join(_COLUMNS)}, …"
        ) from error
    for segment in SEGMENTS:
        if not any(word.segment == segment for word in words):
            raise StudyError(f"{path} has no words in segment {segment} of {len(SEGMENTS)}")
    for before, word in pairwise(words):
        if word.order <= before.order or (word.segment == before.segment and word.onset < before.onset):
            raise StudyError(
                f"{path}: words out of order: {word.text!r} ({word.order}) comes after {before.text!r} "
                f"({before.order})"
            )
    return words


def read_trials(path: Path, words: tuple[Word, ...]) -> list[tuple[Word, int]]:
    """The words that a recording has, each with the sample it starts at (the first is 0). Raises StudyError
    when rows cannot be matched to words.
    """
    proc = load_mat(path).get("proc")
    if not isinstance(proc, dict) or "trl" not in proc:
        raise StudyError(f"{path} has no proc.trl", hint="is it a file of proc.zip?")
    trl = np.atleast_2d(np.asarray(proc["trl"], np.float64))
    names = [str(name) for name in np.ravel(proc.get("varnames", _VARNAMES))]
    if trl.shape[1] < len(_TRL):
        raise StudyError(f"{path}: proc.trl has {trl.shape[1]} columns, at least {len(_TRL)} are needed")
    samples = np.round(trl[:, 0] - trl[:, 2]).astype(int) - 1
    columns = dict(zip(names, trl[:, len(_TRL) :].T, strict=False))
    if "Order" not in columns:
        if len(trl) != len(words):
            raise StudyError(
                f"{path}: proc.trl has {len(trl)} rows for {len(words)} words and does not say "
                "which is which",
                hint="its rows need the column Order; leave the subject out",
            )
        return list(zip(words, samples.tolist(), strict=True))
    by_order = {word.order: word for word in words}
    trials = []
    for row, (order, sample) in enumerate(zip(columns["Order"], samples.tolist(), strict=True), start=1):
        word = by_order.pop(int(order), None)
        if word is None:
            raise StudyError(f"{path}: row {row} of proc.trl is of word {order:g}, no such word is left")
        if "segment" in columns and columns["segment"][row - 1] != word.segment:
            raise StudyError(
                f"{path}: row {row} of proc.trl is of segment {columns['segment'][row - 1]:g}, its word "
                f"{word.text!r} ({word.order}) of segment {word.segment}"
            )
        trials.append((word, sample))
    return trials


def _whole(text: str) -> int:
    return int(float(text))
