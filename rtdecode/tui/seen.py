"""The signal as the screen has seen it: as received, through a filter of the drawing, and the words in it.

The band-pass is causal, keeps its state between snapshots and gives the same whether a signal comes in pieces
or whole; a change of filter runs it once over what is remembered. Knows neither pages nor scales.
"""

from collections import deque

import numpy as np

from rtdecode.preprocess import BandPass
from rtdecode.snapshot import Snapshot
from rtdecode.tui.onsets import Found
from rtdecode.tui.traces import Sweep

ORDER = 2
WORDS = 128  # that are remembered: more than ten seconds hold


def band_at(band: tuple[float, float], sfreq: float) -> tuple[float, float]:
    """The band as it can be at this rate: its upper edge below 0.45 of it."""
    return min(band[0], 0.2 * sfreq), round(min(band[1], 0.45 * sfreq), 1)


class Filter:
    """A causal band-pass that bridges missing samples. (T, C) -> (T, C) float32; NaN stays NaN."""

    def __init__(self, band: tuple[float, float], sfreq: float):
        self._band = BandPass(sfreq, *band_at(band, sfreq), ORDER)
        self._last: np.ndarray | None = None

    def push(self, x: np.ndarray) -> np.ndarray:
        missing = ~np.isfinite(x)
        if missing.any():
            x = self._bridged(x, missing)
        if len(x):
            self._last = x[-1].copy()
        y = self._band.push(x).astype(np.float32)
        y[missing] = np.nan
        return y

    def _bridged(self, x: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """The last known value in place of a missing one: the least that rings."""
        before = np.zeros((1, x.shape[1]), x.dtype) if self._last is None else self._last[None]
        known = np.concatenate([before, x])
        gone = np.concatenate([np.zeros_like(missing[:1]), missing])
        index = np.where(gone, 0, np.arange(len(known))[:, None])
        return np.take_along_axis(known, np.maximum.accumulate(index, axis=0), axis=0)[1:]


class Seen:
    """The signal as received and as filtered, by sample number; words where they begin in it."""

    def __init__(self) -> None:
        self.received, self.drawn = Sweep(), Sweep()
        self.words: deque[tuple[int, str]] = deque(maxlen=WORDS)
        self.band: tuple[float, float] | None = None
        self._filter: Filter | None = None

    def add(self, snapshot: Snapshot) -> None:
        sweep = self.received
        before = sweep.data
        new = sweep.add(snapshot.signal, snapshot.signal_sfreq, snapshot.elapsed_s)
        if sweep.data is not before:
            self.words.clear()
        if self.band is None:
            return
        if sweep.data is not before:
            self.choose(self.band)
        elif new:
            self._take(min(new, len(sweep.data)))

    def hear(self, words: Found) -> None:
        """Words keep the sample they begin at, whatever comes after it."""
        sweep = self.received
        self.words.extend((sweep.count - round(back_s * sweep.sfreq), word) for back_s, word in words)

    def choose(self, band: tuple[float, float] | None) -> None:
        """Draw through `band` from now on, and what is remembered as well."""
        self.band = band
        sweep = self.received
        self._filter = Filter(band, sweep.sfreq) if band and sweep.sfreq > 0 else None
        if self._filter:
            self.drawn = Sweep()
            self.drawn.sfreq, self.drawn.data = sweep.sfreq, np.full_like(sweep.data, np.nan)
            self._take(min(sweep.count, len(sweep.data)))

    def _take(self, rows: int) -> None:
        sweep = self.received
        at = np.arange(sweep.count - rows, sweep.count) % max(1, len(sweep.data))
        if self._filter:
            self.drawn.data[at] = self._filter.push(sweep.data[at])
        self.drawn.count, self.drawn.elapsed_s = sweep.count, sweep.elapsed_s

    @property
    def sweep(self) -> Sweep:
        return self.drawn if self._filter else self.received
