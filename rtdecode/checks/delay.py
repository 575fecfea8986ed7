"""How late is what the decoder hears, and by which clock? The way through this machine, and the stream's own.

Pure: stamps, arrivals and the figures of the loop are given.
"""

from dataclasses import dataclass

import numpy as np

from rtdecode.bundle import BundleSpec
from rtdecode.checks.result import Measure, Outcome, failed, judged
from rtdecode.checks.stretch import Stretch
from rtdecode.live.clock import WRONG_CLOCK_S, StampLine

HOP_SHARE, LEAST_MS = 0.1, 5.0  # of the hop that the way through this machine may take; never less than that
RATE_SHARE = 0.01  # of the nominal rate, as in the live decoder
OFFSET_MS = 5.0  # by which the clock offset may wander meanwhile
LEAST_S = 0.5
REMEDIES = {
    "loop": "Close what else runs, use mains power, and repeat the step; rtdecode doctor tells more.",
    "samples missing": "Use a cable instead of wireless; look at the amplifier's own count of lost packets.",
    "rate": "Set the amplifier to the bundle's rate; a stream of another rate is heard too slow or too fast.",
    "jitter": "Let the amplifier's software stamp samples evenly, or send smaller chunks.",
    "clock offset": "Allow UDP 16571-16604 between the machines, and let nothing set their clocks.",
    "age": "Have the sender push smaller chunks, and stamp samples with LSL's clock.",
}


@dataclass(frozen=True)
class Loop:
    """An outlet and an inlet of our own: delay p50 and p99 in ms, samples lost. why: it could not be made."""

    p50_ms: float = 0.0
    p99_ms: float = 0.0
    lost: int = 0
    why: str = ""


def delay(stretch: Stretch, spec: BundleSpec, loop: Loop | None) -> Outcome:
    """The stretch of the stream itself, and the loop through this machine (None: not measured)."""
    sfreq, hop_ms = spec.stream.sfreq, 1e3 * spec.hop_s
    if len(stretch) < max(LEAST_S * sfreq, 8):
        said = f"{len(stretch) / sfreq:.2f} s of signal came, {LEAST_S:g} s are needed"
        return failed("delay", said, "Repeat the step once samples come.")
    measures: list[Measure] = []
    if loop is not None:
        measures.append(_loop(loop, hop_ms))
    runs, missing = unbroken(stretch.stamps, sfreq)
    longest = max(runs, key=len)
    gaps = len(runs) - 1
    measures.append(
        Measure("samples missing", missing, f"{missing} in {gaps} gaps" if gaps else "0", "none", not gaps)
    )
    measures.append(_rate(stretch, sfreq))
    measures.append(_jitter(longest, spec))
    measures += _clock(stretch, hop_ms)
    rate = next(m for m in measures if m.name == "rate")
    said = f"A decision is due every {hop_ms:g} ms; samples come at {rate.text}."
    return judged("delay", tuple(measures), said, REMEDIES)


def _loop(loop: Loop, hop_ms: float) -> Measure:
    limit = max(LEAST_MS, HOP_SHARE * hop_ms)
    words = f"p99 at most {limit:g} ms, a hop is {hop_ms:g} ms"
    if loop.why:
        return Measure("loop", None, loop.why, words, False)
    text = f"p50 {loop.p50_ms:.2f} ms, p99 {loop.p99_ms:.2f} ms" + (
        f", {loop.lost} lost" if loop.lost else ""
    )
    return Measure("loop", loop.p99_ms, text, words, loop.p99_ms <= limit and not loop.lost)


def unbroken(stamps: np.ndarray, sfreq: float) -> tuple[list[np.ndarray], int]:
    """Stamps in runs without a gap, by the live decoder's own judgement, and how many samples are missing."""
    line, runs, missing, start = StampLine(sfreq), [], 0, 0
    while start < len(stamps):
        found, gap = line.check(stamps[start:])
        if len(found):
            runs.append(stamps[start : start + len(found)])
        start += len(found)
        if gap is not None:
            missing += max(0, round(gap.missing_s * sfreq))
            line.reset()
    return runs, missing


def _rate(stretch: Stretch, sfreq: float) -> Measure:
    """Samples per second of our own clock: the sender's stamps say what it meant to send."""
    ends = np.append(np.flatnonzero(np.diff(stretch.arrived) > 0), len(stretch) - 1)
    limit = f"within {100 * RATE_SHARE:g} % of {sfreq:g} Hz"
    span = float(stretch.arrived[ends[-1]] - stretch.arrived[ends[0]])
    if len(ends) < 3 or not span > 0:
        return Measure("rate", None, "unknown, all samples came at once", limit, False)
    rate = float(np.polyfit(stretch.arrived[ends] - stretch.arrived[ends[0]], ends, 1)[0])
    # one chunk more or less is no other rate
    chunk = float(np.median(np.diff(ends)))
    near = RATE_SHARE * sfreq + chunk / span
    return Measure("rate", rate, f"{rate:.2f} Hz", limit, abs(rate - sfreq) <= near)


def _jitter(stamps: np.ndarray, spec: BundleSpec) -> Measure:
    """How far stamps stray from a straight line; moved by more than a frame, signal and speech part."""
    frame_ms = 1e3 / spec.frame_rate
    limit = f"p99 at most {frame_ms:.1f} ms, a frame"
    if len(stamps) < 8:
        return Measure("jitter", None, "unknown, no unbroken run", limit, False)
    at = np.arange(len(stamps))
    stray = 1e3 * np.abs(stamps - stamps[0] - np.polyval(np.polyfit(at, stamps - stamps[0], 1), at))
    p50, p99 = np.quantile(stray, [0.5, 0.99])
    return Measure("jitter", float(p99), f"p50 {p50:.2f} ms, p99 {p99:.2f} ms", limit, bool(p99 <= frame_ms))


def _clock(stretch: Stretch, hop_ms: float) -> list[Measure]:
    limit = f"known, steady within {OFFSET_MS:g} ms"
    if not stretch.offsets:
        return [Measure("clock offset", None, "unknown, the sender does not answer", limit, False)]
    offset, spread = float(np.median(stretch.offsets)), 1e3 * float(np.ptp(stretch.offsets))
    text = f"{_span(1e3 * offset)}, wandered {spread:.2f} ms"
    measures = [Measure("clock offset", 1e3 * offset, text, limit, spread <= OFFSET_MS)]
    age = 1e3 * (stretch.arrived - stretch.stamps - offset)
    p50, p99 = np.quantile(age, [0.5, 0.99])
    limit = f"p99 at most a hop, {hop_ms:g} ms"
    if abs(p50) > 1e3 * WRONG_CLOCK_S:
        text = f"stamps are {_span(float(p50))} from our clock: of no clock of ours"
        return [*measures, Measure("age", float(p50), text, limit, False)]
    text = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms from stamp to reader"
    return [*measures, Measure("age", float(p99), text, limit, bool(p99 <= hop_ms))]


def _span(ms: float) -> str:
    return f"{ms:+.2f} ms" if abs(ms) < 1e4 else f"{ms / 1e3:+,.1f} s"
