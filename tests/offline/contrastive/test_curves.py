"""Curves: exact expectations equal sampled ones, and prefixes equal scores made from scratch."""

import numpy as np
import pytest

from offline.contrastive.curves import (
    candidate_curve,
    curve,
    last_frames_cut,
    look_ahead_curve,
    prefix_scores,
    subset_hits,
    window_curve,
)
from offline.contrastive.metrics import Ranks, ranks
from rtdecode.errors import StudyError
from tests.offline.contrastive.make import planted


def test_expectation_over_subsets_equals_sampling():
    rng = np.random.default_rng(0)
    row = np.array([9, 7, 7, 7, 5, 4, 3, 3, 1, 0.0])
    for target, size, k in ((2, 4, 1), (6, 5, 2), (0, 3, 1), (9, 8, 7)):
        others = np.delete(np.arange(10), target)
        sampled = []
        for _ in range(4000):
            chosen = rng.choice(others, size - 1, replace=False)
            keys = row[chosen] + 1e-6 * rng.normal(size=size - 1)
            sampled.append((keys > row[target] + 1e-6 * rng.normal()).sum() < k)
        found = Ranks(np.array([(row > row[target]).sum()]), np.array([(row == row[target]).sum() - 1]), 10)
        assert subset_hits(found, size, k)[0] == pytest.approx(np.mean(sampled), abs=0.03)


def test_all_candidates_give_the_accuracy_itself_and_k_candidates_give_one():
    scores = planted()
    line = candidate_curve(scores, [10, 50, 120])
    assert line.points[0].value == 1.0
    assert line.points[-1].value == pytest.approx(ranks(scores).hits(10).mean())
    assert line.points[0].value > line.points[1].value > line.points[2].value
    assert line.points[1].chance == 0.2


def test_a_blind_model_lies_on_chance_at_every_size():
    for p in candidate_curve(planted().with_scores(np.zeros(120))).points:
        assert p.value == pytest.approx(p.chance)


def test_a_subset_larger_than_the_set_is_refused():
    with pytest.raises(StudyError, match="121 of 120"):
        candidate_curve(planted(), [121])


def data():
    rng = np.random.default_rng(0)
    scores = planted(subjects=2, candidates=30, per_stimulus=30)
    y = rng.normal(size=(30, 20, 3)).astype(np.float32)
    z = y[scores.target] + 6 * rng.normal(size=(60, 20, 3)).astype(np.float32)
    return scores, z, y


def test_prefixes_equal_scoring_from_scratch():
    _, z, y = data()
    for stop, values in prefix_scores(z, y, [1, 7, 20]):
        flat = y[:, :stop].reshape(30, -1)
        expected = z[:, :stop].reshape(60, -1) @ flat.T / np.linalg.norm(flat, axis=1)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)
    for stop, values in prefix_scores(z, y, [7, 20], center=True):
        a, b = (v[:, :stop] - v[:, :stop].mean(axis=1, keepdims=True) for v in (z, y))
        b = b.reshape(30, -1)
        expected = a.reshape(60, -1) @ b.T / np.linalg.norm(b, axis=1)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(StudyError, match="rise"):
        list(prefix_scores(z, y, [7, 21]))
    with pytest.raises(StudyError, match="against candidates"):
        list(prefix_scores(z, y[:, :5], [3]))


def test_longer_windows_help_and_x_is_in_seconds():
    scores, z, y = data()
    line = window_curve(scores, z, y, [2, 20], sfreq=10.0, k=1)
    assert [p.x for p in line.points] == [0.2, 2.0]
    assert line.points[1].value > line.points[0].value + 0.1


def test_cutting_the_last_frames_helps_where_they_are_noise():
    scores, z, y = data()
    z[:, 15:] = 40 * np.random.default_rng(1).normal(size=z[:, 15:].shape)
    line = last_frames_cut(scores, z, y, context=10, steps=3, sfreq=100.0, k=1)
    assert [p.x for p in line.points] == [0.0, 50.0, 100.0]
    assert line.points[1].value > line.points[0].value + 0.1


def test_look_ahead_asks_for_every_point_once():
    asked = []

    def scorer(frames):
        asked.append(frames)
        return planted(strength=frames / 20)

    line = look_ahead_curve([0, 30, 60], scorer, sfreq=120.0, name="causal")
    assert asked == [0, 30, 60] and [p.x for p in line.points] == [0.0, 250.0, 500.0]
    assert line.points[0].value < line.points[2].value and line.name == "causal"
    assert line.points[0].interval.holds(line.points[0].value)
    assert curve("t", "x", [0], scorer).points[0].value == line.points[0].value
