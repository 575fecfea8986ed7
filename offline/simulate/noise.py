"""EEG without speech: background, alpha, blinks, line, drift, offsets and bad channels, in µV.

Knows sensor positions and amplitudes; knows nothing of stimuli. `build` adds the evoked response to it, and
`offline.ideal` estimates its covariance. Everything follows from the arguments and the seed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfftfreq
from scipy.signal import butter, sosfiltfilt


@dataclass(frozen=True)
class NoiseLevels:
    """One subject's noise. Amplitudes in µV; `bad` lists (channel index, 'flat' or 'noisy')."""

    background_uv: float = 12.0  # broad-band rms of the spatially correlated 1/f part, per channel
    exponent: float = 1.1  # power ~ 1 / f^exponent above 0.5 Hz
    sensor_uv: float = 0.4  # rms of each channel's own white noise (electrode and amplifier)
    alpha_uv: float = 8.0  # rms at the occipital pole, averaged over bursts and pauses
    alpha_hz: float = 10.0
    blink_uv: float = 100.0  # peak at the most frontal sensor
    blinks_per_min: float = 15.0
    line_uv: float = 2.0
    line_hz: float = 50.0
    drift_uv: float = 20.0
    offset_uv: float = 3000.0  # standard deviation of each channel's electrode offset
    bad: tuple[tuple[int, str], ...] = ()


def subject_levels(seed: int, subject: int, channels: int, bad_channels: int = 1) -> NoiseLevels:
    """Noise of subject number `subject` of a study: strengths differ by some 20 %, bad channels are the
    subject's own.
    """
    rng = np.random.default_rng([seed, 3, subject])
    chosen = rng.permutation(channels)[:bad_channels]
    return NoiseLevels(
        background_uv=12.0 * rng.uniform(0.85, 1.2),
        exponent=rng.uniform(1.0, 1.2),
        sensor_uv=0.4 * rng.uniform(0.8, 1.2),
        alpha_uv=8.0 * rng.uniform(0.4, 1.5),
        alpha_hz=rng.uniform(9.0, 11.0),
        blink_uv=100.0 * rng.uniform(0.8, 1.2),
        blinks_per_min=rng.uniform(12, 18),
        line_uv=2.0 * rng.uniform(0.5, 1.5),
        drift_uv=20.0 * rng.uniform(0.7, 1.3),
        bad=tuple((int(c), ("flat", "noisy")[i % 2]) for i, c in enumerate(chosen, start=subject % 2)),
    )


def simulate_noise(
    positions: np.ndarray, levels: NoiseLevels, count: int, sfreq: float, rng: np.random.Generator
) -> np.ndarray:
    """(count, C) float32 µV of EEG noise at sensors `positions` (C, 3) in metres. Bad channels are not
    applied here.
    """
    unit = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    channels = len(unit)
    angle = np.arccos(np.clip(unit @ unit.T, -1, 1))
    mix = np.linalg.cholesky(np.exp(-angle / 0.8) + 1e-6 * np.eye(channels)).astype(
        np.float32
    )  # neighbours correlate at 0.6

    out = _power_law(count, channels, levels.exponent, sfreq, rng) @ mix.T
    out *= levels.background_uv
    out += levels.sensor_uv * rng.standard_normal((count, channels), dtype=np.float32)

    back = np.exp(-np.arccos(np.clip(unit @ _direction(0, -1, 0.1), -1, 1)) / 0.6)
    side = unit[:, 0]
    for shape in (back, back * side):  # two generators: the alpha topography is not one fixed pattern
        out += (
            levels.alpha_uv
            / np.sqrt(2)
            * _bursts(count, levels.alpha_hz, sfreq, rng)[:, None]
            * shape.astype(np.float32)
        )

    front = np.exp(-((np.arccos(np.clip(unit @ _direction(0, 1, -0.3), -1, 1)) / 0.6) ** 2))
    front /= front.max()  # so that `blink_uv` is the height at the most frontal sensor
    blink = _blinks(count, levels.blinks_per_min, sfreq, rng)
    out += levels.blink_uv * blink[:, None] * front.astype(np.float32)

    t = np.arange(count) / sfreq
    line = levels.line_uv * rng.uniform(0.3, 1.5, channels)
    phase = rng.uniform(0, 0.6, channels)
    carrier = np.exp(2j * np.pi * levels.line_hz * t)
    out += (
        carrier[:, None].real * (line * np.cos(phase)) - carrier[:, None].imag * (line * np.sin(phase))
    ).astype(np.float32)

    out += _drift(count, channels, sfreq, rng) * np.float32(levels.drift_uv)
    out += (levels.offset_uv * rng.standard_normal(channels)).astype(np.float32)
    return out


