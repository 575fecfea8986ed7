"""Unpacks zip archives, and archives inside them, without believing a word of what they say of themselves.

Names that leave the folder, links and encrypted members are refused before anything is written; each file
is written beside its name, its checksum verified, and then renamed. Knows nothing of studies.
"""

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from shutil import copyfileobj, disk_usage

from offline.disk import room, whole
from offline.fetch.download import CHUNK, Progress
from rtdecode.errors import StudyError

DEPTH = 3  # archives inside archives
UNPACKING = "unpacking."  # folders beside the archive, of archives inside it, while they are needed
_HINT = "run it again; if it stays, see the study's home page"


class BadArchive(StudyError):
    """The archive itself is at fault: there is no use in keeping it."""


def extract(archive: Path, into: Path, progress: Progress | None = None) -> tuple[Path, ...]:
    """Unpacks `archive` into the folder `into`; returns the files, in order. An archive inside it is unpacked
    into the folder where it lies, and not kept. Files that are there already with the same content are left.

    Raises BadArchive: not a zip archive or a damaged one, a name that leads out of `into`, a link, an
    encrypted member, two members of one name and different content; StudyError for a full disk.
    """
    made: dict[Path, int] = {}
    _extract(archive, archive.name, into, made, progress or (lambda *_: None), DEPTH)
    return tuple(made)


def _extract(
    archive: Path, name: str, into: Path, made: dict[Path, int], progress: Progress, depth: int
) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [(member, into / _inside(member, name)) for member in _members(opened, name)]
            _enough_room(members, into, name)
            for number, (member, target) in enumerate(members, start=1):
                if member.filename.lower().endswith(".zip") and depth > 0:
                    with tempfile.TemporaryDirectory(prefix=UNPACKING, dir=archive.parent) as inner:
                        copy = Path(inner) / "inner.zip"
                        _write(opened, member, copy)
                        _extract(copy, f"{name}/{member.filename}", target.parent, made, progress, depth - 1)
                else:
                    if made.setdefault(target, member.CRC) != member.CRC:
                        raise BadArchive(f"{name} holds two different files named {target.name}", hint=_HINT)
                    if not _same(target, member):
                        _write(opened, member, target)
                progress(f"unpacking {name}", number, len(members))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadArchive(f"{name} is not a whole zip archive: {error}", hint=_HINT) from error


def _members(opened: zipfile.ZipFile, name: str) -> Iterator[zipfile.ZipInfo]:
    for member in opened.infolist():
        if member.flag_bits & 1:
            raise BadArchive(f"{name}: {member.filename!r} is encrypted", hint=_HINT)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise BadArchive(f"{name}: {member.filename!r} is a link", hint="unpack it by hand")
        top = member.filename.split("/", 1)[0]
        if not member.is_dir() and top != "__MACOSX":
            yield member


def _inside(member: zipfile.ZipInfo, name: str) -> PurePosixPath:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise BadArchive(
            f"{name}: the name {member.filename!r} leads out of the archive",
            hint="nothing was unpacked from it; is the address right?",
        )
    return path


def _enough_room(members: list[tuple[zipfile.ZipInfo, Path]], into: Path, name: str) -> None:
    wanted = sum(member.file_size for member, target in members if not _same_size(target, member))
    free = disk_usage(_folder(into)).free
    if wanted > free:
        raise StudyError(
            f"{name} unpacks to {wanted} bytes, the disk has {free} left",
            hint="make room, then run it again",
        )


def _folder(path: Path) -> Path:
    with room(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def _same_size(target: Path, member: zipfile.ZipInfo) -> bool:
    return target.is_file() and target.stat().st_size == member.file_size


def _same(target: Path, member: zipfile.ZipInfo) -> bool:
    if not _same_size(target, member):
        return False
    crc = 0
    with target.open("rb") as file:
        while piece := file.read(CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc == member.CRC


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    with whole(target) as beside, opened.open(member) as source, beside.open("wb") as file:
        copyfileobj(source, file, CHUNK)  # zipfile compares the CRC at the end
