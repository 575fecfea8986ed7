"""Fetches a study: every part of its `Source`, each file once.

What a program may download is downloaded (`offline.fetch.download`), unpacked and recorded; what needs a
person comes back as a message each. Knows no study.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

import requests

from offline.disk import room
from offline.fetch.archive import UNPACKING, BadArchive, extract
from offline.fetch.download import Progress, download, file_sha256
from offline.fetch.osf import Remote, list_node
from offline.fetch.record import Record
from offline.fetch.sources import Part, Source
from offline.fetch.web import check_address, new_session
from rtdecode.errors import StudyError

ARCHIVES = ".downloads"  # below the root, for archives until they are unpacked


@dataclass(frozen=True)
class Report:
    """What a fetch did. Paths are below the root.

    fetched  came now;  present  were there, as recorded;  todo  a sentence for whatever needs a person
    moved    bytes that came over the network
    """

    fetched: tuple[str, ...]
    present: tuple[str, ...]
    todo: tuple[str, ...]
    moved: int


@dataclass
class _Fetch:
    root: Path
    record: Record
    session: requests.Session
    progress: Progress | None
    sleep: Callable[[float], None]
    verify: bool
    fetched: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)
    moved: int = 0


def fetch(
    source: Source,
    root: str | Path,
    *,
    progress: Progress | None = None,
    session: requests.Session | None = None,
    only: Sequence[str] = (),
    verify: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """The files of `source` below `root`, as far as a program may get them; again: only what is missing.

    progress  called with a file's name, bytes so far and in all (0 unknown)
    only      shell patterns of paths below the root, for parts of single files ('*sub-01*'); none: all
    verify    read what is there and compare its checksum, not its length alone
    sleep     between two tries

    Raises StudyError for the first file that cannot be had; what came before it stays and is recorded.
    """
    root = Path(root)
    with room(root):
        root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_alone(root))
        used = session or stack.enter_context(new_session())
        work = _Fetch(root, Record(root, source), used, progress, sleep, verify)
        work.todo = [line for part in source.parts for line in _by_hand(source, part, root)]
        try:
            for part in source.parts:
                if part.kind == "zip":
                    _fetch_archive(work, part)
                elif part.kind in ("url", "osf"):
                    _fetch_files(work, _remotes(work, part), only)
        except StudyError as error:  # what a person has to do is not to be learnt one error at a time
            raise StudyError(error.message, hint="; ".join(filter(None, [error.hint, *work.todo]))) from error
    return Report(tuple(work.fetched), tuple(work.present), tuple(work.todo), work.moved)


def _remotes(work: _Fetch, part: Part) -> tuple[Remote, ...]:
    if part.kind == "osf":
        found = list_node(work.session, part.where, work.sleep)
        return tuple(Remote(_below(part.into, r.path), r.url, r.size, r.sha256) for r in found)
    check_address(part.where)
    name = unquote(PurePosixPath(urlsplit(part.where).path).name)
    path = _below(part.into, name) if part.into.endswith("/") or not part.into else _below("", part.into)
    return (Remote(path, part.where, part.size, part.sha256),)


def _below(folder: str, path: str) -> str:
    joined = PurePosixPath(folder) / path
    if joined.is_absolute() or ".." in joined.parts or not path:
        raise StudyError(
            f"the path {path!r} leads out of the study's directory", hint="is the address right?"
        )
    return joined.as_posix()


def _fetch_files(work: _Fetch, remotes: Sequence[Remote], only: Sequence[str]) -> None:
    wanted = [r for r in remotes if not only or any(fnmatchcase(r.path, pattern) for pattern in only)]
    for remote in wanted:
        if work.record.intact(remote.path, work.verify) and _current(work, remote):
            work.present.append(remote.path)
        elif not _adopted(work, remote):
            done = download(
                work.session,
                remote.url,
                work.root / remote.path,
                sha256=remote.sha256,
                size=remote.size,
                progress=work.progress,
                sleep=work.sleep,
            )
            work.moved += done.moved
            work.record.add(remote.path, done.size, done.sha256, remote.url)
            work.fetched.append(remote.path)


def _current(work: _Fetch, remote: Remote) -> bool:
    """Whether what is in place is what is published now. Of two parts that hold different files of one name
    the first is kept, and said to be.
    """
    size, digest, address = work.record.expects(remote.path) or (0, "", "")
    if remote.size in (0, size) and remote.sha256 in ("", digest):
        return True
    if address == remote.url:
        return False
    work.todo.append(f"{remote.path} is published twice, with {size} and {remote.size} bytes: kept the first")
    return True


def _adopted(work: _Fetch, remote: Remote) -> bool:
    """Whether a file that nobody recorded (put there by hand, or as a run ended) is the one."""
    file = work.root / remote.path
    if work.record.expects(remote.path) is not None or not file.is_file():
        return False
    size = file.stat().st_size
    if remote.size in (0, size):
        digest = file_sha256(file)
        if remote.sha256 in ("", digest):
            work.record.add(remote.path, size, digest, remote.url)
            work.present.append(remote.path)
            return True
    raise StudyError(
        f"{file} is not the published file: it has {size} bytes, expected {remote.size or 'another sha256'}",
        hint="move it away, then run it again",
    )


def _fetch_archive(work: _Fetch, part: Part) -> None:
    check_address(part.where)
    into = work.root / _below(part.into, ".") if part.into else work.root
    if work.record.archive_intact(part.where, part.into, work.verify):
        work.present.append(part.into or ".")
        return
    # Named by its address, so that an interrupted download is found again.
    archive = work.root / ARCHIVES / f"{sha256(part.where.encode()).hexdigest()[:16]}.zip"
    for left in archive.parent.glob(f"{UNPACKING}*"):  # by a run that was killed
        shutil.rmtree(left)
    try:
        if archive.is_file():  # unpacking was interrupted
            size, digest = archive.stat().st_size, file_sha256(archive)
        else:
            done = download(
                work.session,
                part.where,
                archive,
                sha256=part.sha256,
                size=part.size,
                checked_later=True,
                progress=work.progress,
                sleep=work.sleep,
            )
            work.moved += done.moved
            size, digest = done.size, done.sha256
        files = extract(archive, into, work.progress)
    except BadArchive:
        archive.unlink()  # the next run must not meet it again
        raise
    work.record.add_archive(part.where, part.into, size, digest, files)
    archive.unlink()
    if not any(archive.parent.iterdir()):
        archive.parent.rmdir()
    work.fetched += [file.relative_to(work.root).as_posix() for file in files]


def _by_hand(source: Source, part: Part, root: Path) -> list[str]:
    """What a person has to do for a part; nothing when its folder has files already."""
    folder = root / _below(part.into, ".") if part.into else root
    there = part.into and folder.is_dir() and any(folder.iterdir())
    if part.kind not in ("manual", "globus") or there:
        return []
    how = "through Globus" if part.kind == "globus" else "yourself"
    note = f" ({part.note.rstrip('.')})" if part.note else ""
    access = f"; for access: {source.register.rstrip('.')}" if source.register else ""
    return [f"{source.name}: download {how} from {part.where} into {folder}{note}{access}"]


@contextmanager
def _alone(root: Path) -> Iterator[IO[str]]:
    """One fetch at a time in a directory: two would write the same part."""
    with room(root), (root / ".fetch.lock").open("w") as lock:
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            yield lock
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StudyError(f"another fetch is running in {root}", hint="wait for it, or end it") from error
        yield lock
