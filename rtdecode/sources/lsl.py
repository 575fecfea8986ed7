"""Samples from the lab streaming layer: find streams, choose one, pull it.

The only module that knows liblsl's receiving side. It hands out raw samples with raw stamps: liblsl's own
recovery, de-jittering and clock correction stay off, because recovery keeps the old channel labels for a new
stream and de-jittering hides gaps. It does not know bundles, states or decisions.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from rtdecode.errors import StreamError
from rtdecode.types import StreamInfo

RESOLVE_S = 1.0  # shorter waits return only some of the streams that are there
BUFFER_S = 60  # what liblsl holds for us; beyond it the oldest samples vanish, which the stamps betray
OFFSET_EVERY_S = 2.0

_FORMATS = {
    pylsl.cf_float32: "float32",
    pylsl.cf_double64: "float64",
    pylsl.cf_int8: "int8",
    pylsl.cf_int16: "int16",
    pylsl.cf_int32: "int32",
    pylsl.cf_int64: "int64",
    pylsl.cf_string: "string",
}


class Lost(StreamError):
    """The outlet is gone: nothing more will come from this source."""


@dataclass(frozen=True)
class Found:
    """A stream seen on the network. info: without labels and units; handle: liblsl's own."""

    info: StreamInfo
    handle: Any = field(repr=False, compare=False)


