"""Loads Broderick et al. 2019 (natural speech): English, an audiobook, heard in a 128-channel EEG.

    EEG/SubjectS/SubjectS_Runr.mat      eegData (T, 128), mastoids (T, 2), fs; 20 runs
    private/audio{r}.wav                what was heard in run r, from its first sample on
    private/align{r}.json               where its words are, by Gentle; or align{r}.TextGrid
    private/oldman_run{r}.txt           its text; not needed with a TextGrid (sentences then end at pauses)

The deposit holds the EEG alone; `private` comes from the authors of the published decoder. The files name no
channels: they are in the amplifier's order (A1 … D32). They state no unit either: values are of the size of
microvolts and are kept as such (others multiply them by 1e6, which a robust scaler undoes). Mastoids are left
out, nothing is re-referenced. A word that the recording ends before is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offline.fetch.sources import Part, Source
from offline.sounds import sound_seconds
from offline.studies.gentle import HeardWord, in_pauses, in_sentences, read_aligned_textgrid, read_gentle
from offline.studies.layout import positions_from_montage
from offline.study import Event, Study, StudyRecording, check_order
from rtdecode.errors import StudyError

SFREQ = 128.0
N_SUBJECTS, N_RUNS = 19, 20
LABELS = tuple(f"{bank}{number}" for bank in "ABCD" for number in range(1, 33))
MIN_MATCHED = 450  # words of a run that must be found in its text: fewer, and it is another text
_LOST_SHARE = 0.05  # of the words may lie after the end of the EEG

_PRIVATE = "https://ai.honu.io/papers/brainmagick/private.zip"
SOURCE = Source(
    name="broderick2019",
    licence="CC0-1.0 (EEG); the audiobook and its text are under copyright and are not in the deposit",
    doi="10.5061/dryad.070jc",
    homepage="https://datadryad.org/dataset/doi:10.5061/dryad.070jc",
    parts=(
        Part(
            "zip",
            "https://datadryad.org/api/v2/datasets/doi%3A10.5061%2Fdryad.070jc/download",
            "",
            note="archives in an archive; only 'Natural Speech' is used",
        ),
        Part(
            "zip",
            _PRIVATE,
            "private",
            note="audio, text and alignment, by the authors of the published decoder",
        ),
    ),
)
_HINT = f"the layout is that of {SOURCE.homepage}, 'Natural Speech'"
_SOUND_HINT = (
    f"audio, text and alignment are not in the deposit: they come from {_PRIVATE}; where that is gone, "
    "OpenNeuro ds004408 (CC0) has the same runs' sounds and TextGrids, to be called audio1.wav, "
    "align1.TextGrid, …, or align the audiobook yourself with Gentle"
)


def load(root: str | Path) -> Study:
    """The study under `root`, as many of its 19 subjects as are there, each with all 20 runs. Raises
    StudyError naming the first thing that is missing or does not fit.
    """
    root = Path(root)
    eeg = _folder(root, "EEG", "Natural Speech/EEG", "Natural Speech/Natural Speech/EEG", hint=_HINT)
    private = _folder(root, "private", "private/private", hint=_SOUND_HINT)
    subjects = sorted(
        int(match[1]) for path in eeg.iterdir() if (match := re.fullmatch(r"Subject(\d+)", path.name))
    )
    if not subjects:
        raise StudyError(f"the study is incomplete: {eeg} holds no Subject1 …", hint=_HINT)
    speech = {run: _speech(private, run) for run in range(1, N_RUNS + 1)}
    positions = positions_from_montage(LABELS, "biosemi128")
    recordings, cut = [], {}
    for subject in subjects:
        for run in range(1, N_RUNS + 1):
            path = eeg / f"Subject{subject}" / f"Subject{subject}_Run{run}.mat"
            recording, lost = _recording(path, subject, run, speech[run], positions)
            recordings.append(recording)
            if lost:
                cut[recording.name] = lost
    facts: dict[str, Any] = {
        "subjects_present": f"{len(subjects)} of {N_SUBJECTS}",
        "unit": "µV, as is: the files state none",
        "words_after_the_end": cut,
        "words_matched": {str(run): item.matched for run, item in speech.items()},
        "words_not_in_dictionary": sum(not word.known for item in speech.values() for word in item.words),
        "sentences": {str(run): item.sentences for run, item in speech.items()},
    }
    sounds = {item.stimulus: item.sound for item in speech.values()}
    return Study(SOURCE.name, root, SOURCE.licence, tuple(recordings), sounds, None, facts)


@dataclass(frozen=True)
class _Speech:
    """One run's sound. matched: words found in the text, None without one; sentences: 'text' or 'pauses'."""

    stimulus: str
    sound: Path
    seconds: float
    words: tuple[HeardWord, ...]
    files: tuple[Path, ...]
    matched: int | None
    sentences: str
    made: dict[int, tuple[Event, ...]] = field(default_factory=dict, compare=False, repr=False)

    def events(self, count: int) -> tuple[Event, ...]:
        """Those of its first `count` words, by time; the same for all whose recording lasts that long."""
        if count not in self.made:
            self.made[count] = tuple(sorted(_events(self, self.words[:count]), key=lambda event: event.start))
        return self.made[count]


