"""What a prepared recording was made from, as one number: the content of its files, the settings, the events,
the split, and the version of this code.

Nothing is keyed by names or dates alone. Reading files again to find that nothing changed would take as long
as preparing them, so a file whose length and time of change are the recorded ones counts as the same content.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from offline.prepare.settings import PrepareSettings
from offline.split import Block
from offline.study import StudyRecording
from rtdecode.errors import StudyError

CODE = 1  # one more whenever the same files would be prepared differently


@dataclass(frozen=True)
class FileContent:
    """path: below the study's root where it lies there;  size in bytes;  mtime_ns: time of change"""

    path: str
    size: int
    mtime_ns: int
    sha256: str


def contents(
    recording: StudyRecording, root: Path, known: Iterable[FileContent] = ()
) -> tuple[FileContent, ...]:
    """Every source file of a recording, folders (CTF's .ds) by what is in them.

    known  what a former run found. Raises StudyError for a file that is missing.
    """
    before = {(file.path, file.size, file.mtime_ns): file.sha256 for file in known}
    found = []
    for path in _files(recording):
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        facts = path.stat()
        digest = before.get((name, facts.st_size, facts.st_mtime_ns)) or _sha256(path)
        found.append(FileContent(name, facts.st_size, facts.st_mtime_ns, digest))
    return tuple(found)


def _files(recording: StudyRecording) -> list[Path]:
    files = []
    for path in recording.files or (recording.path,):
        if path.is_dir():
            files += sorted(inside for inside in path.rglob("*") if inside.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise StudyError(
                f"recording {recording.name} is incomplete: {path} is missing", hint="fetch the study again"
            )
    return files


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recording_key(
    recording: StudyRecording,
    files: Sequence[FileContent],
    blocks: Sequence[Block],
    positions: Sequence[tuple[float, float]],
    settings: PrepareSettings,
) -> str:
    """Hexadecimal. Equal keys: the same arrays and tables, whatever the folder is called."""
    described: dict[str, Any] = {
        "code": CODE,
        "settings": asdict(settings),
        "files": [[Path(file.path).name, file.sha256] for file in files],
        "recording": [recording.subject, recording.session, recording.name, recording.sfreq, recording.unit],
        "labels": recording.labels,
        "positions": list(positions),
        "events": [list(asdict(event).values()) for event in recording.events],
        "blocks": [list(asdict(block).values()) for block in blocks],
    }
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()
