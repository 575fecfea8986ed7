"""Reads the log of a stimulus program, Presentation (Neurobehavioral Systems).

A log is text: a few lines of header, then two tables with tab-separated columns and blank lines around them.
The event table has one row per thing that happened, the stimulus table one per stimulus shown, in the same
order; they are joined on the rows that show something (Picture, Sound, Nothing). Times are in units of 0.1
ms. Knows the file format and nothing of any experiment.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtdecode.errors import StudyError

_UNIT_S = 1e-4
_SHOWN = ("Picture", "Sound", "Nothing")
_TIME = re.compile("time|dur", re.IGNORECASE)
_HINT = "is it a log of Presentation, saved as text?"


@dataclass(frozen=True)
class LogRow:
    """One thing that happened.

    kind        'Picture', 'Sound', 'Nothing', 'Response', 'Pulse' …
    code        what the experimenter called it
    time_s      seconds on the clock of the program
    duration_s  seconds, of what was shown; None where the log does not say
    fields      everything the two tables say of it, as written; times and durations in seconds
    """

    kind: str
    code: str
    time_s: float
    duration_s: float | None
    fields: Mapping[str, str | float]


def read_log(path: Path) -> tuple[LogRow, ...]:
    """The rows of the first scenario of a log, in its order. Raises StudyError when there is none.

    Some logs hold their scenario twice, one after the other: the second is a copy and is left out.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(f"cannot read the log {path}: {error.strerror}") from error
    events: list[dict[str, str]] = []
    shown: list[dict[str, str]] = []
    for table in _tables(_decoded(content)):
        if "Time" not in table.columns or "Code" not in table.columns:
            continue
        if "Subject" in table.columns or "Trial" in table.columns:
            if events:
                break
            events = list(table.rows())
        elif not shown:
            shown = list(table.rows())
    if not events:
        raise StudyError(f"{path} holds no table of events with columns Trial, Code and Time", hint=_HINT)
    return tuple(_joined(path, events, shown))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # the program writes the code page of its Windows
        return content.decode("cp1252", errors="replace")


class _Table:
    def __init__(self, columns: Sequence[str]):
        self.columns = _unique(columns)
        self._cells: list[list[str]] = []
        self._broken = ""

    def add(self, line: str) -> None:
        """A line of the table. A full stop with a line break behind it (typed into a stimulus) breaks a row
        in two, or stands alone on a line: the row is mended, the lone one dropped.
        """
        if line.strip() == ".":
            return
        line, self._broken = self._broken + line, ""
        cells = line.split("\t")
        if len(cells) <= self.columns.index("Time") and line.endswith("."):
            self._broken = line
            return
        self._cells.append(cells)

    def rows(self) -> Iterator[dict[str, str]]:
        for cells in self._cells:
            yield dict(zip(self.columns, (cell.strip() for cell in cells), strict=False))


def _unique(columns: Sequence[str]) -> list[str]:
    """Names of columns; the second 'Uncertainty' becomes 'Uncertainty 2'."""
    names: list[str] = []
    for column in (cell.strip() for cell in columns):
        again = sum(name == column or name.rstrip("0123456789").rstrip() == column for name in names)
        names.append(f"{column} {again + 1}" if again else column)
    return names


def _tables(text: str) -> Iterator[_Table]:
    table, blank = None, True
    for line in text.splitlines():
        if not line.strip():
            # One blank line parts a heading from its rows, the next one ends the table.
            if table is not None and table._cells:
                yield table
                table = None
            blank = True
        elif table is None and blank and "\t" in line and "Code" in line.split("\t"):
            table = _Table(line.split("\t"))
            blank = False
        elif table is not None:
            table.add(line)
        elif "\t" not in line:  # 'Scenario - …', 'Logfile written - …'
            blank = True
    if table is not None and table._cells:
        yield table


def _joined(
    path: Path, events: Sequence[dict[str, str]], shown: Sequence[dict[str, str]]
) -> Iterator[LogRow]:
    waiting = iter(shown)
    for number, row in enumerate(events, 1):
        fields = dict(row)
        kind, code = row.get("Event Type", ""), row.get("Code", "")
        if kind in _SHOWN:
            partner = next(waiting, {})
            # A log that was cut off lacks the end of its second table; what it says of others is not theirs.
            if (partner.get("Event Type"), partner.get("Code")) == (kind, code):
                fields = {**partner, **{name: value for name, value in fields.items() if value}}
        try:
            time_s = int(row["Time"]) * _UNIT_S
        except (KeyError, ValueError) as error:
            raise StudyError(
                f"row {number} of the log {path} has the time {row.get('Time', '')!r}, "
                "expected a whole number",
                hint=_HINT,
            ) from error
        numbers = {name: _seconds(name, value) for name, value in fields.items()}
        duration = numbers.get("Duration")
        yield LogRow(kind, code, time_s, duration if isinstance(duration, float) else None, numbers)


def _seconds(name: str, value: str) -> str | float:
    """A field: in seconds where its name says that it is a time, as written otherwise ('next', 'other')."""
    if _TIME.search(name) and re.fullmatch(r"[-+]?\d+", value):
        return int(value) * _UNIT_S
    return value
