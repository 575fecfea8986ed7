"""Loads Gwilliams et al. 2022 (MEG-MASC): English, four stories, heard twice in a KIT MEG by 27 people.

    sub-01/ses-0/meg/sub-01_ses-0_task-0_meg.con         a recording: one story (tasks 0 … 3)
                     sub-01_ses-0_task-0_events.tsv      what was heard when, by word and phoneme
                     sub-01_ses-0_task-0_channels.tsv    which channels are sensors (208) and which references
                     sub-01_ses-0_task-0_markers.mrk, sub-01_ses-0_acq-{ELP,HSP}_headshape.pos    the head
    stimuli/audio/lw1_0.wav …                            the stories, several files each

Stories hold lists of words and pseudo-words: `condition` says which is which. The same sounds are heard by
all and in both sessions, so recordings share text: divide them by blocks, never whole. Words that the table
marks as not pronounced were not heard and are left out. Reference sensors are left out, nothing is filtered.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from offline.fetch.sources import Part, Source
from offline.sounds import sound_seconds
from offline.studies.kit import open_kit
from offline.studies.layout import positions_from_info
from offline.studies.masc_events import Row, read_events
from offline.studies.mne_files import read_picks
from offline.study import Event, Study, StudyRecording, check_alike, check_inside, check_order
from rtdecode.errors import StudyError

STORIES = ("lw1", "cable_spool_fort", "easy_money", "the_black_willow")  # by task
SENSORS = ("MEGGRADAXIAL", "MEGGRADPLANAR", "MEGMAG")  # of channels.tsv; MEGREF… are references
_TOLERANCE_S = 0.1  # a word may end this long after its sound

_PAGE = "https://osf.io/ag3kj"
_NODES = ("ag3kj", "h2tzn", "u5327", "dr4wy")
SOURCE = Source(
    name="gwilliams2022",
    licence="CC0-1.0",
    doi="10.1038/s41597-023-02752-5",
    homepage=_PAGE,
    parts=tuple(Part("osf", node, "", note="3 to 4 GB per subject and session") for node in _NODES),
)
_HINT = f"the layout is that of {_PAGE}"


def load(root: str | Path) -> Study:
    """The study under `root`, as many of its recordings as are there.

    Raises StudyError naming the first thing that is missing or wrong: a file of a recording, a sound that its
    words need or that ends before they do, events outside the recording or out of order, sensors or a rate
    that differ between recordings.
    """
    root = Path(root)
    if not root.is_dir():
        raise StudyError(f"there is no folder {root}", hint=_HINT)
    sounds = _sounds(root / "stimuli" / "audio")
    seconds: dict[str, float] = {}
    recordings = []
    for name, folder in _names(root):
        recordings.append(_recording(name, folder, sounds, seconds))
        check_alike((recordings[0], recordings[-1]))
    if not recordings:
        raise StudyError(
            f"the study is incomplete: {root} holds no recording (sub-01/ses-0/meg/…_task-0_meg.con)",
            hint=_HINT,
        )
    used = {stimulus: sounds[stimulus] for stimulus in sorted(seconds)}
    return Study("gwilliams2022", root, SOURCE.licence, tuple(recordings), used, None, {"stories": STORIES})


def _names(root: Path) -> Iterator[tuple[str, Path]]:
    """Every recording of which there is a signal or an events table, and its folder, in order."""
    folders = sorted(root.glob("sub-*/ses-*/meg"))
    for folder in folders:
        prefix = f"{folder.parent.parent.name}_{folder.parent.name}"
        names = (
            match[1]
            for path in folder.iterdir()
            if (match := re.fullmatch(rf"({prefix}_task-[0-3])_(meg\.con|events\.tsv)", path.name))
        )
        for name in sorted(set(names)):
            yield name, folder


def _recording(name: str, folder: Path, sounds: dict[str, Path], seconds: dict[str, float]) -> StudyRecording:
    """seconds: of the sounds used so far, filled in here."""
    path, table, channels = (
        _present(folder / f"{name}_{what}") for what in ("meg.con", "events.tsv", "channels.tsv")
    )
    subject, session, _ = name.split("_")
    raw, picks, extra = _open(path, channels)
    rows = [row for row in read_events(table) if row.pronounced]
    for row in rows:
        if row.stimulus not in sounds:
            raise StudyError(
                f"{table} needs the sound {row.stimulus!r}: {row.stimulus}.wav is missing in stimuli/audio",
                hint=_HINT,
            )
        if row.stimulus not in seconds:
            seconds[row.stimulus] = sound_seconds(sounds[row.stimulus])
        stop = row.offset + row.duration
        if stop > seconds[row.stimulus] + _TOLERANCE_S:
            raise StudyError(
                f"{sounds[row.stimulus]} lasts {seconds[row.stimulus]:.3f} s, {row.kind} {row.text!r} of "
                f"{table.name} ends at {stop:.3f} s",
                hint="is the sound complete?",
            )
    recording = StudyRecording(
        subject=subject,
        name=name,
        split="",
        path=path,
        sfreq=float(raw.info["sfreq"]),
        labels=tuple(raw.ch_names[i] for i in picks),
        unit="femtotesla",
        events=_events(name, rows, seconds),
        positions=positions_from_info(raw.info, picks),
        session=session.removeprefix("ses-"),
        files=(path, table, channels, *extra),
        reader=_read,
    )
    check_inside(recording, raw.n_times)
    return recording


def _events(name: str, rows: list[Row], seconds: dict[str, float]) -> tuple[Event, ...]:
    spoken: dict[int, list[Row]] = {}
    for row in rows:
        if row.kind == "word" and row.sequence >= 0:
            spoken.setdefault(row.sequence, []).append(row)
    texts = {number: " ".join(word.text for word in words) for number, words in spoken.items()}
    events = [_sentence(texts[number], words) for number, words in spoken.items()]
    begins = [row.start for row in rows if row.kind == "sound"]
    for row in rows:
        events.append(
            Event(
                row.start,
                _played(row, seconds[row.stimulus], begins) if row.kind == "sound" else row.duration,
                row.kind,
                row.text,
                row.stimulus,
                row.offset,
                texts.get(row.sequence, ""),
                row.index,
                row.condition,
                "en",
            )
        )
    events.sort(key=lambda event: event.start)
    check_order(name, tuple(events))
    return tuple(events)


def _played(sound: Row, seconds: float, begins: list[float]) -> float:
    """How long a sound is heard: the tables say 0 s, it goes on to its end or until the next one begins."""
    whole = seconds - sound.offset
    following = min((begin for begin in begins if begin > sound.start), default=float("inf"))
    return min(sound.duration or whole, whole, following - sound.start)


def _sentence(text: str, words: list[Row]) -> Event:
    first, last = words[0], words[-1]
    stop = last.start + last.duration
    return Event(
        first.start, stop - first.start, "sentence", text, first.stimulus, first.offset, text, 0,
        first.condition, "en",
    )  # fmt: skip


def _open(path: Path, channels: Path):
    """The recording, the places of its sensors, and the files of the head."""
    name, folder = path.name.removesuffix("_meg.con"), path.parent
    session = name.rpartition("_task-")[0]
    head = (
        folder / f"{name}_markers.mrk",
        folder / f"{session}_acq-ELP_headshape.pos",
        folder / f"{session}_acq-HSP_headshape.pos",
    )
    raw = open_kit(path, *head)
    sensors = _sensors(channels)
    measured = [raw.ch_names[i] for i, kind in enumerate(raw.get_channel_types()) if kind in ("mag", "grad")]
    for said, there in zip(sensors, measured, strict=False):
        if said != there:
            raise StudyError(f"{channels} has the sensor {said!r} where {path.name} has {there!r}")
    if len(sensors) != len(measured):
        raise StudyError(f"{channels} lists {len(sensors)} sensors, {path.name} has {len(measured)}")
    return raw, [raw.ch_names.index(label) for label in sensors], tuple(f for f in head if f.is_file())


def _sensors(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sensors = [row["name"] for row in csv.DictReader(file, delimiter="\t") if row["type"] in SENSORS]
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{path} is not a table of channels: {error!r}", hint=_HINT) from error
    if not sensors:
        raise StudyError(f"{path} lists no sensor ({', '.join(SENSORS)})", hint=_HINT)
    return sensors


def _read(recording: StudyRecording):
    raw, picks, _ = _open(recording.path, recording.files[2])
    return read_picks(recording.path, raw, picks)


def _sounds(folder: Path) -> dict[str, Path]:
    """The file of each stimulus; their names differ in case from the tables'."""
    if not folder.is_dir():
        raise StudyError(f"the study is incomplete: {folder} is missing", hint=_HINT)
    return {path.stem.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".wav"}


def _present(path: Path) -> Path:
    if not path.is_file():
        raise StudyError(f"the study is incomplete: {path} is missing", hint=_HINT)
    return path
