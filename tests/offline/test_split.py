"""The published split, the one that cannot leak, and the check that finds leaks."""

import csv
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from offline.split import Block, assert_no_leak, blocks_of, leaks, score, split_of, without_leaks
from offline.study import Event, Grouping, StudyRecording
from offline.window_rule import grid_windows, offsets, word_windows
from rtdecode.errors import ConfigError, StudyError

INF = float("inf")


def recording(events, name="rec", split="") -> StudyRecording:
    return StudyRecording("sub-01", name, split, Path("none"), 100.0, ("1",), "volts", tuple(events))


def sentences(*texts, start=1.0, word_s=0.5, stimulus="story") -> list[Event]:
    """One word each `word_s`, silence for its last 0.1 s, one sentence after the other; the sound began when
    the recording did.
    """
    events, now = [], start
    for text in texts:
        for index, word in enumerate(text.split()):
            events.append(Event(now, word_s - 0.1, "word", word, stimulus, now, text, index, "sentence"))
            now += word_s
    return events


@pytest.fixture(scope="module")
def alice(data_dir) -> StudyRecording:
    """The words of the Alice study as a recording would have them: the segments one after the other."""
    with (data_dir / "alice-annotations" / "AliceChapterOne-EEG.csv").open(encoding="latin-1") as file:
        rows = list(csv.DictReader(file))
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row["Sentence"], []).append(row["Word"])
    events, segment, base, latest = [], rows[0]["Segment"], 1.0, 1.0
    for row in rows:
        if row["Segment"] != segment:
            segment, base = row["Segment"], latest
        start, stop = base + float(row["onset"]), base + float(row["offset"])
        latest = max(latest, stop)
        events.append(
            Event(start, stop - start, "word", row["Word"], segment, float(row["onset"]),
                  " ".join(texts[row["Sentence"]]), int(row["Position"]) - 1, "sentence")
        )  # fmt: skip
    return recording(events)


def test_the_score_of_a_text_is_the_published_one():
    golden = {"block0": 0.403232, "block1": 0.601134, "block2": 0.998326, "ceci est": 0.814971}
    golden["un test"] = 0.017617
    assert {uid: round(score(uid), 6) for uid in golden} == golden
    assert split_of("un test") == "test" and split_of("block0") == "train"


def test_the_alice_study_divides_as_published(alice):
    assert len(blocks_of(alice, merge=False)) == 84
    blocks = blocks_of(alice)
    assert len(blocks) == 58 and Counter(b.split for b in blocks) == {"train": 44, "valid": 8, "test": 6}
    assert blocks[0].start == 0.0 and blocks[-1].stop == INF
    assert all(one.stop == other.start for one, other in pairwise(blocks))
    assert_no_leak([("alice", alice.events, blocks)])


def test_the_alice_study_has_the_published_190_test_words(alice):
    n_samples = round(120 * (alice.events[-1].stop + 3))
    found = word_windows(alice.events, blocks_of(alice), 120.0, -0.5, 2.5, n_samples)
    assert len(found) == 190 and {anchor.split for anchor in found} == {"test"}
    assert len({anchor.block for anchor in found}) == 6


def test_by_sentence_no_text_of_the_alice_study_is_in_two_splits(alice):
    blocks = blocks_of(alice, rule="sentence")
    assert_no_leak([("alice", alice.events, blocks)])
    assert {b.split for b in blocks} == {"train", "valid", "test"}
    assert all(one.split != other.split for one, other in pairwise(blocks))


def test_blocks_are_joined_to_six_seconds_and_named_by_their_words():
    events = sentences("one two three four", "five six", "seven eight nine", "ten eleven")
    events[3] = replace(events[3], duration=0.6)  # reaches into the next block: does not name this one
    assert [b.uid for b in blocks_of(recording(events), merge=False)] == [
        "one two three", "five six", "seven eight nine", "ten eleven"
    ]  # fmt: skip
    joined = blocks_of(recording(events), min_block_s=2.6)
    assert [b.uid for b in joined] == ["one two three,five six", "seven eight nine,ten eleven"]
    assert [(b.start, b.stop) for b in joined] == [(0.0, 4.0), (4.0, INF)]


