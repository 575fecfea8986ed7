"""Scaling of speech features, fitted on training frames and stored with the model.

The published recipe has ONE mean and ONE standard deviation for all features, which keeps their relative
sizes; per feature is the option. Knows nothing of where the frames come from.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rtdecode.errors import TrainingError


@dataclass(frozen=True)
class SpeechScaler:
    """(x - mean) / std; one number each for all features, or one per feature."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} means but {len(self.std)} standard deviations")

    @classmethod
    def fit(cls, features: Iterable[np.ndarray], *, per_feature: bool = False) -> "SpeechScaler":
        """From arrays (T', F), seen once and one at a time. A feature that never changes gets std 1.

        Raises TrainingError when there is no frame.
        """
        count, total, centre, squares = 0, 0, np.zeros(1), np.zeros(1)
        for array in features:
            x = np.asarray(array, np.float64)
            total += len(x)
            x = x if per_feature else x.reshape(-1, 1)
            if not len(x):
                continue
            # Chan's pairwise update: exact where the sum of squares would cancel
            mean, weight = x.mean(axis=0), len(x)
            shift = mean - centre
            squares = squares + ((x - mean) ** 2).sum(axis=0) + shift**2 * count * weight / (count + weight)
            centre = centre + shift * weight / (count + weight)
            count += weight
        if not count:
            raise TrainingError("no speech frame to fit the scaler on", hint="is any training window voiced?")
        std = np.sqrt(squares / count)
        return cls(tuple(centre.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """(.., F) -> (.., F) float32."""
        return ((features - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

    def silence(self, silence: float, n_features: int) -> np.ndarray:
        """(F,): what `SpeechSpec.silence` becomes."""
        return self.apply(np.full(n_features, silence))
