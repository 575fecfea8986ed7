"""Samples from a FieldTrip buffer: every one by its absolute index, stamped on a clock of ours.

A buffer counts samples from 0 and keeps the newest in a ring. The count makes every loss exact: what the
ring overwrote before it was read is counted and shows as a gap in the stamps. Its protocol has no units (they
are declared) and no stamps (they come from the count, on a slowly followed line). This module does not know
LSL outlets, bundles or decisions.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from rtdecode.errors import StreamError
from rtdecode.sources.fieldtrip_events import BufferEvent, EventTail
from rtdecode.sources.fieldtrip_frames import BLOCK_BYTES, Buffer, Header, NoMeasurement
from rtdecode.sources.lsl import Lost
from rtdecode.sources.timeline import Timeline
from rtdecode.types import StreamInfo

HOLD_S = 0.1  # for late samples that are on their way, before time is said to have jumped
ATTEMPTS = 5  # at a ring that is overwritten while it is read


class Changed(StreamError):
    """The buffer now holds other channels, another rate or format: nothing of before applies."""


class FieldTripSource:
    """One buffer. `pull` as LslSource has it, with stamps on `clock`; for one thread.

    unit_of  the unit of a channel by its label: the protocol carries none
    labels   names for a buffer that gives none; otherwise they must be its own
    info     with labels and units;  lost  samples overwritten before they were read

    Raises Lost, NotABuffer, NoMeasurement; StreamError for labels that are missing, empty or double.
    """

    def __init__(
        self,
        host: str,
        port: int,
        unit_of: Callable[[str], str],
        *,
        stype: str = "EEG",
        labels: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        stopping: Callable[[], bool] = lambda: False,
    ):
        self._host, self._port, self._stopping, self._clock = host, port, stopping, clock
        self._buffer: Buffer | None = None
        self._header = self._opened()
        try:
            names = _names(self._header, tuple(labels), self.where)
        except StreamError:
            self.close()
            raise
        self._timeline = Timeline(self._header.sfreq)
        # float32 holds every integer of 16 bits; wider formats need float64
        narrow = self._header.dtype in ("uint8", "int8", "uint16", "int16", "float32")
        self._dtype = np.dtype(np.float32 if narrow else np.float64)
        self._scale = np.array(self._header.resolutions)
        self.info = StreamInfo(
            self.where,
            stype,
            names,
            tuple(unit_of(name) for name in names),
            self._header.sfreq,
            hostname=host,
            dtype=str(self._dtype),
        )
        row_bytes = self._header.channels * np.dtype(self._header.dtype).itemsize
        self._rows = max(1, min(math.ceil(self._header.sfreq), BLOCK_BYTES // row_bytes))
        self._empty = np.zeros((0, self._header.channels), self._dtype)
        self._next = self._newest = self._header.samples
        self.lost = 0
        self._notes: deque[str] = deque(maxlen=100)
        self._tail = EventTail(self._header.events)
        self._events: list[BufferEvent] = []

    @property
    def where(self) -> str:
        return f"{self._host}:{self._port}"

    @property
    def connected(self) -> bool:
        return self._buffer is not None

    def pull(self, min_samples: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Samples (T, C) float32 or float64 and their seconds (T,), 0 <= T, each exactly once and in order.

        Waits until `min_samples` are there or `timeout_s` is over. After Lost or NotABuffer: `reconnect`.
        """
        try:
            self._look(max(1, min_samples), timeout_s)
            block = self._read()
            self._events += self._tail.read(self._live(), self._notes.append)
        except StreamError:
            self.close()
            raise
        first, self._next = self._next, self._next + len(block)
        if len(self._scale):
            block = block * self._scale
        return block.astype(self._dtype), self._timeline.stamps(first, len(block))

    def reconnect(self) -> None:
        """Connect again and go on where it ended, as far as the ring still holds it. Changed: start anew."""
        self.close()
        header = self._opened()
        at = self._clock()
        if problems := self._header.differences(header):
            self.close()
            raise Changed(f"{self.where} has changed: {'; '.join(problems)}")
        # the same measurement if its count is where it would be by now
        behind = abs(self._timeline.late(header.samples - 1, at))
        if header.samples < self._next or behind > Timeline.JUMP_S:
            self._begin(header)

    def take_notes(self) -> list[str]:
        """What happened since the last call, in sentences."""
        notes = list(self._notes)
        self._notes.clear()
        return notes

    def take_events(self) -> list[tuple[float, str]]:
        """Events since the last call: seconds of their sample on `clock`, and what they say."""
        if math.isnan(self._timeline.stamps(0, 1)[0]):  # no sample has said yet what time it is
            return []
        events, self._events = self._events, []
        return [(float(self._timeline.stamps(event.sample, 1)[0]), event.text) for event in events]

    def waiting(self) -> int:
        """Samples that were counted and not pulled yet."""
        return max(0, self._newest - self._next)

    def close(self) -> None:
        if self._buffer:
            self._buffer.close()
        self._buffer = None

    def _opened(self) -> Header:
        self._buffer = Buffer(self._host, self._port, self._stopping)
        try:
            header = self._buffer.header()
            if header is None:
                raise NoMeasurement(f"{self.where} holds no measurement yet", hint="start the acquisition")
        except StreamError:
            self.close()
            raise
        return header

    def _live(self) -> Buffer:
        if self._buffer is None:
            raise Lost(f"{self.where} is not connected")
        return self._buffer

    def _look(self, min_samples: int, timeout_s: float) -> None:
        """Learn the count, and what it says about time."""
        before = self._newest
        self._newest = self._live().count(self._next + min_samples - 1, timeout_s)
        at = self._clock()
        if self._newest < before:
            self._again()
            return
        if self._newest == before:
            return
        until = at + HOLD_S
        while self._late(at) > Timeline.JUMP_S and at < until:
            # samples that were held up arrive together: only if no more come, time itself has jumped
            self._newest = max(self._newest, self._live().count(self._newest, until - at))
            at = self._clock()
        late = self._late(at)
        if abs(late) > Timeline.JUMP_S:
            paused = f"paused for {late:.3f} s without counting: a gap in the stamps"
            hasty = f"counts faster than its {self.info.sfreq:g} Hz: the stamps go back {-late:.3f} s"
            self._notes.append(f"{self.where} {paused if late > 0 else hasty}")
            self._timeline.anchor(self._newest - 1, at)
        else:
            self._timeline.follow(self._newest - 1, at)

    def _late(self, at: float) -> float:
        return self._timeline.late(self._newest - 1, at)

    def _again(self) -> None:
        header = self._live().header()
        if header is None:
            raise NoMeasurement(f"{self.where} ended its measurement", hint="start the acquisition")
        if problems := self._header.differences(header):
            raise Changed(f"{self.where} has changed: {'; '.join(problems)}")
        self._begin(header)

    def _begin(self, header: Header) -> None:
        """Another measurement of the same layout: from its start if that was just now."""
        samples = header.samples
        self._notes.append(f"{self.where} began a new measurement: it counts {samples} after {self._newest}")
        self._next = 0 if samples <= self._rows else samples
        self._newest = samples
        self._tail.start(0 if self._next == 0 else header.events)
        self._timeline.reset()
        if self._newest > self._next:
            self._timeline.anchor(self._newest - 1, self._clock())

    def _read(self) -> np.ndarray:
        buffer = self._live()
        for _ in range(ATTEMPTS):
            rows = min(self._newest - self._next, self._rows)
            if rows <= 0:
                return self._empty
            block = buffer.block(self._next, rows, self._header)
            if block is not None:
                return block
            self._skip_to(self._oldest(buffer))
        self._skip_to(self._newest)  # overwritten faster than it can be read
        return self._empty

    def _skip_to(self, index: int) -> None:
        missing, self._next = index - self._next, index
        self.lost += missing
        if missing:
            seconds = missing * self._timeline.period_s
            self._notes.append(f"{missing} samples ({seconds:.3f} s) were overwritten before they were read")

    def _oldest(self, buffer: Buffer) -> int:
        """The first index the ring still holds: the protocol does not tell, so it is searched by halves."""
        before, self._newest = self._newest, buffer.count(0, 0.0)
        gone, held = self._next, self._newest - 1
        if buffer.block(held, 1, self._header) is None:
            if buffer.count(0, 0.0) == before:
                raise Lost(f"{self.where} counts samples that it does not give")
            return self._next  # overwritten since it was counted: look again
        while held - gone > 1:
            middle = (gone + held) // 2
            if buffer.block(middle, 1, self._header) is None:
                gone = middle
            else:
                held = middle
        return held


def _names(header: Header, given: tuple[str, ...], where: str) -> tuple[str, ...]:
    if given and header.labels and given != header.labels:
        raise StreamError(
            f"{where} names its channels {_few(header.labels)}, and --labels {_few(given)}",
            hint="leave --labels out",
        )
    labels = header.labels or given
    if len(labels) != header.channels:
        told = f"{len(labels)} labels were given" if labels else "gives no channel names"
        raise StreamError(
            f"{where} has {header.channels} channels, and {told}",
            hint="name them all: --labels Fz,Cz,…, in the buffer's order",
        )
    if "" in labels or len(set(labels)) < len(labels):
        twice = next((name for name in labels if labels.count(name) > 1), "")
        what = f"{labels.count(twice)} channels named {twice!r}" if twice else "a channel without a name"
        raise StreamError(f"{where} has {what}", hint="decoders match channels by name: name them apart")
    return labels


def _few(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:4]) + (f" … ({len(labels)})" if len(labels) > 4 else "")
