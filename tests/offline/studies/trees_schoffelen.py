"""Writes a miniature of Schoffelen 2019 in its true layout, around a real CTF recording.

The recording is made longer by repeating its first trial, with triggers written into its trigger channel; all
else (logs, TextGrids, sounds, texts) is written here. The log's clock starts at 100 s and runs 50 ppm fast.
"""

import os
import shutil
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

SFREQ, CHANNELS, PER_TRIAL, TRIGGER = 1200, 356, 1201, 1  # of the real recording; place of UPPT001
TRIALS = 12
LOG_START_S, LOG_RATE = 100.0, 1.00005

SENTENCES = {
    1: "de oude man zag een grote vis in het diepe blauwe water liggen",
    2: "het meisje gaf haar kleine broer een rode appel",
    3: "appel broer een gaf haar het kleine meisje rode",  # a word list
    4: "niemand wist waar de trein naar toe ging",
}
# seconds of the recording: triggers (10 a block, 20 a fixation), and what is played
BLOCKS = ((0.5, "ZINNEN"), (5.0, "WOORDEN"), (7.5, "ZINNEN"))
FIXATIONS = (1.0, 3.0, 5.5, 8.0, 10.5)
PLAYED = ((1.2, 1), (3.3, 2), (5.8, 3), (8.25, 4), (10.9, 2))  # the last one after the last trigger
SOUND_S, WORD_S = 1.6, 0.1
STEM = "EQ_Ramp_Int2_Int1LPF{:03d}"

Tiers = Mapping[str, Sequence[tuple[float, float, str]]]


def long_textgrid(tiers: Tiers) -> str:
    end = max(stop for tier in tiers.values() for _, stop, _ in tier)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end} "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += [
            "        xmin = 0 ",
            f"        xmax = {end} ",
            f"        intervals: size = {len(intervals)} ",
        ]
        for place, (start, stop, text) in enumerate(intervals, 1):
            said = text.replace('"', '""')
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start} ",
                f"            xmax = {stop} ",
            ]
            lines += [f'            text = "{said}" ']
    return "\n".join(lines) + "\n"


def short_textgrid(tiers: Tiers) -> str:
    end = max(stop for tier in tiers.values() for _, stop, _ in tier)
    values = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "0",
        str(end),
        "<exists>",
        str(len(tiers)),
    ]
    for name, intervals in tiers.items():
        values += ['"IntervalTier"', f'"{name}"', "0", str(end), str(len(intervals))]
        for start, stop, text in intervals:
            said = text.replace('"', '""')
            values += [str(start), str(stop), f'"{said}"']
    return "\n".join(values) + "\n"


def speech_tiers(text: str) -> Tiers:
    """A word each 0.1 s after 0.05 s, two phonemes a word, pauses as MAUS writes them."""
    words, phones = [(0.0, 0.05, "")], [(0.0, 0.05, "<p:>")]
    for place, word in enumerate(text.split()):
        start = round(0.05 + place * WORD_S, 3)
        words.append((start, round(start + WORD_S, 3), word))
        phones.append((start, round(start + 0.04, 3), word[0]))
        phones.append((round(start + 0.04, 3), round(start + WORD_S, 3), word[-1]))
    stop = words[-1][1]
    return {"ORT-MAU": [*words, (stop, SOUND_S, "")], "MAU": [*phones, (stop, SOUND_S, "<p:>")]}


