"""A FieldTrip buffer as an LSL stream: its samples with labels, units and stamps, and its events as markers.

Every sample is sent once, in order, with the stamp of its index; what was lost is a gap in the stamps. It
knows when to connect again; it does not know who listens, and prints nothing.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pylsl

from rtdecode.contract import unit_factor
from rtdecode.errors import ConfigError, StreamError
from rtdecode.sources.fieldtrip import Changed, FieldTripSource
from rtdecode.sources.fieldtrip_frames import NoMeasurement
from rtdecode.types import StreamInfo

CHUNK_S = 0.004  # of samples to wait for: a buffer filled sample by sample is not asked for each
PULL_S = 0.2
AGAIN_S, AGAIN_MAX_S = 0.25, 5.0
EMPTY_S = 0.5  # between looks at a buffer without a measurement
_GRADIENTS = ("t/m", "ft/cm")


@dataclass(frozen=True)
class Units:
    """Units as declared: one for all channels, or by the beginning of their names."""

    common: str
    by_prefix: tuple[tuple[str, str], ...] = ()

    def of(self, label: str) -> str:
        """The unit of a channel: of the longest beginning that fits; "" where none was declared."""
        fitting = [(len(prefix), unit) for prefix, unit in self.by_prefix if label.startswith(prefix)]
        return max(fitting)[1] if fitting else self.common

    @property
    def stype(self) -> str:
        """The usual type of a stream in these units."""
        first = self.common or self.by_prefix[0][1]
        return "EEG" if unit_factor(first, "V") is not None else "MEG"


def parse_units(text: str) -> Units:
    """ "fT", or "MEG=fT,EEG=uV" -> Units; ConfigError for none, or for one nobody knows."""
    common, by_prefix = "", []
    for part in filter(None, (part.strip() for part in text.split(","))):
        prefix, equals, unit = (piece.strip() for piece in part.rpartition("="))
        known = unit_factor(unit, "V") or unit_factor(unit, "T") or unit.lower() in _GRADIENTS
        if not known or (equals and not prefix) or (not equals and common):
            raise ConfigError(f"--unit is {text!r}", hint="V, mV, uV, T, pT or fT; or MEG=fT,EEG=uV")
        if equals:
            by_prefix.append((prefix, unit))
        else:
            common = unit
    if not (common or by_prefix):
        raise ConfigError(
            "--unit is missing, and the buffer does not say what its numbers are in", hint="--unit fT, say"
        )
    return Units(common, tuple(by_prefix))


def stable_id(host: str, port: int, name: str) -> str:
    """A source_id that is the same at every start of the same bridge, so that decoders recognise it."""
    return "rtdecode-fieldtrip-" + hashlib.sha256(f"{host}\0{port}\0{name}".encode()).hexdigest()[:16]


class Bridge:
    """open_source connects to the buffer; `run` moves its samples into the outlet `name`.

    say  takes a sentence: what was connected, lost, tried again. What stays the same is said once
    """

    def __init__(
        self,
        open_source: Callable[[], FieldTripSource],
        name: str,
        source_id: str,
        say: Callable[[str], None],
    ):
        self._open, self._name, self._source_id, self._tell = open_source, name, source_id, say
        self._source: FieldTripSource | None = None
        self._outlet: pylsl.StreamOutlet | None = None
        self._markers: pylsl.StreamOutlet | None = None
        self._outlet_info: StreamInfo | None = None
        self._heard = False
        self._said = ""
        self.sent = self.lost = self.events = 0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Until told to stop. A buffer that cannot be read at the first try is an error; later, try again."""
        ever, pause_s = False, AGAIN_S
        try:
            while not stopping():
                try:
                    self._connect()
                    ever, pause_s = True, AGAIN_S
                    self._serve(stopping)
                except Changed as change:
                    self._say(str(change))
                    self._forget()
                except NoMeasurement as problem:
                    ever = True  # it is a buffer, and somebody will fill it
                    self._say(f"{problem}; waiting for one")
                    _rest(EMPTY_S, stopping)
                except StreamError as problem:
                    if stopping():
                        break
                    if not ever:
                        raise
                    self._say(f"{problem}; trying again")
                    _rest(pause_s, stopping)
                    pause_s = min(2 * pause_s, AGAIN_MAX_S)
        finally:
            self._forget()
            self._outlet = self._markers = None

    def _connect(self) -> None:
        if self._markers is None:
            self._markers = pylsl.StreamOutlet(marker_description(self._name, self._source_id))
        if self._source is None:
            self._source = self._open()
        elif not self._source.connected:
            self._source.reconnect()
        info = self._source.info
        if info != self._outlet_info:
            self._outlet = None  # first: two streams of one name confuse everybody
            self._outlet = pylsl.StreamOutlet(description(info, self._name, self._source_id), max_buffered=60)
            self._outlet_info, self._heard = info, False
        units = "/".join(sorted(set(info.units) - {""}))
        what = f"{len(info.labels)} channels in {units or 'no unit'} at {info.sfreq:g} Hz"
        self._say(f"{info.name} is the stream {self._name!r}: {what}")

    def _serve(self, stopping: Callable[[], bool]) -> None:
        source, outlet, markers = self._source, self._outlet, self._markers
        if source is None or outlet is None or markers is None:
            raise RuntimeError("not connected")
        enough, before = max(1, round(CHUNK_S * source.info.sfreq)), source.lost
        while not stopping():
            data, stamps = source.pull(enough, PULL_S)
            for note in source.take_notes():
                self._tell(note)
            self.lost, before = self.lost + source.lost - before, source.lost
            if len(data):
                outlet.push_chunk(np.ascontiguousarray(data), stamps)
                self.sent += len(data)
            for stamp, text in source.take_events():
                markers.push_sample([text], stamp)
                self.events += 1
            if outlet.have_consumers() != self._heard:
                self._heard = not self._heard
                self._tell("somebody listens" if self._heard else "nobody listens any more")

    def _forget(self) -> None:
        if self._source:
            self._source.close()
        self._source = None

    def _say(self, text: str) -> None:
        if text != self._said:
            self._tell(text)
        self._said = text


def description(info: StreamInfo, name: str, source_id: str) -> pylsl.StreamInfo:
    """The stream as LSL describes it: labels, units and type of every channel."""
    about = pylsl.StreamInfo(
        name,
        info.stype,
        len(info.labels),
        info.sfreq,
        pylsl.cf_float32 if info.dtype == "float32" else pylsl.cf_double64,
        source_id,
    )
    channels = about.desc().append_child("channels")
    for label, unit in zip(info.labels, info.units, strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", info.stype)
    return about


def marker_description(name: str, source_id: str) -> pylsl.StreamInfo:
    """The stream of the buffer's events, one string each."""
    return pylsl.StreamInfo(f"{name}-markers", "Markers", 1, 0.0, pylsl.cf_string, f"{source_id}-markers")


def _rest(seconds: float, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stopping():
        time.sleep(min(left, 0.1))
