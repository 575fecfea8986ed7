"""Where words begin in the signal that is drawn: those that were read, or in a replay those that were heard.

Each is told once, with the seconds of signal between it and the newest sample. Pure; knows no drawing.
"""

from bisect import bisect_right
from collections.abc import Sequence

from rtdecode.snapshot import Snapshot, TextLine

Found = list[tuple[float, str]]  # (seconds before the newest sample, word)
LONGEST_S = 10.0  # of signal that can be on the screen


class Read:
    """Committed words, from their lines of text."""

    def __init__(self) -> None:
        self._seen: tuple[TextLine, ...] = ()
        self._told = float("-inf")

    def new(self, snapshot: Snapshot) -> Found:
        if snapshot.text is self._seen:
            return []
        self._seen, found = snapshot.text, []
        if snapshot.elapsed_s < self._told:  # another session
            self._told = float("-inf")
        newest = self._told
        for line in reversed(snapshot.text):
            if not line.words:  # older lines have none either
                break
            for word in line.words:
                newest = max(newest, word.t)
                if word.t > self._told:
                    found.append((snapshot.elapsed_s - word.t - word.start, word.text))
        self._told = newest
        return found


class Heard:
    """Words of a recording, (second, word) in order."""

    def __init__(self, words: Sequence[tuple[float, str]]):
        self._words, self._starts = words, [start for start, _ in words]
        self._run, self._told = "", 0.0

    def new(self, at_s: float, run: str, since_s: float) -> Found:
        """at_s: second of the recording of the newest sample;  run: what it belongs to, since when"""
        if run != self._run:
            self._run, self._told = run, max(since_s, at_s - LONGEST_S)
        first, stop = bisect_right(self._starts, self._told), bisect_right(self._starts, at_s)
        self._told = max(self._told, at_s)
        return [(at_s - start, word) for start, word in self._words[first:stop]]
