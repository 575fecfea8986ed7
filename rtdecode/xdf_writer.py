"""Writes XDF 1.0 (https://github.com/sccn/xdf/wiki/Specifications): its chunks as bytes, and whole files.

The chunk functions return bytes for whoever appends them (a session log); `XdfWriter` writes a file of whole
streams (the simulated study). Knows nothing of what the samples mean.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rtdecode.types import StreamInfo

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = range(1, 7)
FORMATS = {"float32": "<f4", "double64": "<f8"}
_BOUNDARY_ID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")  # fixed by the format, for finding back
_CLOCK_EVERY_S = 5.0  # LabRecorder's interval
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})  # xml.sax would import an HTTP client
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def chunk(tag: int, content: bytes) -> bytes:
    return varlen(len(content) + 2) + struct.pack("<H", tag) + content


def varlen(value: int) -> bytes:
    """XDF's variable-length integer: the number of bytes (1, 4 or 8), then the value."""
    if value < 1 << 8:
        return struct.pack("<BB", 1, value)
    if value < 1 << 32:
        return struct.pack("<BI", 4, value)
    return struct.pack("<BQ", 8, value)


def file_header() -> bytes:
    return MAGIC + chunk(FILE_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>')


def boundary() -> bytes:
    """A mark by which a reader finds the next chunk after a damaged part."""
    return chunk(BOUNDARY, _BOUNDARY_ID)


def stream_header(ident: int, info: StreamInfo, channel_format: str, created: float) -> bytes:
    """channel_format: a key of FORMATS, or "string"; created: seconds on the stream's clock."""
    rows = "".join(
        f"<channel><label>{_text(label)}</label><unit>{_text(unit)}</unit><type>{_text(info.stype)}</type>"
        "</channel>"
        for label, unit in zip(info.labels, info.units, strict=True)
    )
    desc = f"<channels>{rows}</channels>" if rows and channel_format != "string" else ""
    xml = (
        f'<?xml version="1.0"?><info><name>{_text(info.name)}</name><type>{_text(info.stype)}</type>'
        f"<channel_count>{len(info.labels)}</channel_count><nominal_srate>{info.sfreq!r}</nominal_srate>"
        f"<channel_format>{channel_format}</channel_format><source_id>{_text(info.source_id)}</source_id>"
        f"<version>1.1</version><created_at>{created!r}</created_at><uid>{_text(info.uid)}</uid>"
        f"<session_id>default</session_id><hostname>{_text(info.hostname)}</hostname>"
        f"<desc>{desc}</desc></info>"
    )
    return chunk(STREAM_HEADER, struct.pack("<I", ident) + xml.encode())


def stamped_samples(ident: int, data: np.ndarray, stamps: np.ndarray) -> bytes:
    """data (T, C) float32 or float64, stamps (T,) seconds: every sample carries its own stamp."""
    rows = np.empty(len(data), sample_dtype(data.dtype.newbyteorder("<").str, data.shape[1]))
    rows["stamp_bytes"], rows["stamp"], rows["values"] = 8, stamps, data
    return chunk(SAMPLES, struct.pack("<I", ident) + varlen(len(data)) + rows.tobytes())


def sample_dtype(values: str, channels: int) -> np.dtype:
    """One sample with its stamp, as it lies in a chunk. values: a value of FORMATS."""
    return np.dtype([("stamp_bytes", "u1"), ("stamp", "<f8"), ("values", values, (channels,))])


def clock_offset(ident: int, collected: float, offset_s: float) -> bytes:
    """collected: seconds on the recorder's clock; offset_s: from the stream's clock to the recorder's."""
    return chunk(CLOCK_OFFSET, struct.pack("<Idd", ident, collected, offset_s))


def stream_footer(
    ident: int, first: float, last: float, count: int, sfreq: float, offsets: Iterable[tuple[float, float]]
) -> bytes:
    """offsets: every (collected, offset_s) that was written for this stream."""
    rows = "".join(
        f"<offset><time>{float(at)!r}</time><value>{float(value)!r}</value></offset>" for at, value in offsets
    )
    xml = (
        f'<?xml version="1.0"?><info><first_timestamp>{first!r}</first_timestamp><last_timestamp>{last!r}'
        f"</last_timestamp><sample_count>{count}</sample_count><measured_srate>{sfreq:g}</measured_srate>"
        f"<clock_offsets>{rows}</clock_offsets></info>"
    )
    return chunk(STREAM_FOOTER, struct.pack("<I", ident) + xml.encode())


class XdfWriter:
    """Whole streams into one file. Use as a context manager; every stream is written by one call.

    Samples lie in chunks of one second; as the format allows for a stream of regular rate, only a chunk's
    first sample carries a stamp and the reader deduces the rest from the nominal rate.
    """

    def __init__(self, path: str | Path):
        self._file = open(path, "xb")  # noqa: SIM115 - closed by __exit__
        self._streams = 0
        self._file.write(file_header())

    def __enter__(self) -> "XdfWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def samples(
        self,
        data: np.ndarray,
        first_stamp: float,
        sfreq: float,
        name: str,
        stype: str,
        labels: Sequence[str],
        unit: str,
        source_id: str,
    ) -> None:
        """A regular stream: data (T, C) float32 at `sfreq` Hz, its first sample at `first_stamp` seconds."""
        data = np.ascontiguousarray(data, dtype="<f4")
        count, channels = data.shape
        if channels != len(labels):
            raise ValueError(
                f"{channels} channels of data but {len(labels)} labels: give one label a channel"
            )
        info = StreamInfo(name, stype, tuple(labels), (unit,) * channels, sfreq, source_id)
        ident = self._header(info, "float32", first_stamp)
        step = max(1, round(sfreq))
        for first in range(0, count, step):
            block = _sample_block(data[first : first + step], first_stamp + first / sfreq)
            self._file.write(chunk(SAMPLES, struct.pack("<I", ident) + block))
        self._footer(ident, first_stamp, first_stamp + max(0, count - 1) / sfreq, count, sfreq)

    def markers(self, markers: Iterable[tuple[float, str]], name: str, source_id: str) -> None:
        """An irregular stream of strings: (stamp s, text), in order of time."""
        rows = list(markers)
        first = rows[0][0] if rows else 0.0
        ident = self._header(StreamInfo(name, "Markers", ("",), ("",), 0.0, source_id), "string", first)
        for stamp, text in rows:
            value = text.encode()
            sample = varlen(1) + b"\x08" + struct.pack("<d", stamp) + varlen(len(value)) + value
            self._file.write(chunk(SAMPLES, struct.pack("<I", ident) + sample))
        self._footer(ident, first, rows[-1][0] if rows else 0.0, len(rows), 0.0)

    def _header(self, info: StreamInfo, channel_format: str, created: float) -> int:
        self._streams += 1
        info = StreamInfo(
            info.name,
            info.stype,
            info.labels,
            info.units,
            info.sfreq,
            info.source_id,
            info.source_id,
            "simulated",
        )
        self._file.write(stream_header(self._streams, info, channel_format, created))
        return self._streams

    def _footer(self, ident: int, first: float, last: float, count: int, sfreq: float) -> None:
        # The writer and the stream share one clock: offsets are 0. Two at least, so that readers can fit a
        # line.
        offsets = [(float(stamp), 0.0) for stamp in (*np.arange(first, last, _CLOCK_EVERY_S), last)]
        for stamp, offset in offsets:
            self._file.write(clock_offset(ident, stamp, offset))
        self._file.write(stream_footer(ident, first, last, count, sfreq, offsets))


def _sample_block(data: np.ndarray, first_stamp: float) -> bytes:
    """[number of samples][per sample: length of stamp (8 or 0), stamp, values], built as arrays, not sample
    by sample.
    """
    first = b"\x08" + struct.pack("<d", first_stamp) + data[0].tobytes()
    rest = np.zeros(
        len(data) - 1, dtype=np.dtype([("stamp_bytes", "u1"), ("values", "<f4", (data.shape[1],))])
    )
    rest["values"] = data[1:]
    return varlen(len(data)) + first + rest.tobytes()


def _text(value: str) -> str:
    # a stream may call itself anything; what XML cannot hold would make the whole file unreadable
    return _NOT_XML.sub("�", value).translate(_ESCAPED)
