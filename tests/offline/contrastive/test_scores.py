"""Scores keep what they were given, refuse what contradicts itself, and come back from disk the same."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from offline.contrastive.scores import Scores, load_scores
from rtdecode.errors import StudyError
from tests.offline.contrastive.make import planted


def same(a: Scores, b: Scores) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Scores))


def test_what_is_saved_is_read_back(tmp_path):
    scores = replace(planted(), word=("naïve “word”\n",) * 480)
    path = scores.save(tmp_path / "test")
    assert path.name == "test.npz" and [p.name for p in tmp_path.iterdir()] == ["test.npz"]
    again = load_scores(path)
    assert same(again, scores)
    assert again.candidate_id == scores.candidate_id and again.candidate_start == scores.candidate_start
    assert again.about == {"model": "planted", "look_ahead": 67}


def test_a_row_for_all_trials_survives_the_disk(tmp_path):
    scores = planted().with_scores(np.arange(120))
    assert same(load_scores(scores.save(tmp_path / "x.npz")), scores)


def test_nothing_in_the_file_is_pickled(tmp_path):
    with np.load(planted().save(tmp_path / "x"), allow_pickle=False) as file:
        assert all(file[name].dtype.kind in "iufb" for name in file.files)
        assert json.loads(file["strings"].tobytes())["schema"] == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": np.full(480, 120)}, "a target of 120 with 120 candidates"),
        ({"target": np.full(480, -1)}, "a target"),
        ({"target": np.zeros(480)}, "whole numbers"),
        ({"subject": ("a",)}, "1 entries of subject, expected 480"),
        ({"candidate_word": ("a",)}, "1 entries of candidate_word, expected 120"),
        ({"candidate_id": (("s", 0),) * 120}, "120 candidates have 1 identities"),
        ({"scores": np.zeros((3, 120))}, "480 targets"),
        ({"scores": np.full((480, 120), np.nan)}, "57600 of 57600 scores are not numbers"),
    ],
)
def test_contradictions_are_refused(changes, words):
    with pytest.raises(StudyError, match=words):
        replace(planted(), **changes)


def test_a_damaged_or_foreign_file_is_one_sentence(tmp_path):
    with pytest.raises(StudyError, match="there are no scores"):
        load_scores(tmp_path / "none.npz")
    path = planted().save(tmp_path / "x")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(StudyError, match="not a file of scores"):
        load_scores(path)
    np.savez(tmp_path / "y.npz", a=np.zeros(3))
    with pytest.raises(StudyError, match="not a file of scores"):
        load_scores(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", strings=np.array([{}], dtype=object))  # a pickle: never opened
    with pytest.raises(StudyError, match="not a file of scores"):
        load_scores(tmp_path / "z.npz")


def test_fewer_candidates_keep_only_their_trials():
    scores = planted()
    some = scores.of_candidates([5, 7])
    assert some.scores.shape == (8, 2) and some.trials == 8
    assert some.candidate_id == (scores.candidate_id[5], scores.candidate_id[7])
    for row in range(8):
        assert some.candidate_word[some.target[row]] == some.word[row]
    np.testing.assert_array_equal(some.scores[:2], scores.scores[[5, 7]][:, [5, 7]])


def test_some_trials_keep_all_candidates():
    scores = planted()
    some = scores.of_trials(np.array(scores.subject) == "sub-02")
    assert some.subjects == ("sub-02",) and some.candidates == 120 and some.trials == 120
    np.testing.assert_array_equal(some.scores, scores.scores[120:240])
