"""From a stream's clock to ours, out of repeated measurements. Pure: who measures is offset_watch.py."""

import math
from collections import deque
from statistics import median

OFFSET_STEP_S = 0.05


class Offset:
    """value: seconds, None until known.

    The median of five, so that one slow answer does not show; a jump counts once a second one confirms it.
    """

    def __init__(self) -> None:
        self.value: float | None = None
        self._recent: deque[float] = deque(maxlen=5)
        self._odd: float | None = None

    def push(self, measured: float) -> float | None:
        """Take a measurement. The size of the step, when the clocks jumped against each other."""
        if not math.isfinite(measured):
            return None
        if self.value is not None and abs(measured - self.value) > OFFSET_STEP_S:
            if self._odd is None or abs(measured - self._odd) > OFFSET_STEP_S:
                self._odd = measured
                return None
            step = measured - self.value
            self._recent.clear()
            self._recent.append(measured)
            self.value, self._odd = measured, None
            return step
        self._odd = None
        self._recent.append(measured)
        self.value = median(self._recent)
        return None
