"""Signals as text: braille drawing, and the sweep that keeps a trace still while a cursor runs over it.

A terminal cell holds 2 x 4 dots. The trace is drawn where it was measured and stays there until the cursor
comes round again, as on clinical screens; scrolling would redraw every cell and cannot be read while it
moves.
"""

import numpy as np

# Unicode braille bits, 4 rows x 2 columns
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
HISTORY_S = 10.0
GAP = 0.03  # share of the sweep left blank in front of the cursor
LADDER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


def braille(x: np.ndarray, width: int, rows: int, limit: float) -> list[str]:
    """Draw signals as text.

    x      (C, T) in any unit; NaN is missing and draws nothing
    width  columns of text; rows: lines of text per channel
    limit  value at the top edge, same unit; larger values are clipped there

    Returns C * rows strings. Each dot column spans min..max of its samples, joined to its neighbour, so a
    spike never falls between dots and a steep slope never breaks.
    """
    channels, samples = x.shape
    columns, levels = 2 * width, 4 * rows
    if not channels or not samples or width < 1:
        return [" " * max(0, width)] * (channels * rows)
    edges = np.arange(columns) * samples // columns
    low = np.fmin.reduceat(x, edges, axis=1)
    high = np.fmax.reduceat(x, edges, axis=1)
    scale = (levels - 1) / (2 * limit)
    with np.errstate(invalid="ignore"):
        top = np.clip((limit - high) * scale, 0, levels - 1).round()
        bottom = np.clip((limit - low) * scale, 0, levels - 1).round()
        # reach towards the previous column: up to one dot short of it, so that lines stay thin
        top[:, 1:] = np.fmin(top[:, 1:], np.where(np.isnan(top[:, 1:]), np.nan, bottom[:, :-1] + 1))
        bottom[:, 1:] = np.fmax(bottom[:, 1:], np.where(np.isnan(bottom[:, 1:]), np.nan, top[:, :-1] - 1))
        level = np.arange(levels)[:, None]
        lit = (level >= top[:, None]) & (level <= bottom[:, None])  # (C, levels, columns); NaN compares False
    cells = (lit.reshape(channels, rows, 4, width, 2) * DOTS[:, None]).sum(axis=(2, 4))
    codes = np.where(cells, cells + 0x2800, 0x20).astype("<u4").reshape(channels * rows, width)
    return [line.tobytes().decode("utf-32-le") for line in codes]


def step_scale(limit: float, steps: int) -> float:
    """The scale `steps` rungs up (+) or down (-) the ladder 1, 1.5, 2, 3, 4, 6, 8, 10 …"""
    decade = np.floor(np.log10(limit) + 1e-9)
    rung = int(np.argmin(np.abs(np.array(LADDER) - limit / 10**decade))) + steps
    shift, rung = divmod(rung, len(LADDER))
    return float(LADDER[rung] * 10.0 ** (decade + shift))


def first_scale(x: np.ndarray) -> float:
    """A scale for (T, C): the first rung at or above three times the median channel's spread. Chosen once."""
    x = x[:, np.isfinite(x).any(axis=0)]
    spread = np.nanmedian(np.abs(x - np.nanmedian(x, axis=0)), axis=0) if x.size else np.zeros(1)
    typical = float(np.median(spread)) * 1.4826 * 3
    if not typical > 0:
        return 50.0
    scale = step_scale(float(10.0 ** np.floor(np.log10(typical))), 0)
    while scale < typical:
        scale = step_scale(scale, 1)
    return scale


class Sweep:
    """The newest seconds of signal, by sample number, put together from snapshots that overlap.

    A snapshot carries the newest seconds without saying how many samples are new; the last known sample is
    looked for in it, and where it appears more than once (a flat stretch) session time decides.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sfreq, self.count, self.elapsed_s = 0.0, 0, 0.0
        self.data = np.zeros((0, 0), np.float32)

    def add(self, signal: np.ndarray, sfreq: float, elapsed_s: float) -> int:
        """Take in (T, C); returns how many samples were new."""
        rows, channels = signal.shape
        if not rows or not channels or sfreq <= 0:
            return 0
        signal = np.ascontiguousarray(signal, np.float32)
        expected = round((elapsed_s - self.elapsed_s) * sfreq)
        if self.data.shape[1] != channels or sfreq != self.sfreq or expected < 0:
            self.reset()
            self.sfreq = sfreq
            self.data = np.full((round(HISTORY_S * sfreq), channels), np.nan, np.float32)
            expected = rows
        new = self._new_rows(signal, expected) if self.count else rows
        self.elapsed_s = elapsed_s
        size = len(self.data)
        missing = min(max(0, new - rows), size)
        for first, part in (
            (0, np.full((missing, channels), np.nan, np.float32)),
            (missing, signal[-new:][-size:]),
        ):
            if new and len(part):
                self.data[(self.count + first + np.arange(len(part))) % size] = part
        self.count += min(new, missing + size)
        return new

    def _new_rows(self, signal: np.ndarray, expected: int) -> int:
        last = self.data[(self.count - 1) % len(self.data)]
        same = (signal.view(np.int32) == last.view(np.int32)).all(axis=1)  # by bits, so that NaN equals NaN
        ages = len(signal) - 1 - np.flatnonzero(same)
        if len(ages):
            return int(ages[np.argmin(np.abs(ages - expected))])
        return expected or len(signal)

    def newest(self, seconds: float) -> np.ndarray:
        """(T, C) of the last `seconds`, oldest first; fewer rows where less is known."""
        rows = min(self.count, len(self.data), max(0, round(seconds * self.sfreq)))
        return self.data[np.arange(self.count - rows, self.count) % max(1, len(self.data))]

    def picture(self, seconds: float, channels: slice | list[int]) -> tuple[np.ndarray, float]:
        """(C, T) of the last `seconds` as the sweep lays them out, and the cursor's place in 0..1."""
        size = max(1, round(seconds * self.sfreq))
        place = self.count % size
        back = np.arange(self.count - size, self.count)
        data = self.data[:, channels]
        x = np.full((size, data.shape[1]), np.nan, np.float32)
        known = back >= max(0, self.count - len(self.data))
        x[back[known] % size] = data[back[known] % max(1, len(self.data))]
        gap = (place + np.arange(max(1, round(GAP * size)))) % size
        if self.count >= size:
            x[gap] = np.nan
        return x.T, place / size
