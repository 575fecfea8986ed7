"""How fast a group of parameters learns in an epoch, beside the schedule of the whole run.

A pretrained part that joins late: its rate stays at `begin` through the first epochs, then moves in equal
steps to the group's own. Plain numbers, so that a checkpoint can keep them. Knows nothing of which parameters
they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ramp:
    """From `begin` (a learning rate) to the group's own rate: first so many epochs at `begin`, then `epochs`
    more.

    The share reached in epoch e (from 0) is f(e) = 0 for e < first, else min(1, (e - first) / epochs); 1 at
    once where epochs is 0 (Fiedler et al. 2025).
    """

    begin: float = 0.0
    first: int = 0
    epochs: int = 0

    def __post_init__(self) -> None:
        if self.begin < 0 or self.first < 0 or self.epochs < 0:
            raise ValueError(
                f"a ramp has no negative numbers, got {self.begin:g}, {self.first} and {self.epochs}"
            )

    def share(self, epoch: int) -> float:
        if epoch < self.first:
            return 0.0
        return min(1.0, (epoch - self.first) / self.epochs) if self.epochs else 1.0

    def group(self) -> dict[str, Any]:
        """What a parameter group says about it."""
        return {"ramp_begin": self.begin, "ramp_first": self.first, "ramp_epochs": self.epochs}


def paced(group: Mapping[str, Any], rate: float, epoch: int) -> float:
    """The learning rate of an optimiser's group in `epoch`, whose own rate is `rate`."""
    if "ramp_first" not in group:
        return rate
    ramp = Ramp(group["ramp_begin"], group["ramp_first"], group["ramp_epochs"])
    return ramp.begin + (rate - ramp.begin) * ramp.share(epoch)
