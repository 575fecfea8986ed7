"""How weak is the simulated response? The measure behind `gain`, "times real".

Real cocktail-party EEG (one subject, 128 channels, three minutes; two for training) gives a linear
reconstruction of the attended envelope that correlates r = 0.054, 0.079 and 0.058 with the truth, 0.064 on
average. `measure_level` runs that protocol on simulated subjects: envelope and EEG through a causal 1-9 Hz
Butterworth filter, 64 Hz, ridge on lags 0-250 ms with lambda 1e5 on µV, trained on two minutes and tested on
the third, each minute in turn.

Measured at gain 1, biosemi32, no bad channels: r = 0.059 +- 0.007 (16 subjects of seed 0) and 0.068 +- 0.008
(16 of seed 1), together 0.064: gain is "times real". At twice the amplitude r is about 0.2, at four times
0.4.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, sosfilt

from offline.simulate import text as texts
from offline.simulate.forward import BANDS, montage
from offline.simulate.session import arrange, make_stimuli, make_subject, timeline

REAL_R = 0.064
RATE, LAGS = 64, 17  # Hz; 0 to 250 ms
RIDGE = 1e5


def measure_level(gain: float, subjects: int = 8, seed: int = 0, minutes: int = 3) -> np.ndarray:
    """(subjects, minutes) correlations of the reconstructed with the true envelope, each minute held out in
    turn.
    """
    sfreq = 256.0
    _, positions = montage()
    sentences = texts.sentences()[: 30 * minutes]
    stimuli = make_stimuli("level", sentences, ("en-us",), (170,), seed, sfreq)
    found = []
    for subject in range(1, subjects + 1):
        model = make_subject(positions, seed, subject, gain, sfreq, bad_channels=0)
        placements, count = arrange(
            stimuli, 60 * minutes, np.random.default_rng([seed, 8, subject]), sfreq, repeat=True
        )
        envelope = timeline(placements, count, sfreq)[:, :BANDS].mean(axis=1, keepdims=True)
        eeg = model.record(placements, count, run=0)
        found.append(reconstruct(_band(eeg, sfreq), _band(envelope, sfreq), minutes)[:, 0])
    return np.array(found)


def reconstruct(
    eeg: np.ndarray, target: np.ndarray, parts: int, lags: int = LAGS, ridge: float = RIDGE
) -> np.ndarray:
    """(parts, F) correlations of a ridge reconstruction of target (T, F) from eeg (T, C), each part held out
    in turn.

    The EEG answers late, so the target at sample t is built from the EEG at t .. t + lags - 1.
    """
    stacked = np.hstack([np.roll(eeg, -lag, axis=0) for lag in range(lags)])[: len(eeg) - lags]
    target = target[: len(stacked)]
    size = len(stacked) // parts
    found = []
    for part in range(parts):
        test = np.zeros(len(stacked), dtype=bool)
        test[part * size : (part + 1) * size] = True
        x, y = stacked[~test], target[~test]
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
        x, y = x - x_mean, y - y_mean
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
        estimate = (stacked[test] - x_mean) @ weights
        truth = target[test] - target[test].mean(axis=0)
        estimate = estimate - estimate.mean(axis=0)
        norm = np.sqrt((estimate**2).sum(axis=0) * (truth**2).sum(axis=0))
        found.append((estimate * truth).sum(axis=0) / np.maximum(norm, 1e-12))
    return np.array(found)


def _band(x: np.ndarray, sfreq: float, band: Sequence[float] = (1.0, 9.0)) -> np.ndarray:
    """Causal third-order Butterworth, then every fourth sample of 256 Hz. The first sample is taken off: no
    step at the start.
    """
    sos = butter(3, band, "bandpass", fs=sfreq, output="sos")
    return sosfilt(sos, x - x[:1], axis=0)[:: round(sfreq / RATE)].astype(np.float64)
