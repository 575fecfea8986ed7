"""Losses against the published golden values and against what they promise."""

import pytest
import torch

from offline.losses import (
    NORMS,
    Temperature,
    clip_loss,
    clip_scores,
    ctc_loss,
    duplicates,
    siglip_loss,
)


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


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss_of", [clip_loss, siglip_loss])
def test_silence_on_either_side_gives_no_nan(norm, center, dtype, loss_of):
    for z, y in [(0, 0), (1, 0), (0, 1)]:
        z = torch.full((2, 5, 3), float(z), dtype=dtype, requires_grad=True)
        y = torch.full((2, 5, 3), float(y), dtype=dtype, requires_grad=True)
        loss = loss_of(z, y, norm=norm, center=center)
        loss.backward()
        assert torch.isfinite(loss)
        assert z.grad.abs().max() < 100 and y.grad.abs().max() < 100


def test_each_norm_divides_what_it_says():
    z, y = golden()
    plain = torch.einsum("btf,ktf->bk", z, y)
    by_z, by_y = z.flatten(1).norm(dim=1)[:, None], y.flatten(1).norm(dim=1)[None]
    for norm, expected in [
        ("none", plain),
        ("candidates", plain / by_y),
        ("estimate", plain / by_z),
        ("both", plain / by_y / by_z),
    ]:
        torch.testing.assert_close(clip_scores(z, y, norm), expected)


def test_scores_are_full_precision_under_mixed_precision():
    z, y = torch.full((1, 343, 512), 30.0), torch.full((1, 343, 512), 30.0)  # their product overflows float16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = clip_scores(z.half(), y.half(), "none")
    assert scores.dtype == torch.float32
    assert scores.item() == pytest.approx(343 * 512 * 900, rel=1e-5)


@pytest.mark.parametrize("loss_of", [clip_loss, siglip_loss])
def test_gathered_candidates_keep_each_process_its_own(loss_of):
    torch.manual_seed(1)
    z, y = torch.randn(6, 4, 3), torch.randn(6, 4, 3)
    same = torch.rand(6, 6) < 0.3
    whole = loss_of(z, y, not_negative=same)
    parts = [loss_of(z[k : k + 2], y, first=k, not_negative=same[k : k + 2]) for k in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


def test_the_right_candidate_is_never_left_out():
    torch.manual_seed(2)
    z, y = torch.randn(3, 4, 2), torch.randn(5, 4, 2)
    alone = torch.ones(3, 5, dtype=torch.bool)  # all are the same stimulus, each one's own included
    assert float(clip_loss(z, y, not_negative=alone, first=1)) == 0
    cosine = clip_scores(z, y, "both")[torch.arange(3), torch.arange(3) + 1]
    expected = torch.log1p(torch.exp(-(10 * cosine - 10))).mean()
    torch.testing.assert_close(siglip_loss(z, y, not_negative=alone, first=1), expected)


def test_temperature_starts_where_published_and_is_held():
    temperature = Temperature()
    assert temperature().item() == pytest.approx(1 / 0.07)
    temperature.log_scale.data.fill_(10.0)
    assert temperature().item() == pytest.approx(100.0)
    (-temperature()).backward()  # at the limit it still has a gradient, so it can come back
    assert temperature.log_scale.grad < 0
    with pytest.raises(ValueError, match="scale"):
        Temperature(start=200.0)


def test_temperature_learns_and_stays_below_its_limit():
    y = torch.randn(4, 6, 3)
    temperature = Temperature()
    optimiser = torch.optim.Adam(temperature.parameters(), lr=0.5)
    for _ in range(30):
        optimiser.zero_grad()
        clip_loss(y, y, norm="both", scale=temperature()).backward()
        optimiser.step()
    assert 99 < temperature().item() <= 100.001
    for _ in range(30):  # now every answer is wrong: it must come down again
        optimiser.zero_grad()
        clip_loss(y, y.roll(1, 0), norm="both", scale=temperature()).backward()
        optimiser.step()
    assert temperature().item() < 20


def test_siglip_is_its_formula():
    z, y = golden()
    cosine = clip_scores(z, y, "both")
    sign = torch.tensor([[1.0, -1, -1], [-1, 1, -1]])
    expected = torch.log1p(torch.exp(-sign * (4 * cosine - 2))).sum() / 2
    torch.testing.assert_close(siglip_loss(z, y, scale=4.0, bias=-2.0), expected)


def test_siglip_takes_duplicates_for_positives():
    torch.manual_seed(0)
    y = torch.randn(3, 10, 2)
    y[1] = 2 * y[0]
    assert duplicates(y, 0, 3).int().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert duplicates(y, 1, 2).int().tolist() == [[1, 1, 0], [0, 0, 1]]
    found = siglip_loss(y, y, scale=50.0, bias=-25.0)
    only_own = siglip_loss(y, y, scale=50.0, bias=-25.0, positive=torch.eye(3, dtype=torch.bool))
    assert found < 1e-3 and only_own > 10
    given = torch.zeros(3, 3, dtype=torch.bool)
    given[0, 1] = given[1, 0] = True
    torch.testing.assert_close(siglip_loss(y, y, scale=50.0, bias=-25.0, positive=given), found)
    left_out = siglip_loss(
        y, y, scale=50.0, bias=-25.0, positive=torch.eye(3, dtype=torch.bool), not_negative=given
    )
    assert left_out < 1e-3


def test_silent_targets_are_no_duplicates_of_each_other():
    y = torch.zeros(3, 5, 2)
    assert not duplicates(y, 0, 3).any()


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
