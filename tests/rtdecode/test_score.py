"""What was really heard, and how often the decoder said so.

recording  0    1    2    3    4    5    6 s
sentences       |--- s1 ---|    |-- s2 --|
candidates      |c0 |  c1  |    (s2 is not in the bank)
"""

import json

import pytest

from rtdecode.retrieve import Candidate
from rtdecode.score import Heard, Truth, cer, heard, top_k

CANDIDATES = (
    Candidate("c0", "a fox", "s1", 100, 32, 0.0, 1.0),
    Candidate("c1", "ran away", "s1", 132, 64, 1.0, 2.0),
)
EVENTS = (
    Heard("sentence", 1.0, 3.0, "a fox ran away", "s1"),
    Heard("word", 1.0, 0.4, "a", "s1"),
    Heard("word", 1.4, 0.6, "fox", "s1"),
    Heard("sentence", 5.0, 1.0, "unknown", "s2"),
)


@pytest.mark.parametrize(
    ("t", "index"), [(0.5, None), (1.0, 0), (1.99, 0), (2.0, 1), (3.99, 1), (4.0, None), (5.5, None)]
)
def test_the_candidate_heard_at_a_time(t: float, index: int | None) -> None:
    assert Truth(CANDIDATES, EVENTS).candidate(t) == index


def test_only_words_heard_completely_count() -> None:
    truth = Truth(CANDIDATES, EVENTS)
    assert [truth.text(t) for t in (1.3, 1.5, 2.0)] == ["", "a", "a fox"]


def test_markers_of_other_kinds_are_left_alone() -> None:
    word = json.dumps({"kind": "word", "text": "fox", "stimulus": "s1", "duration": 0.5})
    found = heard([(2.0, word), (1.0, "trigger 7"), (1.5, "[1, 2]"), (0.5, '{"kind": "word"}')])
    assert found == (Heard("word", 2.0, 0.5, "fox", "s1"),)


def test_top_k_stands_beside_its_chance() -> None:
    ranked = [([3, 1, 2], 3), ([3, 1, 2], 1), ([3, 1, 2], 9), ([3, 1, 2], None)]
    score = top_k(ranked, 40)
    assert (score.n, score.top1, score.top10) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (score.chance1, score.chance10) == (1 / 40, 1 / 4)


def test_no_decision_with_a_truth_is_not_a_division_by_zero() -> None:
    assert top_k([([0], None)], 5).n == 0
    assert top_k([], 5).chance10 == 1.0


@pytest.mark.parametrize(
    ("said", "truth", "rate"),
    [
        ("a fox", "a fox", 0.0),
        ("a  fox ", "a fox", 0.0),
        ("", "a fox", 1.0),
        ("a box", "a fox", 0.2),
        ("", "", 0.0),
    ],
)
def test_cer(said: str, truth: str, rate: float) -> None:
    assert cer(said, truth) == pytest.approx(rate)
