"""Loads Brennan & Hale 2019: English, chapter one of Alice in Wonderland, heard in a 60-channel EEG.

    AliceChapterOne-EEG.csv                        2129 words in 12 segments, their times inside the segment
    audio/DownTheRabbitHoleFinal_SoundFile1.wav …  the segments
    S01.mat …            version 1: FieldTrip, or  S01.vhdr/.eeg/.vmrk: version 2 (2023), BrainVision
    proc/S01.mat …       version 1, or             timelock-preprocessing/S01.mat: which sample is which word
    datasets.mat         whom the depositors used

A row of `proc.trl` is the trial of a word: begin, end and offset in samples (MATLAB's, the first is 1), and
the word's Order. The word starts at begin - offset: the offset is negative, the trial begins before the word.
(The published decoder takes `begin` for the start, and rows for words by their number.) Rows are matched by
Order, so subjects with missing trials are read too; a file without it is refused unless it has a row for
every word.

Two lists name 33 of 49 subjects, not the same ones. 'published', the default, is the one that published
results of speech decoding are computed on; 'depositors' is the one of datasets.mat, which excludes low
comprehension instead of missing trials. 'all' is everyone whose trials are there; or names: 'S01,S03'.
"""

import re
from pathlib import Path

import numpy as np

from offline.fetch.sources import Part, Source
from offline.sounds import sound_seconds
from offline.studies.alice import SEGMENTS, Word, read_trials, read_words
from offline.studies.layout import positions_from_montage
from offline.studies.matlab import load_mat
from offline.studies.mne_files import open_raw, read_picks
from offline.study import Event, Study, StudyRecording, check_inside, check_order
from rtdecode.errors import StudyError

SFREQ = 500.0
LABELS = tuple(str(number) for number in range(1, 62) if number != 29)  # there is no 29
SELECTIONS = ("published", "depositors", "all")
_NOT_PUBLISHED = frozenset({2, 24, 26, 27, 30, 32, 34, 35, 36})  # of those with trials
_NO_TRIALS = frozenset({28, 29, 31, 33, 46, 47, 49})
_SOUND = "DownTheRabbitHoleFinal_SoundFile{}"
_TABLE = "AliceChapterOne-EEG.csv"
_TOLERANCE_S = 0.1  # a word may lie this far from where its segment's others say

_PAGE = "https://deepblue.lib.umich.edu/data/concern/data_sets/bn999738r"
SOURCE = Source(
    name="brennan2019",
    licence="CC-BY-4.0",
    doi="10.7302/746w-g237",
    homepage=_PAGE,
    register="a free Globus account (globus.org); the data are open",
    parts=(
        Part(
            "globus",
            _PAGE,
            "",
            note="collection cc387c09-b0e5-422b-a384-0d96e7ffdc73, path /bn/99/97/38/r/: everything, then "
            "unpack audio.zip and proc.zip; version 1 (S01.mat …) is at "
            "https://deepblue.lib.umich.edu/data/concern/data_sets/bg257f92t",
        ),
    ),
)
_HINT = f"the layout is that of {_PAGE}, audio.zip and proc.zip unpacked"