def _speech(folder: Path, run: int) -> _Speech:
    sound = _present(folder / f"audio{run}.wav", _SOUND_HINT)
    seconds = sound_seconds(sound)
    gentle, grid = folder / f"align{run}.json", folder / f"align{run}.TextGrid"
    text = folder / f"oldman_run{run}.txt"
    by_hand = grid.is_file() and not gentle.is_file()
    alignment = grid if by_hand else _present(gentle, _SOUND_HINT)
    words = read_aligned_textgrid(grid) if by_hand else read_gentle(gentle)
    if words[-1].stop > seconds + 0.1:
        raise StudyError(
            f"{sound} lasts {seconds:.3f} s, {alignment.name} has the word {words[-1].text!r} until "
            f"{words[-1].stop:.3f} s",
            hint="the sound is shorter than what is said in it: is the file complete?",
        )
    if by_hand and not text.is_file():
        return _Speech(sound.stem, sound, seconds, in_pauses(words), (sound, alignment), None, "pauses")
    try:
        content = _present(text, _SOUND_HINT).read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise StudyError(f"cannot read {text}: {error.strerror}") from error
    words, matched = in_sentences(words, content)
    if matched < MIN_MATCHED:
        raise StudyError(
            f"{matched} of the {len(words)} words of {alignment} are in {text.name}, "
            f"at least {MIN_MATCHED} are needed",
            hint="do the alignment and the text belong to the same run?",
        )
    return _Speech(sound.stem, sound, seconds, words, (sound, alignment, text), matched, "text")


def _recording(
    path: Path, subject: int, run: int, speech: _Speech, positions: tuple[tuple[float, float], ...]
) -> tuple[StudyRecording, int]:
    """The recording, and how many words lie after its end."""
    samples, _ = _shape(path)
    length = samples / SFREQ
    whole = next((i for i, word in enumerate(speech.words) if word.stop > length), len(speech.words))
    lost = len(speech.words) - whole
    name = f"sub-{subject:02d}_run-{run:02d}"
    if lost > _LOST_SHARE * len(speech.words):
        raise StudyError(
            f"{name}: {lost} of {len(speech.words)} words lie after the end of the EEG ({length:.3f} s), "
            f"the last ends at {speech.words[-1].stop:.3f} s",
            hint=f"do {path.name} and {speech.sound.name} belong to the same run?",
        )
    events = speech.events(whole)
    check_order(name, events)
    recording = StudyRecording(
        f"sub-{subject:02d}",
        name,
        "",
        path,
        SFREQ,
        LABELS,
        "microvolts",
        events,
        positions=positions,
        files=(path, *speech.files),
        reader=_read,
    )
    return recording, lost


def _events(speech: _Speech, words: tuple[HeardWord, ...]) -> Iterator[Event]:
    """The sound begins with the recording: their clocks are one."""

    def event(kind: str, start: float, duration: float, text: str, uid: str = "", index: int = -1) -> Event:
        return Event(start, duration, kind, text, speech.stimulus, start, uid, index, "sentence", "en")

    yield event("sound", 0.0, speech.seconds, speech.stimulus)
    firsts = [i for i, word in enumerate(words) if i == 0 or word.index == 0]
    for first, after in zip(firsts, [*firsts[1:], len(words)], strict=True):
        start, sentence = words[first].start, words[first].sentence
        yield event("sentence", start, words[after - 1].stop - start, sentence, sentence)
    for word in words:
        yield event("word", word.start, word.stop - word.start, word.text, word.sentence, word.index)
        for phone in word.phones:
            yield event("phoneme", phone.start, phone.duration, phone.text, word.sentence, word.index)


def _shape(path: Path) -> tuple[int, bool]:
    """Samples of the EEG, and whether it is stored (128, T)."""
    from scipy.io import loadmat, whosmat

    _present(path, _HINT)
    try:
        shapes = {name: shape for name, shape, _ in whosmat(str(path))}
        rate = float(np.squeeze(loadmat(str(path), variable_names=("fs",)).get("fs", np.nan)))
    except NotImplementedError as error:  # MATLAB 7.3 files are HDF5
        raise StudyError(f"{path} is a MATLAB 7.3 file, the study's are older", hint=_HINT) from error
    except Exception as error:  # the parser raises whatever it met
        raise StudyError(f"cannot read {path}: {error}", hint="is it complete?") from error
    shape = shapes.get("eegData", ())
    if len(shape) != 2 or len(LABELS) not in shape:
        raise StudyError(
            f"{path} has eegData of shape {shape or '(none at all)'}, expected (samples, {len(LABELS)})",
            hint=_HINT,
        )
    if rate != SFREQ:
        raise StudyError(f"{path} has fs = {rate:g} Hz, the study {SFREQ:g} Hz", hint=_HINT)
    across = shape[1] != len(LABELS)
    return shape[1 if across else 0], across


def _read(recording: StudyRecording) -> np.ndarray:
    """(T, 128) µV."""
    from scipy.io import loadmat

    _, across = _shape(recording.path)
    try:
        data = np.asarray(loadmat(str(recording.path), variable_names=("eegData",))["eegData"], np.float32)
    except Exception as error:
        raise StudyError(f"cannot read {recording.path}: {error}", hint="is it complete?") from error
    if not np.isfinite(data).all():
        raise StudyError(
            f"{recording.path} holds values that are not finite", hint="repair the recording first"
        )
    return np.ascontiguousarray(data.T if across else data)


def _folder(root: Path, *names: str, hint: str) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise StudyError(f"the study is incomplete: {root / names[0]} is missing", hint=hint)


def _present(path: Path, hint: str) -> Path:
    if not path.is_file():
        raise StudyError(f"the study is incomplete: {path} is missing", hint=hint)
    return path
