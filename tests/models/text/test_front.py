"""What text encoders begin with: smoothing, patches and their number, day layers."""

import pytest
import torch
import torch.nn.functional as F

from models.text import (
    GAUSS_9,
    GAUSS_20,
    NO_SMOOTHING,
    PRESETS,
    PUBLISHED_LENGTHS,
    DayLayers,
    Front,
    FrontConfig,
    SmoothSpec,
    frame_count,
    frame_counts,
    preset_text,
)
from models.text.patches import PatchStream, patches
from models.text.smooth import Smoother, gaussian_taps, kept_taps
from tests.models.text.nets import net


def test_the_published_kernels():
    nine = gaussian_taps(GAUSS_9.taps, GAUSS_9.sigma)
    torch.testing.assert_close(nine[:5], torch.tensor([0.028, 0.066, 0.124, 0.180, 0.204]), atol=5e-4, rtol=0)
    assert kept_taps(2.0) == 9  # what is left of a sigma of 2 bins where weights above 0.01 are kept
    for spec in (GAUSS_9, GAUSS_20):
        kernel = gaussian_taps(spec.taps, spec.sigma)
        assert kernel.sum().item() == pytest.approx(1) and torch.equal(kernel, kernel.flip(0))


@pytest.mark.parametrize(
    ("spec", "first", "last"), [(GAUSS_9, 16, 24), (GAUSS_20, 10, 29), (SmoothSpec(9, 2.0, 0), 20, 28)]
)
def test_an_impulse_is_spread_as_far_as_declared(spec, first, last):
    x = torch.zeros(1, 40, 2)
    x[0, 20, 1] = 1
    y = Smoother(spec)(x)
    touched = y[0, :, 1].nonzero().flatten()
    assert (touched[0].item(), touched[-1].item()) == (first, last)
    assert 20 - first == spec.ahead
    assert not y[0, :, 0].any()  # channels stay apart


def test_a_smoother_in_steps_is_late_by_its_look_ahead():
    smoother = Smoother(GAUSS_9)
    x = torch.randn(2, 40, 3)
    state, out = torch.zeros(2, smoother.memory, 3), []
    for piece in x.split([1, 7, 4, 28], dim=1):
        y, state = smoother.step(piece, state)
        out.append(y)
    torch.testing.assert_close(torch.cat(out, 1)[:, 4:], smoother(x)[:, :-4], atol=1e-6, rtol=0)


@pytest.mark.parametrize("values", [(1, 2.0, 0), (9, 0.0, 4), (9, 2.0, 9), (0, 2.0, 1)])
def test_an_impossible_smoother_is_refused(values):
    with pytest.raises(ValueError, match="smoothing"):
        SmoothSpec(*values)


def test_patches_are_flattened_as_said():
    x = torch.arange(24.0).view(1, 12, 2)  # value = 2 * bin + channel
    by_time, by_channel = (patches(x, 4, 3, layout) for layout in ("time", "channel"))
    assert by_time[0, 1].tolist() == [6, 7, 8, 9, 10, 11, 12, 13]
    assert by_channel[0, 1].tolist() == [6, 8, 10, 12, 7, 9, 11, 13]


FRONTS = list(dict.fromkeys(preset_text(name, n_channels=1, n_symbols=3).front for name in PRESETS))


@torch.no_grad()
@pytest.mark.parametrize("front", FRONTS, ids=lambda front: f"{front.window}-{front.stride}-{front.layout}")
def test_every_preset_has_as_many_frames_as_its_formula_for_any_length(front):
    window, stride, module = front.window, front.stride, Front(front)
    counts = frame_counts(torch.arange(201), window, stride).tolist()
    for n in range(201):
        found, frames = module(torch.zeros(1, n, 1), torch.tensor([n]))
        assert found.shape == (1, counts[n], window)
        assert frames.item() == counts[n] == frame_count(n, window, stride)
        assert PUBLISHED_LENGTHS["all"](n, window, stride) == counts[n]
        # one frame that exists is left out
        assert PUBLISHED_LENGTHS["one fewer"](n, window, stride) == max(counts[n] - 1, 0)
        assert (counts[n] > 0) == (n >= window)


