"""What the core tells the recorder, and the alarms it raises when the recorder fails. Never waits.

Every method copies into the feed and returns; what finds no room is counted, told to the recorder once there
is room again, and becomes an alarm. `apply` is the other end: it hands the records to a log's writer.
Without a feed every method does nothing, so that the core need not ask. A feed may come in the middle of a
session, and go.
"""

import errno as errno_codes
import json
import os
import struct
from typing import Any

import numpy as np

from rtdecode.config import from_json, to_json
from rtdecode.contract import ChannelMap
from rtdecode.live.feed import FAILED, WAITING, Feed
from rtdecode.session.writer import LogWriter
from rtdecode.snapshot import Recording
from rtdecode.types import StreamInfo

_CONNECTED, _SAMPLES, _RUN, _LINE, _CLOCK, _LOST = range(1, 7)
_BLOCK = struct.Struct("<III")  # rows, channels, bytes per value
_NUMBERS = struct.Struct("<QQ")
_RUN_AT = struct.Struct("<QQQ")  # run, sample, samples of the run before the log
_OFFSET = struct.Struct("<dd")
CHECK_S = 0.5
SILENT_S = 2.0  # the recorder beats every 0.25 s; a disk that holds it up for longer is worth a word


class Tape:
    """The core's end. feed: where to, or None.

    lost_samples  samples that were not recorded because the recorder was too slow
    recording     for the screen; None while nothing is recorded, and nothing failed
    """

    def __init__(self, feed: Feed | None):
        self._feed: Feed | None = None
        self._over = False
        self.recording: Recording | None = None
        if feed is not None:
            feed.warm()
        self._begin(feed)

    @property
    def busy(self) -> bool:
        """Whether something is being recorded, by a recorder that answers."""
        return self._feed is not None and not self._over and not self._silent

    def _begin(self, feed: Feed | None) -> None:
        self._feed = feed
        self._check_at = 0.0
        self._silent = self._over = False
        self._untold_samples = self._untold_records = 0
        self._offset: float | None = None
        self._fed = False  # samples of this connection were put
        self._first = 0  # samples of the connection that came before the feed
        self._unsaid = self.lost_samples = 0

    def attach(self, feed: Feed) -> None:
        """From now on into this feed. Its reader lays out the pages (Feed.touch): here is no time for it."""
        self.detach()
        self._begin(feed)
        self.recording = Recording()

    def join(self, info: StreamInfo, channels: ChannelMap | None, run: int, before: int, total: int) -> None:
        """After `attach`, while a stream is open: go on in the middle of its run.

        before, total  samples of the run, of the connection, that came before the next one
        """
        self._connected(info, channels, run, before)
        self._first = total

    def detach(self) -> None:
        """Nothing more is recorded; the recorder writes what it was given."""
        if self._feed is not None:
            self.finish()
            self._feed.close()
        failed = self.recording is not None and bool(self.recording.failed)
        self._begin(None)
        self.recording = self.recording if failed else None

    def fail(self, why: str) -> None:
        """A recording could not begin, or its end could not be written. One that is going on shows itself."""
        if self._feed is None:
            self.recording = Recording(failed=why)

    def connected(self, info: StreamInfo, channels: ChannelMap | None, run: int) -> None:
        """A stream was opened: samples are of this one from now on, and a run begins with the first."""
        self._connected(info, channels, run, 0)

    def _connected(self, info: StreamInfo, channels: ChannelMap | None, run: int, before: int) -> None:
        if self._feed is None:
            return
        mapped = None if channels is None else [int(pick) for pick in channels.picks]
        self._put(_CONNECTED, _json({"info": to_json(info), "picks": mapped}))
        self._put(_RUN, _RUN_AT.pack(run, 0, before))
        self._offset, self._fed, self._first = None, False, 0

    def samples(self, data: np.ndarray, stamps: np.ndarray) -> None:
        """(T, C) float32 or float64 and (T,) seconds, exactly as they go to the decoder."""
        if self._feed is None or not len(stamps):
            return
        self._fed = True
        data = np.ascontiguousarray(data)
        head = _BLOCK.pack(*data.shape, data.itemsize)
        t = np.ascontiguousarray(stamps, np.float64)
        if not self._put(_SAMPLES, head, t.data.cast("B"), data.data.cast("B")):
            self._untold_samples += len(stamps)
            self._unsaid += len(stamps)
            self.lost_samples += len(stamps)

    def run(self, run: int, sample: int) -> None:
        """A run began with this sample, counted from 0 since the connection."""
        if self._feed is not None:
            self._put(_RUN, _RUN_AT.pack(run, sample - self._first, 0))

    def line(self, encoded: bytes) -> None:
        """One JSON object with a kind, and a newline."""
        if self._feed is not None:
            self._put(_LINE, encoded)

    def clock(self, now: float, offset_s: float | None) -> None:
        """now: seconds on our clock; offset_s: from the stream's clock to ours, skipped if unchanged."""
        # an offset before the stream's first samples has no place in the file
        if self._feed is not None and self._fed and offset_s is not None and offset_s != self._offset:
            self._offset = offset_s
            self._put(_CLOCK, _OFFSET.pack(now, offset_s))

    def alarms(self, now: float) -> list[tuple[str, str]]:
        """What became of the recorder since the last call: (level, sentence). now: monotonic seconds."""
        if self._feed is None or self._over or now < self._check_at:
            return []
        self._check_at = now + CHECK_S
        state, errno, silent_s = self._feed.reader()
        found = []
        if state == FAILED:
            self._over = True
            reason = reason_of(errno)
            self.recording = Recording(failed=reason, lost=self.lost_samples)
            found.append(("error", f"recording failed: {reason}; what was recorded until now is kept"))
        elif (silent_s > SILENT_S and state != WAITING) != self._silent:
            self._silent = not self._silent
            said = f"recording stopped: the recorder has not answered for {silent_s:.1f} s"
            found.append(("error", said) if self._silent else ("warn", "the recorder answers again"))
        if self._unsaid and not self._over:
            found.append(("error", f"{self._unsaid} samples were not recorded: the recorder is too slow"))
            self._unsaid = 0
        if not self._over:
            size_mb = round(self._feed.stored / 1e6, 3)
            self.recording = Recording(size_mb, "", self._silent, self.lost_samples)
        return found

    def finish(self) -> None:
        if self._feed is not None:
            if self._untold_records:
                self._tell_lost()
            self._feed.finish()

    def _put(self, kind: int, *parts: bytes | memoryview) -> bool:
        assert self._feed is not None
        if self._over:
            return True  # said already; nobody reads
        if self._untold_records and self._feed.has_room(_NUMBERS.size, sum(map(len, parts))):
            self._tell_lost()
        if not self._untold_records and self._feed.put(kind, *parts):
            return True
        self._untold_records += 1
        return False

    def _tell_lost(self) -> None:
        assert self._feed is not None
        if self._feed.put(_LOST, _NUMBERS.pack(self._untold_samples, self._untold_records)):
            self._untold_samples = self._untold_records = 0


