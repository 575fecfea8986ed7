"""Reads a trial of the cocktail-party set (github.com/eteohx/EEG_cocktail_decoding), a .mat file.

`eeg` and `mast`: BioSemi, 128 scalp electrodes and two mastoids, 128 Hz, µV. The file names no channels; the
amplifier's own order is A1-A32, B1-B32, C1-C32, D1-D32. The mastoids sum to 0 in the published files, which
means that the scalp is referenced to their mean already.
"""

from pathlib import Path

import numpy as np

from rtdecode.errors import RecordingError
from rtdecode.recordings.recording import Recording

SFREQ = 128.0
SCALP = tuple(f"{bank}{number}" for bank in "ABCD" for number in range(1, 33))
MASTOIDS = ("M1", "M2")
NOTE = "channels are named in the order of the amplifier (A1-D32, M1, M2): the file names none"


def read_cocktail(path: Path) -> Recording:
    """A Recording of 130 channels in microvolts; RecordingError when the file holds something else."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=("eeg", "mast"))
    except NotImplementedError as problem:  # MATLAB 7.3 files are HDF5
        raise RecordingError(f"{path} is a MATLAB 7.3 file, not one of the cocktail-party set") from problem
    blocks = []
    for name, channels in (("eeg", SCALP), ("mast", MASTOIDS)):
        if name not in content:
            raise RecordingError(
                f"{path} holds no {name!r}: it is not a trial of the cocktail-party set",
                hint="a trial has eeg (T, 128) and mast (T, 2)",
            )
        block = content[name]
        if block.ndim != 2 or block.shape[1] != len(channels) or block.dtype.kind not in "fiu":
            raise RecordingError(
                f"{path}: {name} is {block.dtype} of shape {block.shape}, "
                f"expected numbers of shape (T, {len(channels)})"
            )
        blocks.append(block)
    if len(blocks[0]) != len(blocks[1]):
        raise RecordingError(f"{path}: eeg has {len(blocks[0])} samples and mast {len(blocks[1])}")
    data = np.ascontiguousarray(np.hstack(blocks), np.float32)
    labels = SCALP + MASTOIDS
    return Recording(data, SFREQ, labels, ("microvolts",) * len(labels), "EEG", path.stem, notes=(NOTE,))
