"""Prepared samples of a window to what the model sees: baseline, robust scale, clamp; and where scales come
from.

"reference" (Défossez et al. 2023): subtract each window's baseline mean, then the median and quartile range
per channel of the recording's training windows, then clamp. "online": no window dependence, the live
decoder's own robust scale; the study was prepared with a high-pass in the baseline's place. Knows no models.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.windows import Window
from offline.disk import whole
from offline.prepare.store import PreparedRecording
from offline.window_rule import offsets
from rtdecode.errors import StudyError, TrainingError
from rtdecode.preprocess import robust_scale

Origin = Literal["train", "calibration", "start"]


@dataclass(frozen=True)
class Scaling:
    """Centre and scale per channel (C,), in the study's unit, and perhaps a whitening matrix (C, C).

    origin, seconds  what it was fitted on: training windows, a calibration stretch, or the recording's start
    """

    center: np.ndarray
    scale: np.ndarray
    whiten: np.ndarray | None
    origin: Origin
    seconds: float


def fit(samples: np.ndarray, config: ContrastiveConfig, origin: Origin, name: str) -> Scaling:
    """From windows (W, n, C) as prepared. StudyError names the recording when they hold what is no number."""
    if not np.isfinite(samples).all():
        raise StudyError(
            f"{name} holds values that are not numbers in the samples its scale is fitted on",
            hint="prepare it again, or leave it out",
        )
    seconds = samples.shape[0] * samples.shape[1] / config.signal.sfreq
    if config.signal.normalise == "online":
        center, scale = robust_scale(samples.reshape(-1, samples.shape[2]))
    else:
        low, high = _baseline(config)
        samples = samples - samples[:, low:high].mean(axis=1, keepdims=True)
        center, scale = quartiles(samples.reshape(-1, samples.shape[2]))
    matrix = None
    if config.signal.whiten:
        scaled = np.clip((samples - center) / scale, -config.signal.clamp, config.signal.clamp)
        matrix = whitening(scaled.reshape(-1, samples.shape[2]), config.signal.whiten)
    return Scaling(center.astype(np.float32), scale.astype(np.float32), matrix, origin, seconds)


def quartiles(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and quartile range per channel of (n, C), each the sorted value at int(q n); a range of zero
    becomes 1.
    """
    places = [int(q * len(x)) for q in (0.25, 0.5, 0.75)]
    low, middle, high = np.partition(x, places, axis=0)[places]
    scale = high - low
    return middle, np.where(scale > 0, scale, 1.0)


