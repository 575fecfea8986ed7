"""Reads the events table of one's own recording: what was played and said when.

A table of columns with tabs between them and a heading, rows by time ('n/a' or nothing: not known):

    onset       seconds of the recording, its first sample is 0                        needed
    duration    seconds; of a sound 'n/a' means to the end of its file                  needed
    trial_type  sound | sentence | word | phoneme; rows of other kinds are passed over  needed
    value       the word, the sentence, the phoneme                                     of words and sentences
    stimulus    the sound: its file below stimuli/, with or without its ending          of sounds
    offset      seconds inside the sound where the event begins (0 for a sound)
    sequence    identity of the sentence, the same whoever hears it
    index       the word's place in its sentence, 0 first
    condition   sentence, word_list, …: what kind of speech it is
    language    ISO 639-1

`stim_file` is read as `stimulus`. What a word does not say of its sound it has from the sound that is
playing; of its sentence, from the sentence row it lies in. Where there is none, a sentence ends at a pause of
0.4 s. Only sounds are needed: without a word there is nothing to name, but a decoder can be trained.
"""

import csv
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from offline.study import KINDS, Event
from rtdecode.errors import StudyError, closest

NEEDED = ("onset", "duration", "trial_type")
_ABSENT = ("", "n/a", "nan", "none", "na")
_PAUSE_S = 0.4
_ROUNDING_S = 1e-3  # of times in a table
_SLACK_S = 0.1  # what a sound may lack at its end
_ORDER = {kind: place for place, kind in enumerate(KINDS)}  # of events that begin together


@dataclass(frozen=True)
class Sounds:
    """The sounds of a study. find: the id of a name as written, or None; seconds: length of an id's sound."""

    ids: Sequence[str]
    find: Callable[[str], str | None]
    seconds: Callable[[str], float]


def read_events(
    path: Path, length_s: float, sounds: Sounds, clock: Callable[[float], float] | None = None
) -> tuple[tuple[Event, ...], Mapping[str, int]]:
    """The events by time, and how many rows of each other kind were passed over.

    length_s  of the recording;  clock  from the table's seconds to those of the evenly spaced signal
    Raises StudyError naming the line and what is wrong with it.
    """
    rows, passed = _rows(path)
    before = -math.inf
    sound: Event | None = None
    events: list[Event] = []
    for row in rows:
        onset, duration = row.number("onset"), row.duration()
        if onset < before:
            raise row.error(
                f"starts at {onset:g} s, the line before it at {before:g} s", "sort the table by onset"
            )
        before = onset
        if row.text("trial_type") == "sound":
            event = sound = _sound(row, onset, duration, sounds)
            outside = (
                onset >= length_s or event.stop <= 0
            )  # it may begin before the recording, and outlast it
            stop = event.stop
        else:
            stop = onset + duration
            outside = onset < 0 or stop > length_s + _ROUNDING_S
        if outside:
            raise row.error(
                f"lasts from {onset:.3f} s to {stop:.3f} s, the recording from 0 to {length_s:.3f} s",
                "do the table and the recording belong together?",
            )
        if row.text("trial_type") != "sound":
            event = _speech(row, onset, duration, sounds, sound if sound and onset < sound.stop else None)
        events.append(event)
    if not any(event.kind == "sound" for event in events):
        others = ", ".join(sorted({*passed, *(e.kind for e in events)})) or "none"
        raise StudyError(
            f"{path} has no row with trial_type 'sound': it does not say what was played when",
            hint=f"its kinds: {others}",
        )
    events = _in_sentences(events)
    if clock is not None:
        events = [replace(e, start=(s := clock(e.start)), duration=clock(e.stop) - s) for e in events]
    return tuple(sorted(events, key=lambda event: (event.start, _ORDER[event.kind]))), passed


class _Row:
    """One line of the table."""

    def __init__(self, path: Path, line: int, cells: Mapping[str, str]):
        self._path, self._line, self._cells = path, line, cells

    def text(self, column: str) -> str:
        value = (self._cells.get(column) or "").strip()
        return "" if value.lower() in _ABSENT else value

    def number(self, column: str, default: float | None = None) -> float:
        text = self.text(column)
        if not text and default is not None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            written = (self._cells.get(column) or "").strip()
            raise self.error(f"has the {column} {written!r}, expected a number of seconds", "")
        return value

    def duration(self) -> float:
        """Seconds; NaN for a sound that lasts as long as its file."""
        if self.text("trial_type") == "sound" and not self.text("duration"):
            return math.nan
        value = self.number("duration")
        if value < 0:
            raise self.error(f"has the duration {value:g} s", "a duration is 0 or more")
        return value

    def index(self) -> int:
        text = self.text("index")
        if not text:
            return -1
        value = self.number("index")
        if value != int(value) or value < 0:
            raise self.error(f"has the index {text!r}", "the place of a word in its sentence: 0, 1, 2, …")
        return int(value)

    def given(self) -> tuple[str, int, str, str]:
        """Sequence, index, condition and language."""
        return self.text("sequence"), self.index(), self.text("condition"), self.text("language")

    def error(self, what: str, hint: str) -> StudyError:
        return StudyError(f"line {self._line} of {self._path} {what}", hint=hint)


