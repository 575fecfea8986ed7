"""Opens KIT recordings (.con, .sqd) of a BIDS tree, with the digitised head where its files are complete.

MNE reads neither the extension of BIDS's head shapes (.pos) nor their unit: points go in as arrays in metres.
"""

from pathlib import Path
from typing import Any

import numpy as np

from offline.studies.mne_files import open_raw
from rtdecode.errors import StudyError


def open_kit(path: Path, marker: Path, electrodes: Path, head: Path) -> Any:
    """The mne.io.Raw of a recording, nothing of its signal read. marker (.mrk), electrodes and head shape
    (.pos): used when all three exist. Raises StudyError: not a KIT file, one that ends before its header
    says, points that are none.
    """
    if all(file.is_file() for file in (marker, electrodes, head)):
        raw = open_raw(path, mrk=str(marker), elp=read_points(electrodes), hsp=read_points(head))
    else:
        raw = open_raw(path)
    _check_whole(path, raw)
    return raw


def read_points(path: Path) -> np.ndarray:
    """(N, 3) metres, from a FastSCAN file in millimetres."""
    try:
        points = np.loadtxt(path, comments="%", ndmin=2)
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} is not a FastSCAN file of points: {error}") from error
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise StudyError(f"{path} holds an array {points.shape}, points have x, y and z")
    return points / 1000.0


def _check_whole(path: Path, raw: Any) -> None:
    """MNE leaves zeros where a KIT file stops short."""
    header = raw._raw_extras[0]
    first, rows, width = header["dirs"][9]["offset"], header["nchan"], header["dtype"].itemsize
    held = (path.stat().st_size - first) // (rows * width)
    if held < raw.n_times:
        raise StudyError(
            f"{path} holds {max(held, 0)} samples, its header says {raw.n_times}", hint="fetch it again"
        )
