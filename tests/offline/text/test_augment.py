"""Disturbances really change what the loss sees, and leave alone what they should."""

import dataclasses

import numpy as np
import pytest
import torch

from offline.text.augment import AugmentSpec, augmented
from offline.text.batches import Example, padded

NOTHING = AugmentSpec(noise=0, offset=0, cut=0)
EVERYTHING = AugmentSpec(noise=0.5, offset=0.3, cut=2, masks=4, mask_share=0.1, channels=0.1)
LENGTHS = (40, 25, 33)


def trials(lengths=LENGTHS, channels=6):
    rng = np.random.default_rng(0)
    features = [rng.normal(3, 1, (n, channels)).astype(np.float32) for n in lengths]
    examples = [Example(f"trial {i}", i % 2, i, n, "", (1, 2)) for i, n in enumerate(lengths)]
    return examples, lambda example: features[example.place]


def batch(lengths=LENGTHS, channels=6, seeds=(11, 12, 13)):
    examples, features = trials(lengths, channels)
    return padded(examples, features, seeds[: len(lengths)])


@pytest.mark.parametrize(
    "change",
    [{"noise": 1.0}, {"offset": 0.2}, {"cut": 2}, {"masks": 5, "mask_share": 0.2}, {"channels": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_each_disturbance_changes_the_batch_and_not_what_it_was_given(change):
    given = batch()
    before = given.x.clone()
    found = augmented(given, dataclasses.replace(NOTHING, **change), training=True)
    assert not torch.equal(found.x, before)
    assert torch.equal(given.x, before)


def test_targets_days_and_names_stay_and_so_do_shape_and_lengths():
    given = batch()
    found = augmented(given, dataclasses.replace(EVERYTHING, cut=0), training=True)
    for name in ("targets", "n_symbols", "day", "n_bins"):
        assert torch.equal(getattr(found, name), getattr(given, name)), name
    assert found.names == given.names and found.x.shape == given.x.shape


def test_without_training_nothing_happens():
    given = batch()
    assert augmented(given, EVERYTHING, training=False) is given


def test_padding_stays_silent():
    found = augmented(batch(), EVERYTHING, training=True)
    for row, length in enumerate(found.n_bins.tolist()):
        assert not found.x[row, length:].any()


def test_a_cut_takes_the_first_bins_and_says_so():
    given = batch((40,) * 60, seeds=tuple(range(60)))
    found = augmented(given, dataclasses.replace(NOTHING, cut=2), training=True)
    cuts = 40 - found.n_bins
    assert set(cuts.tolist()) == {0, 1, 2}
    for row, cut in enumerate(cuts.tolist()):
        assert torch.equal(found.x[row, : 40 - cut], given.x[row, cut:])


def test_a_cut_leaves_at_least_one_bin():
    given = batch((1, 2, 1))
    assert augmented(given, dataclasses.replace(NOTHING, cut=5), training=True).n_bins.min() >= 1


def test_noise_and_offset_have_their_sizes():
    given = batch((4000,), channels=50)
    noise = augmented(given, dataclasses.replace(NOTHING, noise=0.7), training=True).x - given.x
    assert float(noise.std()) == pytest.approx(0.7, rel=0.02)
    offset = augmented(given, dataclasses.replace(NOTHING, offset=0.2), training=True).x - given.x
    assert float(offset.std(dim=1).max()) < 1e-5  # one value for the whole trial
    assert float(offset[0, 0].std()) == pytest.approx(0.2, rel=0.3)


def test_masks_are_no_longer_than_their_share_and_cover_all_channels():
    given = batch((200,) * 40, seeds=tuple(range(40)))
    found = augmented(given, dataclasses.replace(NOTHING, masks=1, mask_share=0.075), training=True)
    silent = ~found.x.any(dim=2)
    assert torch.equal(silent, (found.x == 0).any(dim=2))
    counts = silent.sum(dim=1)
    assert counts.max() <= 15 and counts.min() <= 2 and counts.float().mean() == pytest.approx(7.5, abs=2)


def test_twenty_masks_silence_about_half_of_a_trial():
    given = batch((400,) * 20, seeds=tuple(range(20)))
    found = augmented(given, dataclasses.replace(NOTHING, masks=20, mask_share=0.075), training=True)
    assert 0.4 < float((~found.x.any(dim=2)).float().mean()) < 0.65


def test_silenced_channels_are_silent_all_along():
    given = batch((300,), channels=400)
    found = augmented(given, dataclasses.replace(NOTHING, channels=0.3), training=True)
    silent = ~found.x[0].any(dim=0)
    assert float(silent.float().mean()) == pytest.approx(0.3, abs=0.07)
    assert torch.equal(found.x[0][:, ~silent], given.x[0][:, ~silent])


def test_what_happens_to_a_trial_follows_from_its_seed_alone():
    whole = augmented(batch(), EVERYTHING, training=True)
    examples, features = trials()
    torch.manual_seed(99)
    alone = augmented(padded(examples[1:2], features, (12,)), EVERYTHING, training=True)
    length = int(alone.n_bins[0])
    assert int(whole.n_bins[1]) == length
    assert torch.equal(whole.x[1, :length], alone.x[0, :length])
    other = augmented(batch(seeds=(11, 77, 13)), EVERYTHING, training=True)
    assert not torch.equal(whole.x[1], other.x[1])
    assert torch.equal(whole.x[0], other.x[0])


@pytest.mark.parametrize("bad", [{"noise": -1.0}, {"mask_share": 1.5}, {"channels": 1.0}])
def test_disturbances_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        AugmentSpec(**bad)