def _rows(path: Path) -> tuple[list[_Row], Counter[str]]:
    """The rows of kinds known here, and how many there are of others."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns = [column.strip() for column in reader.fieldnames or ()]
            reader.fieldnames = [
                "stimulus" if c == "stim_file" and "stimulus" not in columns else c for c in columns
            ]
            cells = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(
            f"cannot read the events table {path}: {error}", hint="a .tsv is UTF-8 text"
        ) from error
    for column in NEEDED:
        if column not in columns:
            raise StudyError(
                f"{path} has no column {column!r}",
                hint=f"its columns: {', '.join(columns) or 'none'}; tabs between",
            )
    rows, passed = [], Counter[str]()
    for line, row in enumerate(cells, 2):
        kind = (row["trial_type"] or "").strip()
        if kind in KINDS:
            rows.append(_Row(path, line, row))
        else:
            passed[kind or "n/a"] += 1
    return rows, passed


def _sound(row: _Row, onset: float, duration: float, sounds: Sounds) -> Event:
    stimulus = _stimulus(row, sounds)
    if not stimulus:
        raise row.error("is a sound without a stimulus", "the stimulus is the name of a file below stimuli/")
    offset, length = row.number("offset", 0.0), sounds.seconds(stimulus)
    left = length - offset
    if left <= 0 or duration - left > _SLACK_S:
        raise row.error(
            f"plays {stimulus!r} from {offset:g} s for {duration:g} s, the file ends after {length:.3f} s",
            "is the sound file complete?",
        )
    lasts = min(duration, left) if duration > 0 else left
    return Event(onset, lasts, "sound", row.text("value") or stimulus, stimulus, offset, *row.given())


def _speech(row: _Row, onset: float, duration: float, sounds: Sounds, playing: Event | None) -> Event:
    """A sentence, word or phoneme while the sound `playing` is played."""
    kind, text, stimulus = row.text("trial_type"), row.text("value"), _stimulus(row, sounds)
    if kind in ("word", "sentence") and not text:
        raise row.error(f"is a {kind} without a value", "the value is its text")
    if playing is not None and stimulus in ("", playing.stimulus):
        stimulus = playing.stimulus
        offset = row.number("offset", playing.offset + onset - playing.start)
    elif stimulus and not row.text("offset"):
        raise row.error(f"names {stimulus!r}, which is not being played, without an offset", "")
    else:
        offset = row.number("offset", 0.0)
    if stimulus and offset + duration > sounds.seconds(stimulus) + _SLACK_S:
        raise row.error(
            f"lasts until {offset + duration:.3f} s of {stimulus!r}, the file ends after "
            f"{sounds.seconds(stimulus):.3f} s",
            "is the sound file complete?",
        )
    return Event(onset, duration, kind, text, stimulus, offset, *row.given())


def _stimulus(row: _Row, sounds: Sounds) -> str:
    """The id of the sound that the row names, '' when it names none."""
    name = row.text("stimulus")
    if not name:
        return ""
    stimulus = sounds.find(name)
    if stimulus is None:
        raise row.error(
            f"names the stimulus {name!r}, there is no such sound below stimuli/", closest(name, sounds.ids)
        )
    return stimulus


def _in_sentences(events: Sequence[Event]) -> list[Event]:
    """The events with the sequence and index that they lack themselves, and sentences for all words."""
    sentences = [e if e.sequence else replace(e, sequence=e.text) for e in events if e.kind == "sentence"]
    words = _by_pauses([_within(e, sentences) for e in events if e.kind == "word"])
    counted: list[Event] = []
    for _, group in groupby(words, key=lambda word: word.sequence):
        counted += [e if e.index >= 0 else replace(e, index=i) for i, e in enumerate(group)]
    phonemes = [_of_word(e, counted) for e in events if e.kind == "phoneme"]
    named = {sentence.sequence for sentence in sentences}
    made = _sentences([word for word in counted if word.sequence not in named])
    return [*(e for e in events if e.kind == "sound"), *sentences, *made, *counted, *phonemes]


def _within(word: Event, sentences: Sequence[Event]) -> Event:
    if word.sequence:
        return word
    sentence = _around(sentences, word.start)
    if sentence is None:
        return word
    return replace(word, sequence=sentence.sequence, condition=word.condition or sentence.condition)


def _by_pauses(words: Sequence[Event]) -> Iterator[Event]:
    """Names the sentences that nothing names, by their words."""
    parts: list[list[Event]] = []
    for word in words:
        last = parts[-1][-1] if parts else None
        together = last is not None and (
            word.start - last.stop < _PAUSE_S and word.stimulus == last.stimulus and word.index != 0
        )
        if last is None or word.sequence or last.sequence or not together:
            parts.append([])
        parts[-1].append(word)
    for part in parts:
        uid = part[0].sequence or " ".join(word.text for word in part)
        yield from (replace(word, sequence=uid) for word in part)


def _sentences(words: Sequence[Event]) -> Iterator[Event]:
    for uid, group in groupby(words, key=lambda word: word.sequence):
        part = list(group)
        first, text = part[0], " ".join(word.text for word in part)
        yield replace(
            first, kind="sentence", text=text, duration=part[-1].stop - first.start, sequence=uid, index=-1
        )


def _of_word(phoneme: Event, words: Sequence[Event]) -> Event:
    word = _around(words, phoneme.start)
    if word is None or phoneme.sequence:
        return phoneme
    return replace(phoneme, sequence=word.sequence, index=word.index, condition=word.condition)


def _around(events: Sequence[Event], t: float) -> Event | None:
    """Which of the events, in order, t lies in."""
    place = bisect_right(events, t + 1e-6, key=lambda event: event.start) - 1
    return events[place] if place >= 0 and t < events[place].stop else None
