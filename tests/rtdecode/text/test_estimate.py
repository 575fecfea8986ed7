"""Estimated models: probabilities that sum to 1, the published formulas, KenLM's scores, and speed."""

import itertools
import math
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.errors import ConfigError
from rtdecode.text.arpa import read_arpa, write_arpa
from rtdecode.text.estimate import estimate
from rtdecode.text.ngram import NGram
from tests.rtdecode.text.test_arpa import assert_equals_kenlm

METHODS = ("kneser-ney", "witten-bell")


@pytest.fixture(scope="module")
def cues(data_dir: Path) -> list[str]:
    text = (data_dir / "t12-sentences" / "sentences.txt").read_text().lower()
    return [re.sub(r"[^a-z' ]", "", line) for line in text.splitlines()]


def mass(model: NGram, history: list[str]) -> float:
    """Sum of p(w | <s> history) over all words that can be said."""
    state = model.start()
    for word in history:
        state = model.score(state, word)[1]
    return math.fsum(10 ** model.score(state, word)[0] for word in model.words if word != "<s>")


WORD = st.sampled_from("abcde")
TEXTS = st.lists(st.lists(WORD, min_size=1, max_size=6), min_size=1, max_size=12)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, order=st.integers(1, 4), history=st.lists(st.sampled_from("abcdez"), max_size=4))
def test_probabilities_after_any_history_sum_to_one(
    method: str, texts, order: int, history: list[str]
) -> None:
    model = estimate(texts, order, method)
    for words in [history, *(text[: len(text) // 2 + 1] for text in texts[:3])]:
        assert mass(model, words) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_real_sentences_sum_to_one(cues: list[str], tmp_path: Path, method: str) -> None:
    write_arpa(estimate(cues, 3, method), tmp_path / "lm.arpa")
    model, rng = read_arpa(tmp_path / "lm.arpa"), np.random.default_rng(0)
    for i in rng.choice(len(cues), 40, replace=False):
        words = cues[i].split()
        assert mass(model, words[: rng.integers(0, len(words) + 1)]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", [2, 3, 5])  # KenLM itself has no models of order 1
def test_scores_equal_kenlm(cues: list[str], tmp_path: Path, method: str, order: int) -> None:
    write_arpa(estimate(cues[:1500], order, method), tmp_path / "lm.arpa")
    sentences = [
        line.split() for line in (*cues[:300], *cues[3000:3600])
    ]  # seen, and unseen with foreign words
    assert_equals_kenlm(tmp_path / "lm.arpa", sentences)


def test_unseen_sentences_gain_from_longer_contexts_and_from_kneser_ney(cues: list[str]) -> None:
    def perplexity(order: int, method: str) -> float:
        model = estimate(cues[:4000], order, method)
        texts = [line.split() for line in cues[4000:]]
        return 10 ** (-sum(map(model.sentence, texts)) / sum(len(words) + 1 for words in texts))

    kneser_ney = [perplexity(order, "kneser-ney") for order in (1, 2, 3)]
    assert kneser_ney[0] > 1.5 * kneser_ney[1]
    assert kneser_ney[2] < 1.02 * kneser_ney[1]
    assert kneser_ney[2] < 0.9 * perplexity(3, "witten-bell")


def test_witten_bell_by_hand() -> None:
    model = estimate(["a b", "a c", "a b"], 2, "witten-bell")  # words: a b c </s> <unk>, 9 said, 4 types
    p_b = (2 + 4 / 5) / (9 + 4)
    assert 10 ** model.score((), "b")[0] == pytest.approx(p_b)
    assert 10 ** model.score((), "<unk>")[0] == pytest.approx(4 / 5 / 13)
    after_a = model.score(model.start(), "a")[1]
    assert 10 ** model.score(after_a, "b")[0] == pytest.approx((2 + 2 * p_b) / (3 + 2))
    assert 10 ** model.score(after_a, "a")[0] == pytest.approx(2 / 5 * (3 + 4 / 5) / 13)


def kneser_ney_by_definition(
    texts: list[list[str]], order: int, history: tuple[str, ...], word: str
) -> float:
    """Chen and Goodman's recursion, read off the definition: slow, and without the estimator's tables."""
    padded = [("<s>", *text, "</s>") for text in texts]

    def grams(n: int) -> list[tuple[str, ...]]:
        return [text[i : i + n] for text in padded for i in range(len(text) - n + 1)]

    def count(ngram: tuple[str, ...]) -> int:
        if len(ngram) == order or ngram[0] == "<s>":
            return grams(len(ngram)).count(ngram)
        return len({longer[0] for longer in grams(len(ngram) + 1) if longer[1:] == ngram})

    def discount(n: int, c: int) -> float:
        if c == 0:
            return 0.0
        seen = Counter(count(ngram) for ngram in set(grams(n)) - {("<s>",)})
        if not (seen[1] and seen[2] and seen[3]):
            return (0.5, 1.0, 1.5)[min(c, 3) - 1]
        y = seen[1] / (seen[1] + 2 * seen[2])
        table = [k - (k + 1) * y * seen[k + 1] / seen[k] for k in (1, 2, 3)]
        if not all(d > 0 for d in table):
            return (0.5, 1.0, 1.5)[min(c, 3) - 1]
        return table[min(c, 3) - 1]

    words = {w for text in texts for w in text} | {"</s>", "<unk>"}

    def p(h: tuple[str, ...], w: str) -> float:
        n = len(h) + 1
        counts = {v: count((*h, v)) for v in words}
        total = sum(counts.values())
        shorter = p(h[1:], w) if h else 1 / len(words)
        if not total:
            return shorter
        freed = sum(discount(n, c) for c in counts.values())
        return (counts[w] - discount(n, counts[w])) / total + freed / total * shorter

    return p(history[-(order - 1) :] if order > 1 else (), word)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_is_the_published_recursion(order: int) -> None:
    rng = np.random.default_rng(order)
    letters = list("abcdefghij")
    weights = 1 / np.arange(1, 11)
    texts = [
        [str(w) for w in rng.choice(letters, rng.integers(1, 6), p=weights / weights.sum())]
        for _ in range(25)
    ]
    model = estimate(texts, order, "kneser-ney")
    histories = [(), *itertools.product("ab", repeat=1), *itertools.product("abc", repeat=2)]
    for history in histories:
        state = model.start()
        for word in history:
            state = model.score(state, word)[1]
        for word in ("a", "c", "j", "</s>", "<unk>"):
            expected = kneser_ney_by_definition(texts, order, ("<s>", *history), word)
            assert 10 ** model.score(state, word)[0] == pytest.approx(expected, rel=1e-9), (history, word)


@pytest.mark.parametrize("method", METHODS)
def test_a_given_vocabulary_bounds_the_words(method: str) -> None:
    model = estimate(["the cat sat", "the dog sat"], 2, method, vocabulary=["the", "sat", "mouse"])
    assert set(model.words) == {"<s>", "</s>", "<unk>", "the", "sat", "mouse"}
    state = model.score(model.start(), "the")[1]
    assert model.score(state, "cat") == model.score(
        state, "<unk>"
    )  # seen after "the", under the name of <unk>
    assert model.score(state, "cat")[0] > model.score(state, "mouse")[0] > -3
    assert mass(model, ["the"]) == pytest.approx(1, abs=1e-9)


def test_words_and_strings_are_the_same_and_empty_lines_are_none() -> None:
    a = estimate(["a b", "", "b"], 2)
    b = estimate([["a", "b"], ["b"]], 2)
    assert list(a.ngrams()) == list(b.ngrams())


@pytest.mark.parametrize(
    ("texts", "order", "method", "said"),
    [
        ([], 2, "kneser-ney", "needs at least 1 sentence, there are 0"),
        (["", " "], 2, "kneser-ney", "needs at least 1 sentence, there are 0"),
        (["a"], 0, "kneser-ney", "an n-gram order of 0 cannot be estimated, valid: 1 to 9"),
        (["a"], 2, "kneser", r"no n-gram method 'kneser' \(did you mean kneser-ney\?\)"),
        (["a", "a </s> b"], 2, "witten-bell", "sentence 2 has '</s>' inside"),
    ],
)
def test_what_cannot_be_estimated_is_said(texts: list[str], order: int, method: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        estimate(texts, order, method)


@pytest.mark.parametrize("method", METHODS)
def test_thirteen_thousand_sentences_take_seconds(cues: list[str], method: str) -> None:
    began = time.perf_counter()
    estimate([*cues, *(line + " then" for line in cues), *("well " + line for line in cues)], 3, method)
    assert time.perf_counter() - began < 5  # 0.3 s measured
