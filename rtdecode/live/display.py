"""The newest seconds of signal, for eyes and for channel quality: band-passed, thinned, in the bundle's unit.

Separate from the decoder's own preprocessing, which no display may disturb. Knows nothing of streams.
"""

import numpy as np

from rtdecode.preprocess import BandPass, PreprocessSpec
from rtdecode.quality import channel_states
from rtdecode.ring import Ring
from rtdecode.snapshot import ChannelState

SHOWN_S = 10.0
MAX_HZ = 128.0  # more than a terminal's dots can show


class Display:
    """Takes the model's channels at the stream's rate. sfreq: Hz of `signal`."""

    def __init__(self, spec: PreprocessSpec, labels: tuple[str, ...]):
        self._step = max(1, -(-int(spec.sfreq_in) // int(MAX_HZ)))
        self.sfreq = spec.sfreq_in / self._step
        # thinning without a filter of its own needs a band that ends well below half the display's rate
        low_pass = min(spec.lowpass_hz, 0.4 * self.sfreq)
        self._band = BandPass(spec.sfreq_in, min(spec.highpass_hz, low_pass / 2), low_pass, spec.order)
        self._labels, self._scale = labels, np.array(spec.scale)
        self._signal = Ring(max(1, round(SHOWN_S * self.sfreq)), len(labels))
        self._raw = Ring(max(1, round(spec.sfreq_in)), len(labels))
        self._phase = 0

    def reset(self) -> None:
        self._band.reset()
        self._signal.reset()
        self._raw.reset()
        self._phase = 0

    def push(self, x: np.ndarray, raw: np.ndarray) -> None:
        """x (T, C) in the bundle's unit, re-referenced; raw (T, C) the same channels as received."""
        self._raw.write(raw)
        y = self._band.push(x)
        self._signal.write(y[-self._phase % self._step :: self._step])
        self._phase = (self._phase + len(y)) % self._step

    def signal(self) -> np.ndarray:
        """(T, C) float32 view of the newest seconds; valid until the next push."""
        return self._signal.read(self._signal.first, self._signal.stop)

    def channels(self) -> tuple[ChannelState, ...]:
        """Each channel over the last second."""
        raw = self._raw.read(self._raw.first, self._raw.stop)
        return channel_states(raw, self.signal()[-max(1, round(self.sfreq)) :], self._labels, self._scale)