def quiet() -> None:
    """Keep liblsl from writing to stderr: what it would say comes as an error. Call before any other use.

    Content set by program beats every configuration file, so nothing is set where the user has one.
    """
    places = (Path("lsl_api.cfg"), Path.home() / "lsl_api/lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    if not os.environ.get("LSLAPICFG") and not any(place.is_file() for place in places):
        pylsl.set_config_content("[log]\nlevel = -3\n")


def resolve(wait_s: float = RESOLVE_S) -> list[Found]:
    """Every stream that answers within `wait_s` seconds, by name, without descriptions."""
    found = [Found(_info(handle), handle) for handle in pylsl.resolve_streams(wait_s)]
    return sorted(found, key=lambda f: (f.info.name, f.info.source_id, f.info.uid))


def find_streams(wait_s: float = RESOLVE_S, timeout_s: float = 2.0) -> list[StreamInfo]:
    """Every stream with labels and units. One that does not answer is left undescribed."""
    streams = []
    for found in resolve(wait_s):
        try:
            streams.append(describe(found, timeout_s))
        except StreamError:
            streams.append(found.info)
    return streams


def describe(found: Found, timeout_s: float = 2.0) -> StreamInfo:
    """The stream with the labels and units of its description; StreamError when it does not answer."""
    return _full_info(pylsl.StreamInlet(found.handle, max_buflen=1, recover=False), timeout_s)


@dataclass(frozen=True)
class Wanted:
    """Which stream: by name, by type, by both; by neither, whichever stream of samples there is."""

    name: str | None = None
    stype: str | None = None

    def fits(self, info: StreamInfo) -> bool:
        named = self.name is None or info.name == self.name
        typed = self.stype is None or info.stype == self.stype
        return named and typed and (self.name is not None or info.dtype != "string")

    def __str__(self) -> str:
        named = f"named {self.name!r}" if self.name is not None else ""
        typed = f"of type {self.stype!r}" if self.stype is not None else ""
        return " ".join(filter(None, (named, typed))) or "of samples"


def matching(found: Sequence[Found], wanted: Wanted) -> list[Found]:
    return [f for f in found if wanted.fits(f.info)]


def select(found: Sequence[Found], wanted: Wanted, source_id: str = "") -> Found:
    """The one stream that is wanted. StreamError lists what is there when it is none or several.

    source_id  of several streams prefer the one with this id: the stream that was decoded before
    """
    candidates = matching(found, wanted)
    if source_id and len(candidates) > 1:
        candidates = [f for f in candidates if f.info.source_id == source_id] or candidates
    if not candidates:
        raise StreamError(f"there is no stream {wanted}", hint=_inventory(found))
    if len(candidates) > 1:
        listed = "; ".join(_identity(f.info) for f in candidates)
        raise StreamError(
            f"there are {len(candidates)} streams {wanted}: {listed}",
            hint="give a name, stop or rename the others",
        )
    return candidates[0]


def _inventory(found: Sequence[Found]) -> str:
    if not found:
        return "no streams found at all: is the sender running, in the same network?"
    return "found: " + ", ".join(f"{f.info.name} ({f.info.stype or 'no type'})" for f in found)


def _identity(info: StreamInfo) -> str:
    where = info.hostname or "unknown host"
    return f"{info.name} ({info.stype or 'no type'}) source_id {info.source_id or 'none'} on {where}"


class Search:
    """Looks for streams in the background, again and again, so that the decoding loop never waits for it."""

    def __init__(self, resolver: Callable[[float], list[Found]] = resolve, wait_s: float = RESOLVE_S):
        self._resolve, self._wait_s = resolver, wait_s
        self._stop = threading.Event()
        self._latest: list[Found] | None = None
        self._thread = threading.Thread(target=self._work, name="search", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._latest = self._resolve(self._wait_s)

    def take(self) -> list[Found] | None:
        """The result of a search that ended since the last call, or None."""
        latest, self._latest = self._latest, None
        return latest

    def stop(self) -> None:
        self._stop.set()


class LslSource:
    """One inlet. `pull` is for one thread; the clock offset is asked for on another.

    info       with labels and units;  offset_s  seconds from the stream's clock to ours, None until known
    """

    def __init__(self, found: Found, timeout_s: float = 3.0):
        self._inlet = pylsl.StreamInlet(found.handle, max_buflen=BUFFER_S, recover=False)
        self.info = _full_info(self._inlet, timeout_s)
        if self._inlet.np_dtype is None:
            raise StreamError(f"stream {self.info.name!r} carries strings, not samples")
        try:
            self._inlet.open_stream(timeout_s)
        except RuntimeError as problem:
            raise _gone(self.info.name, problem) from problem
        channels = self._inlet.channel_count
        self._rows = max(1024, round(self.info.sfreq))
        self._buffer = np.empty((self._rows, channels), self._inlet.np_dtype)
        # float32 holds every int8, int16 and float32; wider formats need float64
        wide = self.info.dtype in ("float64", "int32", "int64")
        self._dtype = np.dtype(np.float64 if wide else np.float32)
        self.offset_s: float | None = None
        self._closing = threading.Event()
        threading.Thread(target=self._watch_clock, args=(self._inlet,), name="clock", daemon=True).start()

    def pull(self, min_samples: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Samples (T, C) float32 or float64 and raw stamps (T,), 0 <= T; valid until the next call.

        Waits until `min_samples` are there or `timeout_s` is over. Lost when the outlet is gone.
        """
        try:
            data, stamps = self._inlet.pull_chunk(
                timeout=timeout_s,
                max_samples=self._rows,
                min_samples=min(min_samples, self._rows),
                dest_obj=self._buffer,
                as_numpy=True,
            )
        except RuntimeError as problem:
            raise _gone(self.info.name, problem) from problem
        return data.astype(self._dtype, copy=False), stamps

    def waiting(self) -> int:
        """Samples that arrived and were not pulled yet."""
        return int(self._inlet.samples_available())

    def close(self) -> None:
        """Let go of the inlet. The clock thread keeps it until its own call returns, so nobody waits here."""
        self._closing.set()
        del self._inlet

    def _watch_clock(self, inlet: pylsl.StreamInlet) -> None:
        # the first answer takes 0.65 s by liblsl's construction, and for ever where UDP is blocked
        while not self._closing.is_set():
            try:
                self.offset_s = inlet.time_correction(timeout=1.0)
            except pylsl.util.TimeoutError:
                continue
            except RuntimeError:
                return
            self._closing.wait(OFFSET_EVERY_S)


def _gone(name: str, problem: Exception) -> StreamError:
    if isinstance(problem, pylsl.util.TimeoutError):
        return StreamError(
            f"stream {name!r} was announced but does not answer", hint="a firewall between the machines?"
        )
    return Lost(f"stream {name!r} is gone")


def _full_info(inlet: pylsl.StreamInlet, timeout_s: float) -> StreamInfo:
    try:
        return _info(inlet.info(timeout_s))
    except RuntimeError as problem:
        raise _gone("?", problem) from problem


def _info(raw: pylsl.StreamInfo) -> StreamInfo:
    count = raw.channel_count()
    labels, units = [], []
    channel = raw.desc().child("channels").child("channel")
    while not channel.empty():
        labels.append(channel.child_value("label").strip())
        units.append(channel.child_value("unit").strip())
        channel = channel.next_sibling("channel")
    if len(labels) != count:  # absent, or a description that speaks of other channels than are sent
        labels, units = [""] * count, [""] * count
    return StreamInfo(
        raw.name(),
        raw.type(),
        tuple(labels),
        tuple(units),
        raw.nominal_srate(),
        raw.source_id(),
        raw.uid(),
        raw.hostname(),
        _FORMATS.get(raw.channel_format(), "string"),
    )
