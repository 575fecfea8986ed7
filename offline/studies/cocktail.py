"""Loads the cocktail-party sample: real EEG of one listener attending one of two talkers, and 80 envelopes.

github.com/eteohx/EEG_cocktail_decoding: 1_1.mat … (EEG of one minute each), F_env.mat and M_env.mat (cells
stim1{1..40}, envelopes of one minute at 128 Hz). In this block of the experiment trial k attends segment k of
talker F.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtdecode.errors import StudyError
from rtdecode.recordings import Recording, read

SFREQ = 128.0  # of the EEG and of the envelopes
LICENCE = "not stated by its authors: for tests and research with attribution, not for redistribution"
_TALKERS = ("F", "M")
_HINT = "--data is the folder with 1_1.mat, F_env.mat and M_env.mat"


@dataclass(frozen=True)
class Trial:
    """One minute of listening. number: k of 1_k.mat; attended: index of the envelope that was attended."""

    number: int
    recording: Recording
    attended: int


@dataclass(frozen=True)
class Cocktail:
    """The study.

    envelopes  (T, K) at SFREQ; time 0 is the first sample of a trial;  names (K,): F01 … M40
    """

    trials: tuple[Trial, ...]
    envelopes: np.ndarray
    names: tuple[str, ...]

    def trial(self, number: int) -> Trial:
        for trial in self.trials:
            if trial.number == number:
                return trial
        valid = ", ".join(str(trial.number) for trial in self.trials)
        raise StudyError(f"the study has no trial {number}", hint=f"trials: {valid}")

    def without(self, number: int) -> tuple[Trial, ...]:
        """The training trials when `number` is held out; StudyError when it shares its speech with one."""
        held_out = self.trial(number)
        rest = tuple(trial for trial in self.trials if trial.number != number)
        shared = [trial.number for trial in rest if trial.attended == held_out.attended]
        if shared:
            raise StudyError(
                f"trial {number} attends the same speech as trial {shared[0]}, it cannot be held out"
            )
        return rest


def load(root: str | Path) -> Cocktail:
    """The study in folder `root`. StudyError or RecordingError names the first thing missing or wrong."""
    root = Path(root)
    if not root.is_dir():
        raise StudyError(f"there is no folder {root}", hint=_HINT)
    blocks = [_envelopes(root / f"{talker}_env.mat") for talker in _TALKERS]
    names = tuple(
        f"{talker}{k + 1:02d}"
        for talker, block in zip(_TALKERS, blocks, strict=True)
        for k in range(block.shape[1])
    )
    if len({len(block) for block in blocks}) != 1:
        raise StudyError(f"the talkers' envelopes have {len(blocks[0])} and {len(blocks[1])} samples")
    matches = (re.fullmatch(r"1_(\d+)\.mat", path.name) for path in root.iterdir())
    numbers = sorted(int(match[1]) for match in matches if match)
    if not numbers:
        raise StudyError(f"{root} holds no trial (1_1.mat …)", hint=_HINT)
    trials = tuple(Trial(k, read(root / f"1_{k}.mat"), names.index(f"F{k:02d}")) for k in numbers)
    return Cocktail(trials, np.hstack(blocks), names)


def _envelopes(path: Path) -> np.ndarray:
    """(T, 40) float64."""
    from scipy.io import loadmat

    if not path.is_file():
        raise StudyError(f"the study is incomplete: {path} is missing", hint=_HINT)
    try:
        cells = loadmat(path)["stim1"].ravel()
        block = np.stack([np.asarray(cell, np.float64).ravel() for cell in cells], axis=1)
    except Exception as problem:  # the parser raises whatever it met
        raise StudyError(f"{path} does not hold envelopes stim1 of equal length: {problem}") from problem
    if not np.isfinite(block).all():
        raise StudyError(f"{path} holds values that are not finite")
    return block
