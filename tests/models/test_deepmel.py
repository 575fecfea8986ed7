"""DeepMel: the published size, its field of view, and a last layer without norm or activation."""

import pytest
import torch

from models import DeepMel, DeepMelConfig


def small(**changes):
    torch.manual_seed(0)
    return DeepMel(DeepMelConfig(**{"n_in": 4, "n_out": 6, "hidden": 8, **changes}))


def test_published_parameter_count():
    with torch.device("meta"):
        net = DeepMel(DeepMelConfig())
        y = net(torch.empty(2, 343, 120))
    assert sum(p.numel() for p in net.parameters()) == 9_320_128
    assert y.shape == (2, 343, 768)


@pytest.mark.parametrize(("causal", "before", "after"), [(False, 67, 67), (True, 134, 0)])
def test_receptive_field_by_gradient(causal, before, after):
    net = small(causal=causal).eval().double()
    x = torch.randn(1, 301, 4, dtype=torch.float64, requires_grad=True)
    net(x)[0, 150].sum().backward()
    touched = x.grad.abs().sum((0, 2)).nonzero().flatten() - 150
    assert (int(touched.min()), int(touched.max())) == (-before, after)


def test_relu_inside_and_a_bare_last_convolution():
    net = small(depth=2, glu_every=0).eval()
    first, last = net.layers
    x = torch.randn(1, 20, 4)
    hidden = torch.relu(first.norm(first.conv(x.transpose(1, 2))))
    expected = torch.nn.functional.conv1d(hidden, last.conv.weight, last.conv.bias, padding=2, dilation=2)
    torch.testing.assert_close(net(x), expected.transpose(1, 2))
    assert last.norm is None and (net(x) < 0).any()


def test_residual_where_shapes_match():
    net = small(depth=4, glu_every=0)
    assert [layer.residual for layer in net.layers] == [False, True, True, False]
    layer, x = net.layers[1].eval(), torch.randn(1, 8, 15)
    torch.testing.assert_close(layer(x) - x, torch.relu(layer.norm(layer.conv(x))))


def test_the_last_layer_has_no_residual_even_where_it_would_fit():
    assert not small(n_out=8).layers[-1].residual


def test_one_layer_is_none():
    with pytest.raises(ValueError, match="at least 2"):
        DeepMelConfig(depth=1)
