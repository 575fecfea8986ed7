"""Files that are there whole or not at all, and a full disk said in one sentence.

Knows nothing of studies. Below `offline.fetch` and `offline.prepare`.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rtdecode.errors import StudyError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`: renamed to it, on disk, when the block ends well; removed when not.

    Raises StudyError for a disk that is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with room(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield beside
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`: renamed to it when the block ends well; removed with all in it when not.

    OSError as the system gives it. What stands at `path` is in the way, unless it is an empty folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield work
        work.chmod(0o755)  # mkdtemp makes it private, safetensors its files too
        for file in work.iterdir():
            if file.is_file():
                file.chmod(0o644)
        work.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def room(path: Path) -> Iterator[None]:
    """Turns a full disk, met while writing `path`, into a StudyError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StudyError(
            f"the disk is full: cannot write {path}", hint="make room, then run it again"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """`value` as JSON, whole or not at all. Raises StudyError for a full disk."""
    with whole(path) as beside:
        beside.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def read_json(path: Path, what: str, hint: str) -> Any:
    """The value in `path`. Raises StudyError: `what` is incomplete (no such file), or the file is no JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise StudyError(f"{what} is incomplete: {path} is missing", hint=hint) from error
    except ValueError as error:
        raise StudyError(f"{path} is not JSON: {error}", hint=hint) from error


def file_name(identity: str) -> str:
    """One file name for any identity, '/' and leading dots included; different ones stay different."""
    name = quote(identity, safe=" ()+,=@")
    return "%2E" + name[1:] if name.startswith(".") else name
