"""Who may learn from what: divides recordings into blocks, gives each to a split, and finds leaks.

Two rules. 'reference' is the published one (Défossez et al. 2023): blocks are joined to at least 6 s and the
text of the joined block is hashed. It depends on each subject's clock, and a sentence that occurs twice may
land in two splits. 'sentence' hashes each sentence by itself, before anything is joined, so a text is in one
split for every subject. Neither has state: a recording is divided without knowing the others.
`leaks` compares what came out, over all recordings, by text and by audio.
"""

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise

from offline.study import Event, Grouping, Study, StudyRecording
from rtdecode.errors import ConfigError, StudyError, closest

RULES = ("reference", "sentence")
SPLITS = ("train", "valid", "test")
UNUSED = ""  # split of a block that `without_leaks` took away
TEST_BELOW, VALID_BELOW, SEED = 0.2, 0.3, 12  # of the score; the seed is the rule's, not a run's
AUDIO_TOLERANCE_S = 0.1  # neighbours may share this much: words overlap, clocks differ
_SPOKEN = {"", "sentence", "context", "question", "fixation", "word_list"}  # conditions that name a block

Divided = tuple[str, Sequence[Event], Sequence["Block"]]  # a recording: its name, events, blocks


@dataclass(frozen=True)
class Block:
    """A stretch of a recording that is wholly in one split. start, stop in seconds of the recording, stop not
    included; the last one stops at infinity. uid: what decided.
    """

    start: float
    stop: float
    uid: str
    split: str


def score(uid: str) -> float:
    """In [0, 1), the same on every machine. (A uid 'block0' gives 0.403232.)"""
    return random.Random(int(sha256(uid.encode()).hexdigest(), 16) + SEED).random()


def split_of(uid: str) -> str:
    """'test' for one uid in five, 'valid' for one in ten, else 'train'."""
    value = score(uid)
    return "test" if value < TEST_BELOW else "valid" if value < VALID_BELOW else "train"


def divide(study: Study, recording: StudyRecording, *, rule: str, min_block_s: float) -> tuple[Block, ...]:
    """The blocks of a recording of `study`, as its grouping has them. Raises as `blocks_of`."""
    return blocks_of(recording, rule=rule, min_block_s=min_block_s, grouping=study.grouping)


def blocks_of(
    recording: StudyRecording,
    *,
    rule: str = "reference",
    min_block_s: float = 6.0,
    merge: bool = True,
    grouping: Grouping | None = None,
) -> tuple[Block, ...]:
    """All of a recording in blocks, in order and without gaps; the first starts at 0.

    A recording that already lies in a split is one block. merge: as the grouping's where that is not given.

    Raises StudyError: no sentence starts in it. ConfigError: no such rule.
    """
    if rule not in RULES:
        raise ConfigError(f"there is no split rule {rule!r}", hint=closest(rule, RULES))
    if recording.split:
        return (Block(0.0, float("inf"), recording.name, recording.split),)
    grouping = grouping or Grouping(merge=merge)
    if rule == "sentence":
        return _by_sentence(recording)
    whole = _reference_blocks(recording, grouping)
    if grouping.merge:
        whole = _merged(whole, min_block_s)
    first, *rest = [Block(start, stop, uid, split_of(uid)) for start, stop, uid in whole]
    return (replace(first, start=0.0), *rest)


def _words(recording: StudyRecording) -> list[Event]:
    return sorted(recording.of_kind("word"), key=lambda event: event.start)


