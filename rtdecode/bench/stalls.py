"""How much of the time this machine lets a program go on that wants nothing else.

What is missing was taken by other programs, by the system, or by other machines on the same host, which no
load average shows. A decoder cannot be more punctual than that: a p99 is read beside it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

STALL_S = 2e-4  # between two turns of a loop, of which each takes a thousandth of it


@dataclass(frozen=True)
class Stalls:
    """share: of the time that was taken away;  longest_s: at once"""

    share: float
    longest_s: float

    def __str__(self) -> str:
        return f"held up {100 * self.share:.1f} % of the time, {1e3 * self.longest_s:.1f} ms at the longest"


def stalls(seconds: float = 0.5, clock: Callable[[], float] = time.perf_counter) -> Stalls:
    """Of this thread, wherever it runs, which does nothing else for so long."""
    taken = longest = 0.0
    began = before = clock()
    while before - began < seconds:
        now = clock()
        if (gap := now - before) > STALL_S:
            taken, longest = taken + gap, max(longest, gap)
        before = now
    return Stalls(taken / (before - began), longest)


def together(found: Iterable[Stalls]) -> Stalls:
    """Of spans of equal length, of which there is one at least."""
    each = list(found)
    return Stalls(sum(one.share for one in each) / len(each), max(one.longest_s for one in each))
