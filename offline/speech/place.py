"""Features in a sound's own time -> frames of a window at the model's rate, by nearest neighbour.

The rule of the published recipe: cut the frames under the window, then stretch them to the number of samples
by nearest interpolation, exactly as torch.nn.functional.interpolate does by default. Knows no recordings: a
window is given by where it starts inside the sound.
"""

import numpy as np

from rtdecode.types import to_samples


def nearest_rows(n_frames: int, rate_hz: float, start_s: float, n: int, sfreq: float) -> np.ndarray:
    """(n,) int64: for every sample of a window its row of the features, -1 where the sound is silent or over.

    n_frames, rate_hz  of the features of the whole sound
    start_s            where the window starts, seconds of the sound; may be negative
    n, sfreq           samples of the window and their rate in Hz
    """
    rows = np.full(n, -1, np.int64)
    begin = max(start_s, 0.0)
    end = min(start_s + n / sfreq, n_frames / rate_hz)
    if end <= begin:
        return rows
    first = to_samples(begin, sfreq) - to_samples(start_s, sfreq)
    length = min(to_samples(end, sfreq) - to_samples(begin, sfreq), n - first)
    low = to_samples(begin, rate_hz)
    width = min(to_samples(end, rate_hz), n_frames) - low
    if length > 0 and width > 0:
        rows[first : first + length] = low + _nearest(width, length)
    return rows


def _nearest(n_in: int, n_out: int) -> np.ndarray:
    """(n_out,) source of every target. In float32, because torch computes it so and rounding decides ties."""
    scale = np.float32(n_in) / np.float32(n_out)
    return np.minimum((np.arange(n_out, dtype=np.float32) * scale).astype(np.int64), n_in - 1)


def place_nearest(
    features: np.ndarray, rate_hz: float, start_s: float, n: int, sfreq: float, silence: float = 0.0
) -> np.ndarray:
    """(T', F) features of a sound -> (n, F) float32 of a window of it; arguments as `nearest_rows`.

    silence  stands where the window reaches outside the sound (`SpeechSpec.silence`)
    """
    rows = nearest_rows(len(features), rate_hz, start_s, n, sfreq)
    out = np.full((n, features.shape[1]), silence, np.float32)
    heard = rows >= 0
    out[heard] = features[rows[heard]]
    return out