def _reference_blocks(recording: StudyRecording, grouping: Grouping) -> list[tuple[float, float, str]]:
    words = _words(recording)
    if grouping.starts == "word":
        starts = [word.start for word in words if word.index == 0]
    else:
        starts = sorted(sound.start for sound in recording.of_kind("sound"))
        starts = starts or [word.start for word in words if word.index == 0]
    starts = sorted(set(starts))
    if not starts:
        raise StudyError(
            f"{recording.name} has no sentence starts: {len(words)} words, none is the first of its sentence",
            hint="its events table needs the place of each word in its sentence",
        )
    onsets = [word.start for word in words]
    blocks = []
    for start, stop in pairwise([*starts, float("inf")]):
        inside = [w for w in words[bisect_left(onsets, start) : bisect_left(onsets, stop)] if w.stop < stop]
        blocks.append((start, stop, _uid(inside, start, recording, grouping)))
    return blocks


def _uid(inside: list[Event], start: float, recording: StudyRecording, grouping: Grouping) -> str:
    if grouping.uid == "sequence":
        sequences = {word.sequence for word in inside} - {""}
        if len(sequences) == 1:
            return sequences.pop()
    words = [word.text for word in inside if word.condition in _SPOKEN]
    if words:
        return " ".join(words)
    heard = sorted({s.stimulus for s in recording.of_kind("sound") if s.start <= start < s.stop})
    return f"{','.join(heard)}{start}"


def _merged(blocks: list[tuple[float, float, str]], min_block_s: float) -> list[tuple[float, float, str]]:
    joined: list[tuple[float, float, str]] = []
    parts: list[tuple[float, float, str]] = []
    for block in blocks:
        parts.append(block)
        if block[1] - parts[0][0] >= min_block_s:
            joined.append((parts[0][0], block[1], ",".join(uid for _, _, uid in parts)))
            parts = []
    return joined  # the last block is endless, so nothing is left over


def _by_sentence(recording: StudyRecording) -> tuple[Block, ...]:
    blocks: list[Block] = []
    sentence = None
    for word in _words(recording):
        if not word.sequence:
            raise StudyError(
                f"{recording.name}: the word {word.text!r} at {word.start:.3f} s belongs to no sentence",
                hint="the split rule 'sentence' needs the sentence of every word",
            )
        if word.sequence == sentence:
            continue
        sentence, split = word.sequence, split_of(same_text(word.sequence))
        if blocks and blocks[-1].split == split:
            blocks[-1] = replace(blocks[-1], uid=f"{blocks[-1].uid},{sentence}")
        else:
            start = word.start if blocks else 0.0
            blocks.append(Block(start, float("inf"), sentence, split))
    if not blocks:
        raise StudyError(f"{recording.name} has no words to divide it by")
    stops = [block.start for block in blocks[1:]] + [float("inf")]
    return tuple(replace(block, stop=stop) for block, stop in zip(blocks, stops, strict=True))


def same_text(text: str) -> str:
    """What two texts share that differ only in case and spaces."""
    return " ".join(text.casefold().split())


def leaks(recordings: Iterable[Divided]) -> list[str]:
    """Every sentence and every stretch of audio that is in two splits, a line each; none: []."""
    texts, audio = _collected([(_Heard(name, events), blocks) for name, events, blocks in recordings])
    found = []
    for one, other in (("test", "train"), ("test", "valid"), ("valid", "train")):
        for text in sorted(texts[one].keys() & texts[other].keys()):
            here, there = texts[one][text], texts[other][text]
            found.append(f"the sentence {text!r} is in {one} ({here}) and in {other} ({there})")
        for stimulus in sorted(audio[one].keys() & audio[other].keys()):
            both = _overlap(audio[one][stimulus], audio[other][stimulus])
            if both is not None:
                start, stop, here, there = both
                found.append(
                    f"the audio {stimulus!r} from {start:.2f} s to {stop:.2f} s is in {one} ({here}) and in "
                    f"{other} ({there})"
                )
    return found


def assert_no_leak(recordings: Iterable[Divided]) -> None:
    """Raises StudyError naming the first leak, both splits and both recordings."""
    found = leaks(recordings)
    if found:
        raise StudyError(
            f"the splits leak in {len(found)} places: {found[0]}",
            hint="divide by the rule 'sentence', or take such blocks away (offline.split.without_leaks)",
        )


