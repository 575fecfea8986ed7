"""A recording as a live LSL stream: its own sample spacing, on a clock anchored at the start.

Sample k carries the stamp anchor + t_k and leaves at anchor + t_k / speed: waiting times are computed from
the anchor, so they cannot add up to a drift. It does not know who listens.
"""

import hashlib
import time
from collections.abc import Callable

import numpy as np
import pylsl

from rtdecode.errors import ConfigError
from rtdecode.recordings import Recording

CHUNK_S = 0.02  # of waiting time; an amplifier sends about as often
MAX_SPEED = 20.0  # LSL has no way for a reader to slow a sender down: beyond its buffer samples are lost
CONSUMER_S = 0.2
LINGER_S = 3.0  # after the end, for readers to fetch what they have not yet


def parse_speed(text: str) -> float:
    """ "0.5", "4" or "max" -> factor; ConfigError for anything else."""
    if text == "max":
        return MAX_SPEED
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError(f"--speed is {text!r}", hint="a positive number, or max")
    return speed


def stable_id(path: str, stream: str) -> str:
    """A source_id that is the same at every start of the same replay, so that decoders recognise it."""
    return "rtdecode-replay-" + hashlib.sha256(f"{path}\0{stream}".encode()).hexdigest()[:16]


class Replayer:
    """One outlet. Creating it makes the stream visible; `play` sends.

    speed  1: as recorded; stamps keep the original spacing at every speed
    """

    def __init__(
        self, recording: Recording, name: str, *, source_id: str, speed: float = 1.0, loop: bool = False
    ):
        wide = recording.data.dtype == np.float64  # a log of a stream that float32 cannot hold
        self.data = np.ascontiguousarray(recording.data, np.float64 if wide else np.float32)
        self.speed, self.loop = speed, loop
        self._period = 1.0 / recording.sfreq
        self._t = recording.times - float(recording.times[0])
        self._markers = sorted(recording.markers, key=lambda marker: marker.t)
        self.outlet = pylsl.StreamOutlet(_description(recording, name, source_id), max_buffered=60)
        self._marker_outlet = None
        if self._markers:
            about = pylsl.StreamInfo(f"{name}-markers", "Markers", 1, 0, "string", f"{source_id}-markers")
            self._marker_outlet = pylsl.StreamOutlet(about)

    def wait_for_consumer(self, stopping: Callable[[], bool]) -> bool:
        """Until somebody listens, so that the first sample is heard; False when stopped before."""
        # not liblsl's own waiting function: it holds signals up for its whole timeout
        while not self.outlet.have_consumers():
            if stopping():
                return False
            time.sleep(0.01)
        return True

    def play(self, stopping: Callable[[], bool]) -> int:
        """Send everything, or for ever with `loop`; returns the number of samples sent."""
        anchor = pylsl.local_clock()
        length = float(self._t[-1]) + self._period
        sent = rounds = 0
        while not stopping():
            sent += self._round(anchor, rounds * length, stopping)
            rounds += 1
            if not self.loop:
                break
        return sent

    def linger(self, stopping: Callable[[], bool]) -> None:
        """Stay visible after the end until all readers left, for a few seconds at most."""
        deadline = time.monotonic() + LINGER_S * max(1.0, min(self.speed, 5.0))
        while self.outlet.have_consumers() and time.monotonic() < deadline and not stopping():
            time.sleep(0.02)

    def _round(self, anchor: float, offset: float, stopping: Callable[[], bool]) -> int:
        k = 0
        markers = iter(self._markers)
        marker = next(markers, None)
        while k < len(self._t) and not stopping():
            # a chunk leaves when its last sample is due, as from an amplifier
            stop = max(k + 1, int(np.searchsorted(self._t, self._t[k] + CHUNK_S * self.speed)))
            until = float(self._t[stop - 1])
            due = anchor + (offset + until) / self.speed
            while (left := due - pylsl.local_clock()) > 0 and not stopping():
                time.sleep(min(left, CONSUMER_S))
            if stopping():
                break
            while marker and marker.t <= until and self._marker_outlet:
                self._marker_outlet.push_sample([marker.text], anchor + offset + marker.t)
                marker = next(markers, None)
            self.outlet.push_chunk(self.data[k:stop], anchor + offset + self._t[k:stop])
            k = stop
        return k


def _description(recording: Recording, name: str, source_id: str) -> pylsl.StreamInfo:
    count = recording.data.shape[1]
    form = "double64" if recording.data.dtype == np.float64 else "float32"
    info = pylsl.StreamInfo(name, recording.stype or "EEG", count, recording.sfreq, form, source_id)
    channels = info.desc().append_child("channels")
    for label, unit in zip(recording.labels, recording.units, strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", recording.stype or "EEG")
    return info
