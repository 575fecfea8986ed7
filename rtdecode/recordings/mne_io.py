"""Reads FIF, EDF, BDF, BrainVision, CTF and KIT recordings through MNE-Python (extra [mne]).

MNE gives volts and tesla; electrodes come back in microvolts and magnetic sensors in femtotesla, as live
streams state them. Stimulus channels are left out, annotations become markers.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import MissingExtra, RecordingError
from rtdecode.recordings.recording import Marker, Recording

_BLOCK_S = 10.0  # MNE reads float64; in blocks, an hour of MEG needs no second copy of itself
_STYPE = {"mag": "MEG", "grad": "MEG", "eeg": "EEG", "ecog": "ECoG", "seeg": "SEEG", "dbs": "DBS"}
_ELECTRODES = ("eeg", "ecog", "seeg", "dbs", "eog", "ecg", "emg", "bio")
_DROPPED = ("stim",)


def read_mne(path: Path) -> Recording:
    """The Recording in any of these files; MNE's own exceptions are left to the caller."""
    try:
        import mne
    except ImportError as problem:
        raise MissingExtra(f"MNE-Python (reads {path.suffix} recordings)", "mne") from problem

    with (
        warnings.catch_warnings(record=True) as warned,
        mne.utils.use_log_level("WARNING"),  # any quieter, and MNE would not raise its warnings either
        _unheard(mne.utils.logger),
    ):
        warnings.simplefilter("always")
        raw = mne.io.read_raw(path, preload=False)
        types = raw.get_channel_types()
        picks = [i for i, kind in enumerate(types) if kind not in _DROPPED]
        if not picks:
            raise RecordingError(f"{path} holds {len(types)} channels, all of them stimulus channels")
        units, factors = zip(*(_unit(raw.info["chs"][i], types[i], mne) for i in picks), strict=True)
        data = _data(raw, picks, np.array(factors))
        markers = _markers(raw)
    sfreq = float(raw.info["sfreq"])
    notes = tuple(dict.fromkeys(_sentence(w) for w in warned if _matters(w)))
    if raw.info["bads"]:
        notes += (f"marked bad in the file: {', '.join(raw.info['bads'])}",)
    brain = Counter(_STYPE[types[i]] for i in picks if types[i] in _STYPE)
    stype = brain.most_common(1)[0][0] if brain else "misc"
    labels = tuple(raw.ch_names[i] for i in picks)
    return Recording(data, sfreq, labels, units, stype, path.name.split(".")[0], None, markers, notes=notes)


def _unit(channel: Any, kind: str, mne: Any) -> tuple[str, float]:
    """Unit of a channel in a Recording, and the factor into it."""
    fiff = mne.io.constants.FIFF
    unit = int(channel["unit"])
    if unit == fiff.FIFF_UNIT_V:
        return ("microvolts", 1e6) if kind in _ELECTRODES else ("volts", 1.0)
    if unit == fiff.FIFF_UNIT_T:
        return "femtotesla", 1e15
    if unit == fiff.FIFF_UNIT_T_M:
        return "femtotesla/cm", 1e13
    return "", 1.0


def _data(raw: Any, picks: list[int], factors: np.ndarray) -> np.ndarray:
    """(T, C) float32."""
    data = np.empty((raw.n_times, len(picks)), np.float32)
    step = max(1, round(_BLOCK_S * raw.info["sfreq"]))
    for start in range(0, raw.n_times, step):
        stop = min(start + step, raw.n_times)
        data[start:stop] = raw.get_data(picks, start, stop).T * factors
    return data


def _markers(raw: Any) -> tuple[Marker, ...]:
    notes = raw.annotations
    if not len(notes):
        return ()
    # Annotations are on the clock of the measurement, on which the first sample lies at first_time.
    found = (
        Marker(float(onset - raw.first_time), str(text))
        for onset, text in zip(notes.onset, notes.description, strict=True)
    )
    return tuple(sorted(found, key=lambda marker: marker.t))


@contextmanager
def _unheard(logger: logging.Logger) -> Iterator[None]:
    """A logger without a voice: MNE says each warning twice, once to stdout, which belongs to results."""
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate


def _matters(warning: warnings.WarningMessage) -> bool:
    # Deprecations and MNE's own file-naming habits say nothing about the signal.
    return issubclass(warning.category, RuntimeWarning) and "naming conventions" not in str(warning.message)


def _sentence(warning: warnings.WarningMessage) -> str:
    text = " ".join(str(warning.message).split())
    return text if len(text) <= 160 else text[:157] + "..."
