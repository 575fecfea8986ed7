"""Reads samples.xdf of a session log, chunk by chunk, up to the first byte that is not whole.

Reads what writer.py writes, not XDF at large (recordings/xdf.py does that): every sample has its own stamp.
Every length is bounded before it is believed.
"""

import os
import struct
import xml.etree.ElementTree as ElementTree
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rtdecode.errors import RecordingError
from rtdecode.types import StreamInfo
from rtdecode.xdf_writer import (
    CLOCK_OFFSET,
    FILE_HEADER,
    FORMATS,
    MAGIC,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    sample_dtype,
)

MAX_CHUNK = 1 << 29
MAX_XML = 1 << 23
MAX_CHANNELS = 1 << 16
_BEGINNING = 25  # bytes of a chunk of samples up to its first stamp, at most
_COUNTS = {1: "<B", 4: "<I", 8: "<Q"}


@dataclass(frozen=True, eq=False)
class RawChunk:
    """What one pull brought: data (T, C) float32 or float64, stamps (T,) seconds on the stream's clock."""

    stream: int
    data: np.ndarray
    stamps: np.ndarray


@dataclass(frozen=True)
class LoggedStream:
    """One connection. closed: whether its end was written. offsets: (collected, offset_s) seconds."""

    info: StreamInfo
    dtype: np.dtype
    samples: int = 0
    closed: bool = False
    offsets: tuple[tuple[float, float], ...] = ()


class SamplesFile:
    """An index of the file, made on opening: how many samples of which streams are whole.

    cut  a sentence when the file does not end with a whole chunk, else empty
    """

    def __init__(self, path: Path):
        self.path, self.cut = path, ""
        self.streams: dict[int, LoggedStream] = {}
        self._spans: list[tuple[int, int]] = []  # [start, stop) of the content of each chunk of samples
        self._counts: dict[int, int] = {}
        self._chunks: dict[int, tuple[list[int], list[int]]] = {}  # stream -> place in _spans, first sample
        self._offsets: dict[int, list[tuple[float, float]]] = {}
        self._closed: set[int] = set()
        self._newest = (0, 0, 0)  # stream, number of samples and where they lie, of the newest chunk
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                whole = self._index(file, size)
        except OSError as problem:
            raise RecordingError(f"cannot read {path}: {problem.strerror}") from problem
        if whole < size:
            self.cut = (
                f"{path.name}: {size - whole} bytes from byte {whole} on are cut off or damaged, and left out"
            )
        for ident, stream in self.streams.items():
            offsets = tuple(self._offsets.get(ident, ()))
            count, closed = self._counts.get(ident, 0), ident in self._closed
            self.streams[ident] = LoggedStream(stream.info, stream.dtype, count, closed, offsets)

    def chunks(self) -> Iterator[RawChunk]:
        """Every whole chunk of samples, in the order in which they came."""
        with self.path.open("rb") as file:
            for start, stop in self._spans:
                file.seek(start)
                content = file.read(stop - start)
                head = _samples_head(content)
                assert head is not None  # the index holds whole chunks only
                ident, count, at = head
                stream = self.streams[ident]
                rows = np.frombuffer(content, stream.dtype, count, at)
                yield RawChunk(ident, np.ascontiguousarray(rows["values"]), rows["stamp"].copy())

    def read(self, stream: int, start: int, stop: int) -> RawChunk:
        """Samples [start, stop) of one stream, counted as they lie in the file; fewer where it has fewer."""
        places, firsts = self._chunks.get(stream, ([], []))
        dtype = self.streams[stream].dtype
        found = [np.zeros(0, dtype)]
        with self.path.open("rb") as file:
            for k in range(max(0, bisect_right(firsts, start) - 1), bisect_left(firsts, stop)):
                begin, end = self._spans[places[k]]
                file.seek(begin)
                content = file.read(end - begin)
                head = _samples_head(content)
                assert head is not None  # the index holds whole chunks only
                rows = np.frombuffer(content, dtype, head[1], head[2])
                found.append(rows[max(0, start - firsts[k]) : max(0, stop - firsts[k])])
        rows = np.concatenate(found)
        return RawChunk(stream, np.ascontiguousarray(rows["values"]), rows["stamp"].copy())

    def _index(self, file: BinaryIO, size: int) -> int:
        """Fill the index; the number of bytes that are whole."""
        if file.read(len(MAGIC)) != MAGIC:
            return 0
        at = len(MAGIC)
        known: dict[bytes, tuple[int, int, int, int]] = {}  # beginning of a chunk -> what it says
        keep = 1  # bytes of a beginning, up to the length of the first stamp
        while True:
            # most chunks begin with the very bytes of another: what those mean has been looked at
            begin = os.pread(file.fileno(), keep, at)
            if (same := known.get(begin)) is not None and at + same[0] <= size:
                whole, into, ident, count = same
                self._add(ident, count, at + into, at + whole)
                at += whole
                continue
            file.seek(at)
            head = file.read(_BEGINNING)
            length = _varlen(head, 0)
            if length is None:
                return at
            value, used = length
            stop = at + used + value
            if not 2 <= value <= MAX_CHUNK or stop > size or len(head) < used + 2:
                return at
            (tag,) = struct.unpack_from("<H", head, used)
            file.seek(at + used + 2)
            before = len(self._spans)
            if not self._take(tag, file, at + used + 2, stop):
                return at
            if len(self._spans) > before:
                ident, count, into = self._newest
                keep = used + 2 + into + 1
                known[head[:keep]] = (stop - at, used + 2, ident, count)
            at = stop

    def _take(self, tag: int, file: BinaryIO, start: int, stop: int) -> bool:
        """Index one chunk, the file standing at its content; False when it is not what writer.py writes."""
        size = stop - start
        if tag == SAMPLES:
            return self._take_samples(file, start, stop)
        if tag in (STREAM_HEADER, FILE_HEADER, STREAM_FOOTER) and size > MAX_XML:
            return False
        if tag == STREAM_HEADER:
            content = file.read(size)
            stream = _header(content[4:]) if size > 4 else None
            ident = int.from_bytes(content[:4], "little")
            if stream is None or ident in self.streams:
                return False
            self.streams[ident] = stream
        elif tag == CLOCK_OFFSET:
            if size != 20:
                return False
            ident, collected, offset_s = struct.unpack("<Idd", file.read(size))
            if ident not in self.streams:
                return False
            self._offsets.setdefault(ident, []).append((collected, offset_s))
        elif tag == STREAM_FOOTER:
            self._closed.add(int.from_bytes(file.read(4), "little"))
        return True

    def _take_samples(self, file: BinaryIO, start: int, stop: int) -> bool:
        head = _samples_head(file.read(min(13, stop - start)))
        if head is None:
            return False
        ident, count, at = head
        stream = self.streams.get(ident)
        if stream is None or not count or at + count * stream.dtype.itemsize != stop - start:
            return False
        file.seek(start + at)
        if file.read(1) != b"\x08":
            return False
        self._newest = head
        self._add(ident, count, start, stop)
        return True

    def _add(self, ident: int, count: int, start: int, stop: int) -> None:
        places, firsts = self._chunks.setdefault(ident, ([], []))
        places.append(len(self._spans))
        firsts.append(self._counts.get(ident, 0))
        self._spans.append((start, stop))
        self._counts[ident] = self._counts.get(ident, 0) + count


