"""Loads one's own recordings: any format that is read here, with a table of what was heard when.

A plain folder:

    NAME.vhdr, .edf, .bdf, .fif, .con, .sqd, .ds, .xdf      a recording
    NAME.events.tsv                                         what was heard in it, and when
    NAME.electrodes.tsv, NAME.channels.tsv                  where they are known; electrodes.tsv for all alike
    recordings.tsv                                          recording, subject, session, split, stream
    stimuli/                                                the sounds

or a BIDS data set (sub-XX/[ses-YY/]{eeg,meg,ieeg}/…, events, channels and electrodes by BIDS inheritance,
sounds in stimuli/). `offline.studies.local_events` says what an events table is. The subject is sub-XX of a
name, else what recordings.tsv says, else the name up to its first '_'. Headers are read at load, signals when
they are asked for (an XDF file has no header of its length: it is read whole, twice).
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from offline.fetch.sources import Source
from offline.sounds import sound_seconds
from offline.studies.local_events import Sounds, read_events
from offline.studies.local_files import Signal, open_signal, read_signal
from offline.studies.local_tree import HINT, Entry, entries_of
from offline.study import Study, StudyRecording, check_alike, check_order
from rtdecode.errors import StudyError

SOURCE = Source(name="local", licence="whatever you hold your data under", doi="", homepage="")

_SOUND_ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


def load(root: str | Path) -> Study:
    """The study of the recordings under `root`. Raises StudyError naming the first thing that is missing or
    wrong, with the file and the line.
    """
    root = Path(root)
    if not root.is_dir():
        raise StudyError(f"there is no folder {root}", hint=HINT)
    paths = _sounds(root)
    sounds = Sounds(tuple(paths), partial(_find, paths), _Lengths(paths))
    entries, without = entries_of(root)
    facts: dict[str, Any] = {
        "without_events": without,
        "passed_over": {},
        "bad_channels": {},
        "positions": {},
    }
    recordings = []
    for entry in entries:
        signal = open_signal(entry.path, entry.stream, entry.channels, entry.electrodes)
        events, passed = read_events(entry.events, signal.length_s, sounds, signal.clock)
        check_order(entry.name, events)
        facts["positions"][entry.name] = signal.placed_by
        if passed:
            facts["passed_over"][entry.name] = dict(passed)
        if signal.bad:
            facts["bad_channels"][entry.name] = list(signal.bad)
        recordings.append(_recording(entry, signal, events))
    check_alike(tuple(recordings))
    name, licence = _described(root)
    facts["title"] = name
    used = {event.stimulus for recording in recordings for event in recording.events if event.stimulus}
    return Study("local", root, licence, tuple(recordings), {i: paths[i] for i in sorted(used)}, None, facts)


def _recording(entry: Entry, signal: Signal, events: tuple[Any, ...]) -> StudyRecording:
    beside = (entry.events, entry.channels, entry.electrodes)
    return StudyRecording(
        entry.subject,
        entry.name,
        entry.split,
        entry.path,
        signal.sfreq,
        signal.labels,
        signal.unit,
        events,
        positions=signal.positions,
        session=entry.session,
        files=(*signal.files, *(path for path in beside if path is not None)),
        reader=partial(_read, stream=entry.stream),
    )


def _read(recording: StudyRecording, *, stream: str | None) -> np.ndarray:
    return read_signal(recording.path, stream, recording.labels)


def _sounds(root: Path) -> dict[str, Path]:
    """Paths by id: the file's path below stimuli/ without its ending."""
    folder = root / "stimuli"
    if not folder.is_dir():
        raise StudyError(f"the folder {folder} is missing", hint="put the sounds that were heard there")
    paths: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SOUND_ENDINGS:
            stimulus = path.relative_to(folder).with_suffix("").as_posix()
            if stimulus in paths:
                raise StudyError(
                    f"two sounds are called {stimulus!r}: {paths[stimulus].name} and {path.name}"
                )
            paths[stimulus] = path
    if not paths:
        raise StudyError(f"{folder} holds no sound", hint=f"formats: {', '.join(_SOUND_ENDINGS)}")
    return paths


def _find(paths: Mapping[str, Path], name: str) -> str | None:
    """The id of a sound as a table writes it: with or without its ending and the folder's name."""
    name = name.removeprefix("stimuli/")
    for stimulus in (name, name.rsplit(".", 1)[0]):
        if stimulus in paths and (stimulus == name or paths[stimulus].name.endswith(name.rsplit("/", 1)[-1])):
            return stimulus
    return None


class _Lengths:
    """Seconds of each sound, each file looked at once."""

    def __init__(self, paths: Mapping[str, Path]):
        self._paths, self._known = paths, dict[str, float]()

    def __call__(self, stimulus: str) -> float:
        if stimulus not in self._known:
            self._known[stimulus] = sound_seconds(self._paths[stimulus])
        return self._known[stimulus]


def _described(root: Path) -> tuple[str, str]:
    """Name and licence from dataset_description.json."""
    path = root / "dataset_description.json"
    if not path.is_file():
        return root.resolve().name, "not stated"
    try:
        said = json.loads(path.read_text("utf-8-sig"))
        return str(said.get("Name") or root.resolve().name), str(said.get("License") or "not stated")
    except (ValueError, AttributeError) as error:
        raise StudyError(f"{path} is not the JSON of a BIDS data set: {error}") from error
