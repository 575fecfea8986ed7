"""How each channel of a log was, second by second, judged again from the recorded samples.

The rules are those of `rtdecode.quality`, with one difference: a log may have no bundle, so "noisy" is told
by the channel's own median instead of the training data's scale. Reads chunk by chunk: memory is a second's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtdecode.quality import FLAT, GONE, LINE, NOISY, RAILED, USED, Thresholds, mains_hum
from rtdecode.report.facts import RunFacts, Session

WORDS = {USED: "good", FLAT: "flat", RAILED: "railed", NOISY: "noisy", LINE: "line noise", GONE: "no number"}
MOST = 3600  # seconds that are judged; of a longer log one in two, three …
_LIMITS = Thresholds()


@dataclass(frozen=True)
class ChannelHealth:
    """One connection. t (S,) session seconds; glyphs (S, C); spread (S, C) standard deviation, in the
    stream's unit; rms (C,) its median.

    every  1: every second was judged; n: one of n;  width_s: session seconds of one
    used   (C,) bool, which channels the decoder read
    """

    stream: int
    labels: tuple[str, ...]
    unit: str
    t: np.ndarray
    glyphs: np.ndarray
    spread: np.ndarray
    rms: np.ndarray
    every: int
    width_s: float
    used: np.ndarray


def channel_health(session: Session) -> list[ChannelHealth]:
    """Every connection with at least a second of samples and a rate."""
    picks = {line["stream"]: line.get("picks") for line in session.log.lines("connection")}
    total = sum(run.length_s for run in session.runs)
    every = max(1, int(total // MOST))
    pace = session.clock.pace if session.clock else 1.0
    seconds: dict[int, list[tuple[float, np.ndarray, np.ndarray]]] = {}
    for ident, t, block in _seconds(session, every):
        seconds.setdefault(ident, []).append((t, *look(block, session.log.streams[ident].info.sfreq)))
    found = []
    for ident, looks in seconds.items():
        info = session.log.streams[ident].info
        rms = np.array([spread for _, _, spread in looks])
        with np.errstate(all="ignore"):
            middle = np.nanmedian(np.where(rms > 0, rms, np.nan), axis=0) if len(rms) else np.zeros(0)
        middle = np.nan_to_num(middle)
        glyphs = np.array([glyph for _, glyph, _ in looks])
        glyphs[(glyphs == USED) & (rms > _LIMITS.noisy * middle) & (middle > 0)] = NOISY
        used, chosen = np.zeros(len(info.labels), bool), picks.get(ident)
        if isinstance(chosen, list):
            used[[c for c in chosen if isinstance(c, int) and 0 <= c < len(used)]] = True
        else:
            used[:] = True
        unit = next(iter(set(info.units)), "") if len(set(info.units)) == 1 else ""
        times = np.array([t for t, _, _ in looks])
        found.append(
            ChannelHealth(ident, info.labels, unit, times, glyphs, rms, middle, every, every / pace, used)
        )
    return found


def look(block: np.ndarray, sfreq: float) -> tuple[np.ndarray, np.ndarray]:
    """Glyphs (C,) and spread (C,) of one second, (T, C)."""
    numbers = np.isfinite(block).all(axis=0)
    x = np.where(numbers, block, 0.0).astype(np.float64)
    with np.errstate(all="ignore"):
        low, high, spread = x.min(axis=0), x.max(axis=0), x.std(axis=0)
        railed = np.maximum((x == low).mean(axis=0), (x == high).mean(axis=0)) >= _LIMITS.railed
        hum = mains_hum(x, sfreq)
    glyphs = np.select([~numbers, low == high, railed, hum], [GONE, FLAT, RAILED, LINE], USED)
    return glyphs, np.nan_to_num(spread, posinf=0.0)


def _seconds(session: Session, every: int) -> Iterator[tuple[int, float, np.ndarray]]:
    """(stream, session second, samples (T, C)) of one in `every` whole seconds of the runs."""
    runs: dict[int, list[RunFacts]] = {}
    for own in session.runs:
        runs.setdefault(own.stream, []).append(own)
    waiting: dict[int, tuple[int, np.ndarray]] = {}  # stream -> index of the first sample held, samples
    counted = 0
    pace = session.clock.pace if session.clock else 1.0
    for chunk in session.log.chunks():
        sfreq = session.log.streams[chunk.stream].info.sfreq
        length = round(sfreq)
        if length < 2:
            continue
        at, held = waiting.get(chunk.stream, (0, chunk.data[:0]))
        held = np.concatenate([held, chunk.data])
        while len(held) >= length:
            run = _run_at(runs.get(chunk.stream, []), at)
            stop = run.start + run.samples if run else at + length
            if run is not None and run.t is not None and at + length <= stop:
                if counted % every == 0:
                    yield chunk.stream, run.t + (at - run.start) / (pace * sfreq), held[:length]
                counted += 1
            step = min(length, max(1, stop - at))
            at, held = at + step, held[step:]
        waiting[chunk.stream] = (at, held)


def _run_at(runs: list[RunFacts], sample: int) -> RunFacts | None:
    return next((run for run in runs if run.start <= sample < run.start + run.samples), None)