_FULL = (errno_codes.ENOSPC, errno_codes.EDQUOT, errno_codes.EFBIG)


def reason_of(errno: int) -> str:
    """What stopped a recorder, in words. errno: as it told the feed, 0 for what was not the system's"""
    return "disk full" if errno in _FULL else os.strerror(errno) if errno else "a fault of rtdecode"


def apply(kind: int, payload: bytes, log: LogWriter) -> None:
    """Hand one record of the feed to the log. OSError when it cannot be written."""
    if kind == _SAMPLES:
        rows, channels, width = _BLOCK.unpack_from(payload)
        stamps = np.frombuffer(payload, np.float64, rows, _BLOCK.size)
        dtype = np.float32 if width == 4 else np.float64
        data = np.frombuffer(payload, dtype, rows * channels, _BLOCK.size + 8 * rows)
        log.samples(data.reshape(rows, channels), stamps)
    elif kind == _LINE:
        log.line(payload)
    elif kind == _CONNECTED:
        said: dict[str, Any] = json.loads(payload)
        log.stream(from_json(StreamInfo, said["info"], "stream"), said["picks"])
    elif kind == _RUN:
        log.run(*_RUN_AT.unpack(payload))
    elif kind == _CLOCK:
        log.clock(*_OFFSET.unpack(payload))
    elif kind == _LOST:
        log.lost(*_NUMBERS.unpack(payload))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
