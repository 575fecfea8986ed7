"""Opens recordings through MNE-Python without reading their samples, and reads chosen channels later.

The header is enough to list channels, rate, length and sensor positions; an hour of MEG is read when somebody
asks for it. Electrodes come in microvolts, magnetic sensors in femtotesla. Knows no study.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import MissingExtra, StudyError

ELECTRODES = ("eeg", "ecog", "seeg", "dbs")
MAGNETIC = ("mag", "grad")
_BLOCK_S = 10.0  # MNE reads float64: in blocks, so that no second copy of a recording is needed


def open_raw(path: Path, **options: Any) -> Any:
    """The mne.io.Raw of a file (or CTF folder), nothing of its signal read. Raises StudyError in a sentence
    when it cannot be opened. `options` go to its reader (CTF: system_clock).
    """
    try:
        import mne
    except ImportError as error:
        raise MissingExtra(f"MNE-Python (reads {path.name})", "offline") from error
    if not path.exists():
        raise StudyError(f"the recording {path} is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mne.io.read_raw(path, preload=False, verbose="ERROR", **options)
    except Exception as error:  # parsers of foreign formats raise whatever they met
        raise StudyError(f"cannot read {path}: {_first_line(error)}", hint="is it complete?") from error


def brain_picks(raw: Any) -> list[int]:
    """Places of the channels that measure a brain: the magnetic sensors where there are any (reference
    sensors not among them), otherwise the electrodes.
    """
    kinds = raw.get_channel_types()
    for wanted in (MAGNETIC, ELECTRODES):
        picks = [i for i, kind in enumerate(kinds) if kind in wanted]
        if picks:
            return picks
    return []


def unit_of(raw: Any, picks: Sequence[int]) -> str:
    """'femtotesla' when any of the channels is magnetic, otherwise 'microvolts'."""
    kinds = raw.get_channel_types()
    return "femtotesla" if any(kinds[i] in MAGNETIC for i in picks) else "microvolts"


def read_picks(path: Path, raw: Any, picks: Sequence[int]) -> np.ndarray:
    """(T, C) float32 of the channels at `picks`: µV, fT, planar gradiometers in fT/cm. Raises StudyError when
    the file ends early or holds values that are not finite.
    """
    kinds = raw.get_channel_types()
    factors = np.array([{"mag": 1e15, "grad": 1e13}.get(kinds[i], 1e6) for i in picks])
    data = np.empty((raw.n_times, len(picks)), np.float32)
    step = max(1, round(_BLOCK_S * raw.info["sfreq"]))
    try:
        for start in range(0, raw.n_times, step):
            stop = min(start + step, raw.n_times)
            data[start:stop] = raw.get_data(list(picks), start, stop).T * factors
    except Exception as error:
        raise StudyError(f"cannot read {path}: {_first_line(error)}", hint="is it complete?") from error
    if not np.isfinite(data.sum(axis=0, dtype=np.float64)).all():
        sample, channel = np.argwhere(~np.isfinite(data))[0]
        raise StudyError(
            f"{path} holds values that are not finite, first in {raw.ch_names[picks[channel]]} at "
            f"{sample / raw.info['sfreq']:.3f} s",
            hint="repair or cut the recording first",
        )
    return data


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
