"""Files that are there whole or not at all. A disk that refuses is said in one sentence."""

import os
from pathlib import Path

from rtdecode.errors import RecordingError


def write_whole(path: Path, text: str) -> None:
    """Write `text` as UTF-8 under a name of its own beside `path`, onto the disk, then rename it.

    RecordingError when it cannot be written; nothing is left behind then, and a file of that name stays.
    """
    if path.is_dir():
        raise RecordingError(f"{path} is a directory", hint="give the name of a file")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with beside.open("w", encoding="utf-8", errors="replace", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as problem:
        raise RecordingError(f"cannot write {path}: {problem.strerror}") from problem
