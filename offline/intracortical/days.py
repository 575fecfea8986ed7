"""The days of the two public intracortical speech studies, in order: the number of a day is its place.

Facts of the deposits (Willett et al. 2023, doi 10.5061/dryad.x69p8czpq; Card et al. 2024, doi
10.5061/dryad.dncjsxm85), and the reader of the latter's table of blocks. Knows nothing of features.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rtdecode.errors import StudyError, closest

_T12 = (
    "04.28 05.05 05.17 05.19 05.24 05.26 06.02 06.07 06.14 06.16 06.21 06.23 06.28 07.05 07.14 07.21 "
    "07.27 07.29 08.02 08.11 08.13 08.18 08.23 08.25"
)
T12_SILENT = frozenset(f"t12.2022.{day}" for day in ("06.23", "08.18", "08.23", "08.25"))
_T15 = (
    "2023.08.11 2023.08.13 2023.08.18 2023.08.20 2023.08.25 2023.08.27 2023.09.01 2023.09.03 2023.09.24 "
    "2023.09.29 2023.10.01 2023.10.06 2023.10.08 2023.10.13 2023.10.15 2023.10.20 2023.10.22 2023.11.03 "
    "2023.11.04 2023.11.17 2023.11.19 2023.11.26 2023.12.03 2023.12.08 2023.12.10 2023.12.17 2023.12.29 "
    "2024.02.25 2024.03.03 2024.03.08 2024.03.15 2024.03.17 2024.04.25 2024.04.28 2024.05.10 2024.06.14 "
    "2024.07.19 2024.07.21 2024.07.28 2025.01.10 2025.01.12 2025.03.14 2025.03.16 2025.03.30 2025.04.13"
)
T12 = tuple(f"t12.2022.{day}" for day in _T12.split())
T15 = tuple(f"t15.{day}" for day in _T15.split())
BLOCK_TABLE = "t15_copyTaskData_description.csv"
_COLUMNS = ("Date", "Post-implant day", "Block number", "Number of sentences", "Corpus", "Split")


def day_index(name: str, days: tuple[str, ...]) -> int:
    """The number of a day. Raises StudyError naming the closest when it is none of `days`."""
    if name not in days:
        raise StudyError(f"{name} is none of the {len(days)} days of the study", hint=closest(name, days))
    return days.index(name)


@dataclass(frozen=True)
class Block:
    """A row of the table of blocks. implanted: days since the implant;  split: 'Train' or 'Val/Test'"""

    day: str
    implanted: int
    number: int
    sentences: int
    corpus: str
    split: str


def read_blocks(path: str | Path) -> dict[str, tuple[Block, ...]]:
    """The table that comes with the T15 study (CSV), by day, days and blocks in order.

    Raises StudyError: a column that is missing (says which, and lists those found), a line that does not fit.
    """
    path = Path(path)
    found: dict[str, list[Block]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            names = rows.fieldnames or ()
            for column in _COLUMNS:
                if column not in names:
                    raise StudyError(f"{path} has no column {column!r}", hint=f"found: {', '.join(names)}")
            for row in rows:
                day, implanted, number, sentences, corpus, split = (row[column] for column in _COLUMNS)
                block = Block(
                    f"t15.{day.replace('-', '.')}", int(implanted), int(number), int(sentences), corpus, split
                )
                found[block.day].append(block)
    except OSError as error:
        raise StudyError(f"cannot read {path}: {error.strerror}") from error
    except (TypeError, ValueError, AttributeError, csv.Error, UnicodeDecodeError) as error:
        raise StudyError(f"{path}, line {rows.line_num if found else 2}: {error}") from error
    return {day: tuple(sorted(found[day], key=lambda block: block.number)) for day in sorted(found)}
