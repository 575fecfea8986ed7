"""Scores counted one by one are those that rtdecode.score counts over everything."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.retrieve import Candidate
from rtdecode.score import Truth, cer, heard, top_k
from rtdecode.tracking import TEXT_SETTLES_S, Tracking

SFREQ = 100.0
WORDS = ("draw", "me", "a", "sheep", "please", "said", "he")


def said(kind: str, start: float, duration: float, text: str, stimulus: str) -> tuple[float, str]:
    about = {"kind": kind, "text": text, "stimulus": stimulus, "duration": duration}
    return start, json.dumps(about)


def recording(sentences: int = 8) -> list[tuple[float, str]]:
    """A sentence of 3 s every 4 s, three words each; every other one's sound is in the bank."""
    markers = []
    for k in range(sentences):
        words = [WORDS[(k + i) % len(WORDS)] for i in range(3)]
        markers.append(said("sentence", 4.0 * k, 3.0, " ".join(words), f"s{k}"))
        markers += [said("word", 4.0 * k + i, 0.9, word, f"s{k}") for i, word in enumerate(words)]
    return [*markers, (1.0, "button 1"), (2.0, '{"kind": "word"}')]


CANDIDATES = tuple(
    Candidate(f"c{k}-{part}", "", f"s{k}", 0, 16, part * 1.0, 1.0)
    for k in range(0, 8, 2)
    for part in range(3)
)
decisions = st.lists(
    st.tuples(
        st.one_of(st.none(), st.permutations(range(len(CANDIDATES))).map(lambda order: order[:11])),
        st.text(alphabet="drawmeshp ", max_size=6),
        st.text(alphabet="abc ", max_size=4),
    ),
    max_size=70,
)


def line(index: int, best: list[int] | None, delta: str, tentative: str, run: int = 1) -> dict:
    hits = None if best is None else {"hits": [{"id": CANDIDATES[k].id} for k in best]}
    text = {"delta": delta, "tentative": tentative}
    return {"run": run, "index": index, "sample": 50 * (index + 1), "retrieved": hits, "text": text}


@settings(max_examples=60, deadline=None)
@given(decisions, st.floats(0, 1.5))
def test_one_by_one_equals_all_at_once(made: list, delay_s: float) -> None:
    events = heard(recording())
    tracking, truth = Tracking(events, CANDIDATES, delay_s), Truth(CANDIDATES, events)
    pairs, text = [], ""
    for index, (best, delta, tentative) in enumerate(made):
        at_s = 0.5 * (index + 1)
        tracking.take(line(index, best, delta, tentative), "stream", at_s, SFREQ)
        if best is not None:
            pairs.append((best, truth.candidate(at_s - delay_s)))
        text += delta
        expected = truth.text(at_s - TEXT_SETTLES_S)
        figures = tracking.figures(fresh=True)
        whole = top_k(pairs, len(CANDIDATES))
        assert figures.ranked == (whole if whole.n else None)
        assert figures.cer == (cer(text + tentative, expected) if expected else None)
        assert figures.characters == len(expected)


def test_a_new_run_begins_anew_where_it_begins() -> None:
    tracking = Tracking(heard(recording()), CANDIDATES)
    for index in range(8):
        tracking.take(line(index, [0], "x", ""), "a", 0.5 * (index + 1), SFREQ)
    assert tracking.figures().since_s == 0
    assert tracking.figures().ranked.n > 0
    # 16.25 s of the recording is the first decision's newest sample, its run began 0.5 s before
    tracking.take(line(0, None, "draw", "", run=2), "b", 16.25, SFREQ)
    figures = tracking.figures()
    assert figures.since_s == 15.75
    assert figures.ranked is None and figures.cer is None
    assert tracking.said == "draw"


def test_words_that_were_heard_before_the_run_are_not_asked_for() -> None:
    tracking = Tracking(heard(recording()), CANDIDATES)
    tracking.restart(4.5)  # in the middle of the second sentence's first word
    tracking.add(7.5, None, "a sheep")
    assert tracking.figures().characters == len("a sheep")
    assert tracking.figures().cer == 0.0


def test_a_hole_in_what_was_read_begins_anew() -> None:
    tracking = Tracking(heard(recording()), CANDIDATES)
    for index in (0, 1, 2, 9):
        tracking.take(line(index, [0], "x", ""), "a", 0.5 * (index + 1), SFREQ)
    assert tracking.figures().since_s == 5.0
    assert tracking.said == "x"


def test_what_is_heard_now_and_its_rank() -> None:
    tracking = Tracking(heard(recording()), CANDIDATES, delay_s=0.5)
    tracking.add(1.9, [4, 1, 0])  # heard at 1.4 s: the second part of the first sentence
    figures = tracking.figures()
    assert (figures.heard, figures.known, figures.rank, figures.hits) == ("draw me a", True, 2, 3)
    tracking.add(1.9, [4, 0])
    assert tracking.figures().rank is None and tracking.figures().known
    tracking.add(5.0, [4, 0])  # a sentence without a candidate
    assert (tracking.figures().heard, tracking.figures().known) == ("me a sheep", False)
    tracking.add(3.9, [4, 0])  # between two
    assert (tracking.figures().heard, tracking.figures().known) == ("", False)


def test_error_rates_are_kept_until_they_are_asked_for_anew() -> None:
    tracking = Tracking(heard(recording()), CANDIDATES)
    tracking.add(3.5, None, "draw me a")
    assert tracking.figures(fresh=False).cer is None
    assert tracking.figures(fresh=True).cer == 0.0
    tracking.add(8.0, None, " nothing")
    assert tracking.figures(fresh=False).cer == 0.0
    assert tracking.figures(fresh=True).cer > 0.0
    assert tracking.figures().cer_chance > tracking.figures().cer


def test_a_recording_that_says_nothing_has_no_truth() -> None:
    assert not Tracking(heard([(0.0, "button 1")]), CANDIDATES).has_truth
    assert Tracking(heard(recording()), ()).has_truth
