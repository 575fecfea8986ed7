"""The signals panel of the review: raw traces around the cursor. Data in, lines out."""

import numpy as np

from rtdecode.tui.lines import EMPTY, Line, cell_len, clean, clock, figure, frame, inner, pad, unit_name
from rtdecode.tui.review.data import Signal
from rtdecode.tui.traces import braille

LABEL, NUMBER = 8, 12  # cells of a channel's name and value


def page_size(height: int, channels: int) -> int:
    """How many channels of two lines fit."""
    return max(1, min(channels, (inner(0, height)[1] - 1) // 2))


def signals(signal: Signal | None, first: int, limit: float, width: int, height: int) -> list[Line]:
    """Raw traces around the cursor, two lines a channel; only the middle of each is taken off."""
    columns, rows = inner(width, height)
    title: Line = (("Signals", "title"), ("  raw, median off", "dim"))
    if signal is None or rows < 2:
        return frame([(("nothing recorded here", "dim"),)], width, height, title)
    page = page_size(height, len(signal.labels))
    x = centred(signal.x[first : first + page])
    labels = signal.labels[first : first + page]
    margin = 1 + min(LABEL, max([4, *(cell_len(clean(label)) for label in signal.labels)]))
    cells = max(1, columns - margin - NUMBER)
    drawn = braille(x, cells, 2, limit)
    unit = unit_name(signal.unit)
    body: list[Line] = []
    for i, label in enumerate(labels):
        with np.errstate(all="ignore"):
            known = x[i][np.isfinite(x[i])]
        value = f"{figure(float(known.std()))} {unit}" if len(known) else "–"
        name = pad(clean(label), margin - 1) + " "
        body.append(((name, "text"), *_cursor(drawn[2 * i]), (f"{value:>{NUMBER}}", "dim")))
        body.append(((" " * margin, "dim"), *_cursor(drawn[2 * i + 1])))
    body += [EMPTY] * (rows - 1 - len(body))
    last = f"{clock(signal.start + signal.seconds, 1)}"
    axis = list(pad(clock(signal.start, 1), cells - len(last)) + last)
    middle = clock(signal.start + signal.seconds / 2, 1)
    place = max(0, cells // 2 - len(middle) // 2)
    axis[place : place + len(middle) + 1] = ["▲", *middle][: cells - place]
    body.append(((" " * margin + "".join(axis), "dim"),))
    where = f"{first + 1}–{first + len(labels)} of {len(signal.labels)}"
    fact: Line = ((f"{where} · ±{limit:g} {unit} · {signal.seconds:g} s", "dim"),)
    return frame(body, width, height, title, fact)


def centred(x: np.ndarray) -> np.ndarray:
    """(C, T) less each channel's median; a channel without numbers stays."""
    out = np.array(x, np.float64)
    out[~np.isfinite(out)] = np.nan
    known = np.isfinite(out).any(axis=1)
    out[known] -= np.nanmedian(out[known], axis=1, keepdims=True)
    return out


def _cursor(drawn: str) -> Line:
    middle = len(drawn) // 2
    here = drawn[middle : middle + 1]
    tick = ("│" if here == " " else here, "accent")
    return ((drawn[:middle], "trace"), tick, (drawn[middle + 1 :], "trace"))
