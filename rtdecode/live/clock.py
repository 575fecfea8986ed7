"""What a stream's stamps and arrivals tell: lost samples, a clock that stepped, when a sample really was.

Everything here is pure: stamps, offsets and times are given. Raw stamps only; windows are counted in samples,
so nothing found here ever moves a window. It decides where a run ends and what time a decision carries.
"""

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

WRONG_CLOCK_S = 60.0  # stamps further from our clock than this are of no clock of ours
STEP_S = 0.1  # a smaller jump forward is taken for lost samples: arrivals are no sharper than this
FEW = 4  # stamps that are faster looked at one by one
SILENCE_S = 1.0  # a jump back after a longer silence has lost samples, too


@dataclass(frozen=True)
class Gap:
    """A break before sample `at` of a chunk: stamps off by `seconds`, negative when they went back.

    silence_s  how much later than by its pace the stream arrived
    """

    at: int
    seconds: float
    silence_s: float = 0.0

    @property
    def missing_s(self) -> float:
        """Seconds of samples that are missing: by the stamps, or by the silence where those went back."""
        return self.seconds if self.seconds > 0 else max(0.0, self.silence_s)


class StampLine:
    """A line through the raw stamps of a run: finds where they jump, and the times they should have had.

    The line follows offset and rate over 10 s. How far stamps stray from it is measured all the time, and
    sets what counts as a jump: 1.5 periods where stamps are regular, up to 50 ms (3 periods at low rates)
    where they come in bursts or are taken by software. Stamping can only be late, so the time of a sample is
    the line lowered to the earliest stamps; stamps within a sample of the line are passed on as they are.

    Works in blocks by sample index: the result does not depend on the size of the pieces.

    tolerance_s  beyond which a stamp jumps;  regular  whether every stamp is itself the time of its sample,
                 to within one sample
    """

    HARD_S = 0.05
    BLOCK_S = 0.05
    MEMORY_S = 10.0
    LEARN_S = 2.0
    LOW_S = 2.0
    SPREADS = 20  # a hiccup may be this many times as large as what was seen of late
    MAX_SKEW = 0.1

    def __init__(self, sfreq: float):
        self.period_s = 1.0 / sfreq
        self._hard = max(self.HARD_S, 3 * self.period_s)
        self._block = max(8, round(self.BLOCK_S * sfreq))
        block_s = self._block * self.period_s
        self._keep = math.exp(-block_s / self.MEMORY_S)
        self._learn = math.ceil(self.LEARN_S / block_s)
        self._lows: deque[float] = deque(maxlen=max(4, math.ceil(self.LOW_S / block_s)))
        self._stiff = 0.3 * sfreq**2  # how many squared samples of evidence the usual rate is worth
        self._ramp = np.arange(self._block, dtype=np.float64)
        self.forget()

    def forget(self) -> None:
        """Another stream: nothing is known of its stamps."""
        self._spread = 0.0
        self._learned = 0
        self._judge()
        self._b = 0.0
        self.backward = 0
        self.reset()

    def reset(self) -> None:
        """A new run: the next stamp is as good as any. Jitter and rate are still known."""
        self._origin = math.nan
        self._index = 0  # of the block's first sample
        self._errors = np.zeros(self._block)
        self._fill = self._blocks = 0
        self._a = 0.0
        self._usual = self._b = self._b if self._learned >= self._learn else 0.0
        self._sums = np.zeros(5)  # weight, x, xx, y, xy
        self._lows.clear()
        self._last = -math.inf

    @property
    def skew(self) -> float:
        """By which share the samples are further apart than the nominal rate says; 0 until that is known."""
        return self._b / self.period_s if self._learned >= self._learn else 0.0

    def _judge(self) -> None:
        known = self._learned >= self._learn
        usual = 1.5 * self.period_s + self.SPREADS * self._spread
        self.tolerance_s = min(self._hard, usual) if known else self._hard
        self.regular = not known or self._spread < self.period_s

    def check(self, stamps: np.ndarray) -> tuple[np.ndarray, Gap | None]:
        """Times of the samples up to the first jump, and that jump. After it call `reset` or `accept`, and
        check the rest again."""
        if len(stamps) <= FEW:
            usual = self._take_few(stamps)
            if usual == len(stamps):
                return stamps, None
            if usual:
                rest, found = self.check(stamps[usual:])
                return np.append(stamps[:usual], rest), found and replace(found, at=found.at + usual)
        times = np.empty(len(stamps))
        at = 0
        while at < len(stamps):
            piece = stamps[at : at + self._block - self._fill]
            taken, gap = self._piece(piece, times[at : at + len(piece)])
            at += taken
            if gap is not None:
                return times[:at], Gap(at, gap)
        return times, None

    def accept(self, seconds: float) -> None:
        """The clock itself jumped by this much: the line moves along, the run goes on."""
        self._origin += seconds
        self._last = -math.inf

    def _take_few(self, stamps: np.ndarray) -> int:
        """Take the first of a few stamps, as far as they are themselves the times of their samples and no
        jumps, without arrays: a decision waits for them. How many these are."""
        fill, last, taken = self._fill, self._last, 0
        if not self.regular or fill + len(stamps) > self._block:
            return 0
        # as in _piece, operation by operation
        first, step = self._origin + self._a + self._index * self.period_s, self.period_s + self._b
        tolerance = self.tolerance_s
        for stamp in stamps.tolist():
            error = stamp - (first + step * (fill + taken))
            # nan compares with nothing: neither a stamp that is no number, nor a run that has not begun
            if not (-tolerance <= error <= tolerance and stamp >= last):
                break
            self._errors[fill + taken] = error
            last, taken = stamp, taken + 1
        if taken:
            self._last, self._fill = last, fill + taken
            if self._fill == self._block:
                self._finish_block()
        return taken

    def _piece(self, stamps: np.ndarray, times: np.ndarray) -> tuple[int, float | None]:
        """Fill `times` within one block; the samples taken, and by how much the next one jumps."""
        count, fill = len(stamps), self._fill
        ramp = self._ramp[fill : fill + count]
        if math.isnan(self._origin):
            finite = np.flatnonzero(np.isfinite(stamps))
            if not len(finite):
                times[:] = stamps
                return count, None  # the run's first samples tell nothing: it begins after them
            first = int(finite[0])
            self._origin = float(stamps[first]) - first * self.period_s
        line = (self._origin + self._a + self._index * self.period_s) + (self.period_s + self._b) * ramp
        error = stamps - line
        worst = float(np.abs(error).max())
        gap = None
        if not worst <= self.tolerance_s:  # also for stamps that are no numbers
            sound = np.isfinite(stamps)
            error = np.where(sound, error, 0.0)
            stamps = np.where(sound, stamps, line)
            # samples out of order are no break: only a clock that was set goes back any further
            broken = np.flatnonzero((error > self.tolerance_s) | (error < -self._hard))
            if len(broken):
                count = int(broken[0])
                gap = float(error[count])
                error = error[:count]
        if count:
            self._errors[fill : fill + count] = error
            times[:count] = stamps[:count] if self.regular else line[:count] + self._low()
            self.backward += int(stamps[0] < self._last) + int((np.diff(stamps[:count]) < 0).sum())
            self._last = float(stamps[count - 1])
            self._fill = fill + count
            if self._fill == self._block:
                self._finish_block()
        return count, gap

    def _low(self) -> float:
        return min(self._lows) if self._lows else 0.0

    def _finish_block(self) -> None:
        block, errors = self._block, self._errors
        # the block's mean error, at its middle, as seen from the start of the next block
        x = -(block + 1) / 2
        y = self._a + self._b * (block - 1) / 2 + float(errors.mean())
        w, sx, sxx, sy, sxy = self._keep * self._sums
        sx, sxx, sxy = sx - block * w, sxx - 2 * block * sx + block * block * w, sxy - block * sy
        w, sx, sxx, sy, sxy = w + 1, sx + x, sxx + x * x, sy + y, sxy + x * y
        self._sums = np.array([w, sx, sxx, sy, sxy])
        limit = self.MAX_SKEW * self.period_s
        slope = (sxy - sx * sy / w + self._stiff * self._usual) / (sxx - sx * sx / w + self._stiff)
        before = self._a + self._b * block
        self._b = min(max(slope, -limit), limit)
        self._a = sy / w - self._b * sx / w
        self._blocks += 1
        if 4 * self._blocks > self._learn:  # the first line of a run is too rough to measure by
            self._spread = max(float(np.abs(errors).max()), self._keep * self._spread)
            self._learned += 1
            self._judge()
            moved = self._a - before
            self._lows.append(float(errors.min()) - moved)
        self._index += block
        self._fill = 0


