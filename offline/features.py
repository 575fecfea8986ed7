"""Speech features, once per stimulus and in stimulus time; and the characters of a text.

Frame n of a stimulus is centred on (n + 0.5) / frame_rate seconds of its audio. Where a stimulus was played
is not known here (`offline.data` places features on recordings). Features stay unscaled; `FeatureScaler` is
fitted on training stimuli and stored with the model.
"""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from rtdecode.errors import StudyError
from rtdecode.types import to_samples

SYMBOLS = ("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz")
LOW_HZ, HIGH_HZ = 80.0, 7000.0
FLOOR_DB = 60.0  # below full scale; keeps the logarithm of silence finite
_INDEX = {symbol: i for i, symbol in enumerate(SYMBOLS)}


def encode_text(text: str) -> np.ndarray:
    """(S,) int64 symbol numbers of normalised text. StudyError names a character outside the alphabet."""
    unknown = sorted(set(text) - set(SYMBOLS))
    if unknown:
        raise StudyError(
            f"text {text[:40]!r} holds {unknown}, the alphabet has a-z, apostrophe and space",
            hint="normalise the text first",
        )
    return np.array([_INDEX[c] for c in text], np.int64)


def speech_features(audio: np.ndarray, sfreq: float, frame_rate: float, kind: str, bands: int) -> np.ndarray:
    """(T', F) float32: "logmel" bands or the broadband "envelope" (F = 1), T' = duration x frame_rate
    rounded.

    audio (N,) mono at sfreq Hz.
    """
    power = _power_frames(audio, sfreq, frame_rate)
    if kind == "logmel":
        return _loudness(power @ mel_filters(bands, sfreq, power.shape[1]))
    if kind == "envelope":
        return _loudness(power.sum(axis=1, keepdims=True))
    raise ValueError(f"kind must be 'logmel' or 'envelope', got {kind!r}")


def _loudness(power: np.ndarray) -> np.ndarray:
    """Decibels, from 0 at the floor to 1 at full scale; silence is 0."""
    return np.maximum(0, 1 + 10 * np.log10(power + 1e-12) / FLOOR_DB).astype(np.float32)


def n_frames(duration: float, frame_rate: float) -> int:
    return to_samples(duration, frame_rate)


def _power_frames(audio: np.ndarray, sfreq: float, frame_rate: float) -> np.ndarray:
    """(T', bins) power spectra under Hann windows two frames long."""
    width = to_samples(2 / frame_rate, sfreq)
    count = n_frames(len(audio) / sfreq, frame_rate)
    starts = np.rint((np.arange(count) + 0.5) * sfreq / frame_rate).astype(int)
    padded = np.pad(np.asarray(audio, np.float64), (width // 2, width))
    window = signal.windows.hann(width, sym=False)
    frames = padded[starts[:, None] + np.arange(width)] * window
    return np.abs(np.fft.rfft(frames, axis=1)) ** 2 / window.sum() ** 2


def mel_filters(bands: int, sfreq: float, bins: int) -> np.ndarray:
    """(bins, bands) triangular filters, equally spaced in mel between LOW_HZ and the lower of HIGH_HZ and
    Nyquist.
    """
    edges_mel = np.linspace(_mel(LOW_HZ), _mel(min(HIGH_HZ, sfreq / 2)), bands + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    freqs = np.linspace(0, sfreq / 2, bins)[:, None]
    rise = (freqs - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - freqs) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rise, fall), 0, None)


def _mel(hz: float) -> float:
    return 2595 * np.log10(1 + hz / 700)


@dataclass(frozen=True)
class FeatureScaler:
    """z-scoring with the mean and standard deviation of training stimuli, per feature."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, features: list[np.ndarray]) -> "FeatureScaler":
        stacked = np.concatenate(features).astype(np.float64)
        std = stacked.std(axis=0)
        return cls(tuple(stacked.mean(axis=0).tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))

    def apply(self, features: np.ndarray) -> np.ndarray:
        return ((features - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

    def silence(self, frames: int) -> np.ndarray:
        """(frames, F): what silence looks like."""
        return self.apply(np.zeros((frames, len(self.mean))))
