"""What a calibration is asked to do, and what it did; the same for every recipe. Knows nothing of how."""

from dataclasses import dataclass, field
from pathlib import Path

from offline.calibration.rows import FitSettings, RowFit


@dataclass(frozen=True)
class CalibrationSettings:
    """minutes: how much of the recordings is used, from their beginning; hold_out: the last share of it that
    only judges; fit: the subject layer's.
    """

    minutes: float = 5.0
    hold_out: float = 0.25
    fit: FitSettings = field(default_factory=FitSettings)

    def __post_init__(self) -> None:
        if not self.minutes > 0 or not 0 < self.hold_out < 1:
            raise ValueError(f"need minutes > 0 and 0 < hold_out < 1, got {self.minutes} and {self.hold_out}")


@dataclass(frozen=True)
class Calibrated:
    """path: the new checkpoint. Losses are of the held-out part, lower is better.

    before        with the shared row and the mean filter;  linear  after the linear path;  after  at the end
    ridge_lambda  of the linear path; None: the mean filter was kept, or there is no such path
    layer         of the subject layer; None where the model has none
    """

    path: Path
    subject: str
    minutes: float
    before: float
    linear: float
    after: float
    ridge_lambda: float | None
    layer: RowFit | None

    def lines(self) -> list[str]:
        """What was done, for people."""
        kept = "kept the mean filter" if self.ridge_lambda is None else f"lambda {self.ridge_lambda:g}"
        layer = "none" if self.layer is None else f"{self.layer.updates} updates"
        return [
            f"calibrated {self.subject} with {self.minutes:.1f} min",
            f"held-out loss {self.before:.3f} before, {self.linear:.3f} after the linear path ({kept}), "
            f"{self.after:.3f} after the subject layer ({layer})",
        ]