def test_sounds_begin_blocks_and_sequences_name_them():
    events = sentences("een twee drie", "vier vijf")
    sounds = [Event(1.0, 1.5, "sound", "a", "a", 0.0), Event(2.5, 1.0, "sound", "b", "b", 0.0)]
    grouping = Grouping(starts="sound", uid="sequence", merge=False)
    blocks = blocks_of(recording([*sounds, *events]), grouping=grouping)
    assert [b.uid for b in blocks] == ["een twee drie", "vier vijf"] and blocks[1].start == 2.5


def test_by_sentence_a_text_has_one_split_for_everyone():
    once = recording(sentences("a b c", "block0", "un test", "A  B c".lower()), "once")
    other = recording(sentences("Un Test", "a b c"), "other")
    both = [(r.name, r.events, blocks_of(r, rule="sentence")) for r in (once, other)]
    assert not [line for line in leaks(both) if "sentence" in line]
    assert next(b.split for b in both[1][2]) == "test"


def test_a_sentence_in_two_splits_is_a_leak():
    one, other = recording(sentences("He left", "a b")), recording(sentences("he left", stimulus="again"))
    divided = [
        ("first", one.events, (Block(0, 2, "x", "train"), Block(2, INF, "y", "valid"))),
        ("second", other.events, (Block(0, INF, "z", "test"),)),
    ]
    with pytest.raises(StudyError, match=r"'he left' is in test \(second\) and in train \(first\)"):
        assert_no_leak(divided)


def test_audio_in_two_splits_is_a_leak():
    sound = Event(0.0, 60.0, "sound", "tale", "tale", 0.0)
    later = replace(sound, start=10.0)
    divided = [
        ("first", (sound,), (Block(0, 30, "x", "test"), Block(30, INF, "y", "train"))),
        ("second", (later,), (Block(0, 40.05, "x", "test"), Block(40.05, INF, "y", "train"))),
    ]
    assert leaks(divided) == []  # 50 ms of another clock
    second = ("second", (later,), (Block(0, 38, "x", "test"), Block(38, INF, "y", "train")))
    with pytest.raises(StudyError, match=r"'tale' from 28.00 s to 30.00 s is in test \(first\) and in train"):
        assert_no_leak([divided[0], second])


def test_leaking_training_blocks_can_be_taken_away_and_the_test_stays():
    events = sentences("he left", "a b c", "he left")
    blocks = (Block(0, 2, "x", "train"), Block(2, 3.5, "y", "train"), Block(3.5, INF, "z", "test"))
    kept = without_leaks([("one", events, blocks)])["one"]
    assert [b.split for b in kept] == ["", "train", "test"]
    assert_no_leak([("one", events, kept)])
    assert word_windows(events, kept, 100.0, 0.0, 0.4, 600, splits=("", "train", "test"))[0].block == 1


def test_windows_stay_inside_one_block_and_the_recording():
    assert offsets(120.0, -0.5, 2.5) == (-60, 300)
    blocks = (Block(0.0, 6.0, "x", "train"), Block(6.0, INF, "y", "valid"))
    found = grid_windows(blocks, 120.0, -0.5, 2.5, 1201)
    train = [a.sample / 120 for a in found if a.split == "train"]
    valid = [a.sample / 120 for a in found if a.split == "valid"]
    assert train == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5] and valid == [6.5, 7.0, 7.5]
    assert all(a.sample >= 60 and a.sample + 300 <= 1200 for a in found)
    words = [Event(t, 0.1, "word", "w", "", 0.0) for t in (0.4, 1.0, 1.001, 3.51, 6.6)]
    found = word_windows(words, blocks, 120.0, -0.5, 2.5, 1201, splits=("train", "valid"))
    assert [a.sample for a in found] == [120, 792]


def test_what_cannot_be_divided_is_said():
    with pytest.raises(ConfigError, match=r"did you mean sentence"):
        blocks_of(recording([]), rule="sentences")
    with pytest.raises(StudyError, match=r"rec has no sentence starts: 1 words"):
        blocks_of(recording([Event(0, 1, "word", "a", "", 0)]))
    with pytest.raises(StudyError, match=r"'a' at 0.000 s belongs to no sentence"):
        blocks_of(recording([Event(0, 1, "word", "a", "", 0)]), rule="sentence")
    assert blocks_of(recording([], split="test")) == (Block(0.0, INF, "rec", "test"),)