def _varlen(data: bytes, at: int) -> tuple[int, int] | None:
    """(value, bytes used) of an XDF integer, or None where there is none."""
    form = _COUNTS.get(data[at]) if at < len(data) else None
    if form is None or len(data) < at + 1 + struct.calcsize(form):
        return None
    return struct.unpack_from(form, data, at + 1)[0], 1 + struct.calcsize(form)


def _samples_head(content: bytes) -> tuple[int, int, int] | None:
    """Stream, number of samples, and where the first sample lies."""
    count = _varlen(content, 4)
    return None if count is None else (int.from_bytes(content[:4], "little"), count[0], 4 + count[1])


def _header(xml: bytes) -> LoggedStream | None:
    """None when it is not the header of a stream of samples."""
    if b"<!" in xml:  # no document type, so no entities that grow when read
        return None
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - bounded, and without entities
        sfreq = float(_said(root, "nominal_srate"))
        form = FORMATS[_said(root, "channel_format")]
        count = int(_said(root, "channel_count"))
    except (ElementTree.ParseError, ValueError, KeyError, RecursionError, LookupError):
        return None
    rows = root.findall("desc/channels/channel")
    if not 1 <= count <= MAX_CHANNELS or len(rows) != count or not 0 <= sfreq < float("inf"):
        return None
    info = StreamInfo(
        _said(root, "name"),
        _said(root, "type"),
        tuple(_said(row, "label") for row in rows),
        tuple(_said(row, "unit") for row in rows),
        sfreq,
        _said(root, "source_id"),
        _said(root, "uid"),
        _said(root, "hostname"),
        "float32" if form == "<f4" else "float64",
    )
    return LoggedStream(info, sample_dtype(form, count))


def _said(element: ElementTree.Element, key: str) -> str:
    return element.findtext(key) or ""
