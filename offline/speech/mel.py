"""Log-Mel of the published recipe: 16 kHz, windows of 512 every 128 samples, log10(power + 1e-5).

Same numbers as torchaudio's MelSpectrogram(n_fft=512, hop_length=128, normalized=True, power=2): HTK mel,
triangles without area normalisation, centred frames with reflected edges. With 120 bands some of the lowest
triangles lie between two bins and stay empty; the published recipe has them too. For the live decoder's own
loudness features see offline.features. Source: Défossez et al. 2023.
"""

from functools import cache

import numpy as np

RATE_HZ = 16000
WIDTH, HOP = 512, 128
FRAME_RATE_HZ = RATE_HZ / HOP
FLOOR = 1e-5
_PIECE = 4096  # frames at a time: a long file costs memory for its features only


def log_mel(audio: np.ndarray, bands: int) -> np.ndarray:
    """(N,) at 16 kHz -> (1 + N // 128, bands) float32; the audio is z-scored first, silence stays silence."""
    audio = np.asarray(audio, np.float64)
    audio = (audio - audio.mean()) / (1e-8 + audio.std())
    half = WIDTH // 2
    count = 1 + len(audio) // HOP
    # numpy reflects as often as it must: sounds shorter than half a window need no case of their own
    padded = np.pad(audio, half, mode="reflect") if len(audio) > 1 else np.pad(audio, half)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIDTH) / WIDTH)
    window /= np.sqrt((window**2).sum())
    frames = np.lib.stride_tricks.sliding_window_view(padded, WIDTH)[::HOP][:count]
    out = np.empty((count, bands), np.float32)
    for start in range(0, count, _PIECE):
        power = np.abs(np.fft.rfft(frames[start : start + _PIECE] * window, axis=1)) ** 2
        out[start : start + _PIECE] = np.log10(power @ mel_triangles(bands) + FLOOR)
    return out


@cache
def mel_triangles(bands: int) -> np.ndarray:
    """(257, bands): HTK triangles from 0 to 8000 Hz, peak 1."""
    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    bins = np.linspace(0, RATE_HZ / 2, WIDTH // 2 + 1)[:, None]
    up = (bins - corners[:-2]) / np.diff(corners)[:-1]
    down = (corners[2:] - bins) / np.diff(corners)[1:]
    return np.maximum(0, np.minimum(up, down))
