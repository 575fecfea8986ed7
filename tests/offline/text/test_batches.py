"""Which trials are drawn, how they are padded, and what is refused."""

import numpy as np
import pytest

from offline.text.batches import BatchSpec, Example, Sampler, padded
from rtdecode.errors import StudyError, TrainingError


def examples(days):
    return [Example(f"trial {i}", day, i, 10 + i, "", (1,) * (i + 1)) for i, day in enumerate(days)]


def ones(example):
    return np.ones((example.n_bins, 3), np.float32)


def test_trials_of_a_batch_are_as_long_as_they_are_and_zero_behind():
    found = padded(examples([0, 1, 1]), ones, (1, 2, 3))
    assert found.x.shape == (3, 12, 3) and found.n_bins.tolist() == [10, 11, 12]
    assert found.x.sum(dim=(1, 2)).tolist() == [30, 33, 36]
    assert found.targets.tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert found.n_symbols.tolist() == [1, 2, 3] and found.day.tolist() == [0, 1, 1]


def test_a_trial_without_text_has_an_empty_target():
    found = padded([Example("silent", 0, 0, 10, "", ())], ones, (1,))
    assert found.targets.shape == (1, 1) and found.n_symbols.tolist() == [0]


def test_whole_passes_take_every_trial_once():
    sampler = Sampler(examples([0] * 7), BatchSpec(size=3, draw="pass"), seed=1)
    drawn = np.concatenate([sampler.rows(step) for step in range(7)])
    assert len(drawn) == 21
    for lap in range(3):
        assert sorted(drawn[lap * 7 : lap * 7 + 7]) == list(range(7))
    assert list(drawn[:7]) != list(drawn[7:14])


def test_days_count_alike_however_few_trials_they_have():
    days = [0] * 50 + [1] * 2 + [2] * 30 + [3] * 20 + [4] * 10
    sampler = Sampler(examples(days), BatchSpec(size=64, draw="days", days=4), seed=1)
    for step in range(5):
        drawn = np.array(days)[sampler.rows(step)]
        assert np.unique(drawn, return_counts=True)[1].tolist() == [16, 16, 16, 16]


def test_fewer_days_than_a_batch_wants_are_drawn_again():
    sampler = Sampler(examples([0, 0, 1]), BatchSpec(size=8, days=4), seed=1)
    assert len(sampler.rows(0)) == 8


@pytest.mark.parametrize("draw", ["pass", "days"])
def test_a_batch_follows_from_seed_and_step_alone(draw):
    spec = BatchSpec(size=8, draw=draw)
    a, b = (Sampler(examples([0, 1, 2, 3] * 5), spec, seed=4) for _ in range(2))
    a.rows(0), a.seeds(0)
    assert np.array_equal(a.rows(5), b.rows(5)) and np.array_equal(a.seeds(5), b.seeds(5))
    assert not np.array_equal(a.rows(5), a.rows(6)) and len(set(a.seeds(5).tolist())) == 8


def test_a_trial_of_no_numbers_is_named_with_its_place():
    def broken(example):
        x = ones(example)
        if example.place == 1:
            x[4, 2] = np.nan
        return x

    with pytest.raises(StudyError, match="trial 1 holds nan at bin 4, channel 2"):
        padded(examples([0, 0]), broken, (1, 2))


def test_a_trial_shorter_than_its_table_is_named():
    with pytest.raises(StudyError, match="trial 0 has 9 bins of features, its table says 10"):
        padded(examples([0]), lambda example: ones(example)[:9], (1,))


def test_no_trial_and_batches_that_do_not_divide_are_refused():
    with pytest.raises(TrainingError, match="no trial"):
        Sampler([], BatchSpec(), seed=1)
    with pytest.raises(ValueError, match="no multiple"):
        BatchSpec(size=10, draw="days", days=4)
