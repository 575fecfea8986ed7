"""Back-off scoring by hand, states that are as short as the future allows, and speed."""

import itertools
import math
import time

import numpy as np
import pytest

from rtdecode.text.arpa import read_arpa
from rtdecode.text.ngram import FLOOR, LN10, NGram

WORDS = ("<s>", "</s>", "a", "b", "c")
S, E, A, B, C = range(5)
# (word ids): log10 probability; a back-off weight where one follows
SCORES = {
    (S,): -99.0,
    (E,): -0.5,
    (A,): -0.6,
    (B,): -0.7,
    (C,): -0.8,
    (S, A): -0.1,
    (A, B): -0.2,
    (B, C): -0.3,
    (S, A, B): -0.05,
}
BACKOFFS = {(S,): -0.01, (A,): -0.02, (B,): -0.03, (S, A): -0.04, (A, B): -0.06}
TOY = NGram(WORDS, SCORES, BACKOFFS, 3)


def walk(model: NGram, words: str) -> tuple[list[float], tuple[int, ...]]:
    state, scores = model.start(), []
    for word in words.split():
        score, state = model.score(state, word)
        scores.append(score)
    return [*scores, model.end(state)], state


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a b", [-0.1, -0.05, -0.06 - 0.03 - 0.5]),  # a whole trigram; then both contexts given up
        ("a c", [-0.1, -0.04 - 0.02 - 0.8, -0.5]),
        ("b c", [-0.01 - 0.7, -0.3, -0.5]),  # "b c" is followed by nothing: no weight, no context
        ("a b c", [-0.1, -0.05, -0.06 - 0.3, -0.5]),
        ("a zebra a", [-0.1, -0.04 - 0.02 + FLOOR, -0.6, -0.02 - 0.5]),  # a foreign word empties the state
        ("", [-0.01 - 0.5]),
    ],
)
def test_scores_by_hand(words: str, expected: list[float]) -> None:
    scores, _ = walk(TOY, words)
    assert scores == pytest.approx(expected, abs=1e-12)
    assert TOY.sentence(words.split()) == pytest.approx(sum(expected), abs=1e-12)
    assert TOY.sentence(words.split(), end=False) == pytest.approx(sum(expected[:-1]), abs=1e-12)


def test_scores_are_base_ten() -> None:
    assert 10 ** TOY.score((), "a")[0] == pytest.approx(math.exp(TOY.score((), "a")[0] * LN10))
    assert math.exp(LN10) == pytest.approx(10)


def test_a_foreign_word_is_unk_where_the_model_has_one() -> None:
    words = (*WORDS, "<unk>")
    model = NGram(words, {**SCORES, (5,): -2.0, (5, A): -0.15}, {**BACKOFFS, (5,): -0.25}, 3)
    scores, _ = walk(model, "zebra a")
    assert scores == pytest.approx([-0.01 - 2.0, -0.15, -0.02 - 0.5])
    assert model.index("zebra") == 5 and TOY.index("zebra") == TOY.unknown == -1
    assert walk(NGram(WORDS, SCORES, BACKOFFS, 3, floor=-7.0), "zebra")[0][0] == pytest.approx(-0.01 - 7.0)
    assert "a" in model and "zebra" not in model


def test_counts_and_ngrams_say_what_went_in() -> None:
    assert TOY.counts() == (5, 3, 1)
    ngrams = {ngram: (score, backoff) for ngram, score, backoff in TOY.ngrams()}
    assert {ngram: score for ngram, (score, _) in ngrams.items()} == SCORES
    assert {ngram: weight for ngram, (_, weight) in ngrams.items() if weight is not None} == BACKOFFS


def random_model(seed: int, order: int = 3, n_words: int = 4, keep: float = 0.4, gaps: float = 1.0) -> NGram:
    """Real-valued at random, so that futures are equal only where the structure makes them.

    Every n-gram's prefix is there; an n-gram whose suffix is not is kept with probability `gaps`.
    """
    rng = np.random.default_rng(seed)
    words = ("<s>", "</s>", *(f"w{i}" for i in range(n_words - 1)))
    scores: dict[tuple[int, ...], float] = {(i,): float(-rng.uniform(0.1, 3)) for i in range(len(words))}
    backoffs: dict[tuple[int, ...], float] = {}
    level: list[tuple[int, ...]] = list(scores)
    for _ in range(order - 1):
        contexts = [ngram for ngram in level if ngram[-1] != E]
        level = [(*c, w) for c in contexts for w in range(1, len(words)) if rng.random() < keep]
        level = [ngram for ngram in level if ngram[1:] in scores or rng.random() < gaps]
        scores.update((ngram, float(-rng.uniform(0.1, 3))) for ngram in level)
        follow = {ngram[:-1] for ngram in level}
        # Weights also on some that nothing follows: they matter to the next score, hence to the state.
        backoffs.update(
            (c, float(rng.uniform(-1, 0.2))) for c in contexts if c in follow or rng.random() < 0.3
        )
    assert max(map(len, scores)) == order
    return NGram(words, scores, backoffs, order)


@pytest.mark.parametrize("seed", range(20))
def test_states_are_equal_just_when_every_future_is(seed: int) -> None:
    model = random_model(seed)
    words = model.words[2:]
    futures: dict[tuple[float, ...], set[tuple[int, ...]]] = {}
    for length in range(5):
        for history in itertools.product(words, repeat=length):
            state = walk(model, " ".join(history))[1]
            future = []
            for ahead in itertools.product((*words, "</s>", "foreign"), repeat=2):
                first, then = model.score(state, ahead[0])
                future += [round(first, 9), round(model.score(then, ahead[1])[0], 9)]
            futures.setdefault(tuple(future), set()).add(state)
    assert {len(states) for states in futures.values()} == {1}
    assert len(futures) > 3


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_state_scores_as_the_whole_history_does(seed: int) -> None:
    model, rng = random_model(seed, order=4), np.random.default_rng(seed)
    for _ in range(200):
        history = tuple(int(i) for i in rng.integers(2, len(model.words), rng.integers(1, 8)))
        state = model.start()
        for i, word in enumerate(history):
            score, state = model.score_id(state, word)
            uncut = (0, *history[:i])[-3:]
            assert score == pytest.approx(model.score_id(uncut, word)[0], abs=1e-12)
            assert len(state) < model.order


def test_unigrams_alone_have_no_state() -> None:
    model = NGram(WORDS, {(i,): -1.0 for i in range(5)}, {}, 1)
    assert model.start() == () and model.score((), "a") == (-1.0, ())


def test_the_memory_of_scores_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("rtdecode.text.ngram.MEMO", 10)
    model = NGram(WORDS, SCORES, BACKOFFS, 3)
    for i in range(1000):
        assert model.score((), f"foreign{i}") == (FLOOR, ())
    assert len(model._memo) <= 10


def test_a_remembered_score_takes_about_a_microsecond(data_dir) -> None:
    model = read_arpa(data_dir / "text-and-lm" / "mfa_test_lm.arpa")
    rng = np.random.default_rng(0)
    words = [str(word) for word in rng.choice(model.words[2:], 20_000)]

    def lap() -> float:
        began, state = time.perf_counter(), model.start()
        for word in words:
            _, state = model.score(state, word)
        return (time.perf_counter() - began) / len(words)

    lap()
    assert min(lap() for _ in range(5)) < 3e-6  # 0.35 us measured; three for a busy machine
