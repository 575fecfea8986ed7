"""What this machine's disk holds for the decoder: bundles, recordings, session logs.

Looks into a few folders, a few levels deep, at a bounded number of names, so that a home folder with a
million files costs no more than the bound. What is broken is found, too, with the sentence that says why.
Knows no screen and no stream.
"""

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtdecode.errors import RtdecodeError
from rtdecode.found import Disk, FoundBundle, FoundLog, FoundRecording

# What reads the found is imported when there is something to read: whoever only shows it starts without.
if TYPE_CHECKING:
    from rtdecode.bundle import BundleSpec

PLACES = "RTDECODE_BUNDLES"  # more folders with bundles, separated as in PATH
DEPTH = 3  # folders below a place
NAMES = 5000  # looked at in one place
MOST = 200  # of one kind that are listed
_FOREIGN = {"node_modules", "__pycache__", "site-packages", "venv"}


def places(folder: Path | None = None) -> tuple[Path, ...]:
    """Where to look, most likely first. folder: the current one unless given."""
    here = folder or Path()
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return (
        *(here / name for name in ("recordings", "bundles", "sessions")),
        *named_places(),
        Path(data) / "rtdecode" / "bundles",
        here,
    )


def named_places() -> tuple[Path, ...]:
    """The folders that the user's environment names."""
    return tuple(Path(name).expanduser() for name in os.environ.get(PLACES, "").split(os.pathsep) if name)


def look(where: Sequence[Path] | None = None, check: Callable[[Path], FoundBundle] | None = None) -> Disk:
    """Everything in these places (default: `places()`). check: reads a bundle; default: `check_bundle`."""
    check = check or check_bundle
    seen: set[tuple[int, int]] = set()
    found: dict[str, list[Path]] = {"bundle": [], "log": [], "recording": []}
    cut = []
    for place in places() if where is None else where:
        budget = [NAMES]
        for kind, path in _walk(place, seen, budget):
            if len(found[kind]) < MOST:
                found[kind].append(path)
        if budget[0] < 0:
            cut.append(place)
    absent = [
        FoundBundle(place, None, f"{PLACES} names {place}, which is no folder")
        for place in named_places()
        if where is None and not place.is_dir()
    ]
    return Disk(
        broken_last((*map(check, found["bundle"]), *absent)),
        tuple(_recording(path) for path in sorted(found["recording"])),
        tuple(sorted(map(check_log, found["log"]), key=lambda log: log.started, reverse=True)),
        tuple(cut),
    )


def broken_last(bundles: Iterable[FoundBundle]) -> tuple[FoundBundle, ...]:
    return tuple(sorted(bundles, key=lambda bundle: bool(bundle.problem)))


def _walk(place: Path, seen: set[tuple[int, int]], budget: list[int]) -> Iterator[tuple[str, Path]]:
    """(kind, path), level by level; `budget[0]` below zero: the place holds more than was looked at."""
    level = [place]
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            if budget[0] < 0 or not _new(folder, seen):
                continue
            names = _names(folder, budget)
            if "bundle.json" in names:
                yield "bundle", folder
            elif "session.json" in names:
                yield "log", folder
            elif "pyvenv.cfg" not in names:
                for name in sorted(names):
                    path, folderlike = folder / name, names[name]
                    if ending := _ending(name):
                        if folderlike == (ending == ".ds"):
                            yield "recording", path
                    elif folderlike and not name.startswith(".") and name not in _FOREIGN:
                        below.append(path)
        level = below


def _new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        about = folder.stat()
    except OSError:
        return False
    key = about.st_dev, about.st_ino  # links may lead in circles
    if not stat.S_ISDIR(about.st_mode) or key in seen:
        return False
    seen.add(key)
    return True


def _names(folder: Path, budget: list[int]) -> dict[str, bool]:
    """What a folder holds, and whether each is a folder; nothing of one that may not be read."""
    names = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                budget[0] -= 1
                if budget[0] < 0:
                    break
                names[entry.name] = entry.is_dir()
    except OSError:
        pass
    return names


def _ending(name: str) -> str:
    from rtdecode.recordings.read import FORMATS

    lower = name.lower()
    return "" if lower.startswith(".") else next((end for end in FORMATS if lower.endswith(end)), "")


def _recording(path: Path) -> FoundRecording:
    from rtdecode.recordings.read import FORMATS

    return FoundRecording(path, FORMATS[_ending(path.name)], _size(path))


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 of what has just gone."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        with os.scandir(path) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0


def check_log(path: Path) -> FoundLog:
    """What a session log says of itself, or why it cannot be read."""
    from rtdecode.session import manifest

    try:
        about = manifest.load(path)
    except RtdecodeError as problem:
        return FoundLog(path, size_bytes=_size(path), problem=str(problem))
    return FoundLog(path, about.started, about.bundle.name if about.bundle else "", _size(path))


def check_bundle(path: Path) -> FoundBundle:
    """Read and verify a bundle. Raises nothing: what is wrong becomes its `problem`."""
    from rtdecode.bundle import load_bundle
    from rtdecode.recordings.read import first_line
    from rtdecode.session.manifest import bundle_hash

    try:
        bundle = load_bundle(path)
        identity = bundle_hash(path)
        delay_s = _filter_delay_s(bundle.spec)
        ngrams = _ngrams(path / bundle.spec.text.lm) if bundle.spec.text else ()
    except RtdecodeError as problem:
        return FoundBundle(path, _spec(path), str(problem), size_bytes=_size(path))
    except (
        Exception
    ) as problem:  # a folder of somebody else's may hold anything, and the others are to be seen
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else first_line(problem)
        return FoundBundle(path, _spec(path), f"{path} cannot be read: {why}", size_bytes=_size(path))
    text = bundle.spec.text
    return FoundBundle(
        path,
        bundle.spec,
        identity=identity,
        size_bytes=_size(path),
        candidates=len(bundle.bank.candidates) if bundle.bank else 0,
        sources=tuple(sorted({c.source for c in bundle.bank.candidates})) if bundle.bank else (),
        filter_delay_s=delay_s,
        words=_lines(path / text.lexicon) if text and text.lexicon else None,
        ngrams=ngrams,
    )


def peek_bundle(path: Path) -> FoundBundle:
    """What its manifest says, unverified: at once, however large its files are."""
    return FoundBundle(path, _spec(path), checked=False)


def _spec(path: Path) -> "BundleSpec | None":
    """The manifest alone, of a bundle that is not whole."""
    from rtdecode.bundle import SCHEMA, BundleSpec
    from rtdecode.config import from_json

    try:
        data = json.loads((path / "bundle.json").read_text("utf-8"))
        if data.get("schema") != SCHEMA:
            return None
        return from_json(BundleSpec, data, "bundle.json")
    except Exception:  # it has been said already why the bundle cannot be read
        return None


def _filter_delay_s(spec: "BundleSpec") -> float:
    from rtdecode.preprocess import Preprocess

    return float(Preprocess(spec.preprocess).delay_s)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _ngrams(path: Path) -> tuple[int, ...]:
    """The counts in an ARPA file's header, without reading the model."""
    if not path.is_file():
        return ()
    import gzip
    from itertools import islice

    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        head = [line.decode("utf-8", "replace").strip() for line in islice(file, 64)]
    counts = [line.partition("=")[2].strip() for line in head if line.startswith("ngram ")]
    return tuple(int(count) for count in counts if count.isdigit())
