"""Writes a report: NAME.html and NAME.csv, each whole or not at all. Knows nothing of what is in them."""

import csv
from pathlib import Path

from offline.disk import whole
from offline.report.content import COLUMNS, Content, lines
from offline.report.page import page


def write_report(path: str | Path, content: Content) -> tuple[Path, Path]:
    """Write the page to `path` (its name gets ".html" where it has none) and its numbers beside, as CSV.

    Returns both paths. MissingExtra without matplotlib; StudyError for a full disk. The page is made before
    anything is written.
    """
    path = Path(path)
    path = path if path.suffix.lower() in (".html", ".htm") else path.with_name(path.name + ".html")
    html = page(content)
    beside = path.with_suffix(".csv")
    with whole(beside) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for line in lines(content):
            writer.writerow({key: "" if value is None else value for key, value in line.items()})
    with whole(path) as part:
        part.write_text(html, "utf-8")
    return path, beside
