"""Trials of a prepared study as an XDF recording: a stream of features at 50 Hz that `rtdecode replay` sends.

Trials come one after another with pauses between. The study holds nothing of the pauses: they are bins drawn
from the first and last 0.2 s of the trials around, so that mean and spread do not jump. A stream of markers
says, as JSON, where each trial starts and where it has stopped, which one it is and its text:

    {"kind": "start", "trial": "t12.2022.04.28/train-05-012", "split": "test", "text": "The …"}
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from offline.disk import whole
from offline.intracortical.store import TrialStudy
from offline.intracortical.trials import Trial
from rtdecode.errors import StudyError
from rtdecode.xdf_writer import XdfWriter

FIRST_STAMP = 1000.0  # LSL seconds of the first bin: not 0, as in life
STREAM, STREAM_TYPE = "Features", "Features"
_EDGE_BINS = 10


def write_xdf(
    study: TrialStudy, trials: Sequence[Trial], path: str | Path, *, pause_s: float = 1.0, seed: int = 0
) -> Path:
    """`trials`, in their order, into the new file `path`, with a pause before, between and after them.

    pause_s  seconds, a whole number of bins; at least one

    Raises StudyError, nothing written: no trials, a file that exists, features that are damaged.
    """
    path = Path(path)
    if path.exists():
        raise StudyError(f"{path} exists", hint="give a new name or remove it first")
    if not trials or pause_s < study.bin_s:
        raise StudyError(
            f"{len(trials)} trials with pauses of {pause_s:g} s", hint="one trial and one bin at least"
        )
    features = [np.asarray(study.features(trial)) for trial in trials]
    edges = np.concatenate([part for x in features for part in (x[:_EDGE_BINS], x[-_EDGE_BINS:])])
    if not len(edges):
        raise StudyError(f"the {len(trials)} trials have no bins", hint="choose others")
    rng = np.random.default_rng(seed)
    pause = round(pause_s / study.bin_s)
    pieces = [_pause(edges, pause, rng)]
    markers = []
    at = pause
    for trial, x in zip(trials, features, strict=True):
        for kind, place in (("start", at), ("stop", at + len(x))):
            said = {"kind": kind, "trial": trial.name, "split": trial.split, "text": trial.text}
            markers.append((FIRST_STAMP + place * study.bin_s, json.dumps(said, ensure_ascii=False)))
        pieces += [x, _pause(edges, pause, rng)]
        at += len(x) + pause
    sfreq = round(1 / study.bin_s, 6)
    name = f"{study.name} {trials[0].day}"
    with whole(path) as beside, XdfWriter(beside) as file:
        source = f"{name} {trials[0].name}"
        data = np.concatenate(pieces)
        file.samples(data, FIRST_STAMP, sfreq, STREAM, STREAM_TYPE, study.labels, study.unit, source)
        file.markers(markers, f"{STREAM}Markers", f"{source} markers")
    return path


def _pause(edges: np.ndarray, bins: int, rng: np.random.Generator) -> np.ndarray:
    return edges[rng.integers(len(edges), size=bins)]
