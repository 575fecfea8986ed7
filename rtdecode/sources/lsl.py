"""Samples from the lab streaming layer: find streams, choose one, pull it.

The only module that knows liblsl's receiving side. It hands out raw samples with raw stamps: liblsl's own
recovery, de-jittering and clock correction stay off, because recovery keeps the old channel labels for a new
stream and de-jittering hides gaps. It does not know bundles, states or decisions.
"""

import ctypes
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from rtdecode.errors import ContractError, StreamError
from rtdecode.sources.offset_watch import OffsetWatch
from rtdecode.sources.predicate import parse
from rtdecode.types import StreamInfo

RESOLVE_S = 1.0  # shorter waits return only some of the streams that are there
BUFFER_S = 60  # what liblsl holds for us; beyond it the oldest samples vanish, which the stamps betray
PATIENT_S, PAUSE_S = 10.0, 2.0  # of looking for a stream without a pause, and the longest pause then

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
    """Which stream: by name, type, source_id, predicate (predicate.py); by none, any stream of samples.

    ConfigError when the predicate does not parse.
    """

    name: str | None = None
    stype: str | None = None
    source_id: str | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_test", parse(self.where) if self.where is not None else None)

    def fits(self, info: StreamInfo) -> bool:
        for wanted, found in (
            (self.name, info.name),
            (self.stype, info.stype),
            (self.source_id, info.source_id),
        ):
            if wanted is not None and found != wanted:
                return False
        test: Callable[[StreamInfo], bool] | None = getattr(self, "_test")  # noqa: B009
        if test is not None and not test(info):
            return False
        if self == Wanted() and info.sfreq == 0.0:
            return False  # "any stream of samples" never means events, such as a decoder's own results
        # whoever names a stream of strings is told that it carries strings
        return info.dtype != "string" or self.name is not None or self.source_id is not None

    def __str__(self) -> str:
        named = f"named {self.name!r}" if self.name is not None else ""
        typed = f"of type {self.stype!r}" if self.stype is not None else ""
        sent = f"with source_id {self.source_id!r}" if self.source_id is not None else ""
        where = f"where {self.where}" if self.where is not None else ""
        return " ".join(filter(None, (named, typed, sent, where))) or "of samples"


def recognisable(source_id: str) -> bool:
    """Whether this id will be the same at the next start of its sender. pylsl makes one of Python's hash(),
    different in every process, where a sender gives none."""
    return bool(source_id) and not re.fullmatch(r"-?\d{15,20}", source_id)


def matching(found: Sequence[Found], wanted: Wanted) -> list[Found]:
    return [f for f in found if wanted.fits(f.info)]


def select(found: Sequence[Found], wanted: Wanted, source_id: str = "") -> Found:
    """The one stream that is wanted. StreamError lists what is there when it is none or several.

    source_id  of the stream that was used before: another one does not replace it
    """
    candidates = matching(found, wanted)
    if recognisable(source_id):
        same = [f for f in candidates if f.info.source_id == source_id]
        if candidates and not same:
            others = "; ".join(_identity(f.info) for f in candidates)
            raise StreamError(f"the stream with source_id {source_id} is not back; there is only {others}")
        candidates = same
    if not candidates:
        raise StreamError(f"there is no stream {wanted}", hint=_inventory(found))
    if len(candidates) > 1:
        listed = "; ".join(_identity(f.info) for f in candidates)
        raise StreamError(
            f"there are {len(candidates)} streams {wanted}: {listed}", hint=_narrower(candidates)
        )
    return candidates[0]


def _narrower(candidates: Sequence[Found]) -> str:
    """What tells them apart: their names, else their source_ids, else nothing."""
    infos = [found.info for found in candidates]
    if len({info.name for info in infos}) == len(infos):
        return "give a name with --stream, or stop the others"
    if len({info.source_id for info in infos}) == len(infos):
        return "stop or rename the others, or take one with `rtdecode live --source-id ID`"
    return "stop or rename the others"


def _inventory(found: Sequence[Found]) -> str:
    if not found:
        return "no streams found at all: is the sender running, in the same network?"
    return "found: " + ", ".join(f"{f.info.name} ({f.info.stype or 'no type'})" for f in found)


def _identity(info: StreamInfo) -> str:
    where = info.hostname or "unknown host"
    return f"{info.name} ({info.stype or 'no type'}) source_id {info.source_id or 'none'} on {where}"


