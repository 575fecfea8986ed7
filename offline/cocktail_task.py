"""The cocktail-party task in numbers, shared by training and evaluation: rate, lags, window, hop."""

import numpy as np

from rtdecode.types import to_samples

MODEL_SFREQ = 64.0
DELAY = to_samples(0.25, MODEL_SFREQ)  # lags 0 to 250 ms
FRAMES = to_samples(15.0, MODEL_SFREQ)
HOP = to_samples(1.0, MODEL_SFREQ)
FACTS = "study.json"  # beside bundle.json: which trial was held out


def envelope_r(estimate: np.ndarray, envelope: np.ndarray) -> float:
    """Pearson's r of an estimate (T', 1) with an envelope (T',) over a whole trial, DELAY taken out."""
    return float(np.corrcoef(estimate[DELAY:, 0], envelope[: len(estimate) - DELAY])[0, 1])