@pytest.mark.parametrize(
    ("window", "stride", "late", "block", "lag"),
    [
        (14, 4, 4, 1, 4),
        (14, 4, 0, 1, 3),
        (32, 4, 4, 1, 8),
        (5, 5, 0, 1, 0),
        (4, 4, 4, 1, 1),
        (14, 4, 4, 3, 6),
    ],
)
def test_a_stream_hands_out_its_first_patch_after_its_lag(window, stride, late, block, lag):
    stream = PatchStream(window, stride, "time", late, block)
    assert stream.lag == lag and lag % block == 0 and 0 <= stream.slack < stride * block


def test_an_impossible_patch_is_refused():
    with pytest.raises(ValueError, match="stride 5 and window 4"):
        FrontConfig(2, 4, 5)
    with pytest.raises(ValueError, match="layout"):
        FrontConfig(2, layout="bins")


def test_a_day_layer_starts_as_identity_and_its_softsign_is_an_option():
    x, day = torch.randn(2, 6, 4), torch.tensor([1, 0])
    torch.testing.assert_close(DayLayers(2, 4, softsign=False)(x, day), x)
    torch.testing.assert_close(DayLayers(2, 4, softsign=True)(x, day), F.softsign(x))


def test_each_day_has_its_own_map():
    days = DayLayers(3, 2, softsign=False)
    torch.nn.init.normal_(days.weight)
    torch.nn.init.normal_(days.bias)
    x = torch.randn(2, 5, 2)
    y = days(x, torch.tensor([2, 0]))
    for row, day in enumerate((2, 0)):
        torch.testing.assert_close(y[row], x[row] @ days.weight[day] + days.bias[day])


def test_a_day_without_a_layer_is_refused_until_one_is_made():
    model = net("gru")
    x = torch.randn(1, 60, 3)
    with pytest.raises(ValueError, match=r"day 3 has no layer.*days 0 to 2.*with_new_day"):
        model(x, None, torch.tensor([3]))
    with pytest.raises(ValueError, match="3 days: say which"):
        model(x)
    with pytest.raises(ValueError, match="day 7"):
        model.folded(7)
    assert model.with_new_day("last")(x, None, torch.tensor([3]))[0].shape == (1, 12, 5)


def test_a_new_day_starts_as_the_last_or_as_the_mean_and_leaves_the_old_ones():
    model = net("gru")
    days = model.front.days
    last, mean = model.with_new_day("last"), model.with_new_day("mean")
    for name in ("weight", "bias"):
        old, by_last, by_mean = (getattr(m.front.days, name) for m in (model, last, mean))
        assert len(by_last) == len(by_mean) == 4 and torch.equal(by_last[:3], old)
        assert torch.equal(by_last[3], old[2])
        torch.testing.assert_close(by_mean[3], old.mean(0))
        assert by_last.requires_grad
    assert (last.n_days, model.n_days, days.n_days) == (4, 3, 3)
    x, day = torch.randn(1, 60, 3), torch.tensor([2])
    assert torch.equal(last(x, None, day)[0], model(x, None, day)[0])
    with torch.no_grad():
        last.front.days.bias[3] += 1
    assert torch.equal(model(x, None, day)[0], last(x, None, day)[0])  # nothing is shared
    with pytest.raises(ValueError, match="first"):
        model.with_new_day("first")
    with pytest.raises(ValueError, match="no day layers"):
        net("chunk-plain").with_new_day("last")


def test_dropout_is_of_training_only():
    front = Front(FrontConfig(2, 4, 4, smooth=NO_SMOOTHING, dropout=0.5))
    x = torch.ones(1, 40, 2)
    assert (front(x, torch.tensor([40]))[0] == 0).any()
    assert torch.equal(front.eval()(x, torch.tensor([40]))[0], patches(x, 4, 4, "time"))
