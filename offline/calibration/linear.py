"""The linear path of a new subject: ridge that shrinks towards the mean filter instead of towards nothing.

    minimise |X w - y|^2 + lambda |w - w0|^2,   so   w = w0 + (X'X + lambda)^-1 X'(y - X w0)

With little data w stays what serves the other subjects; with much it becomes this subject's own ridge. Knows
nothing of models; `offline.ridge` sums the equations.
"""

from collections.abc import Sequence

import numpy as np

from offline.baseline import delayed_target
from offline.config import Config
from offline.ridge import NormalEquations
from offline.segments import Track


def equations(tracks: Sequence[Track], config: Config) -> NormalEquations:
    """X'X and X'y of all tracks, taps and delay as the model's linear path, or as ridge where it has none."""
    taps = config.model.linear_taps or config.ridge_taps
    sums = NormalEquations(tracks[0].x.shape[1], tracks[0].y.shape[1], taps, config.model.stride)
    for track in tracks:
        sums.add(track.x, *delayed_target(track, config.delay_frames))
    return sums


def ridge_towards(
    sums: NormalEquations, weight: np.ndarray, bias: np.ndarray, ridge_lambda: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (F, C, taps) and bias (F,), shrunk towards those given. The bias is not penalised."""
    start = np.concatenate([weight.reshape(len(weight), -1).T, bias[None]]).astype(float)
    penalty = np.full(len(sums.xx), float(ridge_lambda))
    penalty[-1] = 1e-6
    solution = start + np.linalg.solve(sums.xx + np.diag(penalty), sums.xy - sums.xx @ start)
    return solution[:-1].T.reshape(weight.shape).astype(np.float32), solution[-1].astype(np.float32)