def without_leaks(recordings: Iterable[Divided]) -> dict[str, tuple[Block, ...]]:
    """The blocks of each recording, those of train that hold text or audio of valid or test UNUSED, and those
    of valid that hold some of test. The test set stays as it was.
    """
    heard = [(_Heard(name, events), blocks) for name, events, blocks in recordings]
    texts, audio = _collected(heard)

    def spoilt(recording: _Heard, block: Block) -> bool:
        for split in _STRONGER.get(block.split, ()):
            if any(text in texts[split] for text in recording.texts(block)):
                return True
            for stimulus, span in recording.spans(block):
                if _overlap([span], audio[split].get(stimulus, [])):
                    return True
        return False

    return {
        recording.name: tuple(replace(b, split=UNUSED) if spoilt(recording, b) else b for b in blocks)
        for recording, blocks in heard
    }


_STRONGER = {"train": ("test", "valid"), "valid": ("test",)}  # who keeps what both have
_Span = tuple[float, float, str]  # seconds of the stimulus, and the recording


class _Heard:
    """What a recording's blocks hold, by text and by stimulus."""

    def __init__(self, name: str, events: Iterable[Event]):
        self.name = name
        kinds: dict[str, list[Event]] = {}
        for event in sorted(events, key=lambda event: event.start):
            kinds.setdefault(event.kind, []).append(event)
        spoken = kinds.get("sentence", []) + [word for word in kinds.get("word", []) if word.sequence]
        self._spoken = sorted((e.start, same_text(e.sequence or e.text)) for e in spoken)
        # of its sounds, or of its sentences and words where a study places no sounds
        sounds = kinds.get("sound") or kinds.get("sentence", []) + kinds.get("word", [])
        self._sounds = [event for event in sounds if event.stimulus]

    def texts(self, block: Block) -> set[str]:
        first = bisect_left(self._spoken, (block.start,))
        return {text for _, text in self._spoken[first : bisect_left(self._spoken, (block.stop,))]}

    def spans(self, block: Block) -> Iterator[tuple[str, _Span]]:
        for event in self._sounds:
            start, stop = max(event.start, block.start), min(event.stop, block.stop)
            if stop > start:
                shift = event.offset - event.start
                yield event.stimulus, (start + shift, stop + shift, self.name)


def _collected(
    heard: list[tuple[_Heard, Sequence[Block]]],
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, list[_Span]]]]:
    """By split: a recording each text is heard in; the spans of each stimulus, sorted."""
    texts: dict[str, dict[str, str]] = {split: {} for split in (*SPLITS, UNUSED)}
    audio: dict[str, dict[str, list[_Span]]] = {split: {} for split in (*SPLITS, UNUSED)}
    for recording, blocks in heard:
        for block in blocks:
            for text in recording.texts(block):
                texts[block.split].setdefault(text, recording.name)
            for stimulus, span in recording.spans(block):
                audio[block.split].setdefault(stimulus, []).append(span)
    for by_stimulus in audio.values():
        for spans in by_stimulus.values():
            spans.sort()
    return texts, audio


def _overlap(ones: list[_Span], others: list[_Span]) -> tuple[float, float, str, str] | None:
    """The first stretch longer than the tolerance that is in both (sorted): start, stop, both recordings."""
    for mine, theirs in ((ones, others), (others, ones)):
        position = 0
        furthest: _Span = (0.0, float("-inf"), "")  # of theirs that began by now, the one that ends last
        for start, stop, name in mine:
            while position < len(theirs) and theirs[position][0] <= start:
                furthest = max(furthest, theirs[position], key=lambda span: span[1])
                position += 1
            shared = min(stop, furthest[1])
            if shared - start > AUDIO_TOLERANCE_S:
                names = (name, furthest[2]) if mine is ones else (furthest[2], name)
                return start, shared, *names
    return None
