"""What a study of trials is made of: days, trials with a sentence each, and where their features come from.

A trial is (T, C) features in bins of 20 ms while a person attempted to say one sentence. Knows no file
format: loaders (`offline.studies.willett2023`, `card2024`, `offline.intracortical.npy`) fill a `RawStudy`,
`offline.intracortical.prepare` writes it, `offline.intracortical.store` reads it back.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import StudyError, closest

BIN_S = 0.02
SFREQ = 1 / BIN_S
SPLITS = ("train", "valid", "test", "holdout")
SPLIT_RULES = ("official", "dev", "hpi")

_KEPT = re.compile(r"[^a-z\-' ]")
_BLANKS = re.compile(r" +")


@dataclass(frozen=True)
class Trial:
    """One sentence.

    day, block   as its files name them;  number: of the trial, as its file counts them
    split        one of SPLITS; 'holdout' has no text
    text         as shipped, without padding; `plain_text` of it is what is scored
    n_bins       T, of 20 ms;  start: its first bin in the features of its day (prepared studies)
    phonemes     ARPAbet without stress, SIL between words and at the end; empty: not known
    corpus       where the sentence is from, '' unknown
    source       split of the file it came in: what tells two trials of one block and number apart
    """

    day: str
    block: int
    number: int
    split: str
    text: str
    n_bins: int
    phonemes: tuple[str, ...] = ()
    start: int = 0
    corpus: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        """Its identity in the study."""
        return f"{self.day}/{self.source or self.split}-{self.block:02d}-{self.number:03d}"


@dataclass(frozen=True)
class Day:
    """One day of a study.

    index  place in the study's own table of days: what a day-specific layer is numbered by
    files  by the split that their folder or name says
    facts  what else is known of it (silent speech, days since the implant …)
    """

    name: str
    index: int
    files: Mapping[str, Path]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RawStudy:
    """A study of trials as its files hold it.

    labels   one a feature, in the order of the columns
    survey   a day's trials with text, without reading features (n_bins 0); checks the fields of its files
    read     the same trials in the same order, each with its features (T, C) float32
    norm     how the study's features are normalised unless a person says otherwise
    unit     of the features as shipped
    """

    name: str
    licence: str
    labels: tuple[str, ...]
    days: tuple[Day, ...]
    survey: Callable[[Day], tuple[Trial, ...]]
    read: Callable[[Day], Iterator[tuple[Trial, np.ndarray]]]
    norm: str = "none"
    unit: str = "arbitrary"
    facts: Mapping[str, Any] = field(default_factory=dict)


def plain_text(text: str) -> str:
    """The words that are decoded and scored: letters, apostrophes and hyphens inside words, single spaces,
    lower case. '--' separates words.
    """
    text = text.lower().replace("\u2019", "'").replace("\u2018", "'").replace("--", " ")
    words = (word.strip("-'") for word in _KEPT.sub("", text.replace("\n", " ")).split())
    return _BLANKS.sub(" ", " ".join(word for word in words if word))


def chronological(trials: Sequence[Trial]) -> list[Trial]:
    """In the order they were recorded: by block, then by number."""
    return sorted(trials, key=lambda t: (t.block, t.number, SPLITS.index(t.source or t.split)))


def resplit(trials: Sequence[Trial], rule: str) -> dict[str, str]:
    """The split of each trial of one day by its name.

    'official'  as published (a study may then have no 'valid')
    'dev'       the same, and the last training block of each day is 'valid': for choosing a model without
                the test trials
    'hpi'       the first training block of each day is 'test', the published test is 'valid', the rest of
                training stays: the split of Brain2Text (Fiedler et al. 2025)

    Raises StudyError: no such rule, a study that has validation trials of its own, or a day whose training
    trials are one block (nothing would be left).
    """
    if rule not in SPLIT_RULES:
        raise StudyError(f"there is no split {rule!r}", hint=closest(rule, SPLIT_RULES))
    splits = {trial.name: trial.split for trial in trials}
    blocks = sorted({trial.block for trial in trials if trial.split == "train"})
    if rule == "official" or not blocks:
        return splits
    if any(trial.split == "valid" for trial in trials):
        raise StudyError(
            f"the split {rule!r} makes validation trials, {trials[0].day} has some", hint="use the official"
        )
    if len(blocks) < 2:
        raise StudyError(
            f"{trials[0].day} has {len(blocks)} training block, the split {rule!r} takes one away",
            hint="use the official split",
        )
    taken, into = (blocks[-1], "valid") if rule == "dev" else (blocks[0], "test")
    for trial in trials:
        if trial.split == "train" and trial.block == taken:
            splits[trial.name] = into
        elif rule == "hpi" and trial.split == "test":
            splits[trial.name] = "valid"
    return splits
