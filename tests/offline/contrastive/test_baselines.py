"""Predictors without the brain are at chance; where candidates leak, the warning is loud."""

import logging

import numpy as np
import pytest

from offline.contrastive.baselines import (
    at_chance,
    blind_baselines,
    constant,
    mean_estimate_row,
    shuffled,
)
from offline.contrastive.metrics import ranks
from offline.contrastive.scores import Scores
from offline.losses import clip_scores
from rtdecode.errors import StudyError
from tests.offline.contrastive.make import planted


def test_every_baseline_of_a_good_model_is_at_chance(caplog):
    scores, rng = planted(strength=3.0), np.random.default_rng(0)
    with caplog.at_level(logging.WARNING):
        found = blind_baselines(
            scores,
            mean_estimate=rng.normal(size=120),
            energy=rng.uniform(size=120),
            duration=rng.uniform(size=120),
            others={"the model on noise": rng.normal(size=(480, 120))},
        )
    assert ranks(scores).hits(10).mean() > 0.8
    assert [one.within for one in found] == [True] * 8 and not caplog.records
    assert {one.name for one in found} >= {
        "mean training estimate",
        "smallest energy",
        "time-shuffled pairing",
    }
    assert found[-1].value == pytest.approx(10 / 120, abs=0.03)


def heard_unevenly() -> Scores:
    """Loud candidates are heard five times as often as soft ones: energy tells the answer without a brain."""
    scores = planted(subjects=10)
    loud = scores.target % 4 == 0
    keep = loud | (np.arange(scores.trials) < 240)
    return scores.of_trials(keep)


def test_a_leak_through_the_candidates_is_loud(caplog):
    scores = heard_unevenly()
    energy = (np.arange(120) % 4 == 0) + np.random.default_rng(0).uniform(0, 0.1, 120)
    with caplog.at_level(logging.WARNING):
        found = {one.name: one for one in blind_baselines(scores, energy=energy)}
    assert not found["largest energy"].within and found["largest energy"].value > 1.5 * 10 / 120
    assert found["no knowledge (all equal)"].within
    assert "SIGNAL-BLIND BASELINE ABOVE CHANCE: largest energy" in caplog.text
    assert not found["smallest energy"].within and "BELOW CHANCE" in found["smallest energy"].sentence
    assert found["largest energy"].rank < 0.4 < 0.6 < found["smallest energy"].rank


def test_a_predictor_that_sees_its_answer_is_found_out():
    scores = planted(strength=0.0)
    peeking = scores.scores + 3 * np.eye(120)[scores.target]
    found = {one.name: one for one in blind_baselines(scores, others={"peeking": peeking})}
    assert not found["peeking"].within


def test_nothing_hit_is_not_a_verdict_of_its_own():
    """No hit in 12 stretches: resampling alone would call that certainly below chance."""
    interval, within = at_chance(np.zeros(120), np.repeat(np.arange(12), 10), 10 / 120)
    assert within and interval.low == 0 and interval.high > 0.1
    assert not at_chance(np.zeros(4000), np.arange(4000), 10 / 120)[1]


def test_mean_estimate_scores_as_the_loss_does():
    import torch

    rng = np.random.default_rng(0)
    estimate, y = rng.normal(size=(6, 4)), rng.normal(size=(9, 6, 4))
    row = mean_estimate_row(estimate, y)
    expected = clip_scores(torch.tensor(estimate)[None], torch.tensor(y), norm="candidates")[0].numpy()
    np.testing.assert_allclose(row, expected, rtol=1e-5)
    with pytest.raises(StudyError, match="24 values against a candidate of 20"):
        mean_estimate_row(estimate, y[:, :5])


def test_a_constant_needs_one_value_a_candidate():
    with pytest.raises(StudyError, match="120 candidates"):
        constant(planted(), np.zeros(7))
    blind = constant(planted(), np.arange(120))
    assert blind.scores.strides[0] == 0  # no memory for N equal rows


def test_shuffling_is_seeded():
    scores = planted()
    np.testing.assert_array_equal(shuffled(scores), shuffled(scores))
    assert not np.array_equal(shuffled(scores), shuffled(scores, seed=1))
