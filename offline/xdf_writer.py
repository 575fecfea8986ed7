"""Writes XDF 1.0 files: streams of float32 samples and streams of string markers.

Knows the file format (https://github.com/sccn/xdf/wiki/Specifications) and nothing of what the samples mean.
Used by the simulated study; any XDF reader reads its files.

Samples lie in chunks of one second; as the format allows for a stream of regular rate, only a chunk's first
sample carries a stamp and the reader deduces the rest from the nominal rate.
"""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER = 1, 2, 3, 4, 6
_CLOCK_EVERY_S = 5.0  # LabRecorder's interval


class XdfWriter:
    """Streams into one file. Use as a context manager; every stream is written by one call."""

    def __init__(self, path: str | Path):
        self._file = open(path, "xb")  # noqa: SIM115 - closed by __exit__
        self._streams = 0
        self._file.write(b"XDF:")
        self._chunk(_FILE_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>')

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
        rows = "".join(
            f"<channel><label>{escape(label)}</label><unit>{escape(unit)}</unit><type>{escape(stype)}</type>"
            "</channel>"
            for label in labels
        )
        ident = self._header(
            name, stype, channels, sfreq, "float32", source_id, f"<channels>{rows}</channels>", first_stamp
        )
        step = max(1, round(sfreq))
        for first in range(0, count, step):
            self._chunk(
                _SAMPLES, ident + _sample_block(data[first : first + step], first_stamp + first / sfreq)
            )
        self._footer(ident, first_stamp, first_stamp + max(0, count - 1) / sfreq, count, sfreq)

    def markers(self, markers: Iterable[tuple[float, str]], name: str, source_id: str) -> None:
        """An irregular stream of strings: (stamp s, text), in order of time."""
        rows = list(markers)
        first = rows[0][0] if rows else 0.0
        ident = self._header(name, "Markers", 1, 0.0, "string", source_id, "", first)
        for stamp, text in rows:
            value = text.encode()
            self._chunk(
                _SAMPLES,
                ident + _varlen(1) + b"\x08" + struct.pack("<d", stamp) + _varlen(len(value)) + value,
            )
        self._footer(ident, first, rows[-1][0] if rows else 0.0, len(rows), 0.0)

    def _header(
        self,
        name: str,
        stype: str,
        channels: int,
        sfreq: float,
        fmt: str,
        source_id: str,
        desc: str,
        created: float,
    ) -> bytes:
        self._streams += 1
        ident = struct.pack("<I", self._streams)
        xml = (
            f'<?xml version="1.0"?><info><name>{escape(name)}</name><type>{escape(stype)}</type>'
            f"<channel_count>{channels}</channel_count><nominal_srate>{sfreq:g}</nominal_srate>"
            f"<channel_format>{fmt}</channel_format><source_id>{escape(source_id)}</source_id><version>1.1</version>"
            f"<created_at>{created!r}</created_at><uid>{escape(source_id)}</uid><session_id>default</session_id>"
            f"<hostname>simulated</hostname><desc>{desc}</desc></info>"
        )
        self._chunk(_STREAM_HEADER, ident + xml.encode())
        return ident

    def _footer(self, ident: bytes, first: float, last: float, count: int, sfreq: float) -> None:
        # The writer and the stream share one clock: offsets are 0. Two at least, so that readers can fit a
        # line.
        offsets = [*np.arange(first, last, _CLOCK_EVERY_S), last]
        for stamp in offsets:
            self._chunk(_CLOCK_OFFSET, ident + struct.pack("<dd", stamp, 0.0))
        rows = "".join(
            f"<offset><time>{float(stamp)!r}</time><value>0.0</value></offset>" for stamp in offsets
        )
        xml = (
            f'<?xml version="1.0"?><info><first_timestamp>{first!r}</first_timestamp><last_timestamp>{last!r}'
            f"</last_timestamp><sample_count>{count}</sample_count><measured_srate>{sfreq:g}</measured_srate>"
            f"<clock_offsets>{rows}</clock_offsets></info>"
        )
        self._chunk(_STREAM_FOOTER, ident + xml.encode())

    def _chunk(self, tag: int, content: bytes) -> None:
        self._file.write(_varlen(len(content) + 2) + struct.pack("<H", tag) + content)


def _sample_block(data: np.ndarray, first_stamp: float) -> bytes:
    """[number of samples][per sample: length of stamp (8 or 0), stamp, values], built as arrays, not sample
    by sample.
    """
    first = b"\x08" + struct.pack("<d", first_stamp) + data[0].tobytes()
    rest = np.zeros(
        len(data) - 1, dtype=np.dtype([("stamp_bytes", "u1"), ("values", "<f4", (data.shape[1],))])
    )
    rest["values"] = data[1:]
    return _varlen(len(data)) + first + rest.tobytes()


def _varlen(value: int) -> bytes:
    """XDF's variable-length integer: the number of bytes (1, 4 or 8), then the value."""
    if value < 1 << 8:
        return struct.pack("<BB", 1, value)
    if value < 1 << 32:
        return struct.pack("<BI", 4, value)
    return struct.pack("<BQ", 8, value)
