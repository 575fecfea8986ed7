"""How long decisions take to be on the screen: shown there, and told to whoever writes the session down.

Only the screen knows when it was drawn; only the core has the log. Pure: time is given.
"""

from collections.abc import Sequence
from typing import Protocol

from rtdecode.histogram import Times

TELL_S = 5.0  # as often as the core writes down how it keeps up
AT_ONCE = 100  # times in one message
KEPT = 4096  # times that wait while the core takes no messages: it publishes none then, so few will


class Taker(Protocol):
    def drawn(self, ms: Sequence[float]) -> bool:
        """Milliseconds, at most AT_ONCE of them. Whether they are on their way."""
        ...


class DrawTimes(Times):
    """Milliseconds from a decision's publishing until it was on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._untold: list[float] = []
        self._told = float("-inf")

    def add(self, ms: float, now: float) -> None:
        super().add(ms, now)
        if len(self._untold) < KEPT:
            self._untold.append(max(0.0, ms))

    def due(self, now: float) -> bool:
        """Whether it is time to tell again; the first times are told at once."""
        return now - self._told >= TELL_S

    def tell(self, taker: Taker | None, now: float) -> None:
        """Hand over what was not told yet. Never waits; what is not taken is told the next time."""
        self._told = now
        while taker is not None and self._untold and taker.drawn(self._untold[:AT_ONCE]):
            del self._untold[:AT_ONCE]
