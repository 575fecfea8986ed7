"""Writes miniature trees of the Alice study, version 1 (FieldTrip) and version 2 (BrainVision)."""

import csv
import shutil
import wave
from pathlib import Path

import numpy as np
import pybv
from scipy.io import savemat

SFREQ = 500
SCALP = [str(number) for number in range(1, 62) if number != 29]
SEGMENT_S, GAP_S, LEAD_S = 6.0, 1.0, 0.5  # of the miniature story
PRESTIMULUS = 150  # samples a trial begins before its word
COLUMNS = ("Word", "Segment", "onset", "offset", "Order", "LogFreq", "Length", "Position", "Sentence")


def story() -> list[dict]:
    """Twelve segments of two sentences, five and four words; numbers 5, 15, … of Order are left out."""
    rows, order = [], 0
    for segment in range(1, 13):
        for place in range(9):
            order += 2 if order % 10 == 4 else 1
            onset = 0.05 + 0.6 * place
            sentence, position = 2 * segment - (place < 5), place + 1 if place < 5 else place - 4
            rows.append(
                dict(zip(COLUMNS, (f"w{order}", segment, onset, onset + 0.646, order, 9.0, 0.646, position,
                                   sentence), strict=True))
            )  # fmt: skip
    return rows


def read_story(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as file:
        return [
            {**row, **{c: float(row[c]) for c in ("onset", "offset")}, "Segment": int(row["Segment"]),
             "Order": int(row["Order"])}
            for row in csv.DictReader(file)
        ]  # fmt: skip


def segment_starts(rows: list[dict]) -> dict[int, float]:
    """Seconds of the recording at which each segment's sound begins."""
    starts, now = {}, LEAD_S
    for segment in range(1, 13):
        starts[segment] = now
        now += max(row["offset"] for row in rows if row["Segment"] == segment) + GAP_S
    return starts


def trl(rows: list[dict]) -> np.ndarray:
    """(N, 6): begin, end, offset, segment, tmin, Order, samples as MATLAB counts them."""
    starts = segment_starts(rows)
    onsets = np.array([round((starts[r["Segment"]] + r["onset"]) * SFREQ) + 1 for r in rows])
    begin = onsets - PRESTIMULUS
    rest = np.array([[r["Segment"], r["onset"], r["Order"]] for r in rows])
    return np.column_stack([begin, begin + 650, np.full(len(rows), -PRESTIMULUS), rest])


def write_proc(path: Path, table: np.ndarray, varnames=("segment", "tmin", "Order")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = np.empty((1, len(varnames)), object)
    names[0] = varnames
    savemat(path, {"proc": {"subject": path.stem, "varnames": names, "trl": table}})


def signal(rows: list[dict], labels: list[str]) -> np.ndarray:
    """(C, T) µV: channel i is i µV and, in the sample a word starts at, 100 more."""
    table = trl(rows)
    data = np.tile(np.arange(len(labels), dtype=float)[:, None], int(table[-1, 1] + SFREQ))
    data[:, (table[:, 0] - table[:, 2] - 1).astype(int)] += 100
    return data


def write_fieldtrip(path: Path, data: np.ndarray, labels: list[str], sfreq: float = SFREQ) -> None:
    cells = np.empty((len(labels), 1), object)
    cells[:, 0] = labels
    trial, time = np.empty((1, 1), object), np.empty((1, 1), object)
    trial[0, 0], time[0, 0] = data, np.arange(data.shape[1])[None] / sfreq
    header = {"Fs": sfreq, "nChans": len(labels), "nSamples": data.shape[1], "label": cells}
    savemat(path, {"raw": {"hdr": header, "label": cells, "time": time, "trial": trial, "fsample": sfreq}})


def write_brainvision(path: Path, data: np.ndarray, labels: list[str], sfreq: float = SFREQ) -> None:
    pybv.write_brainvision(
        data=data * 1e-6, sfreq=sfreq, ch_names=labels, fname_base=path.stem, folder_out=str(path.parent),
        unit="µV", resolution=0.1, overwrite=True,
    )  # fmt: skip


def write_sounds(root: Path, rows: list[dict], rate: int = 1000) -> None:
    (root / "audio").mkdir()
    for segment in range(1, 13):
        seconds = max(row["offset"] for row in rows if row["Segment"] == segment) + 0.5
        with wave.open(str(root / "audio" / f"DownTheRabbitHoleFinal_SoundFile{segment}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(np.full(round(seconds * rate), 300, "<i2").tobytes())


def write_tree(root: Path, version: int, subjects=(1, 3), table: Path | None = None) -> list[dict]:
    """table: a table of words to use, as it is; None: the miniature story. Returns its rows. Signals of a
    given table are not written: an hour of them would be large.
    """
    root.mkdir(parents=True, exist_ok=True)
    rows = story() if table is None else read_story(table)
    if table is None:
        with (root / "AliceChapterOne-EEG.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    else:
        shutil.copy(table, root / "AliceChapterOne-EEG.csv")
    write_sounds(root, rows)
    for number in subjects:
        name = f"S{number:02d}"
        write_proc(root / ("proc" if version == 1 else "timelock-preprocessing") / f"{name}.mat", trl(rows))
        labels = [*SCALP, "VEOG", "Aux5" if number % 2 else "AUD"]
        if table is not None:
            write_fieldtrip(root / f"{name}.mat", np.zeros((len(labels), 10)), labels)
        elif version == 1:
            write_fieldtrip(root / f"{name}.mat", signal(rows, labels), labels)
        else:
            write_brainvision(root / f"{name}.vhdr", signal(rows, labels), labels)
    return rows