def write_wav(path: Path, seconds: float, rate: int = 8000) -> None:
    samples = (3000 * np.sin(np.arange(round(seconds * rate)) * 0.3)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def log_time(recording_s: float) -> int:
    """A time of the log, in its units of 0.1 ms."""
    return round((LOG_START_S + recording_s * LOG_RATE) * 1e4)


def log_rows() -> list[tuple[float, str, str]]:
    """(seconds of the recording, event type, code) of everything that happens, by time."""
    rows = [(t, "Picture", code) for t, code in BLOCKS]
    rows += [(t, "Picture", "FIX") for t in FIXATIONS]
    for t, number in PLAYED:
        rows += [(t - 0.05, "Nothing", f"Start File {number}.wav"), (t, "Nothing", "Audio onset")]
        rows += [(t + 1.7, "Picture", "ISI")]
    rows += [(9.9, "Picture", "QUESTION"), (10.1, "Response", "1")]
    return sorted(rows)


def log_text(rows: Sequence[tuple[float, str, str]] | None = None, *, copies: int = 1) -> str:
    """A Presentation log of `rows`. copies: how many times the scenario is in it."""
    rows = log_rows() if rows is None else rows
    event_columns = (
        "Subject Trial|Event Type|Code|Time|TTime|Uncertainty|Duration|Uncertainty|ReqTime|ReqDur|"
    )
    event_columns = event_columns.replace("Subject Trial", "Subject|Trial") + "Stim Type|Pair Index"
    shown_columns = (
        "Event Type|Code|Type|Response|RT|RT Uncertainty|Time|Uncertainty|Duration|Uncertainty|ReqTime"
    )
    shown_columns += "|ReqDur"
    text = ""
    for _ in range(copies):
        text += "Scenario -\tMOUS auditory\r\nLogfile written - 03/02/2012 11:22:33\r\n\r\n"
        text += event_columns.replace("|", "\t") + "\r\n\r\n"
        for trial, (t, kind, code) in enumerate(rows, 1):
            shown = "1250\t2\t0\tnext\tother\t0" if kind != "Response" else ""
            text += f"A2002\t{trial}\t{kind}\t{code}\t{log_time(t)}\t0\t1\t{shown}\r\n"
        text += "\r\n" + shown_columns.replace("|", "\t") + "\r\n\r\n"
        for t, kind, code in rows:
            if kind != "Response":
                text += f"{kind}\t{code}\tother\t0\t0\t0\t{log_time(t)}\t1\t1250\t2\t0\tnext\r\n"
        text += "\r\n"
    return text


def write_ds(real: Path, folder: Path) -> Path:
    """The real recording, TRIALS trials of its first, with the triggers of BLOCKS and FIXATIONS."""
    ds = folder / real.name
    shutil.copytree(real, ds, copy_function=shutil.copyfile)
    meg4 = next(ds.glob("*.meg4"))
    content = meg4.read_bytes()
    trial = np.frombuffer(content, ">i4", CHANNELS * PER_TRIAL, 8).reshape(CHANNELS, PER_TRIAL)
    data = np.repeat(trial[None], TRIALS, axis=0)
    triggers = np.zeros(TRIALS * PER_TRIAL, ">i4")
    for codes, times in ((10, [t for t, _ in BLOCKS]), (20, FIXATIONS)):
        for t in times:
            triggers[round(t * SFREQ) : round(t * SFREQ) + 24] = codes
    data[:, TRIGGER] = triggers.reshape(TRIALS, PER_TRIAL)
    meg4.write_bytes(content[:8] + data.tobytes())
    return ds


def write_tree(root: Path, real: Path, subjects: Sequence[str] = ("A2002",)) -> Path:
    """The study with these subjects, all with the same recording (one on disk, linked)."""
    sounds, grids = root / "stimuli" / "audio_files", root / "derivatives" / "phonemes"
    logs = root / "sourcedata" / "meg_task"
    for folder in (sounds, grids, logs):
        folder.mkdir(parents=True)
    # as in the release: capitals, a full stop
    lines = [f"{number} {text.capitalize()}." for number, text in SENTENCES.items()]
    (root / "stimuli" / "stimuli.txt").write_text("\n".join(lines) + "\n", "utf-8")
    for number, text in SENTENCES.items():
        write_wav(sounds / f"{STEM.format(number)}.wav", SOUND_S)
        said = text.rsplit(" ", 1)[0] if number == 4 else text  # the last word is missing from some
        (grids / f"{STEM.format(number)}.TextGrid").write_text(long_textgrid(speech_tiers(said)), "utf-8")
    first: Path | None = None
    for subject in subjects:
        folder = root / f"sub-{subject}" / "meg"
        folder.mkdir(parents=True)
        if first is None:
            first = write_ds(real, folder)
        else:
            shutil.copytree(first, folder / first.name, copy_function=os.link)
        (folder / "zz_rest.ds").mkdir()
        (logs / f"20120302-{subject}-MEG-MOUS-Aud.log").write_text(log_text(), "cp1252")
    return root
