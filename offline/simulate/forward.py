"""From speech to noise-free EEG: auditory features, source responses at known lags, a spherical head.

Knows sound and geometry; knows nothing of noise, files or sentences. Between `speech` and `build` in the
simulated study, and the truth that `offline.ideal` scores against. A subject's model follows from (study
seed, subject number) alone.

Per sample, with L the lead field, A the tuning of the sources, and h_k the response shapes at the subject's
lags:

    evoked[t, c] = gain * sum_s L[c, s] * sum_k sum_f A[k, f, s] * (h_k * feature_f)[t]        (µV)

MNE (extra `[offline]`) is needed only by `montage`, once, when a study is made; its positions travel in
study.json.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import oaconvolve

from rtdecode.errors import MissingExtra

BANDS = 16
FEATURES = 2 * BANDS  # band envelopes, then their onsets
WINDOW_S = 0.020  # spectral frames of 20 ms: phonemes (40 ms and up) survive

# Auditory evoked responses P1, N1, P2: (lag s, standard deviation s, sign and size). Gaussians whose
# half-height widths are 24, 38 and 66 ms: the classes of component that temporal response functions to speech
# show (Lalor & Foxe 2010; Ding & Simon 2012).
COMPONENTS = ((0.050, 0.010, 0.7), (0.100, 0.016, -1.0), (0.180, 0.028, 0.8))
LAG_JITTER_S = 0.010
KERNEL_S = 0.320

# Dipole sites (mm, MNI-like head axes: x right, y front, z up; before perturbation): along Heschl's gyrus and
# the planum temporale of both sides, then frontal, central and parietal sites that answer speech with other
# topographies.
AUDITORY_MM = ((44, -28, 10), (50, -20, 6), (54, -10, 2), (58, -30, 18), (60, -4, -8), (48, -40, 22))
OTHER_MM = ((46, 24, 14), (40, -4, 50), (34, -60, 40))
MIDLINE_MM = ((0, 8, 58), (0, -30, 64), (0, 45, 30))
SPHERE_SHARE = 0.80  # sources lie at most this share of the head radius from the centre, inside the skull

# Root-mean-square over channels and spoken time of the evoked EEG at gain 1, µV. Calibrated with
# `level.measure_level`: it makes gain 1 as weak as real cocktail-party EEG (r = 0.064 on average over 32
# subjects; 0.31 µV gave 0.074).
RMS_UV_AT_GAIN_ONE = 0.29


def montage(name: str = "biosemi32") -> tuple[tuple[str, ...], np.ndarray]:
    """Labels and (C, 3) positions in metres of one of MNE's standard montages. Raises MissingExtra without
    MNE.
    """
    try:
        import mne
    except ImportError as error:
        raise MissingExtra("MNE-Python (sensor positions)", "offline") from error
    positions = mne.channels.make_standard_montage(name).get_positions()["ch_pos"]
    return tuple(positions), np.array(list(positions.values()), dtype=float)


def auditory_features(samples: np.ndarray, sfreq: float, rate: float = 256.0) -> np.ndarray:
    """(N,) sound in [-1, 1] at `sfreq` Hz -> (T, FEATURES) float32 at `rate` Hz, T = floor(N * rate / sfreq).

    Sixteen mel-spaced bands of 20 ms frames centred on each output sample, in dB from 0 at -60 dB to 1 at
    full scale, so silence is 0; then the half-wave rectified change of each over 16 ms.
    """
    width = round(WINDOW_S * sfreq)
    size = 1 << (width - 1).bit_length()
    count = int(len(samples) * rate / sfreq)
    padded = np.pad(np.asarray(samples, dtype=np.float32), (width // 2, width))
    starts = np.rint(np.arange(count) * sfreq / rate).astype(int)
    window = np.hanning(width).astype(np.float32)
    bank = _mel_bank(sfreq, size)
    bands = np.empty((count, BANDS), dtype=np.float32)
    for first in range(0, count, 4096):
        frames = padded[starts[first : first + 4096, None] + np.arange(width)] * window
        power = np.abs(np.fft.rfft(frames, size)) ** 2 / np.sum(window) ** 2
        bands[first : first + 4096] = np.maximum(0, 1 + np.log10(power @ bank + 1e-12) / 6)
    before = max(1, round(0.016 * rate))
    earlier = np.pad(bands, ((before, 0), (0, 0)))[:count]
    return np.hstack([bands, np.maximum(0, bands - earlier)])


def _mel_bank(sfreq: float, size: int) -> np.ndarray:
    """(size // 2 + 1, BANDS) triangular filters, equally spaced in mel (O'Shaughnessy 1987) from 80 Hz to 7
    kHz.
    """
    top = min(7000.0, sfreq / 2)
    mel = np.linspace(2595 * np.log10(1 + 80 / 700), 2595 * np.log10(1 + top / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    freqs = np.fft.rfftfreq(size, 1 / sfreq)[:, None]
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    return np.maximum(0, np.minimum((freqs - low) / (mid - low), (high - freqs) / (high - mid)))


def lead_field(positions: np.ndarray, sources: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """(C, S) potentials, average reference, of current dipoles in a homogeneous conducting sphere; columns
    scaled to rms 1.

    positions (C, 3) sensors, sources (S, 3), moments (S, 3) orientations; metres. Sensors are projected onto
    the fitted sphere. Closed form of Frank (1952, J. Appl. Phys. 23:1225) and Yao (2000, Phys. Med. Biol.
    45:3863): on the unit sphere, with d = r - q, the Neumann function is G(r, q) = 2/|d| - log(1 - r.q +
    |d|), and the potential of a dipole p at q is p . grad_q G.
    """
    centre, radius = fit_sphere(positions)
    r = positions - centre
    r = r / np.linalg.norm(r, axis=1, keepdims=True)  # unit sphere
    q = (sources - centre) / radius
    d = r[:, None] - q[None]  # (C, S, 3)
    distance = np.linalg.norm(d, axis=2, keepdims=True)
    grad_distance = -d / distance
    inner = 1 - np.einsum("cx,sx->cs", r, q)[..., None] + distance
    gradient = 2 * d / distance**3 - (-r[:, None] + grad_distance) / inner
    field = np.einsum("csx,sx->cs", gradient, moments)
    field -= field.mean(axis=0)
    return field / np.sqrt(np.mean(field**2, axis=0))


def fit_sphere(positions: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares centre (3,) and radius of the sphere through (C, 3) positions."""
    system = np.c_[2 * positions, np.ones(len(positions))]
    solution = np.linalg.lstsq(system, np.sum(positions**2, axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))


@dataclass(frozen=True)
class ForwardModel:
    """One subject's true response to sound.

    kernels  (K, L) response shapes at `rate` Hz; the first sample is lag 0
    weights  (2 * K, BANDS, C) µV: kernel k on the envelopes, then kernel k on the onsets
    """

    kernels: np.ndarray
    weights: np.ndarray
    rate: float

    def evoked(self, features: np.ndarray) -> np.ndarray:
        """(T, FEATURES) at `rate` -> (T, C) float32 µV, causal: no response before its sound."""
        features = np.asarray(features, dtype=np.float32)
        if features.ndim != 2 or features.shape[1] != FEATURES:
            raise ValueError(
                f"features have shape {features.shape}: expected (T, {FEATURES}) from auditory_features"
            )
        out = np.zeros((len(features), self.weights.shape[2]), dtype=np.float32)
        for index, weight in enumerate(self.weights):
            kind, k = divmod(index, len(self.kernels))
            driven = features[:, kind * BANDS : (kind + 1) * BANDS] @ weight.astype(np.float32)
            out += oaconvolve(driven, self.kernels[k][:, None].astype(np.float32), axes=0)[: len(features)]
        return out


def forward_model(
    positions: np.ndarray, seed: int, subject: int, gain: float, rate: float = 256.0
) -> ForwardModel:
    """The forward model of subject number `subject` (1, 2, ...) of a study: dipoles and lags perturbed around
    common ones.
    """
    common = np.random.default_rng([seed, 1])
    own = np.random.default_rng([seed, 2, subject])
    sites = (
        np.array(
            [(side * x, y, z) for side in (-1, 1) for x, y, z in AUDITORY_MM + OTHER_MM] + list(MIDLINE_MM)
        )
        / 1000
    )
    moments = common.normal(size=sites.shape)
    centres = common.permutation(np.linspace(0, BANDS - 1, len(sites)))
    shape = (2 * len(COMPONENTS), BANDS, len(sites))
    tuning = np.exp(-0.5 * ((np.arange(BANDS)[:, None] - centres) / 1.2) ** 2)[None] * common.uniform(
        0.4, 1.0, shape
    )

    sites = sites + own.normal(0, 0.004, sites.shape)
    moments = moments / np.linalg.norm(moments, axis=1, keepdims=True) + own.normal(0, 0.15, moments.shape)
    centre, radius = fit_sphere(positions)
    spread = np.linalg.norm(sites, axis=1, keepdims=True)  # the sites' own origin is the sphere's centre
    sites = centre + sites * np.minimum(1, SPHERE_SHARE * radius / spread)
    tuning = tuning * own.uniform(0.8, 1.2, shape)
    lags = [lag + own.uniform(-LAG_JITTER_S, LAG_JITTER_S) for lag, _, _ in COMPONENTS]
    t = np.arange(round(KERNEL_S * rate)) / rate
    kernels = np.array(
        [np.exp(-0.5 * ((t - lag) / sd) ** 2) for lag, (_, sd, _) in zip(lags, COMPONENTS, strict=True)]
    )
    kernels /= kernels.sum(axis=1, keepdims=True)
    sizes = np.array([size for *_, size in COMPONENTS])
    tuning *= np.concatenate([sizes, 4 * sizes])[
        :, None, None
    ]  # onsets are short and small: four times the weight evens them
    weights = np.einsum("kfs,cs->kfc", tuning, lead_field(positions, sites, moments))
    # Scaled by the response to a fixed broad-band sound pattern, so that gain means the same for every
    # subject.
    model = ForwardModel(kernels, weights, rate)
    evoked = model.evoked(_reference_features(rate))
    scale = gain * RMS_UV_AT_GAIN_ONE / np.sqrt(np.mean((evoked - evoked.mean(axis=0)) ** 2))
    return ForwardModel(kernels, weights * scale, rate)


def _reference_features(rate: float) -> np.ndarray:
    """20 s of noise in syllables, made of band envelopes that move at 2 to 10 Hz: a fixed stand-in for
    speech.
    """
    rng = np.random.default_rng(0)
    smooth = np.hanning(round(0.12 * rate))
    raw = oaconvolve(rng.normal(size=(round(20 * rate), BANDS)), smooth[:, None], mode="same", axes=0)
    bands = np.maximum(0, raw / raw.std() * 0.25 + 0.3)
    before = max(1, round(0.016 * rate))
    onsets = np.maximum(0, bands - np.pad(bands, ((before, 0), (0, 0)))[: len(bands)])
    return np.hstack([bands, onsets]).astype(np.float32)
