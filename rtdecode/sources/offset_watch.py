"""A clock offset that is asked for again and again; what is asked, and how, is its owner's business."""

import threading
from collections.abc import Callable

import pylsl

from rtdecode.sources.offset import Offset

EVERY_S = 2.0
AGAIN_S = 0.1  # after a question that got no answer


class OffsetWatch:
    """Asks for a clock offset again and again, on a thread of its own: the answer may never come.

    measure  seconds to wait -> offset; TimeoutError without an answer, RuntimeError when there never will be
    """

    def __init__(self, measure: Callable[[float], float], every_s: float = EVERY_S):
        self.offset = Offset()
        self._steps: list[float] = []
        self._measure, self._every_s = measure, every_s
        self._closed, self._wake = False, threading.Event()
        threading.Thread(target=self._work, name="clock", daemon=True).start()

    def take_step(self) -> float:
        """By how much the clocks jumped against each other since the last call."""
        total = 0.0
        while self._steps:
            total += self._steps.pop()
        return total

    def ask_again(self) -> None:
        """There is reason to believe that the offset changed."""
        self._wake.set()

    def close(self) -> None:
        """Waits for nothing; the thread ends when its question does."""
        self._closed = True
        self._wake.set()

    def _work(self) -> None:
        # the first answer takes 0.65 s by liblsl's construction, and for ever where UDP is blocked
        while not self._closed:
            try:
                step = self.offset.push(self._measure(1.0))
            except (TimeoutError, pylsl.util.TimeoutError):
                self._wake.wait(AGAIN_S)
                continue
            except RuntimeError:
                return
            if step is not None:
                self._steps.append(step)
            self._wake.wait(self._every_s)
            self._wake.clear()
