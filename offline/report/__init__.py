"""A report of evaluations: one HTML file that needs no network, and a CSV beside it.

`write_report` takes `Content`; everything in it was computed elsewhere. Every score stands beside chance.
"""

from offline.report.content import (
    CalibrationRow,
    Content,
    Evaluated,
    LearningRow,
    NotRun,
    calibration_row,
    evaluated,
    read_learning,
)
from offline.report.write import write_report

__all__ = [
    "CalibrationRow",
    "Content",
    "Evaluated",
    "LearningRow",
    "NotRun",
    "calibration_row",
    "evaluated",
    "read_learning",
    "write_report",
]
