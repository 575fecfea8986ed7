"""Where channels are on the flat head: MNE's two-dimensional layouts, scaled to the unit square.

As the published decoder places them (Défossez et al. 2023): the corner of each channel's box in the layout,
x and y each scaled to [0, 1] over the channels of the recording; UNKNOWN_POSITION for a channel that the
layout does not have.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from offline.study import UNKNOWN_POSITION
from rtdecode.errors import MissingExtra


def positions_from_info(info: Any, picks: Sequence[int] | None = None) -> tuple[tuple[float, float], ...]:
    """(x, y) in [0, 1] of the channels of an mne.Info, of all or of those at `picks`. A layout that MNE
    cannot find or make leaves all of them unknown.
    """
    mne = _mne()
    names = [info["ch_names"][i] for i in (range(len(info["ch_names"])) if picks is None else picks)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layout = mne.channels.find_layout(info)
    except (RuntimeError, ValueError):  # no sensor has a place
        layout = None
    if layout is None:
        return (UNKNOWN_POSITION,) * len(names)
    return normalised(names, dict(zip(map(_plain, layout.names), layout.pos[:, :2], strict=True)))


def positions_from_montage(labels: Sequence[str], montage: str) -> tuple[tuple[float, float], ...]:
    """(x, y) in [0, 1] of electrodes by their names in one of MNE's standard montages, as above."""
    mne = _mne()
    info = mne.create_info(list(labels), 100.0, "eeg")
    info.set_montage(mne.channels.make_standard_montage(montage), on_missing="ignore")
    return positions_from_info(info)


def normalised(names: Sequence[str], places: dict[str, np.ndarray]) -> tuple[tuple[float, float], ...]:
    """Those of `names` that have a place, scaled to the unit square; the others unknown."""
    found = {name: places[_plain(name)] for name in names if _plain(name) in places}
    if not found:
        return (UNKNOWN_POSITION,) * len(names)
    xy = np.array(list(found.values()), np.float64)
    low = xy.min(axis=0)
    span = np.where(np.ptp(xy, axis=0) > 0, np.ptp(xy, axis=0), 1.0)
    scaled = {}
    for name, place in found.items():
        x, y = (place - low) / span
        scaled[name] = (float(x), float(y))
    return tuple(scaled.get(name, UNKNOWN_POSITION) for name in names)


def _plain(name: str) -> str:
    """CTF names carry the system: MLC11-2908 is MLC11."""
    return name.rsplit("-", 1)[0]


def _mne() -> Any:
    try:
        import mne
    except ImportError as error:
        raise MissingExtra("MNE-Python (places the channels)", "offline") from error
    return mne
