"""Metrics against values worked out by hand or by brute force, and at their limits."""

import itertools
import time

import numpy as np
import pytest

from offline.contrastive.metrics import (
    accuracy,
    blocks,
    bootstrap,
    compare,
    non_overlapping,
    per_subject,
    ranks,
    summarise,
    word_ranks,
)
from offline.contrastive.scores import Scores
from rtdecode.errors import StudyError
from tests.offline.contrastive.make import planted


def small(rows, target, words=("a", "b", "c", "d")) -> Scores:
    n = len(rows)
    return Scores(
        np.array(rows, float),
        np.array(target),
        ("s",) * n,
        tuple(words[t] for t in target),
        words,
        tuple(("u", k) for k in range(len(words))),
        tuple(("x.wav", float(k)) for k in range(len(words))),
        ("r",) * n,
    )


def test_top_k_by_hand():
    scores = small([[4, 3, 2, 1], [4, 3, 2, 1], [1, 2, 3, 9]], [0, 2, 3])
    assert ranks(scores).hits(1).tolist() == [1, 0, 1]
    assert ranks(scores).hits(3).tolist() == [1, 1, 1]
    assert ranks(scores).relative.tolist() == pytest.approx([0, 2 / 3, 0])


def test_ties_count_as_the_mean_over_their_orders():
    row, k = [5, 2, 2, 2], 2
    orders = [
        sorted(range(4), key=lambda c: (-row[c], order.index(c)))
        for order in itertools.permutations(range(4))
    ]
    for target in range(4):
        expected = np.mean([target in best[:k] for best in orders])
        assert ranks(small([row], [target])).hits(k)[0] == pytest.approx(expected)


def test_a_predictor_that_says_nothing_has_exactly_chance():
    scores = planted().with_scores(np.zeros(120))
    for found in summarise(scores).segments:
        assert found.value == pytest.approx(found.chance) == found.k / 120
    assert summarise(scores).median_rank == 0.5


def test_words_sum_the_probabilities_of_their_candidates():
    # softmax: "a" 0.4; "b" 0.3 + 0.3, in two spellings
    scores = small([np.log([0.4, 0.3, 0.3])], [0], ("a", "b", "B."))
    found, words = word_ranks(scores)
    assert words == ("a", "b")
    assert found.hits(1)[0] == 0 and ranks(scores).hits(1)[0] == 1
    assert word_ranks(small([np.log([0.4, 0.3, 0.3])], [2], ("a", "b", "B.")))[0].hits(1)[0] == 1
    assert found.of == 2


def test_words_agree_with_brute_force():
    scores = planted(strength=2.0)
    found, words = word_ranks(scores)
    spelled = [w.lower().strip(",") for w in scores.candidate_word]
    for row in range(0, scores.trials, 37):
        p = np.exp(scores.scores[row].astype(float))
        by_word = {w: sum(p[k] for k in range(len(p)) if spelled[k] == w) for w in words}
        own = by_word[spelled[scores.target[row]]]
        assert found.beaten[row] == sum(v > own * (1 + 1e-9) for v in by_word.values())


def test_chances_of_words_and_segments():
    scores = planted()
    report = summarise(scores)
    assert report.top(10).chance == pytest.approx(10 / 120)
    assert report.top(10).frequent == pytest.approx(10 / 120)  # each heard equally often
    first = report.words[0]
    assert first.of == 7 and first.chance == pytest.approx(1 / 7)
    assert first.frequent == pytest.approx(0.25)  # "the" and "The" of eight


def test_a_resampled_trial_brings_its_neighbours():
    """Windows overlap: resampling single trials would give an interval several times too narrow."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(40), 50)
    values = rng.uniform(size=40)[cluster]
    apart = bootstrap(values, np.arange(len(values)))
    whole = bootstrap(values, cluster)
    assert whole.clusters == 40 and (whole.high - whole.low) > 5 * (apart.high - apart.low)
    assert bootstrap(values, cluster) == whole  # seeded
    assert bootstrap(values, cluster, seed=1) != whole


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for draw in range(200):
        cluster = np.repeat(np.arange(40), 6)
        values = rng.normal(0.3, 0.1, 40)[cluster] + rng.normal(0, 0.05, 240)
        inside += bootstrap(values, cluster, draws=400, seed=draw).holds(0.3)
    assert 178 <= inside <= 198


def test_one_subject_has_no_interval_over_subjects():
    found = summarise(planted(subjects=1)).top(10)
    assert found.by_subjects is None and found.by_blocks.clusters == 6


def test_blocks_are_stretches_of_stimulus_shared_by_subjects():
    scores = planted()
    block = blocks(scores)
    assert len(np.unique(block)) == 6  # two stimuli of 24 s in stretches of 10 s
    np.testing.assert_array_equal(block[:120], block[120:240])


def test_candidates_without_overlap():
    apart = non_overlapping(planted(), 3.0)
    starts = {}
    for stimulus, seconds in apart.candidate_start:
        assert seconds - starts.get(stimulus, -9) >= 3.0 - 1e-9
        starts[stimulus] = seconds
    assert apart.candidates == 16 and apart.trials == 16 * 4


def test_per_subject_and_the_paired_comparison():
    weak, strong = planted(subjects=8, strength=1.0), planted(subjects=8, strength=2.5)
    assert list(per_subject(weak)) == [f"sub-{s:02d}" for s in range(1, 9)]
    found = compare(weak, strong)
    assert found.value > 0.1 and found.interval.low > 0 and found.p == pytest.approx(2 / 2**8)
    assert compare(weak, weak).value == 0 and compare(weak, weak).p is None
    with pytest.raises(StudyError, match="not the same"):
        compare(planted(subjects=2), planted(subjects=3))


def test_a_perfect_model_is_one_and_an_empty_test_is_refused():
    scores = planted(strength=50.0)
    report = summarise(scores)
    assert report.top(1).value == 1.0 and report.median_rank == 0 and report.non_overlapping.value == 1.0
    with pytest.raises(StudyError, match="no trial"):
        ranks(scores.of_trials([]))


def test_ten_thousand_trials_take_seconds():
    scores = planted(subjects=8, candidates=1300, per_stimulus=400)
    began = time.process_time()
    summarise(scores)
    assert time.process_time() - began < 15
    found = accuracy(ranks(scores), scores.target, scores, 10)
    assert found.n == 10400 and found.of == 1300
