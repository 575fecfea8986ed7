"""The files of a folder of jobs: one result a job, its logs, and the words for those that failed.

    FOLDER/results/NAME.json   written whole when the command has ended
    FOLDER/logs/NAME.out, .err
    FOLDER/submitit/           submitit's own

Read by whoever waits, written by whoever works, perhaps on another machine. Knows no scheduler.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from offline.disk import file_name, write_json
from offline.jobs.job import Job, Outcome, Status
from rtdecode.errors import RtdecodeError

TAIL_BYTES = 8192
SHOWN = 4


@dataclass(frozen=True)
class Result:
    """What a worker leaves; the first four say of which job."""

    name: str
    arguments: tuple[str, ...]
    key: str
    cwd: str
    code: int
    seconds: float
    error: str


def result_path(folder: Path, name: str) -> Path:
    return folder / "results" / f"{file_name(name)}.json"


def log_path(folder: Path, name: str, stream: str = "err") -> Path:
    return folder / "logs" / f"{file_name(name)}.{stream}"


def write_result(folder: Path, result: Result) -> None:
    """Whole or not at all. Raises StudyError for a full disk."""
    write_json(result_path(folder, result.name), asdict(result))


def read_result(folder: Path, job: Job, cwd: str) -> Result | None:
    """The result of this very job, started in this directory; None where there is none."""
    try:
        data = json.loads(result_path(folder, job.name).read_text("utf-8"))
        found = Result(**{**data, "arguments": tuple(data["arguments"])})
        same = (found.name, found.arguments, found.key, found.cwd) == (job.name, job.arguments, job.key, cwd)
        return found if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(folder: Path, name: str) -> None:
    """Remove what an earlier attempt left, so that what appears is new."""
    result_path(folder, name).unlink(missing_ok=True)
    for stream in ("out", "err"):
        log_path(folder, name, stream).unlink(missing_ok=True)


def outcome(folder: Path, result: Result, *, before: bool = False) -> Outcome:
    status: Status = "done" if result.code == 0 else "failed"
    log = log_path(folder, result.name)
    return Outcome(result.name, status, result.code, result.seconds, result.error, log, before)


def last_line(path: Path) -> str:
    """The last line of a log that says something; "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES), os.SEEK_SET)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else ""


def check(outcomes: Sequence[Outcome]) -> None:
    """RtdecodeError naming the jobs that failed or were lost, why, and where their logs are."""
    bad = [one for one in outcomes if one.status != "done"]
    if not bad:
        return
    said = "; ".join(f"{one.name}: {one.error or one.status}" for one in bad[:SHOWN])
    more = f"; and {', '.join(one.name for one in bad[SHOWN:])}" if len(bad) > SHOWN else ""
    logs = str(bad[0].log) if len(bad) == 1 else str(bad[0].log.parent)
    raise RtdecodeError(
        f"{len(bad)} of {len(outcomes)} jobs failed: {said}{more}",
        hint=f"their logs: {logs}; the same command again runs these alone",
    )
