"""Writes miniature trees of one's own data: a BIDS data set, tables of events, sounds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pybv

from tests.offline.studies.trees_schoffelen import write_wav

SFREQ, SECONDS = 250, 12.0
LABELS = ("Fz", "Cz", "Pz", "Oz", "C3", "C4", "VEOG")
COLUMNS = ("onset", "duration", "trial_type", "value", "stimulus", "offset", "sequence", "index", "condition")

# A story of two sounds of 4 s; what the words do not say follows from the sounds and sentences.
STORY: tuple[dict[str, object], ...] = (
    {"onset": 1.0, "duration": "n/a", "trial_type": "sound", "stimulus": "one.wav"},
    {"onset": 1.2, "duration": 1.5, "trial_type": "sentence", "value": "a first sentence"},
    {"onset": 1.2, "duration": 0.4, "trial_type": "word", "value": "a"},
    {"onset": 1.2, "duration": 0.2, "trial_type": "phoneme", "value": "ə"},
    {"onset": 1.7, "duration": 0.4, "trial_type": "word", "value": "first"},
    {"onset": 2.2, "duration": 0.5, "trial_type": "word", "value": "sentence"},
    {"onset": 3.0, "duration": 0.1, "trial_type": "button", "value": "left"},
    {"onset": 6.0, "duration": 3.0, "trial_type": "sound", "stimulus": "stimuli/two.wav", "offset": 0.5},
    {"onset": 6.5, "duration": 0.4, "trial_type": "word", "value": "then"},
    {"onset": 7.0, "duration": 0.4, "trial_type": "word", "value": "another"},
    {"onset": 8.0, "duration": 0.4, "trial_type": "word", "value": "third"},
)


def write_tsv(
    path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, bom: bool = False
) -> None:
    lines = ["\t".join(columns)]
    lines += ["\t".join(str(row.get(column, "n/a")) for column in columns) for row in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8-sig" if bom else "utf-8")


def write_events(path: Path, rows: Iterable[Mapping[str, object]] = STORY) -> None:
    write_tsv(path, COLUMNS, rows)


def write_sounds(root: Path) -> None:
    folder = root / "stimuli"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("one", "two"):
        write_wav(folder / f"{name}.wav", 4.0)


def write_brainvision(
    folder: Path, name: str, labels: Sequence[str] = LABELS, sfreq: int = SFREQ
) -> np.ndarray:
    """(T, C) µV of the recording: channel c holds 10 c + sin(t)."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(SECONDS * sfreq)) / sfreq
    data = 10.0 * np.arange(len(labels))[None, :] + np.sin(times)[:, None]
    pybv.write_brainvision(
        data=data.T * 1e-6,
        sfreq=sfreq,
        ch_names=list(labels),
        fname_base=name,
        folder_out=str(folder),
        unit="µV",
    )
    return data


def write_flat(root: Path, names: Sequence[str] = ("p01_story", "p02_story")) -> Path:
    write_sounds(root)
    for name in names:
        write_brainvision(root, name)
        write_events(root / f"{name}.events.tsv")
    return root


def write_bids(root: Path) -> Path:
    """Two subjects, one with two sessions and one with a rest run; electrodes for all by inheritance."""
    write_sounds(root)
    said = {"Name": "A story", "BIDSVersion": "1.9.0", "License": "CC0"}
    (root / "dataset_description.json").write_text(json.dumps(said), "utf-8")
    runs = {
        "sub-01/ses-a/eeg": "sub-01_ses-a_task-story",
        "sub-01/ses-b/eeg": "sub-01_ses-b_task-story",
        "sub-02/eeg": "sub-02_task-story",
    }
    types = [{"name": n, "type": "EOG" if n == "VEOG" else "EEG", "status": "good"} for n in LABELS]
    types[3]["status"] = "bad"
    for folder, name in runs.items():
        write_brainvision(root / folder, f"{name}_eeg")
        write_tsv(root / folder / f"{name}_channels.tsv", ("name", "type", "status"), types, bom=True)
        rows = [{("stim_file" if k == "stimulus" else k): v for k, v in row.items()} for row in STORY]
        columns = [("stim_file" if c == "stimulus" else c) for c in COLUMNS]
        write_tsv(root / folder / f"{name}_events.tsv", columns, rows)
    write_brainvision(root / "sub-02" / "eeg", "sub-02_task-rest_eeg")
    places = {"Fz": (0, 4), "Cz": (0, 0), "Pz": (0, -4), "Oz": (0, -8), "C3": (-5, 0), "C4": (5, 0)}
    rows = [{"name": name, "x": x, "y": y, "z": 1.0} for name, (x, y) in places.items()]
    rows.append({"name": "VEOG"})
    for place in ("sub-01/ses-a/eeg/sub-01_ses-a", "sub-01/ses-b/eeg/sub-01_ses-b", "sub-02/eeg/sub-02"):
        write_tsv(root / f"{place}_space-CapTrak_electrodes.tsv", ("name", "x", "y", "z"), rows)
    return root