class Pace:
    """Do samples arrive as fast as the nominal rate says? Tells lost samples from a clock that stepped."""

    WINDOW_S = 5.0
    REAL_TIME = (0.8, 1.25)

    def __init__(self, sfreq: float):
        self._period = 1.0 / sfreq
        self.reset()

    def reset(self) -> None:
        """Another stream."""
        self._count = 0
        self._seen: deque[tuple[float, int]] = deque()
        # (t, t - n * period) of _seen, rising: its minimum first
        self._floor: deque[tuple[float, float]] = deque()

    def arrived(self, samples: int, now: float) -> float | None:
        """Take a chunk in. Seconds that the stream is later than by its pace so far; None when that cannot be
        known: too early, or not sent in real time."""
        self._count += samples
        late = self._late(now)
        self._seen.append((now, self._count))
        base = now - self._count * self._period
        while self._floor and self._floor[-1][1] >= base:
            self._floor.pop()
        self._floor.append((now, base))
        while len(self._seen) > 2 and self._seen[-2][0] - self._seen[0][0] > self.WINDOW_S:
            gone, _ = self._seen.popleft()
            if self._floor[0][0] <= gone:
                self._floor.popleft()
        return late

    def _late(self, now: float) -> float | None:
        if len(self._seen) < 3:
            return None
        (t0, n0), (t1, n1) = self._seen[0], self._seen[-1]
        # one second at least, or the first chunk's size speaks louder than the pace
        if t1 - t0 < 1.0 or not self.REAL_TIME[0] < (n1 - n0) * self._period / (t1 - t0) < self.REAL_TIME[1]:
            return None
        return now - self._count * self._period - self._floor[0][1]

    def judge(self, gap: Gap, late_s: float | None) -> tuple[bool, Gap]:
        """Whether the clock stepped while all samples came (or else some are missing), and the whole gap.

        Without evidence a jump forward is a loss, for a window across lost samples would go unnoticed.
        """
        silence = max(0.0, late_s or 0.0)
        gap = Gap(gap.at, gap.seconds, silence)
        if gap.seconds < 0:
            return silence <= SILENCE_S, gap
        stepped = late_s is not None and gap.seconds >= STEP_S and silence < 0.5 * gap.seconds
        return stepped, gap


class ArrivalTimes:
    """Times of samples by their arrival, for streams whose stamps are of no use: the earliest arrivals of the
    last 10 s, continued at the nominal rate."""

    def __init__(self, sfreq: float):
        self._period = 1.0 / sfreq
        self._count = 0
        self._base: deque[tuple[float, float]] = deque()  # (arrival, arrival - count * period), rising

    def take(self, samples: int, now: float) -> np.ndarray:
        """(samples,) seconds on our clock for a chunk that arrived at `now`."""
        first, self._count = self._count, self._count + samples
        base = now - (self._count - 1) * self._period
        while self._base and self._base[-1][1] >= base:
            self._base.pop()
        self._base.append((now, base))
        while now - self._base[0][0] > 10.0:
            self._base.popleft()
        return self._base[0][1] + self._period * np.arange(first, self._count)


def wrong_clock_s(stamp: float, offset_s: float, arrived: float) -> float | None:
    """How far a sample's stamp is from our clock, when that is more than any clock of ours could be."""
    off = stamp + offset_s - arrived
    return off if abs(off) > WRONG_CLOCK_S else None
