"""Scores equal the plain definition; candidates are ranked where they lie; chance is stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.retrieve import Bank, Candidate, RetrievalSpec, Retriever

RNG = np.random.default_rng(0)
N = 12


def candidate(k: int, first: int, frames: int) -> Candidate:
    return Candidate(f"c{k}", f"words {k}", "story", first, frames, first / 32, frames / 32)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


def search_bank(features: int = 3) -> Bank:
    timeline = RNG.normal(size=(100, features)).astype(np.float32)
    return Bank(timeline, tuple(candidate(k, 10 + 9 * k, 9) for k in range(10)))


def test_search_scores_equal_the_definition() -> None:
    bank = search_bank()
    retriever = Retriever(RetrievalSpec(N, 4, "search", 10.0), bank, 32.0)
    z = RNG.normal(size=(N, 3)).astype(np.float32)
    retriever.push(z, N)
    expected = []
    for c in bank.candidates:
        ends = range(c.first, c.first + c.frames)
        expected.append(max(cosine(z, bank.features[e - N + 1 : e + 1]) for e in ends if e - N + 1 >= 0))
    assert retriever.scores() == pytest.approx(expected, abs=1e-5)


def test_onset_scores_equal_the_definition_and_respect_the_delay() -> None:
    stimuli = RNG.normal(size=(7, 60, 2)).astype(np.float32)
    bank = Bank(stimuli.reshape(-1, 2), tuple(candidate(k, 60 * k, 60) for k in range(7)))
    retriever = Retriever(RetrievalSpec(N, 4, "onset", 10.0), bank, 64.0)
    estimate = RNG.normal(size=(70, 2)).astype(np.float32)
    for stop in range(1, 71):
        retriever.push(estimate[stop - 1 : stop], stop)
        assert retriever.ready() == (stop >= N + 4)
        assert retriever.ended() == (stop > 64)
        if retriever.ready() and not retriever.ended():
            span = slice(stop - 4 - N, stop - 4)
            expected = [cosine(estimate[stop - N : stop], stimulus[span]) for stimulus in stimuli]
            assert retriever.scores() == pytest.approx(expected, abs=1e-5)


def test_a_noisy_copy_is_found_with_its_probability_and_chance() -> None:
    bank = search_bank()
    retriever = Retriever(RetrievalSpec(N, 0, "search", 20.0), bank, 32.0, top=3)
    heard = bank.candidates[6]
    end = heard.first + 4
    z = bank.features[end - N + 1 : end + 1] + 0.3 * RNG.normal(size=(N, 3)).astype(np.float32)
    retriever.push(z.astype(np.float32), N)
    ranked = retriever.rank()
    assert ranked.hits[0].id == "c6"
    assert len(ranked.hits) == 3
    assert ranked.chance == 0.1
    assert ranked.margin == ranked.hits[0].prob - ranked.hits[1].prob > 0.5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 15), max_size=12))
def test_pieces_equal_whole(sizes: list[int]) -> None:
    bank = search_bank()
    z = RNG.normal(size=(60, 3)).astype(np.float32)
    whole, pieces = (Retriever(RetrievalSpec(N, 4, "search", 10.0), bank, 32.0) for _ in range(2))
    whole.push(z, 60)
    at = 0
    for size in [*sizes, 60]:
        part = z[at : at + size]
        at += len(part)
        pieces.push(part, at)
    assert np.array_equal(whole.scores(), pieces.scores())


def test_silence_scores_nothing_and_warns_of_nothing() -> None:
    bank = Bank(np.zeros((100, 3), np.float32), search_bank().candidates)
    retriever = Retriever(RetrievalSpec(N, 0, "search", 10.0), bank, 32.0)
    retriever.push(np.zeros((N, 3), np.float32), N)
    assert np.array_equal(retriever.scores(), np.zeros(10))


@pytest.mark.parametrize(
    ("candidates", "align", "words"),
    [
        ((candidate(0, 95, 9),), "search", "outside"),
        ((candidate(0, 0, 5),), "search", "c0 ends before the first full window"),
        ((candidate(0, 0, 30), candidate(1, 30, 31)), "onset", "equally long"),
    ],
)
def test_banks_that_cannot_be_searched_are_refused(candidates: tuple, align: str, words: str) -> None:
    bank = Bank(np.ones((100, 3), np.float32), candidates)
    with pytest.raises(ValueError, match=words):
        Retriever(RetrievalSpec(N, 0, align, 10.0), bank, 32.0)  # type: ignore[arg-type]
