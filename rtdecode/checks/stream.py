"""The stream of a sitting: samples gathered on a thread of their own, markers on another.

Nothing that a step computes or a screen draws can hold up the reading, so that arrivals are true. Knows no
step.
"""

import threading
import time
from collections import deque
from dataclasses import replace

import numpy as np
import pylsl

from rtdecode.bench.measure import Cell, consumer, reading
from rtdecode.checks.delay import Loop
from rtdecode.checks.heard import on_stream
from rtdecode.checks.stretch import Stretch, joined, nothing
from rtdecode.contract import Contract
from rtdecode.errors import RecordingError, RtdecodeError, StreamError
from rtdecode.live.connector import Connector
from rtdecode.score import Heard
from rtdecode.sources.lsl import Lost, LslSource, Search, Wanted, select
from rtdecode.sources.offset_watch import OffsetWatch
from rtdecode.types import StreamInfo

CHUNK_S, PULL_S, LOOK_S = 0.02, 0.1, 0.02
KEPT_S = 30.0  # of samples that nobody takes: the oldest are dropped
LONGEST = 1 << 16  # characters of a marker that is believed
MOST = 100_000  # markers


class LiveFeed:
    """One stream that fits the contract, opened anew when it comes back. StreamError when there is none.

    wait_s  seconds to look for it at first
    """

    def __init__(self, wanted: Wanted, contract: Contract, assume_unit: str = "", wait_s: float = 5.0):
        self._connector = Connector(wanted, contract, assume_unit, time.monotonic() + wait_s)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._parts: deque[Stretch] = deque()
        self._kept = 0
        self.lost = ""
        self.connection = 1
        self._source = self._open()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)
        self._thread.start()

    def take(self) -> Stretch:
        with self._lock:
            parts, self._kept = list(self._parts), 0
            self._parts.clear()
        if not parts:
            return nothing(len(self.info.labels))
        offset = self._source.offset_s
        return replace(joined(parts), offsets=() if offset is None else (offset,))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        if not self.lost:  # else it is closed already
            self._source.close()

    def _open(self) -> LslSource:
        while True:
            opened = self._connector.look(time.monotonic())
            if opened:
                self.info, self.channels = opened.source.info, opened.channels
                return opened.source
            time.sleep(LOOK_S)

    def _work(self) -> None:
        least = max(1, round(CHUNK_S * self.info.sfreq))
        while not self._stop.is_set():
            if self.lost:
                self._look_again()
                continue
            try:
                data, stamps = self._source.pull(least, PULL_S)
            except Lost:
                self._source.close()
                self.lost = "its sender closed the stream"
                continue
            if len(stamps):
                self._put(data, stamps, self._source.now())

    def _put(self, data: np.ndarray, stamps: np.ndarray, now: float) -> None:
        part = Stretch(data.copy(), stamps.copy(), np.full(len(stamps), now))
        with self._lock:
            self._parts.append(part)
            self._kept += len(part)
            while self._kept > KEPT_S * self.info.sfreq and len(self._parts) > 1:
                self._kept -= len(self._parts.popleft())

    def _look_again(self) -> None:
        try:
            opened = self._connector.look(time.monotonic())
        except StreamError as problem:  # it came back as another: said, and looked for on
            self.lost = problem.message
            opened = None
        if opened is None:
            self._stop.wait(LOOK_S)
            return
        with self._lock:
            self._parts.clear()
            self._kept = 0
        self._source, self.info, self.channels = opened.source, opened.source.info, opened.channels
        self.connection += 1
        self.lost = ""


class Marked:
    """The marker stream `name`, from now on, with its clock's offset: a teller of what was heard.

    Markers are kept whole, unlike those on the live screen: they are JSON to be read, not words to be shown.
    """

    def __init__(self, name: str):
        self.name = f"the markers of {name}"
        self._wanted = Wanted(name)
        self._marks: list[tuple[float, str]] = []
        self._offset_s: float | None = None
        self._state = f"there is no stream {self._wanted}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="marks", daemon=True)
        self._thread.start()

    def tell(self, stretch: Stretch, info: StreamInfo) -> tuple[Heard, ...]:
        # offsets are unknown for the first second, or where UDP is blocked: on one machine they are 0
        ours = self._offset_s or 0.0
        found = on_stream(
            list(self._marks), ours, float(np.median(stretch.offsets)) if stretch.offsets else ours
        )
        if not any(event.kind == "sentence" for event in found):
            said = f"{len(self._marks)} markers came, none of which names a sentence: {self._state}"
            raise RecordingError(said, hint="docs/check.md shows what a marker must say")
        return found

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        search = Search()
        while not self._stop.is_set():
            found = search.take()
            if found is None:
                self._stop.wait(LOOK_S)
                continue
            try:
                chosen = select(found, self._wanted)
            except StreamError as problem:
                self._state = str(problem)
                continue
            self._state = "connected"
            try:
                self._listen(pylsl.StreamInlet(chosen.handle, max_buflen=60, recover=False))
            except RuntimeError:  # gone, or never answered
                self._state = f"the marker stream {chosen.info.name} is gone"
        search.stop()

    def _listen(self, inlet: pylsl.StreamInlet) -> None:
        inlet.open_stream(3.0)
        watch = OffsetWatch(lambda wait_s: inlet.time_correction(timeout=wait_s))
        try:
            while not self._stop.is_set():
                values, t = inlet.pull_sample(PULL_S)
                if watch.offset.value is not None:
                    self._offset_s = watch.offset.value
                if values is not None and len(self._marks) < MOST and len(str(values[0])) <= LONGEST:
                    self._marks.append((float(t), str(values[0])))
        finally:
            watch.close()


def loop(channels: int, sfreq: float, seconds: float = 2.0) -> Loop:
    """An outlet and an inlet of our own, each in its process, with as many channels as the bundle has."""
    try:
        times = consumer(Cell(channels, sfreq, seconds), reading)
    except RtdecodeError as problem:
        return Loop(why=str(problem))
    return Loop(times.p50, times.p99, times.lost)
