"""Trials of a prepared study as examples: which ones, with which targets, and which cannot be learned from.

Between `offline.intracortical` (trials on disk) and the task. Knows no model but the number of its frames.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from offline.intracortical.store import TrialStudy
from offline.intracortical.trials import Trial, plain_text
from offline.text.batches import Example, Features
from offline.text.config import TextConfig
from rtdecode.errors import ConfigError, StudyError, TrainingError, closest
from rtdecode.text.symbols import Symbols


def target_of(trial: Trial, symbols: Symbols) -> tuple[int, ...]:
    """A trial's sentence in symbols, as numbers.

    Characters: letters, spaces and apostrophes of the plain text, hyphens dropped, in the case of the
    alphabet. Phonemes: the trial's own. StudyError names a trial with a symbol outside the alphabet, or
    without phonemes.
    """
    if symbols.spelled:
        text = plain_text(trial.text).replace("-", "")
        said: str | tuple[str, ...] = text.upper() if "A" in symbols else text
    else:
        said = trial.phonemes
        if trial.text and not said:
            raise StudyError(
                f"trial {trial.name} has a sentence and no phonemes",
                hint="prepare the study with a pronunciation dictionary, or train on characters",
            )
    try:
        return symbols.encode(said)
    except ConfigError as problem:
        raise StudyError(f"trial {trial.name}: {problem.message}", hint=problem.hint) from problem


def examples_of(
    study: TrialStudy, split: str, days: Sequence[str], symbols: Symbols, *, rows: Sequence[str] | None = None
) -> tuple[Example, ...]:
    """Those of a split on `days`. rows: the days in the order of their layers (default `days`)."""
    row = {day: i for i, day in enumerate(days if rows is None else rows)}
    wanted = set(days)
    return tuple(
        Example(
            trial.name,
            row.get(trial.day, -1),
            place,
            trial.n_bins,
            plain_text(trial.text),
            target_of(trial, symbols),
        )
        for place, trial in enumerate(study.trials)
        if trial.split == split and trial.day in wanted
    )


def reader(study: TrialStudy) -> Features:
    """Features of examples of this study."""

    def read(example: Example) -> np.ndarray:
        return np.asarray(study.features(study.trials[example.place]), np.float32)

    return read


@dataclass(frozen=True)
class Chosen:
    """days: in the order of their rows;  left_out: names of trials whose target is longer than their
    frames
    """

    days: tuple[str, ...]
    train: tuple[Example, ...]
    valid: tuple[Example, ...]
    left_out: tuple[str, ...]


def choose(config: TextConfig, study: TrialStudy, frames: Callable[[int], int]) -> Chosen:
    """What a run is trained and validated on. frames: how many of them the model makes of so many bins.

    Raises StudyError for a day that is not there, TrainingError when nothing is left to train on.
    """
    data = config.data
    known = [day.name for day in study.days]
    for name in (*data.days, *data.hold_out):
        if name not in known:
            raise StudyError(f"{study.name} has no day {name!r}", hint=closest(name, known))
    with_trials = {trial.day for trial in study.trials if trial.split == "train"}
    days = tuple(
        day
        for day in known
        if day in with_trials and day not in data.hold_out and (not data.days or day in data.days)
    )
    train = examples_of(study, "train", days, data.symbols)
    fitting = tuple(e for e in train if fits(e, frames, config.augment.cut))
    left_out = tuple(e.name for e in train if not fits(e, frames, config.augment.cut))
    if not fitting:
        why = f"{len(left_out)} trials have fewer frames than symbols" if left_out else "there are none"
        raise TrainingError(
            f"{study.name} has no training trial on {len(days)} days: {why}",
            hint="a shorter model.front.stride, or other days",
        )
    valid = examples_of(study, "valid", days, data.symbols)
    return Chosen(days, fitting, valid, left_out)


def fits(example: Example, frames: Callable[[int], int], cut: int) -> bool:
    """Has the trial enough frames for its target, whatever is cut off its start?"""
    repeats = sum(a == b for a, b in zip(example.target, example.target[1:], strict=False))
    return frames(example.n_bins - cut) >= max(1, len(example.target) + repeats)


def check_study(config: TextConfig, study: TrialStudy) -> None:
    """TrainingError when the study was not prepared as the configuration wants it."""
    found = study.settings.get("norm")
    if found != config.data.norm:
        raise TrainingError(
            f"{study.root} is prepared with the normalisation {found!r}, the configuration asks for "
            f"{config.data.norm!r}",
            hint=f"prepare it so, or --set data.norm={found}",
        )


def digest(examples: Sequence[Example]) -> str:
    """Of names, lengths and targets."""
    said = hashlib.sha256()
    for example in examples:
        said.update(f"{example.name}\t{example.day}\t{example.n_bins}\t{example.target}\n".encode())
    return said.hexdigest()[:16]
