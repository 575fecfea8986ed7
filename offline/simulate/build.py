"""Writes the simulated study: recordings, events, sounds and study.json, in one step or not at all.

Knows the layout on disk, which `offline.studies.simulated` reads back:

    study.json                              seed, gain, channels, positions, sentences of every split,
                                            versions
    recordings/sub-01_run-01.xdf            EEG (float32, µV) and a stream of markers (JSON, one a sentence
                                            and one a word)
    recordings/sub-01_run-01.events.tsv     sentences, words and phonemes in seconds of the recording
    stimuli/train-0001.wav                  16 kHz, 16 bit, one a sentence
"""

import json
import platform
import wave
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from offline.disk import whole_folder
from offline.simulate import text as texts
from offline.simulate.forward import RMS_UV_AT_GAIN_ONE, montage
from offline.simulate.session import Placement, Stimulus, SubjectModel, arrange, make_stimuli, make_subject
from rtdecode.errors import StudyError
from rtdecode.xdf_writer import XdfWriter

SCHEMA = 1
RUN_MINUTES = 10.0  # a training recording is at most this long
FIRST_STAMP = 1000.0  # LSL seconds of the first sample: not 0, as in life
SPLITS = ("train", "valid", "test")


def simulate(
    out_dir: str | Path,
    *,
    subjects: int = 4,
    minutes_train: float = 10.0,
    minutes_valid: float = 1.5,
    minutes_test: float = 3.0,
    gain: float = 1.0,
    seed: int = 0,
    text: str | Path | None = None,
    recombined: int = 150,
    voices: Sequence[str] = ("en-us",),
    rates: Sequence[int] = (170,),
    sfreq: float = 256.0,
    montage_name: str = "biosemi32",
    bad_channels: int = 1,
) -> Path:
    """Makes the study in `out_dir` and returns its path. The same arguments and library versions give the
    same files.

    minutes_*    of EEG for each subject; training sentences come round again when they are fewer, held-out
                 ones never do
    gain         amplitude of the response to speech, times that of real cocktail-party EEG (see `level`)
    text         plain-text book to speak; None: the shipped fables
    recombined   training sentences made from pairs of words of the others, on top of those of the text
    voices       espeak-ng voices;  rates: words a minute; both are drawn for every sentence

    Raises StudyError when `out_dir` is not empty or the text is too short, MissingExtra without espeak-ng or
    MNE.
    """
    out = Path(out_dir)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out} exists and is not empty", hint="give a new directory or remove it first")
    if subjects < 1 or gain < 0 or min(minutes_train, minutes_valid, minutes_test) <= 0:
        raise StudyError(
            f"{subjects} subjects, gain {gain}, {minutes_train}, {minutes_valid} and {minutes_test} minutes",
            hint="subjects and minutes are positive, the gain is not negative",
        )
    labels, positions = montage(montage_name)
    sentences = texts.split_sentences(texts.sentences(text))
    held_out = [*sentences["valid"], *sentences["test"]]
    sentences["train"] += texts.recombine(sentences["train"], recombined, seed, held_out)
    stimuli = {split: make_stimuli(split, sentences[split], voices, rates, seed, sfreq) for split in SPLITS}
    models = [
        make_subject(positions, seed, subject, gain, sfreq, bad_channels)
        for subject in range(1, subjects + 1)
    ]

    with whole_folder(out) as work:
        (work / "recordings").mkdir()
        (work / "stimuli").mkdir()
        recordings = []
        heard: dict[str, Stimulus] = {}
        for model in models:
            for run, (split, minutes) in enumerate(
                _runs(minutes_train, minutes_valid, minutes_test), start=1
            ):
                rng = np.random.default_rng([seed, 7, model.subject, run])
                placements, count = arrange(stimuli[split], 60 * minutes, rng, sfreq, repeat=split == "train")
                heard.update((p.stimulus.id, p.stimulus) for p in placements)
                recordings.append(
                    _write_run(work / "recordings", model, run, split, placements, count, labels)
                )
        for stimulus in heard.values():
            _write_wav(work / "stimuli" / f"{stimulus.id}.wav", stimulus)
        facts: dict[str, Any] = {
            "schema": SCHEMA,
            "name": "simulated",
            "licence": "CC0",
            "seed": seed,
            "gain": gain,
            "times_real": gain,
            "rms_uv_at_gain_one": RMS_UV_AT_GAIN_ONE,
            "subjects": subjects,
            "sfreq": sfreq,
            "unit": "microvolts",
            "montage": montage_name,
            "labels": list(labels),
            "positions": positions.tolist(),
            "bad_channels": bad_channels,
            "text": texts.TEXT_SOURCE if text is None else Path(text).name,
            "voices": list(voices),
            "rates": list(rates),
            "sentences": {s: sorted({x.text for x in heard.values() if x.id.startswith(s)}) for s in SPLITS},
            "stimuli": {
                x.id: {
                    "text": x.text,
                    "voice": x.voice,
                    "rate_wpm": x.rate_wpm,
                    "pitch": x.pitch,
                    "duration": x.speech.duration,
                }
                for x in heard.values()
            },
            "recordings": recordings,
            "software": _versions(),
        }
        (work / "study.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return out


def _runs(train: float, valid: float, test: float) -> list[tuple[str, float]]:
    """(split, minutes) of each run of a subject: training in equal runs of at most RUN_MINUTES, then the
    held-out ones.
    """
    pieces = max(1, int(np.ceil(train / RUN_MINUTES)))
    return [("train", train / pieces)] * pieces + [("valid", valid), ("test", test)]


def _write_run(
    folder: Path,
    model: SubjectModel,
    run: int,
    split: str,
    placements: list[Placement],
    count: int,
    labels: Sequence[str],
) -> dict[str, Any]:
    name = f"sub-{model.subject:02d}_run-{run:02d}"
    eeg = model.record(placements, count, run)
    rows = [row for placement in placements for row in _events(placement)]
    with XdfWriter(folder / f"{name}.xdf") as file:
        file.samples(
            eeg, FIRST_STAMP, model.sfreq, "SimulatedEEG", "EEG", labels, "microvolts", f"{name}-eeg"
        )
        file.markers(
            (
                (
                    FIRST_STAMP + start,
                    json.dumps(
                        {"kind": kind, "text": value, "stimulus": stimulus, "duration": round(duration, 6)}
                    ),
                )
                for start, duration, kind, value, stimulus, _ in rows
                if kind != "phoneme"
            ),
            "SimulatedMarkers",
            f"{name}-markers",
        )
    lines = ["onset\tduration\ttrial_type\tvalue\tstimulus\toffset"]
    lines += [
        f"{start:.6f}\t{duration:.6f}\t{kind}\t{value}\t{stimulus}\t{offset:.6f}"
        for start, duration, kind, value, stimulus, offset in rows
    ]
    (folder / f"{name}.events.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return {
        "name": name,
        "subject": model.subject,
        "split": split,
        "path": f"recordings/{name}.xdf",
        "events": f"recordings/{name}.events.tsv",
        "seconds": count / model.sfreq,
    }


def _events(placement: Placement) -> list[tuple[float, float, str, str, str, float]]:
    """(start, duration, kind, text, stimulus, offset) in order of time; a sentence before its words, a word
    before its sounds.
    """
    stimulus, at = placement.stimulus, placement.start
    rows = [(at, stimulus.speech.duration, "sentence", stimulus.text, stimulus.id, 0.0)]
    for kind, spans in (("word", stimulus.speech.words), ("phoneme", stimulus.speech.phonemes)):
        rows += [(at + start, duration, kind, value, stimulus.id, start) for value, start, duration in spans]
    return sorted(rows, key=lambda row: (row[0], ("sentence", "word", "phoneme").index(row[2])))


def _write_wav(path: Path, stimulus: Stimulus) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(stimulus.speech.sfreq))
        file.writeframes(np.rint(stimulus.speech.samples * 32767).astype("<i2").tobytes())


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("rtdecode", "numpy", "scipy", "mne", "espeakng-loader"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
