"""One trial in an .npy file as a study: features as (C, T), or as (T, C) where that is said.

For a trial at hand without its study. The file names no features, no sentence and no block: they are called
ch1 …, the sentence may be given, and nothing is normalised. Bins of 20 ms.
"""

from pathlib import Path

import numpy as np

from offline.intracortical.trials import Day, RawStudy, Trial
from rtdecode.errors import StudyError


def read_features(path: str | Path, time_first: bool = False) -> np.ndarray:
    """(T, C) float32 from an array of (C, T), or (T, C) with `time_first`. Raises StudyError."""
    try:
        x = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StudyError(f"cannot read {path}: {error}", hint="is it an array saved by numpy?") from error
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.dtype.kind not in "fiu" or not x.size:
        found = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise StudyError(f"{path} holds {found}, expected numbers of (features, bins)")
    return np.ascontiguousarray(x if time_first else x.T, np.float32)


def load_trial(
    path: str | Path, study: str, licence: str, text: str = "", *, time_first: bool = False
) -> RawStudy:
    """A study of one day, named as the file, with one test trial. Raises StudyError when it is no array."""
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"{path} is missing")
    features = read_features(path, time_first)
    trial = Trial(path.stem, 0, 0, "test", text, 0)
    return RawStudy(
        f"{study}-trial",
        licence,
        tuple(f"ch{number}" for number in range(1, features.shape[1] + 1)),
        (Day(path.stem, 0, {"test": path}),),
        lambda day: (trial,),
        lambda day: iter([(trial, read_features(path, time_first))]),
    )
