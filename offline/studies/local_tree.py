"""Finds one's own recordings and the tables beside them, in a plain folder or a BIDS data set.

Names only: no recording and no events table is opened here. `offline.studies.local` says what the two layouts
are.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from offline.studies.local_files import read_table
from rtdecode.errors import StudyError, closest
from rtdecode.recordings import FORMATS

HINT = "a recording NAME.vhdr (or any other format) needs NAME.events.tsv beside it, or a BIDS tree"
_MODALITIES = ("eeg", "meg", "ieeg")
_SPLITS = ("", "train", "valid", "test")


@dataclass(frozen=True)
class Entry:
    """A recording and the files beside it."""

    name: str
    path: Path
    events: Path
    subject: str
    session: str = ""
    split: str = ""
    stream: str | None = None
    channels: Path | None = None
    electrodes: Path | None = None


def entries_of(root: Path) -> tuple[list[Entry], list[str]]:
    """The recordings with their tables, and the names of those that have none (BIDS: rest, empty room)."""
    if any(path.is_dir() and re.fullmatch("sub-[A-Za-z0-9]+", path.name) for path in root.iterdir()):
        entries, without = _bids(root)
    else:
        entries, without = _flat(root), []
    if not entries:
        found = f"its recordings have no events table: {', '.join(without[:3])}" if without else HINT
        raise StudyError(f"{root} holds no recording with a table of events", hint=found)
    return _told(root, entries), without


def _flat(root: Path) -> list[Entry]:
    tables = {p.name.removesuffix(".events.tsv"): p for p in sorted(root.glob("*.events.tsv"))}
    recordings = {_stem(path): path for path in _recordings_in(root)}
    entries = []
    for name in sorted(tables.keys() | recordings.keys()):
        if name not in recordings:
            raise StudyError(
                f"{tables[name]} has no recording {name}.* beside it", hint=f"formats: {', '.join(FORMATS)}"
            )
        if name not in tables:
            raise StudyError(
                f"the recording {recordings[name]} has no table of events {name}.events.tsv beside it",
                hint="write one, or move the recording elsewhere",
            )
        entities = _entities(name)
        subject = f"sub-{entities['sub']}" if "sub" in entities else name.split("_")[0]
        entry = Entry(name, recordings[name], tables[name], subject, entities.get("ses", ""))
        entries.append(
            replace(
                entry, channels=_beside(root, name, "channels"), electrodes=_beside(root, name, "electrodes")
            )
        )
    return entries


def _beside(root: Path, name: str, kind: str) -> Path | None:
    """NAME.kind.tsv, or kind.tsv for all."""
    return next(
        (path for path in (root / f"{name}.{kind}.tsv", root / f"{kind}.tsv") if path.is_file()), None
    )


def _bids(root: Path) -> tuple[list[Entry], list[str]]:
    entries: list[Entry] = []
    without: list[str] = []
    for modality in _MODALITIES:
        for folder in sorted([*root.glob(f"sub-*/{modality}"), *root.glob(f"sub-*/ses-*/{modality}")]):
            for path in _recordings_in(folder):
                name, entities = _stem(path).removesuffix(f"_{modality}"), _entities(path.name)
                if name == _stem(path) or entities.get("split", "01") not in ("1", "01"):
                    continue  # not a recording by its name, or a part that its first part leads to
                events = _inherited(root, folder, name, "events.tsv")
                if events is None:
                    without.append(name)
                    continue
                subject, session = f"sub-{entities['sub']}", entities.get("ses", "")
                channels = _inherited(root, folder, name, "channels.tsv")
                electrodes = _inherited(root, folder, name, "electrodes.tsv")
                entry = Entry(name, path, events, subject, session, channels=channels, electrodes=electrodes)
                entries.append(entry)
    return sorted(entries, key=lambda entry: entry.name), without


def _inherited(root: Path, folder: Path, name: str, suffix: str) -> Path | None:
    """The nearest table for a recording: its entities are among those of the recording (space-… apart)."""
    mine = _entities(name)
    while True:
        fitting = []
        for path in folder.glob(f"*{suffix}"):
            theirs = {key: value for key, value in _entities(path.name).items() if key != "space"}
            if (path.name == suffix or path.name.endswith(f"_{suffix}")) and theirs.items() <= mine.items():
                fitting.append((len(theirs), path))
        if fitting:
            return max(fitting)[1]
        if folder == root:
            return None
        folder = folder.parent


def _told(root: Path, entries: list[Entry]) -> list[Entry]:
    """The entries with what recordings.tsv says of them."""
    table = root / "recordings.tsv"
    if not table.is_file():
        return entries
    by_name = {entry.name: entry for entry in entries}
    for line, row in enumerate(read_table(table, ("recording",)), 2):
        entry = by_name.get(row["recording"])
        if entry is None:
            raise StudyError(
                f"line {line} of {table} names the recording {row['recording']!r}, which is not there",
                hint=closest(row["recording"], by_name),
            )
        if row.get("split", "") not in _SPLITS:
            raise StudyError(
                f"line {line} of {table} has the split {row['split']!r}",
                hint=closest(row["split"], _SPLITS[1:]),
            )
        by_name[entry.name] = replace(
            entry,
            subject=row.get("subject") or entry.subject,
            session=row.get("session") or entry.session,
            split=row.get("split", ""),
            stream=row.get("stream") or None,
        )
    return list(by_name.values())


def _recordings_in(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if _ending(path) and path.is_dir() == (_ending(path) == ".ds")
    )


def _ending(path: Path) -> str:
    return max((e for e in FORMATS if path.name.lower().endswith(e)), key=len, default="")


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(_ending(path))]


def _entities(name: str) -> dict[str, str]:
    return dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)", name))
