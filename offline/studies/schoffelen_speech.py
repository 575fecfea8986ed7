"""What is said in the sounds of Schoffelen et al. 2019: words, phonemes, and which sentence it is.

Each sound file has a TextGrid and, among the numbered texts of stimuli.txt, a text. The number is the
identity of a sentence, the same for everybody who heard it. Knows nothing of subjects and recordings.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from offline.sounds import sound_seconds
from offline.studies.textgrid import Interval, read_textgrid
from offline.study import Event
from rtdecode.errors import StudyError

TEXTGRIDS = "https://ai.honu.io/papers/brainmagick/derivatives.zip"
_STEM = "EQ_Ramp_Int2_Int1LPF"
_PAUSE = re.compile(r"<.*>|")  # MAUS writes <p:> for silence
_COMPARED = 45  # characters of a text that tell which it is
_SURE = 15  # characters of a beginning that may stand for the whole


def read_numbers(path: Path) -> dict[int, str]:
    """The texts of stimuli.txt ('12 De man …', one a line) by number, as `plain` writes them. Raises
    StudyError when there is none.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    lines = (re.match(r"\s*(\d+)[.:)]?\s+(\S.*)", line) for line in text.splitlines())
    numbers = {int(match[1]): plain(match[2]) for match in lines if match}
    if not numbers:
        raise StudyError(f"{path} holds no numbered sentence", hint="a line is: number, space, text")
    return numbers


def plain(text: str) -> str:
    """Lower-cased words with single spaces, without punctuation."""
    return " ".join(re.findall(r"[\w'’-]+", text.lower()))


def find_number(numbers: Mapping[int, str], text: str, likely: int) -> int | None:
    """Number of the text that begins as `text` does, `likely` when several do; None when there is no such.

    The first 45 characters count. A transcript may lack its last word: then it is the only text that begins
    with it.
    """
    start = plain(text)[:_COMPARED]
    found = [number for number, whole in numbers.items() if whole[:_COMPARED] == start]
    if not found and len(start) >= _SURE:
        found = [n for n, whole in numbers.items() if whole.startswith(start)]
        found = found if len(found) == 1 else []
    return likely if likely in found else min(found, default=None)


@dataclass(frozen=True)
class Item:
    """One sound file and what is said in it."""

    stimulus: str
    path: Path
    textgrid: Path
    seconds: float
    words: tuple[Interval, ...]
    phonemes: tuple[Interval, ...]
    sequence: str
    numbered: bool


@dataclass(frozen=True)
class Speech:
    """All sound files, each read when it is first played."""

    root: Path
    textgrids: Path
    numbers: Mapping[int, str]
    items: dict[int, Item] = field(default_factory=dict)

    def item(self, number: int) -> Item:
        if number not in self.items:
            stimulus = f"{_STEM}{number:03d}"
            path = present(self.root / "stimuli" / "audio_files" / f"{stimulus}.wav", "fetch stimuli/")
            grid = present(self.textgrids / f"{stimulus}.TextGrid", f"it comes from {TEXTGRIDS}")
            tiers = read_textgrid(grid, "ORT-MAU", "MAU")
            words, phonemes = (
                tuple(i for i in tiers[name] if not _PAUSE.fullmatch(i.text)) for name in ("ORT-MAU", "MAU")
            )
            seconds = sound_seconds(path)
            if words and words[-1].stop > seconds + 0.1:
                raise StudyError(
                    f"{path} lasts {seconds:.3f} s, its TextGrid has the word {words[-1].text!r} until "
                    f"{words[-1].stop:.3f} s",
                    hint="the sound is shorter than what is said in it: is the file complete?",
                )
            found = find_number(self.numbers, " ".join(word.text for word in words), number)
            uid = stimulus if found is None else str(found)
            item = Item(stimulus, path, grid, seconds, words, phonemes, uid, found is not None)
            self.items[number] = item
        return self.items[number]


def heard(item: Item, onset: float, condition: str) -> Iterator[Event]:
    """The events of one sound that begins at `onset` seconds of the recording."""

    def event(kind: str, start: float, stop: float, text: str, index: int = -1) -> Event:
        where = (onset + start, stop - start, kind, text, item.stimulus, start)
        return Event(*where, item.sequence, index, condition, "nl")

    yield event("sound", 0.0, item.seconds, item.stimulus)
    if not item.words:
        return
    text = " ".join(word.text for word in item.words)
    yield event("sentence", item.words[0].start, item.words[-1].stop, text)
    for index, word in enumerate(item.words):
        yield event("word", word.start, word.stop, word.text, index)
    starts = np.array([word.start for word in item.words])
    for phoneme in item.phonemes:
        index = int(np.searchsorted(starts, phoneme.start + 1e-6, side="right")) - 1
        yield event("phoneme", phoneme.start, phoneme.stop, phoneme.text, max(index, 0))


def present(path: Path, hint: str, *, folder: bool = False) -> Path:
    """The path itself. Raises StudyError when there is no such file (or folder)."""
    if not (path.is_dir() if folder else path.is_file()):
        raise StudyError(f"the study is incomplete: {path} is missing", hint=hint)
    return path
