"""Text: splits follow from the words alone, and nothing of a held-out sentence reaches training."""

import os
import re
from pathlib import Path

import pytest

from offline.simulate.text import contains_any, normalise, recombine, sentences, split_of, split_sentences
from rtdecode.errors import StudyError

DATA = Path(os.environ.get("RTDECODE_TEST_DATA", "../shared/data"))


def test_the_shipped_fables():
    found = sentences()
    assert len(found) == len(set(found)) >= 300
    assert all(re.fullmatch(r"[a-z]+(?:[ '][a-z]+)*", sentence) for sentence in found)
    assert 350 <= len({word for sentence in found for word in sentence.split()}) <= 500


def test_normalise():
    assert normalise("\u201cDon\u2019t,\u201d said  the 2 OXEN\u2014'now'!") == "don't said the oxen now"


def test_split_is_stable_and_disjoint():
    found = sentences()
    splits = split_sentences(found)
    again = split_sentences(reversed(found[10:]))
    for name in splits:
        assert set(again[name]) <= set(splits[name]) and all(split_of(s) == name for s in splits[name])
    assert len(splits["test"]) > 50 and len(splits["valid"]) > 20 and len(splits["train"]) > 200
    assert split_of("the fox ran") == split_of("the fox ran", 0.1, 0.2)


def test_training_sentence_around_a_held_out_one_is_left_out():
    held_out = next(s for s in sentences() if split_of(s) == "test")
    around = next(s for s in (f"{word} {held_out}" for word in "abcdefghijklmnop") if split_of(s) == "train")
    assert around not in split_sentences([held_out, around])["train"]
    assert contains_any("a b c d", {"b c"}) and not contains_any("ab cd", {"b c"})


def test_recombined_sentences_are_new_and_made_of_training_pairs():
    splits = split_sentences(sentences())
    held_out = {*splits["valid"], *splits["test"]}
    made = recombine(splits["train"], 100, 3, held_out)
    assert len(set(made)) == 100 and made == recombine(splits["train"], 100, 3, held_out)
    assert made != recombine(splits["train"], 100, 4, held_out)
    assert not set(made) & set(splits["train"]) and not any(contains_any(s, held_out) for s in made)
    pairs = {pair for s in splits["train"] for pair in zip(s.split(), s.split()[1:], strict=False)}
    assert all(pair in pairs for s in made for pair in zip(s.split(), s.split()[1:], strict=False))


def test_recombine_says_when_it_cannot():
    with pytest.raises(StudyError, match="only 0 of 5"):
        recombine(["the fox ran to the hill"[:11]], 5, 0)


def test_recombine_forbids_held_out_sentences():
    training = ["the fox ran home to eat", "a dog ran home to sleep"]
    free = recombine(training, 2, 0)
    assert set(free) == {"the fox ran home to sleep", "a dog ran home to eat"}
    with pytest.raises(StudyError, match="only 1 of 2"):
        recombine(training, 2, 0, forbidden=["a dog ran home to eat"])


def test_a_book():
    found = sentences(DATA / "text-and-lm" / "alice_gutenberg_11.txt")
    assert len(found) > 800 and not any("gutenberg" in sentence for sentence in found)
    assert all(4 <= len(sentence.split()) <= 14 for sentence in found)


def test_refuses_a_text_without_sentences(tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n1 2 3.\n")
    with pytest.raises(StudyError, match="no sentence"):
        sentences(tmp_path / "empty.txt")
    with pytest.raises(StudyError, match="cannot read"):
        sentences(tmp_path / "absent.txt")