def whitening(x: np.ndarray, share: float) -> np.ndarray:
    """(C, C) symmetric: the inverse root of the covariance of (n, C), with `share` of the mean variance added
    to every direction. Symmetric, so that every channel stays near its sensor.
    """
    covariance = np.cov(x.astype(np.float64), rowvar=False).reshape(x.shape[1], x.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    floor = share * max(float(values.mean()), 1e-12)
    root = vectors @ np.diag((np.maximum(values, 0.0) + floor) ** -0.5) @ vectors.T
    return root.astype(np.float32)


def fit_trained(
    recordings: Sequence[PreparedRecording], windows: Sequence[Window], config: ContrastiveConfig
) -> dict[str, Scaling]:
    """A scaling by recording (or by subject, as configured) for all that have training windows."""
    signals = {r.name: r.signal() for r in recordings}
    by_key: dict[str, list[Window]] = {}
    for window in windows:
        if window.split == "train":
            by_key.setdefault(scaling_key(window.recording, window.subject, config), []).append(window)
    found = {}
    for key, own in by_key.items():
        # From the name, not from its place in a list: other recordings beside it change nothing.
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        rng = np.random.default_rng([config.loop.seed, seed])
        count = min(len(own), config.signal.scaler_windows)
        drawn = [own[i] for i in sorted(rng.choice(len(own), count, replace=False))]
        samples = np.stack([_samples(signals[w.recording], w.sample, config) for w in drawn])
        found[key] = fit(samples, config, "train", key)
    return found


def scaling_key(recording: str, subject: str, config: ContrastiveConfig) -> str:
    return recording if config.signal.scaler == "recording" else subject


def fit_stretches(
    recording: PreparedRecording,
    stretches: Sequence[tuple[float, float]],
    config: ContrastiveConfig,
    origin: Origin,
) -> Scaling:
    """From stretches (start, stop) in seconds of a recording, cut into windows on the grid. A stretch shorter
    than a window counts whole. StudyError when nothing of the recording lies in them.
    """
    signal, n = recording.signal(), config.n_window
    step = max(1, round(config.window.step_s * config.signal.sfreq))
    pieces: list[np.ndarray] = []
    longest = signal[:0]
    for start, stop in stretches:
        low = max(0, round(start * config.signal.sfreq))
        high = recording.n_samples if stop == float("inf") else round(stop * config.signal.sfreq)
        stretch = signal[low:high]
        longest = stretch if len(stretch) > len(longest) else longest
        pieces += [stretch[at : at + n] for at in range(0, len(stretch) - n + 1, step)]
    if not pieces:
        if len(longest) < 2:
            raise StudyError(
                f"{recording.name} has no samples in the stretch that its scale should be fitted on",
                hint=f"it is {recording.n_samples / recording.sfreq:.1f} s long",
            )
        pieces = [longest]
    most = config.signal.scaler_windows
    kept = pieces if len(pieces) <= most else [pieces[i * len(pieces) // most] for i in range(most)]
    return fit(np.stack(kept), config, origin, recording.name)


def scalings_for(
    recordings: Sequence[PreparedRecording],
    trained: Mapping[str, Scaling],
    config: ContrastiveConfig,
    calibration: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> dict[str, Scaling]:
    """By recording: what was fitted in training, else on its calibration stretches, else on its first
    `unseen_s` seconds. Never a recording without.
    """
    found = {}
    for recording in recordings:
        known = trained.get(scaling_key(recording.name, recording.subject, config))
        if known is not None and len(known.center) == len(recording.labels):
            found[recording.name] = known
        elif calibration and calibration.get(recording.name):
            found[recording.name] = fit_stretches(
                recording, calibration[recording.name], config, "calibration"
            )
        else:
            found[recording.name] = fit_stretches(recording, [(0.0, config.signal.unseen_s)], config, "start")
    return found


@dataclass(frozen=True)
class ScalingTable:
    """Scalings of R recordings, one row each, padded to C channels; moved to the device of the model."""

    center: Tensor
    scale: Tensor
    whiten: Tensor | None

    @classmethod
    def of(cls, scalings: Sequence[Scaling], n_channels: int) -> "ScalingTable":
        center = torch.zeros(len(scalings), n_channels)
        scale = torch.ones(len(scalings), n_channels)
        whiten = None
        if any(s.whiten is not None for s in scalings):
            whiten = torch.eye(n_channels).repeat(len(scalings), 1, 1)
        for row, scaling in enumerate(scalings):
            c = len(scaling.center)
            center[row, :c] = torch.from_numpy(scaling.center)
            scale[row, :c] = torch.from_numpy(scaling.scale)
            if whiten is not None and scaling.whiten is not None:
                whiten[row, :c, :c] = torch.from_numpy(scaling.whiten)
        return cls(center, scale, whiten)

    def to(self, device: torch.device) -> "ScalingTable":
        whiten = None if self.whiten is None else self.whiten.to(device)
        return ScalingTable(self.center.to(device), self.scale.to(device), whiten)

    def normalise(self, x: Tensor, row: Tensor, lead: Tensor, config: ContrastiveConfig) -> Tensor:
        """(B, context + n_window, C) as prepared -> the same shape, normalised.

        row (B,) of each window's recording;  lead (B,) samples at its beginning that are silenced
        """
        if config.signal.normalise == "reference":
            low, high = _baseline(config)
            context = config.n_context
            x = x - x[:, context + low : context + high].mean(dim=1, keepdim=True)
        clamp = config.signal.clamp
        x = ((x - self.center[row][:, None]) / self.scale[row][:, None]).clamp(-clamp, clamp)
        if self.whiten is not None:
            x = x @ self.whiten[row]
        if config.n_context:
            x = x * (torch.arange(x.shape[1], device=x.device) >= lead[:, None])[:, :, None]
        return x


def _baseline(config: ContrastiveConfig) -> tuple[int, int]:
    """Samples of a window that are its baseline: first, and one past the last (both times included)."""
    first, _ = offsets(config.signal.sfreq, config.window.tmin, config.window.tmax)
    low, high = (round(t * config.signal.sfreq) - first for t in config.signal.baseline_s)
    return low, high + 1


def _samples(signal: np.ndarray, sample: int, config: ContrastiveConfig) -> np.ndarray:
    first, last = offsets(config.signal.sfreq, config.window.tmin, config.window.tmax)
    return signal[sample + first : sample + last + 1]


def save_scalings(path: Path, scalings: Mapping[str, Scaling]) -> None:
    """One npz file, whole or not at all. StudyError when the disk is full."""
    about = {key: {"origin": s.origin, "seconds": s.seconds} for key, s in scalings.items()}
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for number, scaling in enumerate(scalings.values()):
        arrays[f"center{number}"], arrays[f"scale{number}"] = scaling.center, scaling.scale
        if scaling.whiten is not None:
            arrays[f"whiten{number}"] = scaling.whiten
    with whole(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_scalings(path: Path) -> dict[str, Scaling]:
    """What `save_scalings` wrote. TrainingError when it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            return {
                key: Scaling(
                    file[f"center{n}"],
                    file[f"scale{n}"],
                    file[f"whiten{n}"] if f"whiten{n}" in file.files else None,
                    said["origin"],
                    float(said["seconds"]),
                )
                for n, (key, said) in enumerate(about.items())
            }
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise TrainingError(f"cannot read {path}: {problem}", hint="a training run makes it") from problem


def digest(scalings: Mapping[str, Scaling]) -> str:
    """Changes with any of the numbers."""
    found = hashlib.sha256()
    for key, scaling in sorted(scalings.items()):
        found.update(key.encode())
        found.update(scaling.center.tobytes() + scaling.scale.tobytes())
        found.update(b"" if scaling.whiten is None else scaling.whiten.tobytes())
    return found.hexdigest()[:16]
