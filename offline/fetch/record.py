"""What was fetched, and what it hashed to: `fetched.json` in the study's root.

First downloads of files whose checksum nobody published are remembered by the one they had, so that a later
`verify` can tell whether a file is still what came. Paths are below the root.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from offline.disk import read_json, write_json
from offline.fetch.download import file_sha256
from offline.fetch.sources import Source
from rtdecode.errors import StudyError

NAME = "fetched.json"
SCHEMA = 1
_HINT = "remove it: files in place are then checked anew"


class Record:
    """Mutable; written to disk, whole, by every change."""

    def __init__(self, root: Path, source: Source):
        self.root, self.path = root, root / NAME
        self._data: dict[str, Any] = {
            "schema": SCHEMA,
            "study": source.name,
            "licence": source.licence,
            "doi": source.doi,
            "files": {},
            "archives": {},
        }
        if self.path.exists():
            self._load(source.name)

    def _load(self, study: str) -> None:
        data = read_json(self.path, "the download", _HINT)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA or "files" not in data:
            raise StudyError(f"{self.path} is not a list of what was fetched, schema {SCHEMA}", hint=_HINT)
        if data.get("study") != study:
            raise StudyError(
                f"{self.root} holds the study {data.get('study')!r}, not {study!r}",
                hint="give each study a directory of its own",
            )
        self._data = data

    def expects(self, path: str) -> tuple[int, str, str] | None:
        """Size, sha256 and address of a file that was fetched."""
        entry = self._data["files"].get(path)
        return (entry["size"], entry["sha256"], entry["from"]) if entry else None

    def intact(self, path: str, verify: bool = False) -> bool:
        """Whether a fetched file is in place with its length, and with `verify` its content."""
        expected, file = self.expects(path), self.root / path
        if expected is None or not file.is_file() or file.stat().st_size != expected[0]:
            return False
        return not verify or file_sha256(file) == expected[1]

    def archive_intact(self, address: str, into: str, verify: bool = False) -> bool:
        """Whether an archive was unpacked and all its files are intact."""
        entry = self._data["archives"].get(address)
        return bool(entry) and entry["into"] == into and all(self.intact(f, verify) for f in entry["files"])

    def add(self, path: str, size: int, sha256: str, address: str) -> None:
        self._data["files"][path] = {"size": size, "sha256": sha256, "from": address}
        self._save()

    def add_archive(self, address: str, into: str, size: int, sha256: str, files: Iterable[Path]) -> None:
        names = []
        for file in files:
            name = file.relative_to(self.root).as_posix()
            entry = {"size": file.stat().st_size, "sha256": file_sha256(file), "from": address}
            self._data["files"][name] = entry
            names.append(name)
        self._data["archives"][address] = {"into": into, "size": size, "sha256": sha256, "files": names}
        self._save()

    def _save(self) -> None:
        write_json(self.path, self._data)
