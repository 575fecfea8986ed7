"""Appends to a session log. Everything is gathered in memory and reaches the files by `flush`, whole.

Crash-safe by order and by form: both files are only appended to, an XDF chunk and a line are each complete or
cut, and samples are written before the lines that speak of them. After an error the files are cut back to the
last whole flush. Knows nothing of processes or of where samples come from.
"""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.config import to_json
from rtdecode.types import StreamInfo
from rtdecode.xdf_writer import (
    boundary,
    clock_offset,
    file_header,
    stamped_samples,
    stream_footer,
    stream_header,
)

SAMPLES, EVENTS = "samples.xdf", "events.jsonl"
BOUNDARY_S = 10.0
SYNC_S = 5.0


class _File:
    """An append-only file that ends with a whole flush, always."""

    def __init__(self, path: Path):
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._waiting = bytearray()
        self._size = 0

    def add(self, data: bytes) -> None:
        self._waiting += data

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size(self) -> int:
        return self._size

    def flush(self) -> None:
        if not self._waiting:
            return
        try:
            done = 0
            with memoryview(self._waiting) as view:
                while done < len(view):
                    done += os.write(self._fd, view[done:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += done
        self._waiting.clear()

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class LogWriter:
    """The two growing files of a log whose session.json exists. OSError from `flush` and `close` only.

    Samples belong to the stream that was announced last. Its samples are counted from 0, those that were lost
    on the way included.
    """

    def __init__(self, directory: Path):
        self._samples, self._events = _File(directory / SAMPLES), _File(directory / EVENTS)
        self._samples.add(file_header())
        self._ident = 0
        self._info: StreamInfo | None = None
        self._format = ""
        self._header_due = False
        self._count = self._kept = 0
        self._first = self._last = 0.0
        self._offsets: list[tuple[float, float]] = []
        self._footers: list[bytes] = []
        self._newest = (0, np.zeros(0))  # index and stamps of the newest chunk
        self._runs: list[tuple[int, int, int]] = []  # announced, their first sample not here yet
        self._boundary_at = time.monotonic() + BOUNDARY_S
        self._sync_at = time.monotonic() + SYNC_S

    def stream(self, info: StreamInfo, picks: list[int] | None = None) -> None:
        """A connection. picks: index in this stream of each of the bundle's channels."""
        self._end_stream()
        self._ident += 1
        self._info = info
        self._header_due = True
        self._count = self._kept = 0
        self._offsets = []
        self._newest = (0, np.zeros(0))
        self._object({"kind": "connection", "stream": self._ident, "info": to_json(info), "picks": picks})

    def samples(self, data: np.ndarray, stamps: np.ndarray) -> None:
        """(T, C) float32 or float64 in the stream's own order and unit, T >= 1, and (T,) raw stamps."""
        if self._info is None:
            raise ValueError("samples before a stream")
        if self._header_due:
            # the format is known from the samples only: a decoder widens or narrows what it was sent
            self._format = "float32" if data.dtype == np.float32 else "double64"
            self._samples.add(stream_header(self._ident, self._info, self._format, float(stamps[0])))
            self._header_due = False
            self._first = float(stamps[0])
        self._samples.add(stamped_samples(self._ident, data, stamps))
        self._last = float(stamps[-1])
        self._newest = (self._count, stamps)
        self._count += len(stamps)
        self._kept += len(stamps)
        waiting, self._runs = self._runs, []
        for announced in waiting:
            self.run(*announced)

    def run(self, run: int, sample: int, before: int = 0) -> None:
        """Run number `run` begins with `sample`, counted since the connection (or since the log was begun).

        before  samples of the run that came before the log was begun, and are not in it
        """
        start, stamps = self._newest
        if sample >= self._count:
            self._runs.append((run, sample, before))
            return
        known = start <= sample < start + len(stamps)  # not one that was lost on the way
        t = float(stamps[sample - start]) if known else None
        line = {"kind": "run", "run": run, "stream": self._ident, "sample": sample, "t": t}
        self._object({**line, "before": before} if before else line)

    def clock(self, collected: float, offset_s: float | None) -> None:
        """collected: seconds on our clock; offset_s: from the stream's clock to it, skipped if unchanged."""
        newest = self._offsets[-1][1] if self._offsets else None
        if offset_s is not None and offset_s != newest and self._ident and not self._header_due:
            self._offsets.append((collected, offset_s))
            self._samples.add(clock_offset(self._ident, collected, offset_s))

    def lost(self, samples: int, records: int) -> None:
        """Samples and other records that never came here: the way was full."""
        lost = {"samples": samples, "records": records, "stream": self._ident, "at": self._count}
        self._object({"kind": "unrecorded", **lost})
        self._count += samples

    def line(self, encoded: bytes) -> None:
        """A JSON object with a kind, and a newline, as they are."""
        self._events.add(encoded)

    @property
    def size(self) -> int:
        """Bytes in the files."""
        return self._samples.size + self._events.size

    def waiting(self) -> int:
        """Bytes that the next flush writes."""
        return len(self._samples) + len(self._events)

    def flush(self) -> None:
        """Hand everything to the system, which keeps it if this process dies; to the disk every 5 s."""
        now = time.monotonic()
        if now >= self._boundary_at:
            self._boundary_at = now + BOUNDARY_S
            self._samples.add(boundary())
        self._samples.flush()
        self._events.flush()
        if now >= self._sync_at:
            self._sync_at = now + SYNC_S
            self._samples.sync()
            self._events.sync()

    def close(self) -> None:
        """The footers, and all of it onto the disk."""
        try:
            self._end_stream()
            for footer in self._footers:
                self._samples.add(footer)
            self._object({"kind": "end"})
            self.flush()
            self._samples.sync()
            self._events.sync()
        finally:
            self._samples.close()
            self._events.close()

    def abandon(self) -> None:
        """After an error: let go of the files as they are."""
        self._samples.close()
        self._events.close()

    def _end_stream(self) -> None:
        if self._info is not None and not self._header_due:
            sfreq = self._info.sfreq
            self._footers.append(
                stream_footer(self._ident, self._first, self._last, self._kept, sfreq, self._offsets)
            )

    def _object(self, value: dict[str, Any]) -> None:
        self._events.add(json.dumps(value, ensure_ascii=False).encode() + b"\n")