def apply_bad_channels(eeg: np.ndarray, levels: NoiseLevels, sfreq: float, rng: np.random.Generator) -> None:
    """Overwrites the bad channels of (T, C) in place: flat ones with a constant, noisy ones with 60 µV of
    noise and pops.
    """
    for channel, kind in levels.bad:
        if kind == "flat":
            eeg[:, channel] = 0
        else:
            pops = np.cumsum((rng.random(len(eeg)) < 0.2 / sfreq) * rng.normal(0, 200, len(eeg)))
            eeg[:, channel] += (60 * rng.standard_normal(len(eeg)) + pops).astype(np.float32)


def _direction(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z]) / np.linalg.norm([x, y, z])


def _power_law(
    count: int, channels: int, exponent: float, sfreq: float, rng: np.random.Generator
) -> np.ndarray:
    """(count, channels) float32 of unit expected power, power ~ 1 / max(f, 0.5 Hz)^exponent, no mean."""
    size = next_fast_len(max(count, 2), real=True)
    freqs = rfftfreq(size, 1 / sfreq)
    shape = np.maximum(freqs, 0.5) ** (-exponent / 2)
    shape[0] = 0
    shape *= size / np.sqrt(4 * np.sum(shape**2))  # E|z|^2 = 2, and each bin stands for two
    spectrum = rng.standard_normal((channels, len(freqs), 2), dtype=np.float32).view(np.complex64)[..., 0]
    spectrum *= shape.astype(np.float32)
    return np.ascontiguousarray(irfft(spectrum, size, axis=1)[:, :count].T)


def _bursts(count: int, hz: float, sfreq: float, rng: np.random.Generator) -> np.ndarray:
    """(count,) float32 of rms 1: a narrow-band rhythm (2 Hz wide) that swells and fades within seconds."""
    sos = butter(2, [hz - 1, hz + 1], "bandpass", fs=sfreq, output="sos")
    rhythm = sosfiltfilt(sos, rng.standard_normal(count + 512))[256 : 256 + count]
    steps = max(4, int(count / sfreq) + 4)  # one loudness value a second, in between a straight line
    loudness = np.interp(np.arange(count) / sfreq, np.arange(steps), np.exp(0.8 * rng.standard_normal(steps)))
    rhythm = rhythm * loudness
    return (rhythm / max(np.sqrt(np.mean(rhythm**2)), 1e-12)).astype(np.float32)


def _blinks(count: int, per_min: float, sfreq: float, rng: np.random.Generator) -> np.ndarray:
    """(count,) float32: blinks of height about 1, 0.3 s long, at irregular times at least a second apart."""
    out = np.zeros(count + round(sfreq), dtype=np.float32)
    width = round(0.3 * sfreq)
    rise = np.linspace(0, 1, width)
    shape = (rise**1.5 * (1 - rise) ** 2.5).astype(np.float32)
    shape /= shape.max()
    at = rng.exponential(60 / per_min)
    while at < count / sfreq:
        first = int(at * sfreq)
        out[first : first + width] += shape * np.float32(rng.uniform(0.7, 1.2))
        at += 1 + rng.exponential(60 / per_min - 1)
    return out[:count]


def _drift(count: int, channels: int, sfreq: float, rng: np.random.Generator) -> np.ndarray:
    """(count, channels) float32: a random walk with one step a second, rms about 1 over a minute."""
    steps = int(count / sfreq) + 2
    walk = np.cumsum(rng.standard_normal((steps, channels)), axis=0) / np.sqrt(60)
    at = np.arange(count) / sfreq
    low = np.minimum(at.astype(int), steps - 2)
    part = (at - low)[:, None].astype(np.float32)
    walk = walk.astype(np.float32)
    return walk[low] * (1 - part) + walk[low + 1] * part
