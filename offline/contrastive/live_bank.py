"""The candidate bank of one listener's held-out speech, from a prepared study, in the form a run was trained
with.

The timeline is that of the held-out blocks as they were heard, pauses included, one stretch after another,
each behind a window of silence. Candidates are phrases of it, cut at word onsets; without words whole
sentences, without those pieces of the sounds. What is heard again is the candidate that is there already.
Knows nothing of brain signals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models import ContrastiveNet
from offline.bank import PHRASE_S
from offline.contrastive.checkpoint import Checkpoint
from offline.contrastive.windows import Heard
from offline.prepare.store import FeatureStore, PreparedRecording
from offline.speech.place import nearest_rows
from offline.study import Event
from rtdecode.errors import StudyError
from rtdecode.retrieve import Bank, Candidate
from rtdecode.types import to_samples

PAUSE_S = 1.0  # words further apart are no phrase


@dataclass(frozen=True)
class Stretch:
    """Neighbouring blocks of one split: samples [low, high) of a prepared recording.

    heard  (first sample, sample after the last, candidate), by time
    """

    recording: PreparedRecording
    low: int
    high: int
    heard: tuple[tuple[int, int, int], ...]

    def candidate(self, sample: int) -> int | None:
        """Which candidate sounds at a sample."""
        return next((k for first, after, k in self.heard if first <= sample < after), None)


@dataclass(frozen=True)
class _Phrase:
    """start, stop: seconds of the recording;  into: second of the source at `start`"""

    start: float
    stop: float
    text: str
    source: str
    into: float


def held_out(
    recordings: Sequence[PreparedRecording],
    split: str,
    ready: Checkpoint,
    features: FeatureStore,
) -> tuple[Bank, tuple[Stretch, ...]]:
    """What of `split` is heard in `recordings`, at the model's rate, scaled and seen as `ready` does.

    StudyError where fewer than two different phrases are heard: there is nothing to choose from.
    """
    config = ready.config
    sfreq, n = config.signal.sfreq, config.n_frames
    quiet = ready.speech.apply(np.full((n, ready.n_features), config.speech.silence, np.float32))
    timeline: list[np.ndarray] = []
    found: dict[str, list[tuple[int, Candidate]]] = {}
    stretches: list[Stretch] = []
    now = count = 0
    for recording in recordings:
        sounds = Heard(recording.events)
        for start, stop in _joined(recording, split):
            low = to_samples(start, sfreq)
            high = min(recording.n_samples, to_samples(min(stop, recording.duration), sfreq))
            heard: list[tuple[int, int, int]] = []
            fresh = False
            for phrase in phrases(recording.events, sounds, start, stop):
                first, after = to_samples(phrase.start, sfreq), to_samples(phrase.stop, sfreq)
                if first < low or after > high:
                    continue
                at = _known(found.get(phrase.source, ()), phrase)
                if at is None:
                    own = found.setdefault(phrase.source, [])
                    candidate = Candidate(
                        f"{phrase.source}-{len(own) + 1:02d}",
                        phrase.text,
                        phrase.source,
                        now + n + first - low,
                        max(1, after - first),
                        round(phrase.into, 6),
                        round(phrase.stop - phrase.start, 6),
                    )
                    own.append((count, candidate))
                    at, fresh, count = count, True, count + 1
                heard.append((first, after, at))
            stretches.append(Stretch(recording, low, high, tuple(heard)))
            if fresh:
                raw = placed(sounds, low, high, ready, features)
                timeline.append(_seen(ready.net, np.concatenate([quiet, ready.speech.apply(raw)])))
                now += n + high - low
    if count < 2:
        raise StudyError(
            f"of the split {split!r} {count} phrases are heard in {len(recordings)} recordings, and a bank "
            "needs two",
            hint="record more, or keep whole recordings for the test (the column split of recordings.tsv)",
        )
    numbered = sorted((pair for own in found.values() for pair in own), key=lambda pair: pair[0])
    return Bank(np.concatenate(timeline), tuple(candidate for _, candidate in numbered)), tuple(stretches)


def placed(sounds: Heard, low: int, high: int, ready: Checkpoint, features: FeatureStore) -> np.ndarray:
    """(high - low, F) float32 features, not scaled, of what sounds in these samples of a recording: put there
    in pieces of a window's length, by the rule that windows are filled with.
    """
    config = ready.config
    sfreq, n = config.signal.sfreq, config.n_frames
    out = np.full((high - low, ready.n_features), config.speech.silence, np.float32)
    for begin in range(low, high, n):
        length = min(n, high - begin)
        for piece in sounds.pieces(begin, 0, length, sfreq):
            speech = features.features(piece.stimulus)
            rows = nearest_rows(len(speech), features.rate_hz, piece.start_s, piece.n, sfreq)
            rows = rows[: length - piece.first]
            at = np.flatnonzero(rows >= 0)
            out[begin - low + piece.first + at] = speech[rows[at]]
    return out


def phrases(events: Sequence[Event], sounds: Heard, start: float, stop: float) -> Iterator[_Phrase]:
    """What is heard from `start` to `stop` seconds in about equal phrases, by time."""
    inside = [e for e in sorted(events, key=lambda e: e.start) if start <= e.start < stop]
    words = [e for e in inside if e.kind == "word"]
    if words:
        yield from _of_words(words, sounds)
        return
    for event in [e for e in inside if e.kind == "sentence"]:
        source, into = sounds.at(event.start)
        if source:
            yield _Phrase(event.start, event.stop, event.text, source, into)
    if any(e.kind == "sentence" for e in inside):
        return
    for sound in sounds.sounds:
        begin, end = max(start, sound.start), min(stop, sound.stop)
        pieces = max(1, round((end - begin) / PHRASE_S))
        for k in range(pieces if end > begin else 0):
            first, last = (begin + (end - begin) * i / pieces for i in (k, k + 1))
            into = first - sound.start + sound.offset
            yield _Phrase(first, last, f"{sound.stimulus} {into:.1f} s", sound.stimulus, into)


def _of_words(words: Sequence[Event], sounds: Heard) -> Iterator[_Phrase]:
    """Neighbouring words of one sentence and sound until they last PHRASE_S; a phrase ends where the next
    begins.
    """
    group: list[Event] = []

    def phrase(stop: float) -> _Phrase:
        source, into = sounds.at(group[0].start)
        return _Phrase(group[0].start, stop, " ".join(w.text for w in group), source, into)

    for word in words:
        source, _ = sounds.at(word.start)
        if group:
            last = group[-1]
            goes_on = (
                word.sequence == last.sequence
                and source == sounds.at(last.start)[0]
                and word.start - last.stop < PAUSE_S
            )
            if not goes_on or word.start - group[0].start >= PHRASE_S:
                yield phrase(word.start if goes_on else min(word.start, last.stop))
                group = []
        if source:
            group.append(word)
    if group:
        yield phrase(group[-1].stop)


def _known(own: Sequence[tuple[int, Candidate]], phrase: _Phrase) -> int | None:
    """The candidate that holds the middle of a phrase, if one does."""
    middle = phrase.into + (phrase.stop - phrase.start) / 2
    return next((k for k, c in own if c.start <= middle < c.start + c.duration), None)


def _joined(recording: PreparedRecording, split: str) -> Iterator[tuple[float, float]]:
    """Seconds of neighbouring blocks of a split."""
    begin: float | None = None
    for block in recording.blocks:
        if block.split == split:
            begin = block.start if begin is None else begin
        elif begin is not None:
            yield begin, block.start
            begin = None
    if begin is not None:
        yield begin, float("inf")


@torch.no_grad()
def _seen(net: ContrastiveNet, scaled: np.ndarray) -> np.ndarray:
    """(T, n) -> (T, F) through the speech model, where there is one."""
    return net.targets(torch.from_numpy(scaled)[None])[0].numpy()
