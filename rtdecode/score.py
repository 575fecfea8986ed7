"""Right or wrong? Compares decisions with what was really heard, for recordings that say so.

A recording tells what was heard by its markers: JSON objects of kind "sentence" or "word" with text,
stimulus and duration. Every score stands beside its chance level. Used by the demo and by offline
evaluation alike.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from rtdecode.retrieve import Candidate


@dataclass(frozen=True)
class Heard:
    """Something that was heard. start, duration: seconds of the recording; stimulus: its audio."""

    kind: str
    start: float
    duration: float
    text: str
    stimulus: str

    @property
    def stop(self) -> float:
        return self.start + self.duration


def heard(markers: Iterable[tuple[float, str]]) -> tuple[Heard, ...]:
    """(seconds, text) markers -> what they say was heard, by time; other markers are left out."""
    found = []
    for start, text in markers:
        try:
            said = json.loads(text)
            found.append(Heard(said["kind"], start, float(said["duration"]), said["text"], said["stimulus"]))
        except (ValueError, TypeError, KeyError):
            continue
    return tuple(sorted(found, key=lambda h: h.start))


class Truth:
    """The candidate that was really heard at a time of the recording."""

    def __init__(self, candidates: Sequence[Candidate], events: Sequence[Heard]):
        self.sentences = [event for event in events if event.kind == "sentence"]
        self.words = [event for event in events if event.kind == "word"]
        self._starts = [sentence.start for sentence in self.sentences]
        self._by_source: dict[str, list[tuple[int, Candidate]]] = {}
        for index, candidate in enumerate(candidates):
            self._by_source.setdefault(candidate.source, []).append((index, candidate))

    def candidate(self, t: float) -> int | None:
        """Index of the candidate heard at `t` seconds; None in silence or for speech not in the bank."""
        at = bisect_right(self._starts, t) - 1
        if at < 0 or t >= self.sentences[at].stop:
            return None
        into = t - self.sentences[at].start
        for index, candidate in self._by_source.get(self.sentences[at].stimulus, ()):
            if candidate.start <= into < candidate.start + candidate.duration:
                return index
        return None

    def text(self, until: float) -> str:
        """The words that had been heard completely by `until` seconds."""
        return " ".join(word.text for word in self.words if word.stop <= until)


@dataclass(frozen=True)
class TopK:
    """How often the heard candidate was first, and in the first ten, of `n` decisions with a truth."""

    n: int
    top1: float
    top10: float
    candidates: int

    @property
    def chance1(self) -> float:
        return 1 / self.candidates

    @property
    def chance10(self) -> float:
        return min(1.0, 10 / self.candidates)


def top_k(ranked: Iterable[tuple[Sequence[int], int | None]], candidates: int) -> TopK:
    """(best candidates first, truth) pairs -> TopK; pairs without a truth do not count."""
    known = [(list(best), truth) for best, truth in ranked if truth is not None]
    n = len(known)
    first = sum(truth in best[:1] for best, truth in known)
    ten = sum(truth in best[:10] for best, truth in known)
    return TopK(n, first / n if n else 0.0, ten / n if n else 0.0, candidates)


def cer(said: str, truth: str) -> float:
    """Character error rate: edits over the length of the truth. 0 for two empty texts."""
    edits = Levenshtein.distance(" ".join(said.split()), truth)
    return edits / len(truth) if truth else float(edits > 0)


def wer(said: str, truth: str) -> float:
    """Word error rate: edits over the number of words of the truth. 0 for two empty texts."""
    words = truth.split()
    edits = Levenshtein.distance(said.split(), words)
    return edits / len(words) if words else float(edits > 0)
