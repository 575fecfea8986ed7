"""Running means and speeds of a training run. Knows nothing of where they are shown."""

from typing import Any


class Means:
    """Means of loss parts over updates; in checkpoints, so that metrics too go on exactly."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self.count = 0

    def add(self, values: dict[str, float]) -> None:
        self.count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """The means so far; starts anew."""
        means = {name: total / self.count for name, total in self._sums.items()}
        self._sums, self.count = {}, 0
        return means

    def state(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "count": self.count}

    def load(self, state: dict[str, Any]) -> None:
        self._sums, self.count = dict(state["sums"]), state["count"]


class Clock:
    """How fast updates are, and what share of their time was spent waiting for data."""

    def __init__(self) -> None:
        self._seconds = self._waited_s = 0.0
        self._segments = 0

    def add(self, seconds: float, waited_s: float, segments: int) -> None:
        self._seconds += seconds
        self._waited_s += waited_s
        self._segments += segments

    def take(self) -> dict[str, float]:
        """segments_per_s and waiting (a share) so far; starts anew."""
        seconds = max(self._seconds, 1e-9)
        rates = {"segments_per_s": self._segments / seconds, "waiting": self._waited_s / seconds}
        self._seconds = self._waited_s = 0.0
        self._segments = 0
        return rates
