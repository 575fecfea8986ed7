"""Error rates against values counted by hand, and what a corpus is."""

import numpy as np
import pytest

from offline.text.metrics import (
    Errors,
    character_errors,
    corpus,
    normalise,
    symbol_errors,
    word_errors,
)


@pytest.mark.parametrize(
    ("said", "compared"),
    [
        ("What's up?  Not much.", "what's up not much"),
        ("A well-known  fact -- really", "a well-known fact really"),
        ("one--two", "onetwo"),
        ("a trailing- hyphen", "a trailing hyphen"),
        ("", ""),
    ],
)
def test_sentences_are_compared_as_in_the_competitions(said, compared):
    assert normalise(said) == compared


def test_words_against_a_count_by_hand():
    # the -> a, cat, sat, down missing, on, the, mat, today too many: no shorter way leads there
    found = word_errors("The cat sat down on the mat.", "a cat sat on the mat today")
    assert found == Errors(substitutions=1, deletions=1, insertions=1, units=7)
    assert found.rate == pytest.approx(3 / 7)


def test_characters_count_the_space_between_words():
    assert character_errors("ab cd", "abcd") == Errors(0, 1, 0, 5)


def test_symbols_are_compared_by_number():
    # 1 2 10 against 12 10: joined as text these would look alike
    assert symbol_errors([1, 2, 10], [12, 10]).total == 2
    assert symbol_errors([3, 4, 5], [3, 9, 5, 5]) == Errors(1, 0, 1, 3)


def test_an_empty_reference_is_defined():
    assert word_errors("", "").rate == 0.0
    assert word_errors("", "two words").rate == 2.0
    assert word_errors("two words", "").rate == 1.0
    assert symbol_errors([], [7, 8]).rate == 2.0
    assert corpus([word_errors("", ""), word_errors("", "")]).value == 0.0


def test_a_corpus_is_not_a_mean_of_sentences():
    short, long = word_errors("no", "yes"), word_errors("one two three four five six seven eight nine", "")
    right = word_errors("a b c d e f g h i j", "a b c d e f g h i j")
    found = corpus([short, right])
    assert found.value == pytest.approx(1 / 11) and found.value != pytest.approx(0.5)
    assert corpus([short, long]).errors == Errors(1, 9, 0, 10)


def test_the_interval_is_that_of_resampled_sentences():
    rng = np.random.default_rng(3)
    sentences = [Errors(int(wrong), 0, 0, 10) for wrong in rng.binomial(10, 0.2, size=400)]
    found = corpus(sentences, resamples=4000)
    # a mean of 400 sentences of 10 words: its standard error is sqrt(0.2 * 0.8 / 4000)
    half = 1.96 * np.sqrt(0.2 * 0.8 / 4000)
    assert found.low < found.value < found.high
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
    assert corpus(sentences) == corpus(sentences)


def test_one_sentence_has_an_interval_of_its_own_and_none_has_no_rate():
    found = corpus([Errors(1, 0, 0, 4)])
    assert (found.low, found.high) == (0.25, 0.25)
    with pytest.raises(ValueError, match="no sentence"):
        corpus([])
