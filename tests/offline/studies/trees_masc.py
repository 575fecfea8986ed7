"""Writes miniature trees of MEG-MASC: real KIT files of any length, tables in both of its schemas, head
files.
"""

import csv
import shutil
import struct
import wave
from pathlib import Path

import mne
import numpy as np

COLUMNS = (
    "onset", "duration", "trial_type", "value", "sample", "story", "story_uid", "sound_id", "kind", "start",
    "sound", "phoneme", "word", "sequence_id", "condition", "word_index", "speech_rate", "voice",
    "pronounced",
)  # fmt: skip
_SYSTEM, _ACQUISITION, _RAW, _COREGISTRATION = 1, 8, 9, 12  # entries of a KIT file's directory


def story(first: float = 1.0, sound: str = "Lw1_0") -> list[dict]:
    """Two sentences, a list of two words and one word that was not pronounced, from `first` on, as rows whose
    values are those of the dictionaries.
    """
    path = f"stimuli/audio/{sound}.wav"
    head = {"story": "lw1", "story_uid": 0.0, "sound_id": 0.0}
    rows = [
        {"onset": first, "duration": 0.0, **head, "kind": "sound", "start": 0.0,
         "sound": path.replace(".wav", ".0.wav")}
    ]  # fmt: skip
    words = [("Tara", 0, 0), ("stood", 0, 1), ("What", 1, 0), ("tiny", 2, 4), ("ro", 2, 5), ("mute", 2, 6)]
    for number, (word, sequence, index) in enumerate(words):
        start = 0.31 + 0.5 * number
        condition = {"tiny": "word_list", "ro": "pseudo_words"}.get(word, "sentence")
        rest = {
            "sequence_id": float(sequence), "condition": condition, "word_index": float(index),
            "speech_rate": 205.0, "voice": "Allison", "pronounced": float(word != "mute"),
        }  # fmt: skip
        for kind, text in (("phoneme", f"{word[0].lower()}_B"), ("word", word)):
            rows.append(
                {"onset": round(first + start, 3), "duration": 0.4, **head, "kind": kind,
                 "start": start - 1e-6, "sound": path, kind: text, **rest}
            )  # fmt: skip
    return rows


def write_flat(path: Path, rows: list[dict]) -> None:
    """A column for every property."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="n/a", delimiter="\t")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {**row, "trial_type": row["kind"], "value": 1, "sample": round(row["onset"] * 1000)}
            )


def write_dicts(path: Path, rows: list[dict]) -> None:
    """The authors' own: a dictionary in trial_type, a byte-order mark before the header."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        file.write("onset\tduration\ttrial_type\tvalue\tsample\n")
        for row in rows:
            said = {key: value for key, value in row.items() if key not in ("onset", "duration")}
            file.write(f"{row['onset']}\t{row['duration']}\t{said}\t1\t{round(row['onset'] * 1000)}\n")


def write_kit(path: Path, real: Path, seconds: float, marks: dict[int, int] | None = None) -> None:
    """The recording `real`, made as long as asked by what its header says and empty samples (a sparse file).
    marks: a value for all channels in some samples.
    """
    content = bytearray(real.read_bytes())
    entry = {i: struct.unpack_from("<iiii", content, 16 * i) for i in (_SYSTEM, _ACQUISITION)}
    n_channels = struct.unpack_from("<i", content, entry[_SYSTEM][0] + 268)[0]
    sfreq = struct.unpack_from("<d", content, entry[_ACQUISITION][0] + 4)[0]
    n_samples = round(seconds * sfreq)
    struct.pack_into("<i", content, entry[_ACQUISITION][0] + 16, n_samples)
    first = len(content)
    struct.pack_into("<i", content, 16 * _RAW, first)
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(first + 2 * n_channels * n_samples)
        for sample, value in (marks or {}).items():
            file.seek(first + 2 * n_channels * sample)
            file.write(np.full(n_channels, value, "<i2").tobytes())


def write_channels(path: Path, real: Path) -> int:
    """The table of the channels of `real`; returns how many sensors it has."""
    raw = mne.io.read_raw_kit(real, verbose="ERROR")
    names = {"mag": "MEGGRADAXIAL", "ref_meg": "MEGREFMAG"}
    with path.open("w", encoding="utf-8-sig") as file:
        file.write("name\ttype\tunits\tstatus\n")
        for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
            file.write(f"{name}\t{names.get(kind, 'MISC')}\tT\tgood\n")
    return raw.get_channel_types().count("mag")


def write_wave(path: Path, seconds: float, rate: int = 1000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(seconds * rate)))


def write_markers(path: Path, points_m: np.ndarray) -> None:
    """A .mrk file: the marker coils as the MEG saw them, (5, 3)."""
    directory = bytearray(16 * 13)
    struct.pack_into("<iiii", directory, 0, 0, 16, 13, 13)
    struct.pack_into("<iiii", directory, 16 * _COREGISTRATION, len(directory), 0, 1, 1)
    content = bytes(directory) + bytes(4 + 2 * 8 * 16) + struct.pack("<i", len(points_m))
    for point in points_m:
        content += struct.pack("<iiii", 0, 0, 1, 1) + struct.pack("<6d", 0, 0, 0, *point)
    path.write_bytes(content)


def write_points(path: Path, points_mm: np.ndarray) -> None:
    lines = ["% Ascii stylus data file created by FastSCAN", "% x y z"]
    path.write_text("\n".join([*lines, *("  ".join(f"{v:.4f}" for v in p) for p in points_mm)]) + "\n")


def add(root: Path, real: Path, subject="sub-01", session="ses-0", task=0, seconds=6.0, rows=None, flat=True):
    """One recording with all its files; returns their common beginning."""
    name = f"{subject}_{session}_task-{task}"
    folder = root / subject / session / "meg"
    folder.mkdir(parents=True, exist_ok=True)
    rows = story() if rows is None else rows
    (write_flat if flat else write_dicts)(folder / f"{name}_events.tsv", rows)
    write_channels(folder / f"{name}_channels.tsv", real)
    write_kit(folder / f"{name}_meg.con", real, seconds, {1310: 1000})
    if not (root / "stimuli").exists():
        write_wave(root / "stimuli" / "audio" / "lw1_0.wav", 4.0)
    return folder / name


def add_real(root: Path, annotations: Path, real: Path, subject: str, task: int, seconds: float) -> Path:
    """One recording with its real tables, and empty samples of `real`'s sensors."""
    name = f"{subject}_ses-0_task-{task}"
    folder = root / subject / "ses-0" / "meg"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(annotations / subject / "ses-0" / "meg" / f"{name}_events.tsv", folder)
    write_channels(folder / f"{name}_channels.tsv", real)
    write_kit(folder / f"{name}_meg.con", real, seconds)
    return folder / name
