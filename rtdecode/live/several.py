"""Several decoders at once: one core process for each stream and bundle, and a recorder each if asked for.

They share nothing but the machine: one that is lost, refused or dead says so and ends alone, the others go
on. Draws and prints nothing.
"""

import contextlib
import dataclasses
import select
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.histogram import Histogram
from rtdecode.live.config import CoreConfig
from rtdecode.live.sessions import Recordings
from rtdecode.live.supervisor import CoreStopped, Supervisor
from rtdecode.snapshot import Snapshot

STOP_S = 0.5  # for a core's last words, and again for its end: one that still loads is not waited for
MOST = 64  # cores: beyond that it is a mistake in a script


@dataclass(frozen=True)
class Member:
    """One of several decoders. name: what it is called among them;  record: directory of its session log"""

    name: str
    stream: str
    bundle: str
    config: CoreConfig
    record: Path | None = None


def members(
    config: CoreConfig, streams: Sequence[str], bundles: Sequence[Path], record: Path | None = None
) -> tuple[Member, ...]:
    """Every stream with every bundle. ConfigError or BundleError before anything is started.

    config  what all of them have in common; its outlets are a prefix, and each gets its own
    record  a directory that gets one for each
    """
    if not streams or not all(streams):
        raise ConfigError("there is a stream without a name", hint="--streams A,B,C")
    for what, each in (("stream", [*streams]), ("bundle", [str(path) for path in bundles])):
        twice = sorted({name for name in each if each.count(name) > 1})
        if twice:
            raise ConfigError(f"the {what} {twice[0]} is named twice", hint="name each once")
    if len(streams) * len(bundles) > MOST:
        raise ConfigError(f"{len(streams)} streams by {len(bundles)} bundles are more than {MOST} decoders")
    from rtdecode.bundle import require_manifest  # not needed for a screen's first picture

    for path in bundles:
        require_manifest(path)
    named = _short([str(path) for path in bundles])
    found: list[Member] = []
    for stream in streams:
        for path, bundle in zip(bundles, named, strict=True):
            name = " · ".join(part for part, many in ((stream, streams), (bundle, bundles)) if len(many) > 1)
            folder = _file_name(stream if len(bundles) == 1 else f"{stream}-{bundle}")
            own = dataclasses.replace(
                config,
                bundle=str(path),
                stream=stream,
                outlets=f"{config.outlets}-{folder}" if config.outlets else "",
            )
            found.append(Member(name or stream, stream, bundle, own, record and record / folder))
    folders = [member.record for member in found if member.record]
    if len(set(folders)) < len(folders):
        raise ConfigError(
            "two of these decoders would be recorded in one directory: "
            + ", ".join(sorted({folder.name for folder in folders if folders.count(folder) > 1})),
            hint="name streams and bundles so that letters or digits differ",
        )
    return tuple(found)


def _short(paths: list[str]) -> list[str]:
    """The directories' names, or the paths where these are the same."""
    names = [Path(path).resolve().name for path in paths]
    return [path if names.count(name) > 1 else name for path, name in zip(paths, names, strict=True)]


def _file_name(text: str) -> str:
    """A name that is one directory, wherever a stream's name came from."""
    kept = "".join(c if c.isalnum() or c in "-_. " else "_" for c in text).strip(". ")
    return kept or "_"


class Running:
    """A member with its core.

    error  why it ended; None while all is well
    said   decisions so far;  last: its last picture, once stopped
    """

    def __init__(self, member: Member, sessions: Path):
        self.member = member
        self.recordings = Recordings(member.config, sessions)
        self.said = 0
        self.times = Histogram()  # of what was said
        self.last: Snapshot | None = None
        self._stack = contextlib.ExitStack()
        self._core: Supervisor | None = None

    def start(self) -> None:
        recordings = self._stack.enter_context(self.recordings)
        self._core = self._stack.enter_context(Supervisor(recordings.first(self.member.record)))

    @property
    def core(self) -> Supervisor:
        assert self._core is not None
        return self._core

    @property
    def error(self) -> RtdecodeError | None:
        return self._core.error if self._core else None

    @property
    def ended(self) -> bool:
        return self._core is None or self._core.ended

    def stop(self) -> None:
        """May be called twice, and from any thread."""
        if self._core is not None and self.last is None:
            self.last = self._core.latest()
        if self._core is not None:
            self._core.stop(STOP_S)
        self._stack.close()


class Several:
    """Decoders side by side.

    with Several(members(...)) as several:
        while not several.ended:
            for running, message in several.messages(0.1): ...

    sessions  where recordings go that are begun while they run
    """

    def __init__(self, planned: Sequence[Member], sessions: Path = Path("sessions")):
        self.all = tuple(Running(member, sessions) for member in planned)

    def __enter__(self) -> "Several":
        try:
            for running in self.all:
                running.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        """Whether none of them will say anything any more."""
        return all(running.ended for running in self.all)

    def messages(self, timeout_s: float = 0.0) -> list[tuple[Running, dict[str, Any]]]:
        """What all said since the last call, waiting up to `timeout_s` for the first of them to speak."""
        speaking = {running.core.fileno(): running for running in self.all if not running.ended}
        ready = select.select([*speaking], [], [], timeout_s)[0] if speaking else []
        return [(speaking[fd], line) for fd in ready for line in speaking[fd].core.messages()]

    def stop(self) -> None:
        """End all of them at the same time: one that does not listen delays no other."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            for done in [pool.submit(running.stop) for running in self.all]:
                done.result()

    @property
    def exit_code(self) -> int:
        """0; 1 when a decoder broke, 2 when one ended for something that the user can mend."""
        errors = [running.error for running in self.all if running.error]
        if any(isinstance(error, CoreStopped) for error in errors):
            return 1
        return 2 if errors else 0
