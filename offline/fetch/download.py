"""One address becomes one file: in pieces over as many connections as it takes, checked, then named.

Until the last byte is there and agrees with what is known of it (length, sha256), the bytes lie in
`<name>.part`; `<name>.part.json` beside it says which version of the remote file they belong to (ETag,
Last-Modified, length), so that a file that changed meanwhile is begun again and never stitched together.
Knows nothing of studies.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from offline.disk import read_json, room, write_json
from offline.fetch.web import Transient, get, shown
from rtdecode.errors import StudyError

Progress = Callable[[str, int, int], None]  # what, done, of how many (0 unknown)
CHUNK = 1 << 18
ATTEMPTS = 6  # without one new byte; each new piece starts the count again
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Downloaded:
    """moved: bytes that came over the network in this call, of `size`"""

    size: int
    sha256: str
    moved: int


@dataclass(frozen=True)
class _Version:
    """Which version of the remote file a part belongs to. total: bytes, -1 when the server does not say."""

    url: str
    etag: str
    modified: str
    total: int

    @classmethod
    def of(cls, url: str, response: requests.Response) -> "_Version":
        headers = response.headers
        span = headers.get("Content-Range", "").rpartition("/")[2]
        length = headers.get("Content-Length", "") if response.status_code == 200 else span
        total = int(length) if length.isdecimal() else -1
        return cls(url, headers.get("ETag", ""), headers.get("Last-Modified", ""), total)

    def agrees(self, later: "_Version") -> bool:
        """Whether the answer to a range is of this version (it may leave out what the first answer said)."""
        pairs = ((self.etag, later.etag), (self.modified, later.modified))
        return self.total == later.total and all(a == b for a, b in pairs if a and b)


def download(
    session: requests.Session,
    url: str,
    target: Path,
    *,
    sha256: str = "",
    size: int = 0,
    checked_later: bool = False,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Downloaded:
    """`target`, whole and verified, or an error and no `target`. A call after an interrupted one goes on
    where it stopped.

    sha256, size   what is known of the file; '' and 0: nothing
    checked_later  the caller finds out whether it is whole (an archive does)

    Raises StudyError: not there, access refused, another length or checksum than known, a full disk, no
    answer after ATTEMPTS tries.
    """
    job = _Job(session, url, target, sha256, size, checked_later, progress or (lambda *_: None))
    failures = moved = 0
    while True:
        try:
            done = job.attempt()
        except Transient as trouble:
            failures = 1 if job.moved > moved else failures + 1
            moved = job.moved
            if failures >= ATTEMPTS:
                raise StudyError(
                    f"{trouble}, {failures} times in a row; {job.held()} bytes are kept",
                    hint="run it again later: it goes on where it stopped",
                ) from trouble
            sleep(min(LONGEST_WAIT_S, trouble.after_s or 2.0 ** (failures - 1)))
            continue
        if done is not None:
            return done


class _Job:
    def __init__(
        self,
        session: requests.Session,
        url: str,
        target: Path,
        sha256: str,
        size: int,
        checked_later: bool,
        progress: Progress,
    ):
        self.session, self.url, self.target, self.progress = session, url, target, progress
        self.sha256, self.size, self.checked_later = sha256.lower(), size, checked_later
        self.part = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")
        self.moved = 0

    def held(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def attempt(self) -> Downloaded | None:
        """The finished file, or None when it has to be begun again. Raises Transient when cut off."""
        known = self._known()
        start = self.held() if known else 0
        resumed = start > 0
        if not (known and start == known.total):  # else only the last step was missing
            kept = self._receive(known, start)
            if not kept:
                return None
            resumed = resumed and kept == "resumed"
        return self._finish(resumed)

    def _receive(self, known: _Version | None, start: int) -> str:
        """'fresh' or 'resumed' once every byte is in the part; '' when the remote file is another one now."""
        headers = {}
        if known and start:
            headers["Range"] = f"bytes={start}-"
            # A weak ETag may not stand in If-Range; it is compared below.
            validator = known.etag if not known.etag.startswith("W/") else ""
            if validator or known.modified:
                headers["If-Range"] = validator or known.modified
        with get(self.session, self.url, headers) as response:
            now = _Version.of(self.url, response)
            if response.status_code == 200:
                start = 0
            elif known is None or not start:
                raise StudyError(f"{shown(self.url)} answered {response.status_code}, expected 200")
            elif not (known.agrees(now) and _continues(response, start)):
                self._discard()
                return ""
            self._check_answer(response, now, start)
            if start == 0:
                self._discard()
                with room(self.target):
                    self.target.parent.mkdir(parents=True, exist_ok=True)
                write_json(self.note, asdict(now))
            self._store(response, now.total, start)
        if now.total >= 0 and self.held() != now.total:
            raise Transient(f"{shown(self.url)} broke off at {self.held()} of {now.total} bytes")
        return "resumed" if start else "fresh"

    def _check_answer(self, response: requests.Response, now: _Version, start: int) -> None:
        where, headers = shown(self.url), response.headers
        page = headers.get("Content-Type", "").startswith("text/html")
        if page and self.target.suffix.lower() not in (".html", ".htm"):
            raise StudyError(
                f"{where} answers with a web page instead of {self.target.name}",
                hint="it may ask for a login or a click: open it in a browser and put the file in place",
            )
        if headers.get("Content-Encoding", "identity") != "identity":
            raise StudyError(f"{where} answers in {headers['Content-Encoding']}, asked for the plain file")
        if self.size and now.total >= 0 and now.total != self.size:
            raise StudyError(
                f"{where} has {now.total} bytes, expected {self.size}",
                hint="the published file has changed: see the study's home page",
            )
        ends = headers.get("Transfer-Encoding", "") == "chunked"
        if not (now.total >= 0 or ends or self.size or self.sha256 or self.checked_later):
            raise StudyError(
                f"{where} does not say how long it is, so a broken download cannot be told from a whole one",
                hint="download it in a browser and put the file in place",
            )
        wanted, free = now.total - start, shutil.disk_usage(self._existing()).free
        if wanted > free:
            raise StudyError(
                f"{self.target.name} needs {wanted} bytes, the disk has {free} left",
                hint="make room or choose another directory",
            )

    def _existing(self) -> Path:
        return next(folder for folder in self.target.absolute().parents if folder.is_dir())

    def _store(self, response: requests.Response, total: int, start: int) -> None:
        done = start
        with room(self.part), self.part.open("ab") as file:
            try:
                for piece in response.iter_content(CHUNK):
                    file.write(piece)
                    done += len(piece)
                    self.moved += len(piece)
                    self.progress(self.target.name, done, max(total, 0))
            except requests.exceptions.RequestException as error:
                of = f" of {total}" if total >= 0 else ""
                raise Transient(f"{shown(self.url)} broke off at {done}{of} bytes") from error
            finally:
                file.flush()
            os.fsync(file.fileno())

    def _finish(self, resumed: bool) -> Downloaded | None:
        size, digest = self.held(), file_sha256(self.part)
        wrong = ""
        if self.size and size != self.size:
            wrong = f"has {size} bytes, expected {self.size}"
        elif self.sha256 and digest != self.sha256:
            wrong = f"has the sha256 {digest}, expected {self.sha256}"
        if wrong:
            self._discard()
            if resumed:  # a server without ETag may have changed the file between two pieces
                return None
            raise StudyError(f"{shown(self.url)} {wrong}", hint="nothing was kept; see the study's home page")
        os.replace(self.part, self.target)
        self.note.unlink(missing_ok=True)
        return Downloaded(size, digest, self.moved)

    def _known(self) -> _Version | None:
        """Whose bytes the part holds; None, and the part gone, when that is not known."""
        if self.part.exists() and self.note.exists():
            try:
                version = _Version(**_of_strings(read_json(self.note, "a download", "")))
                if version.url == self.url:
                    return version
            except (StudyError, TypeError):
                pass
        self._discard()
        return None

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _of_strings(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("total"), int):
        raise TypeError("not the note of a part")
    return value


def _continues(response: requests.Response, start: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def file_sha256(path: Path) -> str:
    """Hexadecimal, of the whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
