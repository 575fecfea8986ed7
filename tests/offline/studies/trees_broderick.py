"""Writes a miniature of Broderick 2019 in its true layout: 20 runs of 470 words each, at ten words a second.

Every run's EEG is the same file (linked); channel c at sample t holds c + t / 1000.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.offline.studies.trees_schoffelen import short_textgrid, write_wav

RUNS, WORDS, PER_SENTENCE, WORD_S, FIRST_S = 20, 470, 8, 0.1, 0.5
SECONDS, SFREQ = 49.0, 128
NOT_FOUND = 20  # the aligner found no place for this word
MISHEARD = 33  # and took this one for another
UNKNOWN = 40  # and did not have this one in its dictionary


def words_of(run: int) -> list[str]:
    return [f"run{run}word{k}" for k in range(WORDS)]


def text_of(run: int) -> str:
    """Sentences of eight words; the second ends in quotation marks, the third holds an abbreviation."""
    words, sentences = words_of(run), []
    for first in range(0, WORDS, PER_SENTENCE):
        part = words[first : first + PER_SENTENCE]
        sentences.append(" ".join([part[0].capitalize(), *part[1:]]) + ".")
    sentences[1] = f'"{sentences[1][:-1]}!"'
    sentences[2] = sentences[2].replace(" ", " Mr. ", 1)
    return "\n".join(sentences) + "\n"


def times(k: int) -> tuple[float, float]:
    start = round(FIRST_S + k * WORD_S, 3)
    return start, round(start + 0.09, 3)


def alignment(run: int) -> dict:
    """What Gentle writes."""
    entries = []
    for k, word in enumerate(words_of(run)):
        start, end = times(k)
        phones = [{"phone": "dh_B", "duration": 0.03}, {"phone": "iy_E", "duration": 0.06}]
        entry = {
            "word": word,
            "alignedWord": word,
            "case": "success",
            "start": start,
            "end": end,
            "phones": phones,
        }
        if k == NOT_FOUND:
            entry = {"word": word, "case": "not-found-in-audio"}
        elif k == MISHEARD:
            entry |= {"word": "mumble", "alignedWord": "mumble"}
        elif k == UNKNOWN:
            entry["alignedWord"] = "<unk>"
        entries.append(entry)
    return {"transcript": text_of(run), "words": entries}


def aligned_textgrid(run: int) -> str:
    """The same in a TextGrid, with a pause after every eighth word."""
    words, phones, shift = [], [], 0.0
    for k, word in enumerate(words_of(run)[:60]):
        shift += 0.45 if k and k % PER_SENTENCE == 0 else 0.0
        start, end = (round(t + shift, 3) for t in times(k))
        words.append((start, end, word))
        phones.append((start, end, "AH0"))
    return short_textgrid({"phone": [(0.0, 0.5, "sp"), *phones], "word": [(0.0, 0.5, "sp"), *words]})


def write_tree(root: Path, subjects: Sequence[int] = (1,), *, across: bool = False) -> Path:
    """across: eegData stored (128, T)."""
    private = root / "private"
    private.mkdir(parents=True)
    sound = private / "audio1.wav"
    write_wav(sound, 48.0)
    for run in range(1, RUNS + 1):
        if run > 1:
            os.link(sound, private / f"audio{run}.wav")
        (private / f"align{run}.json").write_text(json.dumps(alignment(run)), "utf-8")
        (private / f"oldman_run{run}.txt").write_text(text_of(run), "utf-8")
    samples = round(SECONDS * SFREQ)
    eeg = (np.arange(128)[None, :] + np.arange(samples)[:, None] / 1000).astype(np.float32)
    first: Path | None = None
    for subject in subjects:
        folder = root / "EEG" / f"Subject{subject}"
        folder.mkdir(parents=True)
        for run in range(1, RUNS + 1):
            path = folder / f"Subject{subject}_Run{run}.mat"
            if first is None:
                write_mat(path, eeg.T if across else eeg)
                first = path
            else:
                os.link(first, path)
    return root


def write_mat(path: Path, eeg: np.ndarray, fs: float = SFREQ) -> None:
    savemat(path, {"eegData": eeg, "mastoids": np.zeros((max(eeg.shape), 2), np.float32), "fs": float(fs)})
