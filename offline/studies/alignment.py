"""Puts the log of a stimulus program on the clock of a recording, through triggers that both saw.

Two sequences of codes, of the log and of the trigger channel, either with some missing. The longest common
sequence pairs them; a line through the pairs (Theil-Sen: a few wrong ones do not move it) says where on the
recording each logged trigger should be, and the pairs that count are those of one code that lie there. Knows
nothing of file formats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import LCSseq
from scipy.stats import spearmanr, theilslopes

from rtdecode.errors import StudyError

SPEARMAN = 0.9999  # what the published pipeline requires
TOLERANCE_S = 0.05  # a trigger is this near to where the log says it is
_SHARE = 0.5  # of the shorter sequence must be found again
_HINT = "do the log and the recording belong together?"


@dataclass(frozen=True, eq=False)
class ClockMap:
    """From seconds of the log to seconds of the recording.

    log_s, recording_s  (K,) the anchors, both rising
    unmatched           (triggers of the log, of the recording) without a partner
    worst_s             the largest distance of an anchor from the line through all of them
    """

    log_s: np.ndarray
    recording_s: np.ndarray
    unmatched: tuple[int, int]
    worst_s: float

    def __call__(self, log_s: float) -> float | None:
        """Interpolated between anchors, by the first anchor's distance before it; None after the last one,
        where nothing holds the clocks together.
        """
        if log_s > self.log_s[-1]:
            return None
        if log_s < self.log_s[0]:
            return float(self.recording_s[0] - (self.log_s[0] - log_s))
        return float(np.interp(log_s, self.log_s, self.recording_s))


def align(
    name: str,
    log_codes: Sequence[int],
    log_s: Sequence[float],
    trigger_codes: Sequence[int],
    trigger_s: Sequence[float],
) -> ClockMap:
    """The clock of the log on that of the recording called `name`. Raises StudyError when the two do not fit,
    with the numbers that disagree.
    """
    rows, heard = np.asarray(log_s, np.float64), np.asarray(trigger_s, np.float64)
    pairs = _pairs(log_codes, trigger_codes)
    needed = max(2, int(np.ceil(_SHARE * min(len(rows), len(heard)))))
    if len(pairs) < needed:
        raise StudyError(
            f"{name}: {len(pairs)} of the {len(rows)} triggers of the log are among the {len(heard)} of the "
            f"recording, at least {needed} are needed",
            hint=_HINT,
        )
    first, second = rows[pairs[:, 0]], heard[pairs[:, 1]]
    rank = (
        1.0 if len(pairs) == 2 and np.all(np.diff(first) > 0) else float(spearmanr(first, second).statistic)
    )
    if not rank > SPEARMAN:
        raise StudyError(
            f"{name}: the times of {len(pairs)} triggers in the log and in the recording have the rank "
            f"correlation {rank:.5f}, it must exceed {SPEARMAN}",
            hint="does the log run backwards, or hold two sessions?",
        )
    slope, intercept, *_ = theilslopes(second, first)
    anchors = _near(log_codes, rows, trigger_codes, heard, slope * rows + intercept)
    if len(anchors) < needed:
        off = float(np.median(np.abs(second - (slope * first + intercept))))
        raise StudyError(
            f"{name}: {len(anchors)} of {len(pairs)} triggers lie within {TOLERANCE_S:g} s of where the log "
            f"says they are (half of them are more than {off:.2f} s away), at least {needed} are needed",
            hint=_HINT,
        )
    x, y = rows[anchors[:, 0]], heard[anchors[:, 1]]
    worst = float(np.max(np.abs(y - (slope * x + intercept))))
    return ClockMap(x, y, (len(rows) - len(anchors), len(heard) - len(anchors)), worst)


def _pairs(one: Sequence[int], other: Sequence[int]) -> np.ndarray:
    """(K, 2) places of equal codes in both, with the fewest insertions and deletions."""
    blocks = [
        np.stack([np.arange(op.src_start, op.src_end), np.arange(op.dest_start, op.dest_end)], axis=1)
        for op in LCSseq.opcodes(list(one), list(other))
        if op.tag == "equal"
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, 2), int)


def _near(
    log_codes: Sequence[int],
    rows: np.ndarray,
    trigger_codes: Sequence[int],
    heard: np.ndarray,
    expected: np.ndarray,
) -> np.ndarray:
    """(K, 2) places in both, of one code and within TOLERANCE_S, each at most once and in order.

    Of a run of equal codes with one missing, equal codes alone cannot tell which: the times can.
    """
    codes, found, last = np.asarray(trigger_codes), [], -1
    for row in np.argsort(rows, kind="stable"):
        candidates = np.flatnonzero(
            (codes == log_codes[row]) & (np.abs(heard - expected[row]) <= TOLERANCE_S)
        )
        candidates = candidates[candidates > last]
        if len(candidates):
            last = int(candidates[np.argmin(np.abs(heard[candidates] - expected[row]))])
            found.append((int(row), last))
    return np.array(found, int).reshape(-1, 2)
