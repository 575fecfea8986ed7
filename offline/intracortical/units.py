"""Simulated units: Poisson counts and spike-band power of neurons tuned to what is being said.

A symbol (phoneme or character) lasts 60 to 140 ms; while it does, each unit's drive is the symbol's weight
for it, risen and fallen again between symbols, so that a repeated one shows. The rate is softplus of baseline
plus gain times drive; counts are Poisson in bins of 20 ms, power follows the rate with gamma noise. From day
to day tuning turns towards directions nobody has seen, gains and baselines wander; from block to block
baselines move. Knows no text and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offline.intracortical.trials import BIN_S

REST_S = (0.3, 0.4)  # before the first and after the last symbol
OVERLAP_S = 0.015  # by which neighbours run into each other
_BASELINE, _BASELINE_SPREAD = -1.0, 0.7  # of the soft rate, before softplus
_DEPTH = 2.2  # deviation of a unit's weights
_TUNED = 0.5  # share of symbols that move a unit
_RATE_HZ = 22.0  # of a softplus of 1
_POWER_SHAPE = 12.0  # of the gamma noise: 1 / squared coefficient of variation
# At drift 1, from one day to the next:
_TURN_RAD, _GAIN_SPREAD, _BASELINE_WALK, _BLOCK_SPREAD = 0.4, 0.12, 0.4, 0.3


@dataclass(frozen=True)
class Spoken:
    """starts, stops: seconds of each symbol;  n_bins: of the trial"""

    symbols: tuple[int, ...]
    starts: np.ndarray
    stops: np.ndarray
    n_bins: int


def speak(
    symbols: Sequence[int], rng: np.random.Generator, duration_s: tuple[float, float] = (0.06, 0.14)
) -> Spoken:
    """When each of `symbols` is said, one after another."""
    lengths = rng.uniform(*duration_s, len(symbols))
    stops = REST_S[0] + np.cumsum(lengths)
    end = float(stops[-1]) if len(symbols) else REST_S[0]
    return Spoken(tuple(symbols), stops - lengths, stops, int(np.ceil((end + REST_S[1]) / BIN_S)))


def drive(spoken: Spoken, n_symbols: int) -> np.ndarray:
    """(T, n_symbols): how much each symbol is being said in each bin: 1 in the middle, less between two."""
    at = (np.arange(spoken.n_bins)[:, None] + 0.5) * BIN_S
    starts, stops = spoken.starts - OVERLAP_S, spoken.stops + OVERLAP_S
    phase = np.clip((at - starts) / (stops - starts), 0.0, 1.0)
    out = np.zeros((spoken.n_bins, n_symbols))
    np.add.at(out.T, list(spoken.symbols), np.sin(np.pi * phase).T)
    return out


class Units:
    """A person's units through the days. Mutable: `next_day`, `next_block`; the same seed gives the same.

    n_tuned  units that follow what is said;  n_other  units that do not, after them
    """

    def __init__(self, n_tuned: int, n_other: int, n_symbols: int, *, drift: float = 1.0, seed: int = 0):
        self._rng = rng = np.random.default_rng([seed, 11])
        self._drift, self._tuned = drift, n_tuned
        count = n_tuned + n_other
        self._weights = self._draw(n_symbols)
        self._gain = np.ones(count)
        self._baseline = _BASELINE + _BASELINE_SPREAD * rng.standard_normal(count)
        self._block = np.zeros(count)
        self._power_floor = rng.uniform(0.5, 1.5, count)
        self._power_slope = rng.uniform(0.5, 1.5, count)

    def _draw(self, n_symbols: int) -> np.ndarray:
        size = (n_symbols, self._tuned)
        return _DEPTH * self._rng.standard_normal(size) * (self._rng.random(size) < _TUNED)

    def next_day(self) -> None:
        turn, rng = self._drift * _TURN_RAD, self._rng
        self._weights = np.cos(turn) * self._weights + np.sin(turn) * self._draw(len(self._weights))
        self._gain *= np.exp(self._drift * _GAIN_SPREAD * rng.standard_normal(len(self._gain)))
        self._baseline += self._drift * _BASELINE_WALK * rng.standard_normal(len(self._baseline))

    def next_block(self) -> None:
        self._block = self._drift * _BLOCK_SPREAD * self._rng.standard_normal(len(self._block))

    def record(self, spoken: Spoken) -> tuple[np.ndarray, np.ndarray]:
        """Counts (T, U) uint8 and spike-band power (T, U) float32 of one trial."""
        said = drive(spoken, len(self._weights)) @ self._weights
        soft = np.broadcast_to(self._baseline + self._block, (len(said), len(self._baseline))).copy()
        soft[:, : self._tuned] += self._gain[: self._tuned] * said
        rate = _RATE_HZ * np.logaddexp(0.0, soft)
        counts = np.minimum(self._rng.poisson(rate * BIN_S), 255).astype(np.uint8)
        noise = self._rng.gamma(_POWER_SHAPE, 1 / _POWER_SHAPE, rate.shape)
        power = (self._power_floor + self._power_slope * rate / _RATE_HZ) * noise
        return counts, power.astype(np.float32)
