"""A session log as a Recording: the raw samples a decoder got, runs as segments, stamps as recorded.

Values that are no numbers stay: the decoder saw them, and only with them it decides the same again.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np

from rtdecode.errors import RecordingError
from rtdecode.recordings.recording import Marker, Recording
from rtdecode.session.reader import Run, SessionLog

JUMP_S = 0.05  # the largest deviation that is only jitter, as in live/clock.py
BREAK_S = 1.0  # between runs, wherever the stamps alone would not show the break for certain


def read_session(path: Path, stream: str | None = None) -> Recording:
    """stream: the name of one of several streams; connections with the same channels are one stream."""
    log = SessionLog(path)
    chosen = _choose(path, log, stream)
    first = log.streams[chosen[0]].info
    wide = any(log.streams[ident].dtype["values"].base == np.float64 for ident in chosen)
    total = sum(log.streams[ident].samples for ident in chosen)
    data = np.empty((total, len(first.labels)), np.float64 if wide else np.float32)
    stamps = np.empty(total)
    starts: dict[int, int] = {}
    at = 0
    for ident in chosen:
        starts[ident] = at
        at += log.streams[ident].samples
    orders = {ident: _order(first.labels, log.streams[ident].info.labels) for ident in chosen}
    filled = dict(starts)
    for chunk in log.chunks():
        if chunk.stream in filled:
            at = filled[chunk.stream]
            filled[chunk.stream] = stop = at + len(chunk.stamps)
            data[at:stop] = chunk.data[:, orders[chunk.stream]]
            stamps[at:stop] = chunk.stamps
    runs = [run for run in log.runs() if run.stream in starts]
    segments = tuple((starts[run.stream] + run.start, starts[run.stream] + run.stop) for run in runs)
    notes = [*log.cut, *_part(runs, log)]
    raw = stamps.copy()
    notes += _smooth(stamps, segments, first.sfreq)
    notes += _separate(stamps, segments, first.sfreq)
    broken = int((~np.isfinite(data)).any(axis=1).sum())
    if broken:
        notes.append(f"{broken} samples hold values that are not numbers, as the stream sent them")
    found = [
        Marker(float(stamps[starts[run.stream] + run.start] - stamps[0]), f"run {run.run}") for run in runs
    ]
    for run, segment in zip(runs, segments, strict=True):
        found += _marks(log, run.stream, segment, raw, stamps)
    markers = tuple(sorted(found, key=lambda marker: marker.t))
    return Recording(
        data,
        first.sfreq,
        first.labels,
        first.units,
        first.stype,
        first.name,
        stamps,
        markers,
        segments,
        tuple(notes),
    )


def _marks(
    log: SessionLog, stream: int, segment: tuple[int, int], raw: np.ndarray, stamps: np.ndarray
) -> list[Marker]:
    """The marks of one run, at the sample that was due at their moment. raw: stamps as they came.

    Only those whose moment on this machine's clock is known, of runs whose clock offset is: the others
    cannot be placed among samples.
    """
    start, stop = segment
    offsets = log.streams[stream].offsets
    if not offsets or not np.isfinite(raw[start:stop]).all():
        return []
    last: dict[float, Marker] = {}  # another label for the same mark comes later
    for event in log.lines("event"):
        local = event.get("t_local") if event.get("level") == "mark" else None
        if not isinstance(local, int | float) or isinstance(local, bool):
            continue
        known = [offset_s for collected, offset_s in offsets if collected <= local]
        at = local - (known[-1] if known else offsets[0][1])
        k = start + int(np.argmin(np.abs(raw[start:stop] - at)))
        if abs(raw[k] - at) < BREAK_S:
            text = str(event.get("label") or event.get("text", ""))
            last[local] = Marker(float(stamps[k] + (at - raw[k]) - stamps[0]), text)
    return list(last.values())


def _choose(path: Path, log: SessionLog, wanted: str | None) -> list[int]:
    """The connections to join: all that carry the same channels, units, rate and name."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for ident, stream in log.streams.items():
        info = stream.info
        if stream.samples and info.sfreq > 0 and wanted in (None, info.name, info.stype):
            channels = frozenset(zip(info.labels, info.units, strict=True))
            same = (info.name, info.stype, info.sfreq, len(info.labels), channels)
            groups.setdefault(same, []).append(ident)
    listed = "; ".join(
        f"{s.info.name} ({len(s.info.labels)} ch, {s.info.sfreq:g} Hz, {s.samples} samples)"
        for s in log.streams.values()
    )
    if len(groups) == 1:
        return next(iter(groups.values()))
    if not groups:
        raise RecordingError(f"{path} holds no samples of a regular rate", hint=f"its streams: {listed}")
    raise RecordingError(f"{path} holds {len(groups)} different streams", hint=f"choose one: {listed}")


def _order(labels: tuple[str, ...], own: tuple[str, ...]) -> list[int]:
    if labels == own or len(set(own)) < len(own):
        return list(range(len(own)))
    return [own.index(label) for label in labels]


def _part(runs: list[Run], log: SessionLog) -> list[str]:
    notes = [f"{len(runs)} runs: the stream broke in between"] if len(runs) > 1 else []
    lost = log.unrecorded()
    return notes + ([f"{lost} samples are missing: the recorder could not keep up"] if lost else [])


def _smooth(stamps: np.ndarray, segments: tuple[tuple[int, int], ...], sfreq: float) -> list[str]:
    """Within a run no sample is missing: where its stamps jump, in place, the sender's clock was set."""
    period = 1.0 / sfreq
    limit = max(JUMP_S, 3 * period)
    found = 0
    for k in np.flatnonzero(~np.isfinite(stamps)):
        stamps[k] = stamps[k - 1] + period if k else 0.0
    for start, stop in segments:
        off = np.diff(stamps[start:stop]) - period
        jumps = np.where(np.abs(off) > limit, off, 0.0)
        if jumps.any():
            stamps[start + 1 : stop] -= np.cumsum(jumps)
            found += int(np.count_nonzero(jumps))
    return [f"{found} steps of the sender's clock are taken out of the stamps"] if found else []


def _separate(stamps: np.ndarray, segments: tuple[tuple[int, int], ...], sfreq: float) -> list[str]:
    """Move whole runs, in place, where their stamps do not show that another run begins."""
    moved = 0
    for (_, stop), (start, _) in pairwise(segments):
        step = float(stamps[start] - stamps[stop - 1]) - 1.0 / sfreq
        if not step >= BREAK_S / 2:
            stamps[start:] += BREAK_S - step
            moved += 1
    return [f"{moved} runs were moved in time: their own stamps do not show the break"] if moved else []
