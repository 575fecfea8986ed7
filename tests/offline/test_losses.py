"""Losses against the published golden values and against what they promise."""

import pytest
import torch

from offline.losses import clip_loss, clip_scores, ctc_loss


def golden():
    # Published as (items, features, time); ours is (items, time, features).
    z = (torch.arange(12.0) / 10).reshape(2, 2, 3).transpose(1, 2)
    y = torch.cos(torch.arange(18.0)).reshape(3, 2, 3).transpose(1, 2)
    return z, y


def test_published_scores_and_loss():
    z, y = golden()
    expected = torch.tensor([[-0.2594, -0.3211, -0.3567], [-0.3418, -0.3821, -0.3922]])
    torch.testing.assert_close(clip_scores(z, y), expected, atol=1e-4, rtol=0)
    assert float(clip_loss(z, y[:2])) == pytest.approx(0.6881, abs=1e-4)


def test_more_candidates_than_estimates_is_harder():
    z, y = golden()
    assert clip_loss(z, y) > clip_loss(z, y[:2])


def test_cosine_form_ignores_level_and_offset():
    torch.manual_seed(0)
    z, y = torch.randn(4, 10, 3), torch.randn(4, 10, 3)
    a = clip_scores(z, y, norm="both", center=True)
    b = clip_scores(5 * z + torch.randn(4, 1, 3), 2 * y - 7, norm="both", center=True)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert a.abs().max() <= 1


def test_same_stimulus_is_no_negative():
    y = torch.randn(3, 10, 2)
    y[1] = y[0]
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    options = {"norm": "both", "center": True, "scale": 100.0}
    assert clip_loss(y, y, **options) > 0.4  # two of three cannot be told apart: 2/3 ln 2
    assert clip_loss(y, y, **options, not_negative=same) < 1e-3
    assert clip_loss(y, y, **options, not_negative=same, symmetric=True) < 1e-3


def test_silent_candidate_gives_no_nan():
    z, y = torch.zeros(2, 5, 3, requires_grad=True), torch.zeros(2, 5, 3)
    loss = clip_loss(z, y, norm="both", center=True)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(z.grad).all()


def test_unknown_norm():
    with pytest.raises(ValueError, match="candidates"):
        clip_scores(*golden(), norm="x")


def test_ctc_prefers_the_right_text_and_survives_an_impossible_one():
    frames = torch.full((2, 6, 3), -10.0)
    for n, symbol in enumerate([1, 1, 0, 2, 0, 0]):
        frames[:, n, symbol] = 0
    log_probs = torch.log_softmax(frames, -1)
    n_frames, n = torch.tensor([6, 6]), torch.tensor([2, 2])
    right = ctc_loss(log_probs, torch.tensor([[1, 2], [1, 2]]), n_frames, n)
    wrong = ctc_loss(log_probs, torch.tensor([[2, 1], [2, 1]]), n_frames, n)
    assert right < 0.01 < wrong
    too_long = torch.ones(2, 7, dtype=torch.long)
    assert torch.isfinite(ctc_loss(log_probs, too_long, n_frames, torch.tensor([7, 7])))
