"""What may be found to decode with, to decode, or to look at again: plain types, light to import.

Whoever shows them (rtdecode/tui) needs neither what looks at the disk (finding.py) nor at the network.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtdecode.types import StreamInfo

if TYPE_CHECKING:
    from rtdecode.bundle import BundleSpec


@dataclass(frozen=True)
class FoundBundle:
    """A folder with a bundle.json.

    spec      None where the manifest cannot be read;  problem  one sentence; "": nothing is wrong with it
    checked   False: only its manifest was read so far, its files are still to be compared with their hashes
    identity  SHA-256 of bundle.json;  sources  what the candidates are cut from
    filter_delay_s  of the band-pass and the resampler
    words     in the lexicon, None without one;  ngrams  how many of each order the language model holds
    """

    path: Path
    spec: "BundleSpec | None"
    problem: str = ""
    checked: bool = True
    identity: str = ""
    size_bytes: int = 0
    candidates: int = 0
    sources: tuple[str, ...] = ()
    filter_delay_s: float | None = None
    words: int | None = None
    ngrams: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """As it calls itself, or as its folder is called."""
        return self.spec.name if self.spec else self.path.name or str(self.path)


@dataclass(frozen=True)
class FoundRecording:
    path: Path
    kind: str
    size_bytes: int


@dataclass(frozen=True)
class FoundLog:
    """A session log. started: ISO 8601, UTC;  problem: one sentence, "" when its manifest is whole."""

    path: Path
    started: str = ""
    bundle: str = ""
    size_bytes: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Disk:
    """What was found in all places.

    bundles  in the order of places, broken ones last;  logs  newest first
    cut      places with more than could be looked at
    """

    bundles: tuple[FoundBundle, ...] = ()
    recordings: tuple[FoundRecording, ...] = ()
    logs: tuple[FoundLog, ...] = ()
    cut: tuple[Path, ...] = ()


@dataclass(frozen=True)
class FoundStream:
    """described: its labels and units are known; otherwise it was announced and has not answered."""

    info: StreamInfo
    described: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """The same after a restart of its sender, which changes the uid."""
        return self.info.name, self.info.source_id, self.info.hostname


@dataclass(frozen=True)
class Findings:
    """All there is to choose from. None: not looked yet.  trouble: why the network cannot be looked at."""

    streams: tuple[FoundStream, ...] | None = None
    disk: Disk | None = None
    trouble: str = ""


def shown(path: Path) -> str:
    """A path as people say it: from here where it lies below, with ~ for the home folder."""
    try:
        here = Path.cwd()
    except OSError:  # removed under our feet
        return str(path)
    full = here / path
    for base, sign in ((here, ""), (Path.home(), "~/")):
        if full != base and full.is_relative_to(base):
            return sign + str(full.relative_to(base))
    return str(full)


def said_size(size: int) -> str:
    """Bytes as people read them: "38.2 MB"."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"