class Search:
    """Looks for streams in the background, again and again, so that the decoding loop never waits for it.

    Without a pause at first; once it has looked for long in vain, the network gets some rest in between.

    tried  searches that ended;  clock  seconds
    """

    def __init__(
        self,
        resolver: Callable[[float], list[Found]] = resolve,
        wait_s: float = RESOLVE_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._resolve, self._wait_s, self._clock = resolver, wait_s, clock
        self._began = self._next = clock()
        self.tried = 0
        self._stop = threading.Event()
        self._latest: list[Found] | None = None
        self._thread = threading.Thread(target=self._work, name="search", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            found, now = self._resolve(self._wait_s), self._clock()
            pause = pause_s(now - self._began)
            self._next, self.tried, self._latest = now + pause, self.tried + 1, found
            self._stop.wait(pause)

    @property
    def next_s(self) -> float:
        """Seconds until the next search begins; 0 while one is under way."""
        return max(0.0, self._next - self._clock())

    def take(self) -> list[Found] | None:
        """The result of a search that ended since the last call, or None."""
        latest, self._latest = self._latest, None
        return latest

    def stop(self) -> None:
        self._stop.set()


def pause_s(elapsed_s: float) -> float:
    """Seconds to wait before looking again, after `elapsed_s` seconds of looking."""
    return min(PAUSE_S, max(0.0, 0.1 * (elapsed_s - PATIENT_S)))


def _let_go() -> None:
    """Whoever else is ready to run on this processor goes first."""
    if sys.platform == "linux":
        os.sched_yield()
    else:
        time.sleep(0)


class LslSource:
    """One inlet. `pull` is for one thread; the clock offset is asked for on another.

    info      with labels and units;  clock  from the stream's clock to ours
    buffer_s  what is kept for us while we do not pull
    """

    def __init__(self, found: Found, timeout_s: float = 3.0, buffer_s: int = BUFFER_S):
        self._inlet = pylsl.StreamInlet(found.handle, max_buflen=buffer_s, recover=False)
        self.info = _full_info(self._inlet, timeout_s)
        if self._inlet.np_dtype is None:
            text = "it carries strings, not samples"
            raise ContractError(f"stream {self.info.name!r} cannot be used: {text}", problems=(text,))
        try:
            self._inlet.open_stream(timeout_s)
        except RuntimeError as problem:
            raise _gone(self.info.name, problem) from problem
        channels = self._inlet.channel_count
        self._rows = max(1024, round(self.info.sfreq))
        self._buffer = np.empty((self._rows, channels), self._inlet.np_dtype)
        self._stamps = np.empty(self._rows)
        self._buffer_at, self._stamps_at = self._buffer.ctypes.data, self._stamps.ctypes.data
        self._held = 0  # samples in the buffer that `watch` took
        self._error = ctypes.c_int()
        # float32 holds every int8, int16 and float32; wider formats need float64
        wide = self.info.dtype in ("float64", "int32", "int64")
        self._dtype = np.dtype(np.float64 if wide else np.float32)
        inlet = self._inlet
        self.clock = OffsetWatch(lambda wait_s: inlet.time_correction(timeout=wait_s))

    @property
    def offset_s(self) -> float | None:
        """Seconds from the stream's clock to ours, None until known."""
        return self.clock.offset.value

    def pull(self, min_samples: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Samples (T, C) float32 or float64 and raw stamps (T,), 0 <= T; valid until the next call.

        Waits until `min_samples` are there or `timeout_s` is over, and takes what else is there. Of 0: takes
        none. Lost when the outlet is gone.
        """
        taken, self._held = self._held, 0
        try:
            if taken < min_samples:
                taken += self._take(taken, min(min_samples, self._rows) - taken, timeout_s)
            if 0 < taken < self._rows and (more := self.waiting()):
                taken += self._take(taken, min(more, self._rows - taken), 0.0)
        except RuntimeError as problem:
            raise _gone(self.info.name, problem) from problem
        return self._buffer[:taken].astype(self._dtype, copy=False), self._stamps[:taken].copy()

    def _take(self, at: int, samples: int, timeout_s: float) -> int:
        """Wait for so many samples, into the buffer from row `at`; how many came.

        As pylsl's own pull_chunk does it, with buffers that stay where they are: 2 instead of 16 µs, which
        every decision waits for.
        """
        inlet, width = self._inlet, self._buffer.strides[0]
        values = inlet.do_pull_chunk(
            inlet.obj,
            ctypes.c_void_p(self._buffer_at + at * width),
            ctypes.c_void_p(self._stamps_at + at * self._stamps.itemsize),
            ctypes.c_size_t(samples * inlet.channel_count),
            ctypes.c_size_t(samples),
            ctypes.c_double(timeout_s),
            ctypes.byref(self._error),
        )
        if self._error.value:
            pylsl.util.handle_error(self._error)
        return int(values) // int(inlet.channel_count)

    def watch(self, samples: int, until: float) -> bool:
        """Look again and again, without falling asleep, until so many samples are there; whether they came
        before `until`, in seconds of time.perf_counter. The next `pull` has them at hand: to ask liblsl for
        them then, for the first time in a while, takes longer. liblsl receives on a thread of its own, which
        goes first."""
        take, timer, let_go = self._take, time.perf_counter, _let_go
        samples = min(samples, self._rows)
        try:
            while self._held < samples:
                if timer() >= until:
                    return False
                self._held += take(self._held, samples - self._held, 0.0)
                if self._held < samples:
                    let_go()
        except RuntimeError as problem:
            raise _gone(self.info.name, problem) from problem
        return True

    def waiting(self) -> int:
        """Samples that arrived and were not pulled yet."""
        return int(self._inlet.samples_available())

    def now(self) -> float:
        """Seconds on our own LSL clock: a stamp plus `offset_s` compares with it."""
        return float(pylsl.local_clock())

    def close(self) -> None:
        """Let go of the inlet. The clock thread keeps it until its own call returns, so nobody waits here."""
        self.clock.close()
        del self._inlet


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
