"""One channel big: its trace over half of the panel, and the spectrum of the seconds that are drawn.

The spectrum is one rfft under a Hann window of exactly those seconds, so its lines are 1 / seconds apart: no
average over time, no smoothing, what the eye sees above is what is below.
"""

import numpy as np

from rtdecode.snapshot import ChannelState, Snapshot
from rtdecode.tui.header import look
from rtdecode.tui.lines import EMPTY, Line, clean, cut, figure, frame, inner, spread, unit_name
from rtdecode.tui.signals import ROLES, VALUE, View, axis, heading, margin, state_of, waiting
from rtdecode.tui.traces import braille

DEEP_DB = 40.0  # from the strongest line to the bottom of the drawing
MOST_HZ = 60.0
PEAK_HZ = (1.0, 45.0)  # where a peak is looked for: not in drift, not in the mains


def spectrum(x: np.ndarray, sfreq: float) -> tuple[np.ndarray, np.ndarray]:
    """Hz and amplitude density (unit / sqrt(Hz)) of (T,); missing ones count as the mean. Empty below 8."""
    if len(x) < 8 or sfreq <= 0:
        return np.zeros(0), np.zeros(0)
    there = np.isfinite(x)
    x = np.where(there, x, 0.0) - (x[there].mean() if there.any() else 0.0) * there
    window = np.hanning(len(x))
    power = 2 * np.abs(np.fft.rfft(x * window)) ** 2 / (sfreq * (window**2).sum())
    return np.fft.rfftfreq(len(x), 1 / sfreq), np.sqrt(power)


def peak_hz(hz: np.ndarray, density: np.ndarray) -> float | None:
    """Frequency of the strongest line between drift and mains; None without any."""
    inside = (hz >= PEAK_HZ[0]) & (hz <= PEAK_HZ[1])
    if not inside.any() or not density[inside].max() > 0:
        return None
    return float(hz[inside][np.argmax(density[inside])])


def render(
    snapshot: Snapshot,
    width: int,
    height: int,
    view: View,
    quality: tuple[ChannelState, ...],
    recent: np.ndarray,
) -> list[Line]:
    """The framed channel. view: a page of one; recent: (T,) its drawn seconds, oldest first."""
    columns, rows = inner(width, height)
    unit = unit_name(snapshot.bundle.unit) if snapshot.bundle else ""
    title = heading(snapshot, view.drawn)
    now = look(snapshot, 0.0)
    channels = len(quality) or snapshot.signal.shape[1]
    if not channels or not view.picture.size:
        return frame(waiting(snapshot, columns, now.role), width, height, title)
    pool = channels if view.picked is None else len(view.picked)
    number = view.channels(channels)[0]
    state = state_of(quality, number)
    fact: Line = ((f"{view.first + 1} of {pool} · ±{view.limit:g} {unit} · {view.seconds:g} s", "dim"),)
    hz, density = spectrum(recent, snapshot.signal_sfreq)
    peak = peak_hz(hz, density)
    head = spread(
        ((clean(state.label), "strong"), (f" {clean(state.glyph)[:1]} ", ROLES.get(state.glyph, "text"))),
        ((f"{figure(state.rms)} {unit} rms", "text"), *_peak(peak)),
        columns,
    )
    above = max(1, (rows - 3) * 3 // 5)
    below = rows - 3 - above
    before = margin(quality)
    across = max(1, columns - before - VALUE)
    trace = braille(view.picture[:1], across, above, view.limit)
    body: list[Line] = [head]
    for row, text in enumerate(trace):
        edge = {0: f"{view.limit:g}", above // 2: "0", above - 1: f"-{view.limit:g}"}.get(row, "")
        body.append(((f"{cut(edge, before - 1):>{before - 1}} ", "dim"), (text, "trace")))
    body.append(axis(view, columns, before))
    if below > 0 and len(hz):
        body += _drawn(hz, density, across, below, before)
    elif below > 0:
        body += [(("no spectrum yet", "dim"),)]
    return frame([line or EMPTY for line in body], width, height, title, fact, ((f"{unit}/√Hz", "dim"),))


def _peak(peak: float | None) -> Line:
    return EMPTY if peak is None else ((" · peak ", "dim"), (f"{peak:.1f} Hz", "accent"))


def _drawn(hz: np.ndarray, density: np.ndarray, across: int, lines: int, before: int) -> list[Line]:
    """Decibels under the strongest line, each column the strongest of its own, filled to the bottom."""
    top_hz = min(MOST_HZ, float(hz[-1]))
    columns = 2 * across
    at = np.linspace(0.0, top_hz, columns, endpoint=False)
    edges = np.clip(np.searchsorted(hz, at), 1, len(hz) - 1)
    strongest = np.maximum.reduceat(density, edges)[:columns]
    top = float(density[1:].max()) or 1.0
    level = 20 * np.log10(np.maximum(strongest / top, 1e-6))
    rows = max(1, lines - 1)
    values = np.clip(1 + level / DEEP_DB, 0, 1)
    filled = _filled(values, rows)
    body: list[Line] = []
    for row, text in enumerate(filled):
        edge = {0: figure(top), rows - 1: figure(top * 10 ** (-DEEP_DB / 20))}.get(row, "")
        body.append(((f"{cut(edge, before - 1):>{before - 1}} ", "dim"), (text, "accent")))
    if lines > 1:
        cells = [" "] * across
        for tick in range(0, int(top_hz) + 1, 10):
            label = f"{tick} Hz" if not tick else str(tick)
            place = min(round(across * tick / top_hz), across - len(label))
            cells[place : place + len(label)] = label
        body.append(((" " * before + "".join(cells), "dim"),))
    return body


def _filled(values: np.ndarray, rows: int) -> list[str]:
    """Columns of dots from the bottom up. values: (2 * width,) in 0..1."""
    x = np.stack([values, np.full_like(values, -1.0)], axis=1).reshape(1, -1)
    return braille(2 * np.maximum(x, 0) - 1, len(values) // 2, rows, 1.0)