def load(root: str | Path, selection: str = "published") -> Study:
    """The study under `root`: of the selection, the subjects that are there.

    Raises StudyError naming the first thing that is missing or wrong: a file, trials that cannot be matched
    to words, a sound shorter than its words, channels or a rate that are not the study's.
    """
    root = Path(root)
    words = read_words(_present(root / _TABLE))
    sounds, seconds = _sounds(root, words)
    proc = _folder(root, "timelock-preprocessing", "proc")
    wanted = _selected(root, proc, selection)
    paths = {number: path for number in sorted(wanted) if (path := _recording(root, number)) is not None}
    if not paths:
        raise StudyError(
            f"the study is incomplete: {root} holds no recording of the {len(wanted)} subjects selected "
            f"(S{min(wanted, default=1):02d}.vhdr or .mat …)",
            hint=_HINT,
        )
    positions = positions_from_montage(LABELS, "easycap-M10")
    recordings = []
    for number, path in paths.items():
        trials = _present(proc / f"S{number:02d}.mat")
        recording = StudyRecording(
            subject=f"sub-{number:02d}",
            name=f"sub-{number:02d}",
            split="",
            path=path,
            sfreq=SFREQ,
            labels=LABELS,
            unit="microvolts",
            events=_events(trials, words, seconds),
            positions=positions,
            files=(*_parts(path), trials, root / _TABLE),
            reader=_read_brainvision if path.suffix == ".vhdr" else _read_fieldtrip,
        )
        if path.suffix == ".vhdr":  # the header says enough to find now what would be found in the middle
            check_inside(recording, _open(path)[0].n_times)
        recordings.append(recording)
    facts = {
        "selection": selection,
        "absent": [f"sub-{number:02d}" for number in sorted(wanted - paths.keys())],
    }
    return Study("brennan2019", root, SOURCE.licence, tuple(recordings), sounds, None, facts)


def _selected(root: Path, proc: Path, selection: str) -> set[int]:
    """Numbers of subjects."""
    with_trials = set(range(1, 50)) - _NO_TRIALS
    if selection == "published":
        return with_trials - _NOT_PUBLISHED
    if selection == "depositors":
        use = load_mat(_present(root / "datasets.mat")).get("use")
        matches = [re.fullmatch(r"S(\d\d)\.mat", str(name)) for name in np.ravel([] if use is None else use)]
        if not matches or not all(matches):
            raise StudyError(f"{root / 'datasets.mat'} does not list subjects in 'use'", hint=_HINT)
        return {int(match[1]) for match in matches if match}
    if selection == "all":
        return {number for number in with_trials if (proc / f"S{number:02d}.mat").is_file()}
    names = [name.strip() for name in selection.split(",")]
    unknown = [name for name in names if not re.fullmatch(r"S(0[1-9]|[1-4]\d)", name)]
    if unknown:
        raise StudyError(
            f"there is no selection or subject {unknown[0]!r}",
            hint=f"valid: {', '.join(SELECTIONS)}, or subjects such as S01,S03",
        )
    numbers = {int(name[1:]) for name in names}
    for number in sorted(numbers):
        if _recording(root, number) is None:
            raise StudyError(f"{root} holds no recording of S{number:02d} (S{number:02d}.vhdr or .mat)")
    return numbers


def _sounds(root: Path, words: tuple[Word, ...]) -> tuple[dict[str, Path], dict[int, float]]:
    """The file of each segment by its stimulus, its seconds by its number."""
    folder = _folder(root, "audio")
    sounds, seconds = {}, {}
    for segment in SEGMENTS:
        path = _present(folder / f"{_SOUND.format(segment)}.wav")
        sounds[path.stem], seconds[segment] = path, sound_seconds(path)
        last = max((word for word in words if word.segment == segment), key=lambda word: word.offset)
        if last.offset > seconds[segment] + _TOLERANCE_S:
            raise StudyError(
                f"{path} lasts {seconds[segment]:.3f} s, its word {last.text!r} ends at {last.offset:.3f} s",
                hint="is the file complete?",
            )
    return sounds, seconds


def _events(path: Path, words: tuple[Word, ...], seconds: dict[int, float]) -> tuple[Event, ...]:
    trials = read_trials(path, words)
    text = {number: [w.text for w in words if w.sentence == number] for number in {w.sentence for w in words}}
    spoken: list[Event] = []
    sounds: dict[int, Event] = {}
    sentences: dict[tuple[int, int], list[Event]] = {}
    for word, sample in trials:
        start, stimulus = sample / SFREQ, _SOUND.format(word.segment)
        sequence = " ".join(text[word.sentence])
        event = Event(
            start, word.offset - word.onset, "word", word.text, stimulus, word.onset, sequence, word.index,
            "sentence", "en",
        )  # fmt: skip
        spoken.append(event)
        begins = start - word.onset  # of the sound; before the recording when that was begun late
        sound = sounds.setdefault(
            word.segment,
            Event(begins, seconds[word.segment], "sound", stimulus, stimulus, 0.0, language="en"),
        )
        if abs(begins - sound.start) > _TOLERANCE_S:
            raise StudyError(
                f"{path}: segment {word.segment} begins at {sound.start:.3f} s by its first word and at "
                f"{begins:.3f} s by {word.text!r} (Order {word.order})",
                hint=f"do its trials belong to {_TABLE}?",
            )
        sentences.setdefault((word.sentence, word.segment), []).append(event)
    events = [*sounds.values(), *map(_sentence, sentences.values()), *spoken]
    check_order(path.stem, tuple(events))
    return tuple(sorted(events, key=lambda event: event.start))


