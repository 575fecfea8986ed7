"""Signals and small helpers for the tests of the checks of a sitting."""

import dataclasses
import json

import numpy as np

from rtdecode.checks.delay import Loop
from rtdecode.checks.result import Measure, Outcome
from rtdecode.checks.scale import spread
from rtdecode.recordings import Marker, Recording
from tests.bundles import LABELS, SFREQ

FRONTAL = ("Fp1", "Fp2", "Cz", "Pz", "Oz", "C3", "T7", "T8")
LOOP = Loop(0.3, 0.9)


def trained(spec):
    """The spec with the scale that `calm` signals have."""
    scale = tuple(spread(calm(60.0, seed=9), spec).tolist())
    return dataclasses.replace(spec, preprocess=dataclasses.replace(spec.preprocess, scale=scale))


def calm(seconds=20.0, seed=0, level=20.0):
    """(T, C) µV: noise, and an amplifier's offsets."""
    rng = np.random.default_rng(seed)
    return level * rng.normal(size=(round(seconds * SFREQ), len(LABELS))) + 1000 * np.arange(len(LABELS))


def measure(outcome: Outcome, name: str) -> Measure:
    return next(m for m in outcome.measures if m.name == name)


def spoken(data, loop=False):
    said = [("one", 0.5), ("two", 4.0)]
    marks = tuple(
        Marker(t, json.dumps({"kind": "sentence", "text": s, "stimulus": s, "duration": 2.0}))
        for s, t in said
    )
    return Recording(data, SFREQ, LABELS, ("microvolts",) * len(LABELS), "EEG", "story", None, marks)
