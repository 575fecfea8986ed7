"""The encoder against its published golden values, and the causal form against its own law: pieces ==
whole.
"""

import math

import pytest
import torch

from models import BrainEncoder, EncoderConfig, RetrievalHead
from models.sensors import INVALID_POSITION, SensorAttention, fourier_embedding


def ring_positions(n):
    angle = torch.linspace(0, 2 * math.pi, n + 1)[:-1]
    return tuple((0.5 + 0.45 * math.cos(a), 0.5 + 0.45 * math.sin(a)) for a in angle.tolist())


def small(**changes):
    values = {
        "positions": ring_positions(8),
        "n_virtual": 6,
        "hidden": 8,
        "fourier_dim": 32,
        "spatial_dropout": 0.0,
    }
    return BrainEncoder(EncoderConfig(**{**values, **changes}))


def scramble_batchnorm(module):
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.uniform_(part.bias, -0.5, 0.5)


@pytest.mark.parametrize(
    ("n_subjects", "total"), [(27, 9_565_054), (96, 14_595_154), (19, 8_981_854), (33, 10_002_454)]
)
def test_published_parameter_counts(n_subjects, total):
    with torch.device("meta"):
        config = EncoderConfig(positions=((0.5, 0.5),), n_subjects=n_subjects, causal=False)
    parts = [BrainEncoder(config), RetrievalHead(320, 1024)]
    assert sum(p.numel() for part in parts for p in part.parameters()) == total
    assert total == 7_596_754 + 72_900 * n_subjects


def test_fourier_embedding_golden():
    e = fourier_embedding(torch.tensor([0.3, 0.7], dtype=torch.float64), 2048)
    assert e[:3].tolist() == pytest.approx([1, -0.6235, -0.2225], abs=1e-4)
    assert e[1024:1027].tolist() == pytest.approx([0, -0.7818, 0.9749], abs=1e-4)
    assert float(e.sum()) == pytest.approx(1.1711, abs=5e-4)  # a float32 sum of 2048 terms
    assert float(e.norm()) == pytest.approx(32)


def test_fourier_dim_must_be_two_squares():
    with pytest.raises(ValueError, match="2 \\* n \\* n"):
        fourier_embedding(torch.zeros(1, 2), 100)


@pytest.mark.parametrize(("causal", "before", "after"), [(False, 67, 67), (True, 134, 0)])
def test_receptive_field_by_gradient(causal, before, after):
    net = small(causal=causal).eval()
    x = torch.randn(1, 8, 301, requires_grad=True)
    net(x)[0, 150].sum().backward()
    touched = x.grad.abs().sum((0, 1)).nonzero().flatten() - 150
    assert (int(touched.min()), int(touched.max())) == (-before, after)
    assert net.config.context == before


def test_spatial_dropout_bans_a_disc_and_renormalises():
    torch.manual_seed(0)
    attention = SensorAttention(torch.rand(200, 2), 5, 32, radius=0.2)
    centre = torch.tensor([0.5, 0.5])
    near = (attention.positions - centre).norm(dim=1) <= 0.2
    assert torch.equal(attention.kept(centre), ~near) and near.any()
    for _ in range(20):
        weights = attention()
        torch.testing.assert_close(weights.sum(1), torch.ones(5))
        assert (weights == 0).any()
    assert (attention.eval()() > 0).all()


def test_spatial_dropout_never_bans_every_sensor():
    attention = SensorAttention(torch.full((3, 2), 0.5), 4, 32, radius=2.0)
    assert torch.isfinite(attention()).all()


def test_sensor_without_a_place_is_ignored():
    positions = (*ring_positions(7), (INVALID_POSITION, INVALID_POSITION))
    net = small(positions=positions).eval()
    x = torch.randn(1, 8, 50)
    y = net(x)
    x[:, 7] += 100
    torch.testing.assert_close(net(x), y)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pieces", [[64], [2, 6, 16, 40], [16] * 4, [2] * 32])
def test_pieces_equal_whole(stride, pieces):
    torch.manual_seed(1)
    net = small(stride=stride).eval()
    scramble_batchnorm(net)
    x = torch.randn(2, 8, 64)
    with torch.no_grad():
        whole = net(x)
        state, parts = net.initial_state(2), []
        for piece in x.split(pieces, dim=2):
            y, state = net.step(piece, state)
            parts.append(y)
    assert whole.shape == (2, 64 // stride, 8)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("stride", [1, 2])
def test_causal_form_cannot_see_the_future(stride):
    net = small(stride=stride).eval()
    x = torch.randn(1, 8, 80)
    changed = x.clone()
    changed[:, :, 40:] += 10
    with torch.no_grad():
        before, after = net(x), net(changed)
    assert torch.equal(before[:, : 40 // stride], after[:, : 40 // stride])
    assert not torch.allclose(before[:, 40 // stride], after[:, 40 // stride])


def test_symmetric_form_does_see_the_future_and_refuses_to_step():
    net = small(causal=False).eval()
    x = torch.randn(1, 8, 80)
    changed = x.clone()
    changed[:, :, 40:] += 10
    assert not torch.allclose(net(x)[:, 39], net(changed)[:, 39])
    with pytest.raises(ValueError, match="causal=True"):
        net.step(x, net.initial_state(1))


@pytest.mark.parametrize("causal", [True, False])
def test_folded_equals_unfolded(causal):
    torch.manual_seed(2)
    net = small(causal=causal, n_subjects=3, spatial_dropout=0.2).eval()
    scramble_batchnorm(net)
    x = torch.randn(1, 8, 60)
    with torch.no_grad():
        torch.testing.assert_close(net.folded(2)(x), net(x, torch.tensor([2])), atol=1e-4, rtol=0)
        own, other = net.folded(2).front(x), net.folded(0).front(x)
    assert not torch.allclose(own, other, atol=1e-2)


def test_subject_must_be_said_unless_there_is_a_shared_row():
    x = torch.randn(1, 8, 20)
    with pytest.raises(ValueError, match="which subject"):
        small(n_subjects=2)(x)
    shared = small(n_subjects=2, subject_dropout=0.5).eval()
    assert shared(x).shape == (1, 20, 8)
    torch.testing.assert_close(shared(x), shared.folded(None)(x), atol=1e-4, rtol=0)
