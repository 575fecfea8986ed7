"""The loss against all alignments written out, targets that do not fit, and the plain reading of frames."""

import itertools
import math

import numpy as np
import pytest
import torch

from offline.text.ctc import ctc_loss, frames_needed, greedy


def collapsed(path):
    return [s for s, _ in itertools.groupby(path) if s]


def brute(log_probs, target):
    """-log of the sum over all paths that say the target."""
    frames, symbols = log_probs.shape
    total = 0.0
    for path in itertools.product(range(symbols), repeat=frames):
        if collapsed(path) == list(target):
            total += math.exp(sum(float(log_probs[t, s]) for t, s in enumerate(path)))
    return -math.log(total)


@pytest.mark.parametrize("target", [(1,), (1, 2), (2, 2), (1, 2, 1)])
def test_the_loss_is_the_sum_over_all_alignments_per_symbol(target):
    torch.manual_seed(0)
    log_probs = torch.randn(1, 5, 3, dtype=torch.float64).log_softmax(2)
    loss, fits = ctc_loss(
        log_probs, torch.tensor([5]), torch.tensor([list(target)]), torch.tensor([len(target)])
    )
    assert fits.tolist() == [True]
    assert float(loss) == pytest.approx(brute(log_probs[0], target) / len(target), rel=1e-9)


def test_a_silent_trial_is_learned_as_blanks():
    log_probs = torch.randn(1, 4, 3).log_softmax(2)
    loss, fits = ctc_loss(log_probs, torch.tensor([4]), torch.tensor([[0]]), torch.tensor([0]))
    assert bool(fits) and float(loss) == pytest.approx(-float(log_probs[0, :, 0].sum()), rel=1e-5)


def test_a_repeat_needs_a_frame_between():
    targets = torch.tensor([[1, 1, 2], [1, 2, 0], [3, 3, 3]])
    assert frames_needed(targets, torch.tensor([3, 2, 2])).tolist() == [4, 2, 3]


def test_what_does_not_fit_costs_nothing_and_moves_nothing():
    logits = torch.randn(2, 4, 3, requires_grad=True)
    targets = torch.tensor([[1, 1, 2], [1, 2, 0]])
    loss, fits = ctc_loss(logits.log_softmax(2), torch.tensor([3, 4]), targets, torch.tensor([3, 2]))
    assert fits.tolist() == [False, True] and float(loss[0].detach()) == 0.0
    loss.mean().backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[0].any() and logits.grad[1].any()


def test_frames_behind_a_trial_do_not_count():
    log_probs = torch.randn(1, 8, 3).log_softmax(2)
    args = (torch.tensor([5]), torch.tensor([[1, 2]]), torch.tensor([2]))
    changed = log_probs.clone()
    changed[:, 5:] = torch.randn(1, 3, 3).log_softmax(2)
    assert torch.equal(ctc_loss(log_probs, *args)[0], ctc_loss(changed, *args)[0])


def test_repeats_collapse_before_blanks_go():
    frames = np.eye(8, dtype=np.float32)[[5, 0, 5, 5, 0, 7]]
    assert greedy(frames) == [5, 5, 7]
    assert greedy(frames[:0]) == []
