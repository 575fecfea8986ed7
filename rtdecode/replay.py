"""A recording as a live LSL stream: its own sample spacing, on a clock anchored at the start.

Sample k carries the stamp anchor + t_k at every speed and after every pause, so decisions depend on neither;
it leaves at a time computed from where the pace was last set, so waiting times cannot add up to a drift.
Another place in the recording is another stream: the outlet is closed and opened anew, so that whoever
listens begins a new run and no window reaches across the jump. It does not know who listens.
"""

import hashlib
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy as np
import pylsl

from rtdecode.errors import ConfigError
from rtdecode.recordings import Recording

CHUNK_S = 0.02  # of waiting time; an amplifier sends about as often
MAX_SPEED = 20.0  # LSL has no way for a reader to slow a sender down: beyond its buffer samples are lost
CONSUMER_S = 0.2
AGAIN_S = 0.01  # between two looks for a listener
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
    """One stream. Creating it makes the stream visible; `play` sends.

    speed    1: as recorded; stamps keep the original spacing at every speed
    at_s     seconds of the recording at which to begin;  ConfigError beyond its end
    waiting  hold the next sample until somebody listens;  ended  all of it was sent
    """

    def __init__(
        self,
        recording: Recording,
        name: str,
        *,
        source_id: str,
        speed: float = 1.0,
        loop: bool = False,
        at_s: float = 0.0,
    ):
        wide = recording.data.dtype == np.float64  # a log of a stream that float32 cannot hold
        self.data = np.ascontiguousarray(recording.data, np.float64 if wide else np.float32)
        self.speed, self.loop = speed, loop
        self.paused = self.waiting = self.ended = False
        self.segment, self.sent = 1, 0  # of unbroken play, from 1; samples, all in all
        self._t = recording.times - float(recording.times[0])
        self.length_s = float(self._t[-1]) + 1.0 / recording.sfreq
        if not 0 <= at_s < self.length_s:
            raise ConfigError(
                f"cannot begin at {at_s:g} s",
                hint=f"the recording lasts {self.length_s:.1f} s: from 0 to that",
            )
        self._markers = sorted(recording.markers, key=lambda marker: marker.t)
        self._about = (recording, name, source_id)
        self.outlet = pylsl.StreamOutlet(_description(*self._about), max_buffered=60)
        self._marker_outlet = None
        if self._markers:
            about = pylsl.StreamInfo(f"{name}-markers", "Markers", 1, 0, "string", f"{source_id}-markers")
            self._marker_outlet = pylsl.StreamOutlet(about)
        self._fresh = True  # nothing of this segment was sent
        self._anchor: float | None = None  # stamp of the recording's first sample
        self._offset = 0.0  # seconds of whole rounds before this one
        self._clock: float | None = None  # when the pace was set, None: it must be set anew
        self._from = 0.0  # and at which second of all rounds
        self._go_to(at_s)

    # --- where it is, and going elsewhere

    @property
    def at_s(self) -> float:
        """Seconds of the recording until which it was sent."""
        return self.length_s if self._k == len(self._t) else float(self._t[self._k])

    def status(self) -> dict[str, Any]:
        """Where it is. anchor: stamp of the recording's first sample, None while nothing of this segment was
        sent; uid: of the stream, which tells segments apart."""
        return {
            "at_s": self.at_s,
            "speed": self.speed,
            "loop": self.loop,
            "paused": self.paused,
            "waiting": self.waiting,
            "ended": self.ended,
            "uid": self.outlet.get_info().uid(),
            "anchor": self._anchor,
        }

    def seek(self, at_s: float) -> None:
        """Go on at this second, or at the nearest there is: a new segment, sent once somebody listens."""
        self.ended = False
        self._go_to(min(max(0.0, at_s), float(self._t[-1])))
        if self._fresh:
            return
        del self.outlet  # closes it: whoever listened knows that what comes next is another run
        self.outlet = pylsl.StreamOutlet(_description(*self._about), max_buffered=60)
        self.segment += 1
        self._fresh = self.waiting = True
        self._anchor, self._offset = None, 0.0

    def pace(self, speed: float) -> None:
        """From now on so much faster than recorded. ConfigError unless positive and finite."""
        self.speed, self._clock = parse_speed(str(speed)), None

    def pause(self, paused: bool) -> None:
        """Send nothing for a while; stamps go on afterwards as if nothing had happened."""
        self.paused, self._clock = paused, None

    def _go_to(self, at_s: float) -> None:
        self._k = int(np.searchsorted(self._t, at_s - 1e-9))
        self._clock = None
        # what was noted before the first sample is said with it
        self._next_marker = bisect_left(self._markers, at_s, key=lambda m: m.t) if self._k else 0

    # --- sending

    def wait_for_consumer(self, stopping: Callable[[], bool]) -> bool:
        """Until somebody listens, so that the first sample is heard; False when stopped before."""
        # not liblsl's own waiting function: it holds signals up for its whole timeout
        while not self.outlet.have_consumers():
            if stopping():
                return False
            time.sleep(AGAIN_S)
        return True

    def play(self, stopping: Callable[[], bool], wait: Callable[[float], None] | None = None) -> int:
        """Send everything, or for ever with `loop`; returns the number of samples sent.

        wait  told play: called with seconds again and again, it returns after them at the latest, and may
              call `seek`, `pace`, `pause` or set `loop`. Only `stopping` ends it, and a loop is a jump to the
              start. None: it ends with the recording, and a loop has no seam
        """
        told, wait = wait is not None, wait or time.sleep
        while not stopping():
            wait(min(max(0.0, self._left()), CONSUMER_S))
            if stopping() or self._left() > 0:
                continue
            self._send()
            if self._k < len(self._t):
                continue
            if not self.loop:
                self.ended = True
                if not told:
                    break
            elif told:
                self.seek(0.0)
            else:
                self._k = self._next_marker = 0
                self._offset += self.length_s
        return self.sent

    def linger(self, stopping: Callable[[], bool]) -> None:
        """Stay visible after the end until all readers left, for a few seconds at most."""
        deadline = time.monotonic() + LINGER_S * max(1.0, min(self.speed, 5.0))
        while self.outlet.have_consumers() and time.monotonic() < deadline and not stopping():
            time.sleep(0.02)

    def _left(self) -> float:
        """Seconds until the next chunk is due, positive also while none is."""
        if self.waiting:
            if not self.outlet.have_consumers():
                return AGAIN_S
            self.waiting = False
        if self.paused or self.ended:
            return CONSUMER_S
        now = pylsl.local_clock()
        if self._clock is None:
            self._clock, self._from = now, self._offset + float(self._t[self._k])
            if self._anchor is None:
                self._anchor = now - self._from
        until = self._offset + float(self._t[self._stop() - 1])
        return self._clock + (until - self._from) / self.speed - now

    def _stop(self) -> int:
        """Where the next chunk ends: it leaves when its last sample is due, as from an amplifier."""
        ends = self._t[self._k] + CHUNK_S * self.speed
        return max(self._k + 1, int(np.searchsorted(self._t, ends)))

    def _send(self) -> None:
        assert self._anchor is not None
        k, stop, start = self._k, self._stop(), self._anchor + self._offset
        while self._next_marker < len(self._markers) and self._marker_outlet:
            marker = self._markers[self._next_marker]
            if marker.t > self._t[stop - 1]:
                break
            self._marker_outlet.push_sample([marker.text], start + marker.t)
            self._next_marker += 1
        self.outlet.push_chunk(self.data[k:stop], start + self._t[k:stop])
        self._k, self._fresh = stop, False
        self.sent += stop - k


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
