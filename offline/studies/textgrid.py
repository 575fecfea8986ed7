"""Reads Praat TextGrids: what was said when, as tiers of labelled intervals.

Both spellings, the long one ('xmin = 0') and the short one (one value a line), are the same sequence of
quoted strings, free-standing numbers and flags; everything between is for human eyes and is skipped, so that
one reader serves both. Written here rather than taken from a library: the files come from outside and must
fail in one sentence, and the whole format is the hundred lines below. Point tiers are read past; nothing is
known of words or phonemes.
"""

import codecs
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtdecode.errors import StudyError

# A number or flag counts only when it stands free: the 1 of 'intervals [1]:' does not.
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)"
    r"|(?<!\S)(?P<flag><\w+>)(?!\S)"
)
_HINT = "is it a TextGrid saved as text?"


@dataclass(frozen=True)
class Interval:
    """What a tier says of a span. start, stop: seconds of the sound; text '' means silence."""

    start: float
    stop: float
    text: str

    @property
    def duration(self) -> float:
        return self.stop - self.start


def read_textgrid(path: Path, *tiers: str) -> dict[str, tuple[Interval, ...]]:
    """The interval tiers of a file by name, in its order. Raises StudyError when the file is missing, damaged
    or lacks one of `tiers`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(f"cannot read the TextGrid {path}: {error.strerror}") from error
    try:
        found = dict(_tiers(_Tokens(_decoded(content))))
    except (_Damaged, UnicodeError) as error:
        raise StudyError(f"{path} is no TextGrid: {error}", hint=_HINT) from error
    for tier in tiers:
        if tier not in found:
            has = ", ".join(map(repr, found)) or "none"
            raise StudyError(f"{path} has no interval tier {tier!r}", hint=f"its interval tiers: {has}")
    return found


class _Damaged(Exception):
    """What is wrong with the file, for the sentence in `read_textgrid`."""


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # Praat's 'Latin-1 if possible'
        return content.decode("latin-1")


class _Tokens:
    """The values of a file, one after the other."""

    def __init__(self, text: str):
        self._found = _TOKEN.finditer(text)
        self._count = 0

    def _next(self, group: str, what: str) -> str:
        match = next(self._found, None)
        if match is None:
            raise _Damaged(f"it ends after {self._count} values, where {what} should follow")
        self._count += 1
        if match[group] is None:
            raise _Damaged(f"value {self._count} is {match[0][:40]}, expected {what}")
        return match[group]

    def text(self, what: str) -> str:
        return self._next("text", what).replace('""', '"')

    def number(self, what: str) -> float:
        return float(self._next("number", what))

    def count(self, what: str) -> int:
        value = self.number(what)
        if value < 0 or value != math.floor(value):
            raise _Damaged(f"{what} is {value:g}")
        return int(value)

    def flag(self, what: str) -> str:
        return self._next("flag", what)


def _tiers(tokens: _Tokens) -> Iterator[tuple[str, tuple[Interval, ...]]]:
    if tokens.text("the file type") != "ooTextFile" or tokens.text("the object class") != "TextGrid":
        raise _Damaged("it says so itself")
    tokens.number("its start")
    tokens.number("its end")
    if tokens.flag("<exists> or <absent>") != "<exists>":
        return
    for _ in range(tokens.count("the number of tiers")):
        kind, name = tokens.text("the class of a tier"), tokens.text("the name of a tier")
        tokens.number("the start of a tier")
        tokens.number("the end of a tier")
        size = tokens.count("the size of a tier")
        if kind == "IntervalTier":
            yield name, tuple(_interval(tokens, name) for _ in range(size))
        elif kind == "TextTier":
            for _ in range(size):
                tokens.number("the time of a point")
                tokens.text("the mark of a point")
        else:
            raise _Damaged(f"tier {name!r} is of class {kind!r}")


def _interval(tokens: _Tokens, tier: str) -> Interval:
    start, stop = tokens.number("the start of an interval"), tokens.number("the end of an interval")
    if stop < start:
        raise _Damaged(f"an interval of tier {tier!r} starts at {start:g} s and ends at {stop:g} s")
    return Interval(start, stop, tokens.text("the text of an interval").strip())