def _sentence(words: list[Event]) -> Event:
    """What one segment holds of a sentence (six begin in one and end in the next)."""
    first, stop = words[0], max(word.stop for word in words)
    text = " ".join(word.text for word in words)
    return Event(
        first.start, stop - first.start, "sentence", text, first.stimulus, first.offset, first.sequence, 0,
        first.condition, first.language,
    )  # fmt: skip


def _read_fieldtrip(recording: StudyRecording) -> np.ndarray:
    variables = load_mat(recording.path)
    raw = next(
        (v for v in variables.values() if isinstance(v, dict) and {"trial", "label"} <= v.keys()), None
    )
    if raw is None:
        raise StudyError(f"{recording.path} holds no FieldTrip recording (a structure with trial and label)")
    header = raw.get("hdr")
    sfreq = raw.get("fsample", header.get("Fs") if isinstance(header, dict) else None)
    signal = np.asarray(raw["trial"][0] if isinstance(raw["trial"], list) else raw["trial"])
    labels = [str(label) for label in np.ravel(raw["label"])]
    if signal.ndim != 2 or signal.shape[0] != len(labels):
        raise StudyError(
            f"{recording.path}: trial 1 is {signal.shape}, with {len(labels)} channels",
            hint="expected one continuous trial, channels by samples",
        )
    picks = _picks(recording.path, labels, None if sfreq is None else float(sfreq))
    return signal[picks].T.astype(np.float32)


def _read_brainvision(recording: StudyRecording) -> np.ndarray:
    raw, picks = _open(recording.path)
    return read_picks(recording.path, raw, picks)


def _open(path: Path):
    raw = open_raw(path)
    return raw, _picks(path, raw.ch_names, float(raw.info["sfreq"]))


def _picks(path: Path, labels: list[str], sfreq: float | None) -> list[int]:
    """Places of LABELS among those of a file."""
    if sfreq != SFREQ:
        raise StudyError(f"{path} was recorded at {sfreq} Hz, the study at {SFREQ:g} Hz", hint=_HINT)
    missing = [label for label in LABELS if label not in labels]
    if missing:
        raise StudyError(
            f"{path} has no channel {missing[0]!r}: {len(labels)} channels, {len(LABELS) - len(missing)} of "
            f"the study's {len(LABELS)} electrodes",
            hint="channels of a study are alike in all its recordings",
        )
    return [labels.index(label) for label in LABELS]


def _recording(root: Path, number: int) -> Path | None:
    names = (f"S{number:02d}.vhdr", f"S{number:02d}.mat")
    return next((root / name for name in names if (root / name).is_file()), None)


def _parts(path: Path) -> tuple[Path, ...]:
    if path.suffix != ".vhdr":
        return (path,)
    return (path, _present(path.with_suffix(".eeg")), _present(path.with_suffix(".vmrk")))


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    archive = root / ("audio.zip" if names[0] == "audio" else "proc.zip")
    raise StudyError(
        f"the study is incomplete: {root / names[0]} is missing",
        hint=f"unpack {archive}" if archive.is_file() else _HINT,
    )


def _present(path: Path) -> Path:
    if not path.is_file():
        raise StudyError(f"the study is incomplete: {path} is missing", hint=_HINT)
    return path
