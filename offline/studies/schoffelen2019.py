"""Loads Schoffelen et al. 2019 (MOUS): Dutch sentences and word lists, heard in a CTF MEG.

The tree is the Donders release, with the phoneme TextGrids beside it, which are no part of it:

    sub-A####/meg/*.ds                       275-sensor CTF, 1200 Hz, 273 sensors working
    sourcedata/meg_task/*A####*              logs of the stimulus program
    stimuli/stimuli.txt                      number and text of every sentence and word list
    stimuli/audio_files/EQ_Ramp_Int2_Int1LPF###.wav
    derivatives/phonemes/EQ_Ramp_Int2_Int1LPF###.TextGrid    tiers ORT-MAU (words), MAU (phonemes)

The log says what was played, the triggers say when (`offline.studies.alignment`), the TextGrids what was
said. Subjects V1### read instead of listening: they are left out. Word lists, half of what was heard, are the
same words in no order; they are left out unless asked for, as they are no sentences to decode. Both are told
in `Study.facts`. Events are read at load, the signal (gigabytes a subject) when it is asked for.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from offline.fetch.sources import Part, Source
from offline.studies.alignment import ClockMap, align
from offline.studies.ctf import onsets, read_counts
from offline.studies.layout import positions_from_info
from offline.studies.mne_files import open_raw, read_picks
from offline.studies.presentation_log import LogRow, read_log
from offline.studies.schoffelen_speech import TEXTGRIDS, Speech, heard, present, read_numbers
from offline.study import Event, Grouping, Study, StudyRecording, check_alike, check_order
from rtdecode.errors import StudyError, closest

SFREQ = 1200.0
N_CHANNELS = (
    273  # of 275; in this order of channels they are [28:301] of those called MEG, 28 references first
)
TRIGGER_CHANNEL = "UPPT001"
SELECTIONS = ("sentences", "all")
CONTEXT, FIXATION = 10, 20  # triggers: a block of sentences or of word lists begins; the cross before an item
EXCLUDED = {
    **{f"A{n}": "left out by the published analysis" for n in (2011, 2036, 2062, 2063, 2076, 2084)},
    **{f"V{n}": "left out by the published analysis" for n in (1006, 1014)},
    "V1090": "two runs, incomplete",
    "V1115": "the signal holds NaN",
}
NOT_EXISTING = (
    *(2012, 2018, 2022, 2023, 2026, 2043, 2044, 2045, 2048, 2054, 2060),
    *(2074, 2081, 2082, 2087, 2093, 2100, 2107, 2112, 2115, 2118, 2123),
)
AUDIO_SUBJECTS = tuple(
    f"A{n}" for n in range(2002, 2126) if n not in NOT_EXISTING and f"A{n}" not in EXCLUDED
)  # 96

SOURCE = Source(
    name="schoffelen2019",
    licence="Donders data use agreement (RU-DI-HD-1.0), accepted at registration",
    doi="10.1038/s41597-019-0020-y",
    homepage="https://data.donders.ru.nl/collections/di/dccn/DSC_3011020.09_236_v1",
    register="log in at data.donders.ru.nl (any institution's or an ORCID account) and accept the data use "
    "agreement of DSC_3011020.09_236_v1",
    parts=(
        Part(
            "manual",
            "https://webdav.data.ru.nl/dccn/DSC_3011020.09_236_v1/",
            "",
            note="over WebDAV with the password your account page shows: stimuli/, sourcedata/meg_task/ and "
            "sub-A*/meg/ (subjects who listened)",
        ),
        Part("zip", TEXTGRIDS, "derivatives", note="phoneme TextGrids by the published pipeline's authors"),
    ),
)

_HINT = f"the layout is that of {SOURCE.homepage}"
# One sound is one sentence, and every subject heard them in another order.
_GROUPING = Grouping(starts="sound", uid="sequence", merge=False)
_START = re.compile(r"start file\s+(\d+)\.wav", re.IGNORECASE)


def load(root: str | Path, selection: str = "sentences") -> Study:
    """The study under `root`, as many of its listening subjects as are there. selection: 'sentences', or
    'all' with the word lists (condition 'word_list'). Raises StudyError naming the first thing that is
    missing or does not fit.
    """
    root = Path(root)
    if selection not in SELECTIONS:
        raise StudyError(
            f"schoffelen2019 has no selection {selection!r}", hint=closest(selection, SELECTIONS)
        )
    numbers = read_numbers(present(root / "stimuli" / "stimuli.txt", _HINT))
    present(root / "stimuli" / "audio_files", _HINT, folder=True)
    present(root / "sourcedata" / "meg_task", _HINT, folder=True)
    speech = Speech(root, _textgrids(root), numbers)
    subjects, skipped = _subjects(root)
    facts: dict[str, Any] = {"skipped": skipped, "alignment": {}, "left_out": {}}
    recordings = []
    for subject in subjects:
        recording, alignment, left_out = _recording(root, subject, speech, selection == "all")
        recordings.append(recording)
        facts["alignment"][recording.subject] = alignment
        facts["left_out"][recording.subject] = left_out
    check_alike(tuple(recordings))
    facts["unnumbered"] = sorted(item.stimulus for item in speech.items.values() if not item.numbered)
    sounds = {item.stimulus: item.path for item in speech.items.values()}
    return Study(SOURCE.name, root, SOURCE.licence, tuple(recordings), sounds, None, facts, _GROUPING)


def condition_of(code: str) -> str:
    """What a row of the log is, by its code: 'sentence' and 'word_list' begin a block of items."""
    text = code.strip().upper()
    starts = {
        "ZINNEN": "sentence",
        "WOORDEN": "word_list",
        "FIX": "fix",
        "QUESTION": "question",
        "RESPONSE": "response",
        "ISI": "isi",
        "BLANK": "blank",
        "PAUSE": "pause",
    }
    return next((kind for start, kind in starts.items() if text.startswith(start)), "")


def _subjects(root: Path) -> tuple[list[str], dict[str, str]]:
    """Those to load, in order, and why each other one is not."""
    found = sorted(
        match[1]
        for path in root.iterdir()
        if path.is_dir() and (match := re.fullmatch(r"sub-([AV]\d{4})", path.name))
    )
    skipped = {}
    for subject in found:
        if subject in EXCLUDED:
            skipped[f"sub-{subject}"] = EXCLUDED[subject]
        elif subject.startswith("V"):
            skipped[f"sub-{subject}"] = "read the sentences, there is no audio"
        elif subject not in AUDIO_SUBJECTS:
            skipped[f"sub-{subject}"] = "is no subject of the release"
    subjects = [subject for subject in found if f"sub-{subject}" not in skipped]
    if not subjects:
        reasons = "; ".join(f"{subject}: {reason}" for subject, reason in list(skipped.items())[:3])
        raise StudyError(
            f"{root} holds no subject who listened (sub-A2002 …)",
            hint=f"there is {reasons}" if reasons else _HINT,
        )
    return subjects, skipped


def _recording(
    root: Path, subject: str, speech: Speech, word_lists: bool
) -> tuple[StudyRecording, dict[str, Any], dict[str, int]]:
    ds, log_path = _dataset(root, subject), _log(root, subject)
    raw = open_raw(ds)
    sfreq = float(raw.info["sfreq"])
    if sfreq != SFREQ:
        raise StudyError(f"{ds} was recorded at {sfreq:g} Hz, the study at {SFREQ:g} Hz", hint=_HINT)
    picks = _picks(ds, raw)
    log = read_log(log_path)
    clock = _clock(subject, ds, raw, log)
    events, left_out = _events(log, clock, speech, word_lists)
    name, seconds = f"sub-{subject}", raw.n_times / sfreq
    if not events:
        raise StudyError(f"the log {log_path} plays no sentence", hint=_HINT)
    check_order(name, events)
    last = max(events, key=lambda event: event.stop if event.kind != "sound" else 0.0)
    if last.stop > seconds:
        raise StudyError(
            f"{name}: the {last.kind} {last.text!r} ends at {last.stop:.3f} s, "
            f"the recording at {seconds:.3f} s",
            hint="is the recording complete?",
        )
    used = {event.stimulus for event in events}
    grids = sorted(item.textgrid for item in speech.items.values() if item.stimulus in used)
    files = sorted(path for path in ds.iterdir() if path.suffix == ".res4" or path.suffix.endswith("meg4"))
    recording = StudyRecording(
        name,
        name,
        "",
        ds,
        sfreq,
        tuple(raw.ch_names[i].rsplit("-", 1)[0] for i in picks),
        "femtotesla",
        events,
        positions=positions_from_info(raw.info, picks),
        files=(*files, log_path, root / "stimuli" / "stimuli.txt", *grids),
        reader=_read,
    )
    alignment = {
        "anchors": len(clock.log_s),
        "unmatched_log": clock.unmatched[0],
        "unmatched_recording": clock.unmatched[1],
        "worst_s": round(clock.worst_s, 6),
    }
    return recording, alignment, left_out


def _read(recording: StudyRecording) -> np.ndarray:
    raw = open_raw(recording.path)
    return read_picks(recording.path, raw, _picks(recording.path, raw))


def _picks(ds: Path, raw: Any) -> list[int]:
    """Places of the sensors that measure the brain, as the header types them: 28 reference sensors stand
    before them, which is why others take [28:301] of all sensors called MEG.
    """
    picks = [i for i, kind in enumerate(raw.get_channel_types()) if kind == "mag"]
    if len(picks) != N_CHANNELS:
        raise StudyError(
            f"the header of {ds} has {len(picks)} MEG channels, the study {N_CHANNELS}", hint=_HINT
        )
    return picks


def _clock(subject: str, ds: Path, raw: Any, log: tuple[LogRow, ...]) -> ClockMap:
    if TRIGGER_CHANNEL not in raw.ch_names:
        raise StudyError(f"{ds} has no trigger channel {TRIGGER_CHANNEL}", hint=_HINT)
    place = raw.ch_names.index(TRIGGER_CHANNEL)
    counts = read_counts(ds, [Path(name) for name in raw.filenames], place, len(raw.ch_names), raw.n_times)
    samples, codes = onsets(counts, (CONTEXT, FIXATION))
    anchors = {"sentence": CONTEXT, "word_list": CONTEXT, "fix": FIXATION}
    logged = [(anchors[kind], row.time_s) for row in log if (kind := condition_of(row.code)) in anchors]
    return align(
        f"sub-{subject}",
        [code for code, _ in logged],
        [time for _, time in logged],
        codes,
        [sample / SFREQ for sample in samples],
    )


def _events(
    log: tuple[LogRow, ...], clock: ClockMap, speech: Speech, word_lists: bool
) -> tuple[tuple[Event, ...], dict[str, int]]:
    """What was heard, by time, and how many sounds were left out for what reason."""
    events: list[Event] = []
    left_out = {"word lists": 0, "before the first block": 0, "after the last trigger": 0, "never started": 0}
    condition, number = "", None
    for row in log:
        kind = condition_of(row.code)
        if kind in ("sentence", "word_list"):
            condition = kind
        if match := _START.search(row.code):
            left_out["never started"] += number is not None
            number = int(match[1])
        elif number is not None and row.code.strip().lower() == "audio onset":
            onset = clock(row.time_s)
            if not condition:
                left_out["before the first block"] += 1
            elif onset is None:
                left_out["after the last trigger"] += 1
            elif condition == "word_list" and not word_lists:
                left_out["word lists"] += 1
            else:
                events.extend(heard(speech.item(number), onset, condition))
            number = None
    left_out["never started"] += number is not None
    return tuple(sorted(events, key=lambda event: event.start)), left_out


def _dataset(root: Path, subject: str) -> Path:
    folder = root / f"sub-{subject}" / "meg"
    found = sorted(path for path in folder.glob("*.ds") if "rest" not in path.name.lower())
    if not found:
        raise StudyError(
            f"the study is incomplete: {folder} holds no recording of the task (*.ds)", hint=_HINT
        )
    return found[-1]


def _log(root: Path, subject: str) -> Path:
    folder = root / "sourcedata" / "meg_task"
    found = sorted(path for path in folder.glob(f"*{subject}*") if path.is_file())
    if not found:
        raise StudyError(f"the study is incomplete: {folder} holds no log of {subject}", hint=_HINT)
    return found[0]


def _textgrids(root: Path) -> Path:
    for folder in ("derivatives/phonemes", "derivatives/derivatives/phonemes"):
        if (root / folder).is_dir():
            return root / folder
    raise StudyError(
        f"the study is incomplete: {root / 'derivatives' / 'phonemes'} is missing",
        hint=f"the TextGrids are not in the release, they come from {TEXTGRIDS}",
    )
