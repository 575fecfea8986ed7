"""What each channel looks like, and samples that are not numbers. Works on raw samples in the stream's unit.

Knows nothing of clocks, models or screens. Thresholds are data (`Thresholds`), in the unit named there.
"""

from dataclasses import dataclass

import numpy as np

from rtdecode.snapshot import ChannelState

USED, FLAT, RAILED, NOISY = "✓", "▁", "▲", "≈"


@dataclass(frozen=True)
class Thresholds:
    """When a second of a channel is not usable. Relative to the training data, so that they fit any unit.

    flat    RMS below this share of the channel's training scale
    noisy   RMS above this many training scales
    railed  share of samples that sit exactly at the second's largest or smallest value
    """

    flat: float = 1e-3
    noisy: float = 10.0
    railed: float = 0.25


def channel_states(
    raw: np.ndarray,
    filtered: np.ndarray,
    labels: tuple[str, ...],
    scale: np.ndarray,
    limits: Thresholds = Thresholds(),
) -> tuple[ChannelState, ...]:
    """The state of each channel over the samples given (about one second of them).

    raw       (T, C) as received, model channels;  filtered  (T', C) band-passed, in the bundle's unit
    scale     (C,) the training data's robust scale, in the bundle's unit after filtering
    """
    if not len(raw) or not len(filtered):
        return tuple(ChannelState(label, USED, 0.0) for label in labels)
    rms = np.sqrt(np.mean(np.square(filtered, dtype=np.float64), axis=0))
    low, high = raw.min(axis=0), raw.max(axis=0)
    # a rail is a plateau at an extreme: in an honest signal the extreme occurs about once
    railed = np.maximum((raw == low).mean(axis=0), (raw == high).mean(axis=0)) >= limits.railed
    flat = (low == high) | (rms < limits.flat * scale)
    noisy = rms > limits.noisy * scale
    glyphs = np.select([flat, railed, noisy], [FLAT, RAILED, NOISY], USED)
    return tuple(
        ChannelState(label, str(g), float(r)) for label, g, r in zip(labels, glyphs, rms, strict=True)
    )


class Repair:
    """Replaces NaN and Inf by the channel's last good value, before any filter can keep them for ever.

    channels  C of the stream;  used  the channels that matter: others are repaired without a word
    """

    def __init__(self, channels: int, used: np.ndarray):
        self.used = np.unique(used)
        self._good = np.zeros(channels)
        self._any = np.zeros(channels, bool)

    def reset(self) -> None:
        self._good[:] = 0.0
        self._any[:] = False

    def push(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """data (T, C) -> finite data (the same array if it was), and where it was not: (T, used), or None."""
        if not len(data):
            return data, None
        finite = np.isfinite(data)
        mask = None
        if not finite.all():
            data = data.copy()
            rows = np.arange(len(data))
            for c in np.flatnonzero(~finite.all(axis=0)):
                good = np.flatnonzero(finite[:, c])
                # before the channel's first number its next one serves, so that a start with NaN is no step
                before = data[good[0], c] if len(good) and not self._any[c] else self._good[c]
                newest = np.maximum.accumulate(np.where(finite[:, c], rows, -1))
                data[:, c] = np.where(newest >= 0, data[np.maximum(newest, 0), c], before)
            bad = ~finite[:, self.used]
            mask = bad if bad.any() else None
        self._any |= finite.any(axis=0)
        self._good = data[-1].astype(np.float64)
        return data, mask
