"""session.json: what a session log says of itself. Written once, whole, before anything else.

Knows nothing of samples or events. A log of a newer schema is refused here, in a sentence.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rtdecode import __version__
from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError, RecordingError

SCHEMA = 1
NAME = "session.json"
MAX_BYTES = 1 << 20
_LIBRARIES = ("numpy", "scipy", "onnxruntime", "pylsl")


@dataclass(frozen=True)
class LoggedBundle:
    """sha256: of bundle.json, which holds the hashes of all other files of the bundle."""

    name: str
    sha256: str
    path: str


@dataclass(frozen=True)
class Manifest:
    """started: UTC, ISO 8601; clock_s: the monotonic clock then; config: how the core was started."""

    schema: int
    rtdecode: str
    started: str
    clock_s: float
    bundle: LoggedBundle | None = None
    config: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def manifest(bundle: Path | None, config: dict[str, Any]) -> Manifest:
    """Of a session that begins now. RecordingError when the bundle's manifest cannot be read."""
    versions = {"python": platform.python_version(), "system": platform.platform()}
    for name in _LIBRARIES:
        versions[name] = metadata.version(name)
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    logged = _bundle(bundle) if bundle else None
    return Manifest(SCHEMA, __version__, started, time.monotonic(), logged, config, versions)


def bundle_hash(path: Path) -> str:
    """The identity of a bundle: the SHA-256 of its bundle.json."""
    return hashlib.sha256((path / "bundle.json").read_bytes()).hexdigest()


def _bundle(path: Path) -> LoggedBundle:
    try:
        name = str(json.loads((path / "bundle.json").read_text("utf-8"))["name"])
        return LoggedBundle(name, bundle_hash(path), str(path))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise RecordingError(f"{path} is not a bundle that could be written down: {problem}") from problem


def create(directory: Path, about: Manifest) -> None:
    """Make the directory of a new log. RecordingError when it holds something already."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise RecordingError(
                f"{directory} is not empty: a session log is never written over", hint="give a new name"
            )
        temporary = directory / (NAME + ".part")
        with temporary.open("xb") as file:
            file.write(json.dumps(to_json(about), indent=1, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(directory / NAME)
    except OSError as problem:
        with contextlib.suppress(OSError):  # nothing half written stays behind
            (directory / (NAME + ".part")).unlink()
            directory.rmdir()
        raise RecordingError(f"cannot record into {directory}: {problem.strerror}") from problem


def _not_a_log(path: Path) -> RecordingError:
    if not path.exists():
        return RecordingError(f"{path} is not a session log: it does not exist")
    if path.is_file():
        hint = "`rtdecode replay` plays recordings"
        return RecordingError(f"{path} is a file, a session log is a folder", hint=hint)
    hint = "`rtdecode review DIR` lists the logs in a folder"
    return RecordingError(f"{path} is not a session log: it has no {NAME}", hint=hint)


def load(directory: Path) -> Manifest:
    """RecordingError when this is no session log, or one of a newer version."""
    file = directory / NAME
    try:
        with file.open("rb") as handle:
            content = handle.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RecordingError(f"{file} has more than {MAX_BYTES} bytes: it is not ours")
        data = json.loads(content)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise _not_a_log(directory) from problem
    except OSError as problem:
        raise RecordingError(f"cannot read {file}: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise RecordingError(f"{file} is damaged: it is not JSON") from problem
    schema = data.get("schema") if isinstance(data, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise RecordingError(
            f"{directory} is a session log of schema {schema}, this version reads up to {SCHEMA}",
            hint="update rtdecode",
        )
    if schema != SCHEMA or isinstance(schema, bool):
        raise RecordingError(f"{file} is damaged: its schema is {str(schema)[:40]!r}, known is {SCHEMA}")
    try:
        return from_json(Manifest, data, str(file))
    except (ConfigError, RecursionError) as problem:
        raise RecordingError(f"{file} is damaged: {problem}") from problem
