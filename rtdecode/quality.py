"""What each channel looks like, and samples that are not numbers. Works on raw samples in the stream's unit.

Knows nothing of clocks, models or screens. Thresholds are data (`Thresholds`), in the unit named there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from rtdecode.kernels import kernels
from rtdecode.snapshot import ChannelState

USED, FLAT, RAILED, NOISY, LINE = "✓", "▁", "▲", "≈", "∿"
GONE = "×"  # samples that are not numbers: seen before they are repaired, not by `channel_states`
WORDS = {FLAT: "flat", RAILED: "railed", GONE: "no number", NOISY: "noisy", LINE: "line noise"}
RAIL_S = 0.5  # flat and railed are judged over less than the whole second, to be seen within it
LINE_HZ = (50.0, 60.0)


@dataclass(frozen=True)
class Thresholds:
    """When a second of a channel is not usable. Relative to the training data, so that they fit any unit.

    flat    RMS below this share of the channel's training scale
    noisy   RMS above this many training scales
    railed  share of samples that sit exactly at the half second's largest or smallest value
    line    share of the raw power that is mains hum
    """

    flat: float = 1e-3
    noisy: float = 10.0
    railed: float = 0.25
    line: float = 0.75


def channel_states(
    raw: np.ndarray,
    filtered: np.ndarray,
    labels: tuple[str, ...],
    scale: np.ndarray,
    limits: Thresholds = Thresholds(),
    hum: np.ndarray | None = None,
) -> tuple[ChannelState, ...]:
    """The state of each channel over the samples given: half a second raw, a second filtered.

    raw       (T, C) as received, model channels;  filtered  (T', C) band-passed, in the bundle's unit
    scale     (C,) the training data's robust scale, in the bundle's unit after filtering
    hum       (C,) bool, which channels carry mains hum (`mains_hum`)
    """
    if not len(raw) or not len(filtered):
        return tuple(ChannelState(label, USED, 0.0) for label in labels)
    rms = np.sqrt(np.mean(np.square(filtered, dtype=np.float64), axis=0))
    low, high = raw.min(axis=0), raw.max(axis=0)
    # a rail is a plateau at an extreme: in an honest signal the extreme occurs about once
    railed = np.maximum((raw == low).mean(axis=0), (raw == high).mean(axis=0)) >= limits.railed
    flat = (low == high) | (rms < limits.flat * scale)
    noisy = rms > limits.noisy * scale
    humming = np.zeros(len(labels), bool) if hum is None else hum
    glyphs = np.select([flat, railed, noisy, humming], [FLAT, RAILED, NOISY, LINE], USED)
    return tuple(
        ChannelState(label, str(g), float(r)) for label, g, r in zip(labels, glyphs, rms, strict=True)
    )


def mains_hum(raw: np.ndarray, sfreq: float, limits: Thresholds = Thresholds()) -> np.ndarray:
    """(C,) bool: which channels of raw (T, C) at sfreq Hz are mostly mains hum. Of less than 0.4 s: none."""
    hum = np.zeros(raw.shape[1], bool)
    if len(raw) < 0.4 * sfreq:
        return hum
    x = (raw - raw.mean(axis=0)).astype(np.float32, copy=False)
    power = np.einsum("tc,tc->c", x, x) / len(x)
    for sines in _mains(len(x), sfreq):
        # twice the square of one Fourier coefficient is the mean square of that sine
        hum |= 2 * np.square(sines @ x / len(x)).sum(axis=0) > limits.line * power
    return hum


@cache
def _mains(samples: int, sfreq: float) -> tuple[np.ndarray, ...]:
    """Cosine and sine (2, samples) float32 of every mains frequency that this rate can hold."""
    turns = np.arange(samples) / sfreq
    angles = [2 * np.pi * hz * turns for hz in LINE_HZ if hz < sfreq / 2]
    return tuple(np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32) for angle in angles)


@dataclass(frozen=True)
class Mix:
    """Columns made of others.

    columns (M,), sources (N,)  indices;  weights (M, N) float64
    """

    columns: np.ndarray
    sources: np.ndarray
    weights: np.ndarray

    def of(self, x: np.ndarray) -> np.ndarray:
        """(T, columns of x) -> (T, M) float64."""
        made = np.empty((len(x), len(self.columns)))
        # One product for each row, rows contiguous (x[:, sources] need not be): the bits of another depend on
        # how many rows there are.
        for i, row in enumerate(x.take(self.sources, axis=1).astype(np.float64)):
            made[i] = self.weights @ row
        return made


class Hold:
    """Replaces masked columns by the last value before the mask, or makes them of others, and lets them go on
    from their last value whenever the mask changes.

    The level that a column would have jumped by is subtracted until the next change, at the longest for the
    rest of the run: the high-pass that follows removes any level, but would answer a step with seconds of
    ringing. Exact in pieces.
    """

    def __init__(self, columns: int):
        self.mask = np.zeros(columns, bool)
        self._mix: Mix | None = None
        self.reset()

    def reset(self) -> None:
        """A new run: levels are forgotten, the mask is not."""
        self._last: np.ndarray | None = None  # newest row that was put out
        self._level = np.zeros(len(self.mask))
        self._changed = self.mask.copy()  # columns that are to go on from their last value
        self.idle = not self.mask.any()

    def set(self, mask: np.ndarray, mix: Mix | None = None) -> None:
        """The mask from the next sample on: (columns,) bool. mix: makes some of the masked columns out of
        some that are not; the others are held."""
        if (mask == self.mask).all():
            return
        self._changed |= self.mask | mask
        self.mask, self._mix = mask.copy(), mix
        self.idle = False

    def push(self, x: np.ndarray) -> np.ndarray:
        """(T, columns), a new array where anything is replaced or shifted."""
        if not len(x):
            return x
        if not self.idle:
            before = x[0].astype(np.float64) if self._last is None else self._last
            y = x.astype(np.float64)
            y[:, self.mask] = 0.0
            if self._mix:
                y[:, self._mix.columns] = self._mix.of(x)
            self._level[self._changed] = (y[0] - before)[self._changed]
            self._changed[:] = False
            x = (y - self._level).astype(x.dtype)
            self.idle = not (self.mask.any() or self._level.any())
        if self._last is None:
            self._last = x[-1].astype(np.float64)
        else:
            self._last[:] = x[-1]
        return x


def all_finite(data: np.ndarray) -> bool:
    """Whether there are only numbers: the sum of their squares tells, sooner, unless it is too large."""
    return math.isfinite(np.vdot(data, data)) or bool(np.isfinite(data).all())


def finite_test() -> Callable[[np.ndarray], bool]:
    """`all_finite`, compiled where that is possible: of float32 or float64."""
    compiled = kernels()
    return compiled.finite if compiled else all_finite


class Repair:
    """Replaces NaN and Inf by the channel's last good value, before any filter can keep them for ever.

    A channel whose run begins without a number is 0 until its first one, and that level is subtracted for the
    rest of the run: the high-pass removes any level, but would answer a step with seconds of ringing. Exact
    in pieces.

    channels  C of the stream;  used  the channels that matter: others are repaired without a word
    """

    def __init__(self, channels: int, used: np.ndarray):
        self.used = np.unique(used)
        self._good = np.zeros(channels)
        self._level = np.zeros(channels)
        self._all_finite = finite_test()
        self.reset()

    def reset(self) -> None:
        """A new run."""
        self._good[:] = 0.0
        self._level[:] = 0.0
        self._any = np.zeros(len(self._good), bool)
        self._levelled = self._begun = False
        self._steady = False  # every channel has begun with numbers: all finite data pass as they are

    def push(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """data (T, C) -> finite data (the same array if it was), and where it was not: (T, used), or None."""
        if self._steady and self._all_finite(data):
            if len(data):
                self._good[:] = data[-1]
            return data, None
        if not len(data):
            return data, None
        finite = np.isfinite(data)
        mask = None
        if self._levelled or not finite.all():
            data = data.copy()
            rows = np.arange(len(data))
            for c in np.flatnonzero(~finite.all(axis=0) | (self._level != 0) | (self._begun & ~self._any)):
                good = np.flatnonzero(finite[:, c])
                if len(good) and not self._any[c] and (good[0] or self._begun):
                    self._level[c], self._levelled = data[good[0], c], True
                data[:, c] -= self._level[c]
                newest = np.maximum.accumulate(np.where(finite[:, c], rows, -1))
                data[:, c] = np.where(newest >= 0, data[np.maximum(newest, 0), c], self._good[c])
            bad = ~finite[:, self.used]
            mask = bad if bad.any() else None
        self._begun = True
        self._any |= finite.any(axis=0)
        self._levelled = self._levelled or not self._any.all()
        self._steady = not self._levelled and bool(self._any.all())
        self._good = data[-1].astype(np.float64)
        return data, mask
