"""How the core goes towards the end of a hop: what it asks for, what it warms up, and how it waits.

    most of a hop -> filtered while the rest comes -> [rehearsed, watched for] -> its last samples -> decided

A processor that has nothing to do is put to sleep, by the system or by the host of a virtual machine: it
takes 0.1 ms to wake, and finds its caches cold, even a millisecond later. So shortly before the last samples
should come, all that they will go through is done once for nothing, and then they are looked for again and
again. Where a stream comes in bursts, or hops are short, they are waited for as usual.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

PULL_S = 0.05  # longest wait for samples: how soon the loop sees a stop, silence, or a lost parent
WAITED_S = 2e-4  # a pull that took longer had to wait for samples
TAIL_S = 0.002  # before a hop is complete: what is left to filter then
EARLY_S, LATE_S = 2.5e-4, 3e-4  # before and after the last samples should come: how long they are watched for
WATCH_SHARE = 0.04  # of a hop, which watching may take
NAP_S = 2e-4  # a shorter wait is not worth falling asleep for
REHEARSAL_S, REHEARSAL_SHARE = 3e-4, 0.7  # taken for its length at first; of the time left, what it may take
AT_LEAST = 0.5  # of the time that samples should take: a stream that is faster is no live one
COSTS = 5  # rehearsals whose median length counts: one that was held up tells nothing of the next
RETRY = 256  # hops after which one is tried again where they take too long
FORGIVEN = 3  # times in a row that a stream may be out of step; after n more, one hop of 2 ** n is tried
IN_VAIN = 13  # times that are counted


class Source(Protocol):
    """Where samples come from (sources.lsl.LslSource)."""

    def pull(self, min_samples: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]: ...
    def waiting(self) -> int: ...
    def watch(self, samples: int, until: float) -> bool: ...


class Approach:
    """sfreq: of the stream, Hz;  hop_s: between decisions

    came      timer seconds at which the newest samples could be read
    waited    whether they had to be waited for
    """

    def __init__(
        self,
        sfreq: float,
        hop_s: float,
        timer: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._sfreq, self._hop_s = sfreq, hop_s
        self._timer, self._sleep = timer, sleep
        self._tail = max(1, round(TAIL_S * sfreq))
        self._watches = WATCH_SHARE * hop_s >= EARLY_S + LATE_S
        self._costs = deque([REHEARSAL_S], maxlen=COSTS)
        self._refused = 0
        self._next = 0.0  # when the last samples should come by those of the hop before
        self._in_vain = self._left_out = 0
        self.came, self.waited, self._in_step = 0.0, False, False

    def pull(
        self, source: Source, missing: int, rehearse: Callable[[], bool]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples towards the next hop, as LslSource.pull.

        missing   samples that complete it;  rehearse  does once for nothing what follows them; whether it did
        """
        before, came = self._timer(), self.came
        needed = self.to_wait_for(missing)
        if missing <= self._tail and self._in_step:
            self._come_closer(source, missing, rehearse)
        found = source.pull(needed, PULL_S)
        self.came = self._timer()
        self.waited = self.came - before > WAITED_S
        # they came just now and as fast as they should: neither lay there, nor stayed away, nor are replayed
        enough, took = len(found[1]), self.came - came
        self._in_step = self.waited and enough >= needed and took > AT_LEAST * enough / self._sfreq
        return found

    def to_wait_for(self, missing: int) -> int:
        """Samples to ask for, where `missing` complete a hop: nearly all, then the rest."""
        return missing - self._tail if missing > self._tail else missing

    def _come_closer(self, source: Source, missing: int, rehearse: Callable[[], bool]) -> None:
        """Be awake, with warm caches, when the last samples come; what seldom works is seldom tried."""
        if self._left_out < (1 << max(0, self._in_vain - FORGIVEN)) - 1:
            self._left_out += 1
            return
        self._left_out = 0
        in_step = self._met(source, missing, rehearse)
        self._in_vain = 0 if in_step else min(self._in_vain + 1, IN_VAIN)

    def _met(self, source: Source, missing: int, rehearse: Callable[[], bool]) -> bool:
        """Whether they came when they should, after all that was done before."""
        expected = self.came + missing / self._sfreq
        if 0 < expected - self._next < EARLY_S + LATE_S:
            expected = self._next  # the samples before were late, or we were
        begin = expected - EARLY_S
        now = self._timer()
        cost_s = sorted(self._costs)[len(self._costs) // 2]
        self._refused = self._refused + 1 if cost_s > REHEARSAL_SHARE * (begin - now) else 0
        if self._refused % RETRY == 0 and source.waiting() < missing:
            now = self._nap(now, begin - cost_s)
            if source.waiting() >= missing:
                return self._seen(False)
            if not rehearse():
                return True
            began, now = now, self._timer()
            self._costs.append(now - began)
        if source.waiting() >= missing:
            return self._seen(False)
        if not self._watches:
            return True
        self._nap(now, begin)
        return source.watch(missing, expected + LATE_S) and self._seen(True)

    def _seen(self, in_step: bool) -> bool:
        """The last samples are there: the next ones should not come later than a hop after now."""
        self._next = self._timer() + self._hop_s
        return in_step

    def _nap(self, now: float, until: float) -> float:
        """The time after it."""
        if until - now < NAP_S:
            return now
        self._sleep(until - now)
        return self._timer()
