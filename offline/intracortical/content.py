"""What a prepared day was made from, as one number, and the files of a day that is there already.

A day is made again when its files, its trials, its settings or this code changed, never by names or dates
alone; a file whose length and time of change are the recorded ones counts as the same content.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from offline.intracortical.trials import Day, RawStudy, Trial
from rtdecode.errors import StudyError


def empty_array(path: Path, shape: tuple[int, int]) -> None:
    """A float32 array of zeros on disk, as an .npy file that can be mapped."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * shape[0] * shape[1])


def contents(day: Day, known: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """Path, size, time of change and sha256 of every file of a day. A file whose size and time are the known
    ones is not read again. Raises StudyError for one that is missing.
    """
    before = {(file["path"], file["size"], file["mtime_ns"]): file["sha256"] for file in known}
    found = []
    for path in day.files.values():
        if not path.is_file():
            raise StudyError(f"{day.name} is incomplete: {path} is missing", hint="fetch the study again")
        facts = path.stat()
        digest = before.get((str(path), facts.st_size, facts.st_mtime_ns)) or sha256_of(path)
        found.append(
            {"path": str(path), "size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "sha256": digest}
        )
    return found


def day_key(
    study: RawStudy,
    day: Day,
    files: list[dict[str, Any]],
    table: Sequence[Trial | None],
    chosen: Mapping[str, Any],
) -> str:
    described = {
        "study": study.name,
        "day": [day.name, day.index, dict(day.facts)],
        "labels": study.labels,
        "files": [file["sha256"] for file in files],
        "trials": [trial and asdict(trial) for trial in table],
        "settings": chosen,
    }
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def _day_json(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / "day.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def known_files(folder: Path) -> list[dict[str, Any]]:
    """What `contents` found when the day in `folder` was prepared."""
    return list(_day_json(folder).get("files", ()))


def key_of(folder: Path) -> str:
    """The key of the day in `folder`, '' when it is not complete."""
    complete = all((folder / name).is_file() for name in ("features.npy", "trials.jsonl"))
    return str(_day_json(folder).get("key", "")) if complete else ""


def load_scale(path: Path) -> dict[str, np.ndarray]:
    """What `CausalScale.load` takes, after the day at `path`. Raises StudyError when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError) as error:
        raise StudyError(f"cannot read {path}: {error}", hint="remove the folder of this day") from error


def sha256_of(path: Path) -> str:
    """Of a file. Raises StudyError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StudyError(f"cannot read {path}: {error.strerror}") from error
