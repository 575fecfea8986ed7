"""The newest seconds of signal, for eyes and for channel quality: band-passed, thinned, in the bundle's unit.

Separate from the decoder's own preprocessing, which no display may disturb. Knows nothing of streams.
"""

from typing import Protocol

import numpy as np

from rtdecode.preprocess import BandPass, PreprocessSpec
from rtdecode.quality import channel_states, mains_hum
from rtdecode.ring import Ring
from rtdecode.snapshot import ChannelState

SHOWN_S = 10.0
MAX_HZ = 128.0  # more than a terminal's dots can show
DRIFT_HZ = 0.1  # what the eye is spared where the decoder has no filter
COARSE_HZ = 1000.0  # faster streams are averaged down to about this before anything else


class Sink(Protocol):
    """Where the signal is kept for whoever shows it (live/signal_memory.py)."""

    def shape(self, shown: int, channels: int) -> None: ...
    def reset(self) -> None: ...
    def write(self, rows: np.ndarray) -> None: ...


class Display:
    """Takes the model's channels at the stream's rate. sfreq: Hz of `signal`.

    sink  gets every row of the signal as it comes; None: it is only kept here
    """

    def __init__(self, spec: PreprocessSpec, labels: tuple[str, ...], sink: Sink | None = None):
        self._block = max(1, int(spec.sfreq_in // COARSE_HZ))
        coarse = spec.sfreq_in / self._block
        self._step = max(1, -(-int(coarse) // int(MAX_HZ)))
        self.sfreq = coarse / self._step
        # thinning without a filter of its own needs a band that ends well below half the display's rate
        low_pass = min(spec.lowpass_hz or np.inf, 0.4 * self.sfreq)
        high_pass = min(spec.highpass_hz or DRIFT_HZ, low_pass / 2)
        self._band = BandPass(coarse, high_pass, low_pass, spec.order or 2)
        self._labels, self._scale, self._sink = labels, np.array(spec.scale), sink
        shown = max(1, round(SHOWN_S * self.sfreq))
        self._signal = Ring(shown if sink is None else max(1, round(self.sfreq)), len(labels))
        if sink is not None:
            sink.shape(shown, len(labels))
        self._raw = Ring(max(1, round(coarse)), len(labels))
        self._rest = np.zeros((0, len(labels)), np.float32)  # rows of a block that is not complete
        self._phase = 0

    def reset(self) -> None:
        self._band.reset()
        self._signal.reset()
        self._raw.reset()
        self._rest = self._rest[:0]
        self._phase = 0
        if self._sink is not None:
            self._sink.reset()

    def push(self, x: np.ndarray, raw: np.ndarray) -> None:
        """x (T, C) in the bundle's unit, re-referenced; raw (T, C) the same channels as received."""
        if self._block > 1:
            raw = raw[-len(self._rest) % self._block :: self._block]  # one of each block: rails stay rails
            x = self._averaged(x)
        self._raw.write(raw)
        y = self._band.push(x)
        thin = y[-self._phase % self._step :: self._step]
        self._phase = (self._phase + len(y)) % self._step
        self._signal.write(thin)
        if self._sink is not None:
            self._sink.write(thin)

    def _averaged(self, x: np.ndarray) -> np.ndarray:
        if len(self._rest):
            x = np.concatenate([self._rest, x])
        whole = len(x) // self._block * self._block
        self._rest = x[whole:].copy()
        blocks = x[:whole].reshape(-1, self._block, x.shape[1])
        return blocks.mean(axis=1)

    def signal(self) -> np.ndarray:
        """(T, C) float32 view of the newest seconds (of the last one where a sink has the rest); valid until
        the next push."""
        return self._signal.read(self._signal.first, self._signal.stop)

    def channels(self) -> tuple[ChannelState, ...]:
        """Each channel over the last second, flat and railed over the last half."""
        rows = max(1, self._raw.capacity // 2)
        raw = self._raw.read(max(self._raw.first, self._raw.stop - rows), self._raw.stop)
        second = self.signal()[-max(1, round(self.sfreq)) :]
        hum = mains_hum(raw, float(self._raw.capacity))
        return channel_states(raw, second, self._labels, self._scale, hum=hum)
