"""Writes trials in the layouts of the two public studies, as `offline.studies` reads them back.

willett2023: MATLAB v5, cells of (T, 256), sentences padded with blanks. card2024: HDF5, a group a trial,
codes padded with zeros. Knows nothing of where the trials come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from rtdecode.errors import MissingExtra
from rtdecode.text.symbols import PHONEMES

WIDTH = 500  # of seq_class_ids and transcription


@dataclass(frozen=True)
class Recorded:
    """A trial to write: crossings (T, U) and power (T, U), its sentence and phonemes."""

    block: int
    number: int
    text: str
    phonemes: tuple[str, ...]
    crossings: np.ndarray
    power: np.ndarray


def write_mat(path: str | Path, trials: Sequence[Recorded], *, redacted: bool = False) -> None:
    """One day of one folder of willett2023, U = 256. redacted: without sentences, as the hold-out is."""
    texts = ["" if redacted else trial.text for trial in trials]
    width = max(map(len, texts), default=0) or 1
    savemat(
        str(path),
        {
            "sentenceText": np.array([text.ljust(width) for text in texts], dtype=f"<U{width}"),
            "tx1": _cells([trial.crossings for trial in trials]),
            "spikePow": _cells([trial.power for trial in trials]),
            "blockIdx": np.array([[trial.block] for trial in trials], np.float64).reshape(-1, 1),
        },
    )


def _cells(arrays: Sequence[np.ndarray]) -> np.ndarray:
    cells = np.empty((1, len(arrays)), object)
    for place, array in enumerate(arrays):
        cells[0, place] = array
    return cells


def write_hdf5(path: str | Path, session: str, trials: Sequence[Recorded], *, labelled: bool = True) -> None:
    """One file of one day of card2024, U = 256. Raises MissingExtra without h5py."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py (writes HDF5)", "offline") from error
    with h5py.File(path, "w") as file:
        for place, trial in enumerate(trials):
            group = file.create_group(f"trial_{place:04d}")
            features = np.concatenate([trial.crossings, trial.power], axis=1).astype(np.float32)
            group.create_dataset("input_features", data=features)
            group.attrs["n_time_steps"] = len(features)
            group.attrs["session"] = session
            group.attrs["block_num"], group.attrs["trial_num"] = trial.block, trial.number
            if not labelled:
                continue
            ids = np.zeros(WIDTH, np.int32)
            ids[: len(trial.phonemes)] = [PHONEMES.index(sound) for sound in trial.phonemes]
            codes = np.zeros(WIDTH, np.int32)
            codes[: len(trial.text)] = list(trial.text.encode("ascii"))
            group.create_dataset("seq_class_ids", data=ids)
            group.create_dataset("transcription", data=codes)
            group.attrs["seq_len"] = len(trial.phonemes)
            group.attrs["sentence_label"] = trial.text
