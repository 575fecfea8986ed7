"""Words that a forced aligner found in a sound, and the sentences of the text that they belong to.

Reads what Gentle writes (JSON), or a TextGrid with tiers of words and phones. Sentences come from the text by
a plain rule (a full stop, question or exclamation mark before a capital letter): they only group words, so
that a sentence is wholly in train or in test, and a parser of 40 MB and its model would group them no better.
Knows no study.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from offline.studies.textgrid import Interval, read_textgrid
from rtdecode.errors import StudyError

_SENTENCE_END = re.compile(r"[.!?][\"'”’)]*(?=\s+[\"'“‘(]*[A-Z0-9])")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|etc|[A-Z])\.$")
_WORD = re.compile(r"[\w'’-]*\w[\w'’-]*")
_SILENCES = ("", "sp", "sil", "<sil>", "<p:>", "sent-start", "sent-end")
_PAUSE_S = 0.4  # between sentences, where no text says where they end


@dataclass(frozen=True)
class Phone:
    """A phoneme. start, duration: seconds of the sound."""

    text: str
    start: float
    duration: float


@dataclass(frozen=True)
class HeardWord:
    """A word that was found in the sound.

    start, stop  seconds of the sound
    known        the aligner has the word in its dictionary ('<unk>' otherwise)
    sentence     the text of its sentence, '' until `in_sentences` has found it
    index        the word's place among the words of its sentence that were found, 0 first
    """

    text: str
    start: float
    stop: float
    phones: tuple[Phone, ...] = ()
    known: bool = True
    sentence: str = ""
    index: int = -1


def read_gentle(path: Path) -> tuple[HeardWord, ...]:
    """The words that were found (case 'success'), in order. Phones begin where the one before ends. Raises
    StudyError when the file is not of Gentle.
    """
    try:
        entries = json.loads(path.read_text("utf-8-sig"))["words"]
        words = tuple(_word(entry) for entry in entries if entry["case"] == "success")
    except OSError as error:
        raise StudyError(f"cannot read the alignment {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(
            f"{path} is no alignment of Gentle: {error!r}",
            hint="expected JSON with words[] of word, case, start",
        ) from error
    return _checked(path, words)


def read_aligned_textgrid(path: Path) -> tuple[HeardWord, ...]:
    """The same from a TextGrid whose tiers are called word(s) and phone(s)."""
    tiers = {name.lower().rstrip("s"): intervals for name, intervals in read_textgrid(path).items()}
    if "word" not in tiers:
        raise StudyError(f"{path} has no tier of words", hint=f"its tiers: {', '.join(tiers) or 'none'}")
    phones = [Phone(i.text, i.start, i.duration) for i in _spoken(tiers.get("phone", ()))]
    words = tuple(
        HeardWord(
            i.text, i.start, i.stop, tuple(p for p in phones if i.start - 1e-6 <= p.start < i.stop - 1e-6)
        )
        for i in _spoken(tiers["word"])
    )
    return _checked(path, words)


def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a text, with single spaces, in order."""
    text = " ".join(text.split())
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    sentences: list[str] = []
    for piece in (text[start:stop].strip() for start, stop in pairwise(cuts)):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] += f" {piece}"
        elif _WORD.search(piece):
            sentences.append(piece)
    return tuple(sentences)


def in_sentences(words: Sequence[HeardWord], text: str) -> tuple[tuple[HeardWord, ...], int]:
    """The words with their sentences, and how many of them the text was found to hold.

    Words are paired with those of the text by the fewest edits. One that the text does not hold is in the
    sentence of the word before it (the first ones in that of the first that is).
    """
    sentences = sentences_of(text)
    tokens = [(plain(token), place) for place, s in enumerate(sentences) for token in _WORD.findall(s)]
    places: list[int | None] = [None] * len(words)
    for op in Levenshtein.opcodes([plain(word.text) for word in words], [token for token, _ in tokens]):
        if op.tag == "equal":
            for k in range(op.src_end - op.src_start):
                places[op.src_start + k] = tokens[op.dest_start + k][1]
    matched = sum(place is not None for place in places)
    last = next((place for place in places if place is not None), None)
    filled = []
    for place in places:
        last = last if place is None else place
        filled.append(last)
    groups = [(place, "" if place is None else sentences[place]) for place in filled]
    return _numbered(words, groups), matched


def in_pauses(words: Sequence[HeardWord]) -> tuple[HeardWord, ...]:
    """The words in sentences that end where nothing is said for 0.4 s: for a sound without its text."""
    starts = [
        0,
        *(i for i in range(1, len(words)) if words[i].start - words[i - 1].stop >= _PAUSE_S),
        len(words),
    ]
    groups: list[tuple[int, str]] = []
    for first, after in pairwise(starts):
        groups += [(first, " ".join(word.text for word in words[first:after]))] * (after - first)
    return _numbered(words, groups)


def plain(word: str) -> str:
    """Lower case, one kind of apostrophe, nothing but letters, digits, apostrophes."""
    return re.sub(r"[^\w']", "", word.lower().replace("’", "'"))


def _numbered(words: Sequence[HeardWord], groups: Iterable[tuple[int | None, str]]) -> tuple[HeardWord, ...]:
    numbered: list[HeardWord] = []
    before, index = object(), 0
    for word, (group, sentence) in zip(words, groups, strict=True):
        index = index + 1 if group == before else 0
        before = group
        numbered.append(replace(word, sentence=sentence, index=index))
    return tuple(numbered)


def _word(entry: Any) -> HeardWord:
    start, stop = float(entry["start"]), float(entry["end"])
    phones, at = [], start
    for phone in entry.get("phones", ()):
        duration = float(phone["duration"])
        phones.append(Phone(str(phone["phone"]).rsplit("_", 1)[0], at, duration))
        at += duration
    known = entry.get("alignedWord") != "<unk>"
    return HeardWord(str(entry["word"]), start, stop, tuple(phones), known)


def _spoken(tier: Iterable[Interval]) -> list[Interval]:
    return [interval for interval in tier if interval.text.lower() not in _SILENCES]


def _checked(path: Path, words: tuple[HeardWord, ...]) -> tuple[HeardWord, ...]:
    if not words:
        raise StudyError(f"{path} holds no word that was found in the sound")
    before = 0.0
    for word in words:
        if not (math.isfinite(word.start) and math.isfinite(word.stop) and before <= word.start <= word.stop):
            raise StudyError(
                f"{path}: the word {word.text!r} lasts from {word.start:g} to {word.stop:g} s, after one "
                f"that starts at {before:g} s",
                hint="has the alignment been changed?",
            )
        before = word.start
    return words
