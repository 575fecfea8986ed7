"""The stream that is measured, in a process of its own. Channel 0 can carry the sample's index.

Paced, samples leave at their nominal times; in flood, as fast as the consumer takes them, at most a second
ahead. Faults can be planted: samples left out, values not numbers, channels flat, the outlet closed for a
while. Stamps are those of a perfect amplifier, so that what is lost shows exactly.
"""

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pylsl

from rtdecode.bench.bundle import UNIT, labels_of
from rtdecode.bench.push_log import PushLog
from rtdecode.errors import StreamError
from rtdecode.sources.lsl import quiet

INDEX_MODULO = 1 << 23  # float32 counts exactly up to here
AHEAD_S = 1.0  # in flood: how much the consumer may have waiting
CONSUMER_S = 30.0
UNDER_WAY_S = 0.3  # before closing: what was pushed must have arrived
BLOCK = 512  # samples of noise that come round again and again


@dataclass(frozen=True)
class Plan:
    """What to send. Sample indices are absolute.

    seconds     of signal;  chunk  samples per push
    skip        (first, count) of samples never sent: a gap in stamps
    nan, flat   (first, count): channel 1 holds NaN, channel 2 a constant
    away        (sample, count): before it the outlet is closed, for as long as count samples, which are lost
    index       whether channel 0 counts; it is noise like the others where a decoder would find it odd
    """

    name: str
    log: str
    channels: int
    sfreq: float
    seconds: float
    chunk: int = 1
    flood: bool = False
    skip: tuple[tuple[int, int], ...] = ()
    nan: tuple[tuple[int, int], ...] = ()
    flat: tuple[tuple[int, int], ...] = ()
    away: tuple[tuple[int, int], ...] = ()
    index: bool = True


class Sender:
    """One stream, played once."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._log = PushLog(plan.chunk, name=plan.log)
        self._outlet: Any = self._open()
        rng = np.random.default_rng(0)
        self._noise = (10 * rng.normal(size=(BLOCK + plan.chunk, plan.channels))).astype(np.float32)
        self._clock = pylsl.local_clock() - time.monotonic()  # two names of one clock on most systems

    def _open(self) -> Any:
        plan = self.plan
        about = pylsl.StreamInfo(
            plan.name, "bench", plan.channels, plan.sfreq, pylsl.cf_float32, f"{plan.name}-source"
        )
        about.set_channel_labels(list(labels_of(plan.channels)))
        about.set_channel_units([UNIT] * plan.channels)
        return pylsl.StreamOutlet(about, chunk_size=plan.chunk)

    def play(self) -> None:
        """Wait for a consumer, then send everything; ends early when the log says so."""
        plan, log = self.plan, self._log
        if not self._wait_for_consumer():
            return
        period, total = plan.chunk / plan.sfreq, round(plan.seconds * plan.sfreq) // plan.chunk
        start = time.monotonic() + 0.05
        log.start = start + self._clock
        away, back_at = dict(plan.away), 0
        for k in range(min(total, log.capacity)):
            due = start + (k + 1) * period
            first = k * plan.chunk
            if first in away:
                back_at = first + away[first]
                time.sleep(UNDER_WAY_S)
                self._outlet = None
            if self._outlet is None and first >= back_at:
                self._outlet = self._open()
                self._wait_for_consumer()
            push = self._ready(first, log.start + (first + plan.chunk - 1) / plan.sfreq)
            self._pace(due, first)
            if log.stopping:
                break
            now = time.monotonic()
            push()
            log.push(k, now)

    def _ready(self, first: int, stamp: float) -> Callable[[], object]:
        """What sends the chunk from this sample on, with nothing left to prepare: pylsl's push_chunk would do
        20 µs of work that is none of the stream's way between its time and liblsl."""
        outlet = self._outlet
        self._data = self._chunk(first)  # kept until it is sent
        if outlet is None or _within(self.plan.skip, first):
            return int
        values = ctypes.c_void_p(self._data.ctypes.data), ctypes.c_long(self._data.size)
        call = partial(outlet.do_push_chunk, outlet.obj, *values, ctypes.c_double(stamp), ctypes.c_int(1))
        return lambda: pylsl.util.handle_error(call())

    def _wait_for_consumer(self) -> bool:
        deadline = time.monotonic() + CONSUMER_S
        while not self._outlet.wait_for_consumers(0.1):
            if self._log.stopping or time.monotonic() > deadline:
                return False
        return True

    def _pace(self, due: float, first: int) -> None:
        if not self.plan.flood:
            while (left := due - time.monotonic()) > 0:
                time.sleep(left)
            return
        while first - self._log.taken > AHEAD_S * self.plan.sfreq and not self._log.stopping:
            time.sleep(1e-4)

    def _chunk(self, first: int) -> np.ndarray:
        plan = self.plan
        row = first % BLOCK
        data = self._noise[row : row + plan.chunk]
        index = np.arange(first, first + plan.chunk)
        if plan.index:
            data[:, 0] = index % INDEX_MODULO
        if plan.nan or plan.flat:
            data = data.copy()
            if plan.channels > 2:
                data[[_within(plan.nan, int(i)) for i in index], 1] = np.nan
                data[[_within(plan.flat, int(i)) for i in index], 2] = 0.0
        return data

    def linger(self) -> None:
        """Stay, so that nothing under way is lost, until told to stop or the parent is gone."""
        deadline = time.monotonic() + CONSUMER_S
        while not self._log.stopping and time.monotonic() < deadline:
            time.sleep(0.01)


def _within(spans: tuple[tuple[int, int], ...], index: int) -> bool:
    return any(first <= index < first + count for first, count in spans)


def play(plan: Plan, said: Connection) -> None:
    """Entry point of the spawned process. Says "ready" once the stream can be found and "sent" at its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    quiet()
    sender = Sender(plan)
    said.send("ready")
    sender.play()
    said.send("sent")
    sender.linger()
    os._exit(0)  # liblsl's destructors may abort


@contextmanager
def sending(plan: Plan) -> Iterator[Connection]:
    """The sender in its process, findable when the block begins and ended with it."""
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=play, args=(plan, said), name="rtdecode-sender", daemon=True)
    process.start()
    said.close()
    try:
        if not heard.poll(CONSUMER_S):
            raise StreamError("the bench's own sender did not start")
        heard.recv()
        yield heard
    except EOFError as problem:
        raise StreamError("the bench's own sender ended before it could be found") from problem
    finally:
        process.kill()
        process.join()
        heard.close()
