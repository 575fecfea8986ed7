"""Reads one signal stream of an XDF file (Lab Streaming Layer's own format) through pyxdf.

Strings become markers. Stamps are put on one clock and dejittered by pyxdf. Where the clock was reset or
samples are missing, pyxdf splits a stream into segments; they come back as the recording's segments.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import RecordingError
from rtdecode.recordings.recording import Marker, Recording

# What pyxdf says when it skips a part of a file. It goes on; we must not, for the rest is out of place.
_DAMAGE = re.compile(r"file corruption|StreamId is corrupt|reading chunk length|zero-length chunk")
_REPAIR = "copy the file again, or repair it"
_CHOOSE = "choose one by name, type or NAME/TYPE, as in `rtdecode replay --select`"


def read_xdf(path: Path, stream: str | None = None) -> Recording:
    """The Recording of the stream called `stream` (name, type or NAME/TYPE), or of the only signal stream."""
    import pyxdf

    with _heard_of("pyxdf") as said:
        streams, _ = pyxdf.load_xdf(str(path), verbose=None)
    if any(_DAMAGE.search(text) for text in said):
        raise RecordingError(f"{path} is damaged: a part of it cannot be read", hint=_REPAIR)
    chosen = _choose(path, streams, stream)
    name, stype, sfreq = _text(chosen, "name"), _text(chosen, "type"), _rate(chosen)
    if sfreq <= 0:
        raise RecordingError(f"{path}: stream {name!r} has an irregular rate, decoding needs a regular one")
    if not len(chosen["time_stamps"]):
        raise RecordingError(f"{path}: stream {name!r} ({stype}) is empty, it holds 0 samples")
    data = np.ascontiguousarray(chosen["time_series"], np.float32)
    labels, units, notes = _channels(path, chosen, data.shape[1])
    notes += _complete(path, chosen, len(data))
    stamps = np.asarray(chosen["time_stamps"], np.float64)
    segments = tuple((int(first), int(last) + 1) for first, last in chosen["info"].get("segments") or ())
    if len(segments) > 1:
        notes += (f"clock reset or gap: {len(segments)} segments",)
    notes += _odd(streams, chosen)
    markers = tuple(_markers(streams, float(stamps[0])))
    return Recording(data, sfreq, labels, units, stype, name, stamps, markers, segments, notes)


def _choose(path: Path, streams: Sequence[Any], wanted: str | None) -> Any:
    signals = [stream for stream in streams if _text(stream, "channel_format") != "string"]
    if wanted is None:
        matches = signals
    else:
        matches = []
        for key in (lambda s: _text(s, "name"), lambda s: _text(s, "type"), _full_name):
            matches = matches or [s for s in signals if key(s).lower() == wanted.lower()]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(_described(stream) for stream in streams) or "none at all"
    if not signals:
        raise RecordingError(f"{path} holds no stream of signals", hint=f"its streams: {listed}")
    if not matches:
        raise RecordingError(f"{path} has no stream {wanted!r} of signals", hint=f"{_CHOOSE}: {listed}")
    said = f"{len(matches)} streams called {wanted!r}" if wanted else f"{len(matches)} streams of signals"
    raise RecordingError(f"{path} holds {said}", hint=f"{_CHOOSE}: {listed}")


def _odd(streams: Sequence[Any], chosen: Any) -> tuple[str, ...]:
    """Notes on stamps without a common clock, and on streams that hold nothing."""
    notes = []
    clockless = [s for s in streams if not len(s.get("clock_times", ())) and len(s["time_stamps"])]
    if any(stream is chosen for stream in clockless):
        notes.append("no clock offsets: stamps are on the sender's own clock")
    elif clockless:
        notes.append(f"no clock offsets, so perhaps shifted: {', '.join(map(_full_name, clockless))}")
    if empty := [_full_name(stream) for stream in streams if not len(stream["time_stamps"])]:
        notes.append(f"empty, without a single sample: {', '.join(empty)}")
    return tuple(notes)


def _complete(path: Path, stream: Any, samples: int) -> tuple[str, ...]:
    """A note when the file was never closed; RecordingError when it announces more samples than there are."""
    try:
        announced = int(stream["footer"]["info"]["sample_count"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return ("the file has no end: the recording was cut off",)
    if samples < announced:  # some recorders announce one too few, which loses nothing
        raise RecordingError(
            f"{path} is damaged: {announced} samples announced, {samples} readable", hint=_REPAIR
        )
    return ()


def _rate(stream: Any) -> float:
    """Nominal, in Hz; 0 when irregular."""
    return float(_text(stream, "nominal_srate") or 0)


def _text(stream: Any, key: str) -> str:
    return str((stream["info"].get(key) or [""])[0] or "")


def _full_name(stream: Any) -> str:
    return f"{_text(stream, 'name')}/{_text(stream, 'type')}"


def _described(stream: Any) -> str:
    samples, rate = len(stream["time_stamps"]), _rate(stream)
    if _text(stream, "channel_format") == "string":
        return f"{_full_name(stream)} (strings, {samples})"
    kind = f"{rate:g} Hz" if rate else "irregular"
    return f"{_full_name(stream)} ({_text(stream, 'channel_count')} ch, {kind}, {samples or 'no'} samples)"


_Strings = tuple[str, ...]


def _channels(path: Path, stream: Any, count: int) -> tuple[_Strings, _Strings, _Strings]:
    """Labels, units and notes, from desc/channels/channel/{label,unit}."""
    try:
        rows = stream["info"]["desc"][0]["channels"][0]["channel"]
    except (KeyError, IndexError, TypeError):
        rows = []
    labels = tuple(str((row.get("label") or [""])[0] or "") for row in rows)
    units = tuple(str((row.get("unit") or [""])[0] or "") for row in rows)
    if not any(labels):
        labels = tuple(f"ch{i + 1}" for i in range(count))
        units = units if len(units) == count else ("",) * count
        return labels, units, (f"the file names no channels: called ch1 to ch{count}",)
    if len(labels) != count or not all(labels):
        named = sum(map(bool, labels))
        raise RecordingError(
            f"{path}: stream {_text(stream, 'name')!r} has {count} channels and names {named} of them",
            hint="channels are matched by name: name all of them",
        )
    return labels, units, ()


def _markers(streams: Sequence[Any], zero: float) -> list[Marker]:
    """All strings of all string streams, by time."""
    found = []
    for stream in streams:
        if _text(stream, "channel_format") == "string":
            for t, row in zip(stream["time_stamps"], stream["time_series"], strict=True):
                found.append(Marker(float(t) - zero, " ".join(str(value) for value in row)))
    return sorted(found, key=lambda marker: marker.t)


class _Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _heard_of(name: str) -> Iterator[list[str]]:
    """Warnings and errors of a library's logger, kept instead of printed."""
    logger, keep = logging.getLogger(name), _Keep()
    propagate, level = logger.propagate, logger.level
    logger.addHandler(keep)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield keep.texts
    finally:
        logger.removeHandler(keep)
        logger.propagate = propagate
        logger.setLevel(level)
