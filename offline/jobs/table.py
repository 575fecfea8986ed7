"""The results of a sweep as CSV: what was varied, how each run stands, validation values at the best step.

Reads what runs leave (metrics.jsonl) and what jobs leave (results); runs nothing.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline.disk import whole
from offline.jobs.job import Job, Outcome
from offline.jobs.results import read_result
from rtdecode.config import to_json


@dataclass(frozen=True)
class Row:
    """status: done | failed | lost | unfinished | waiting;  step: the last validated;  best_step: the one
    whose values these are; None before the first validation."""

    name: str
    status: str
    best_step: int | None
    step: int | None
    varied: tuple[Any, ...]
    valid: dict[str, float]
    error: str


def row_of(
    job: Job, out: Path, config: Any, varied: Sequence[str], folder: Path, ended: Outcome | None = None
) -> Row:
    """How this run stands. ended: its outcome where it is known (a lost worker leaves no file)."""
    lines = validations(out / "metrics.jsonl")
    found = read_result(folder, job, str(Path.cwd()))
    if ended is not None:
        status, error = str(ended.status), ended.error
    elif found is not None:
        status, error = ("failed", found.error) if found.code else ("done", "")
    else:
        status, error = "unfinished" if out.exists() else "waiting", ""
    loop = getattr(config, "loop", None)  # runs without one watch nothing: the last weights are kept
    best = best_of(lines, loop.watch if loop else "", lowest=loop.lowest if loop else True)
    values = {name: value for name, value in (best or {}).items() if name not in ("kind", "step")}
    step = lines[-1]["step"] if lines else None
    chosen = tuple(_leaf(to_json(config), key) for key in varied)
    return Row(job.name, status, best["step"] if best else None, step, chosen, values, error)


def validations(path: Path) -> list[dict[str, Any]]:
    """The validation lines of a run's metrics, a torn last one left out; none where there is no file."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("kind") == "valid" and isinstance(found.get("step"), int):
            lines.append(found)
    return lines


def best_of(lines: Sequence[dict[str, Any]], watch: str, *, lowest: bool) -> dict[str, Any] | None:
    """The line whose weights were kept: the first best by `watch`, the last where nothing was watched."""
    watched = [line for line in lines if watch in line]
    if not watched:
        return lines[-1] if lines else None
    return (min if lowest else max)(watched, key=lambda line: line[watch])


def write_table(path: Path, varied: Sequence[str], rows: Sequence[Row]) -> None:
    """One line a run; whole or not at all. Raises StudyError for a full disk."""
    values = list(dict.fromkeys(name for row in rows for name in row.valid))
    with whole(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        heads = [
            "name",
            "status",
            "best_step",
            "step",
            *varied,
            *(f"valid {name}" for name in values),
            "error",
        ]
        table.writerow(heads)
        for row in rows:
            numbers = [row.valid.get(name, "") for name in values]
            table.writerow(
                [row.name, row.status, _blank(row.best_step), _blank(row.step)]
                + [_cell(value) for value in row.varied]
                + [*numbers, row.error]
            )


def _leaf(config: Any, key: str) -> Any:
    for word in key.split("."):
        config = config[word]
    return config


def _cell(value: Any) -> Any:
    return (
        value if isinstance(value, str | float | int) and not isinstance(value, bool) else json.dumps(value)
    )


def _blank(value: int | None) -> int | str:
    return "" if value is None else value
