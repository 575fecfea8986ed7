"""DecoderNet and LinearDecoder: one interface, time-major, whole == stepped, folded == unfolded, build ==
describe.
"""

import json

import pytest
import torch

from models import (
    CtcHead,
    DecoderConfig,
    DecoderNet,
    EncoderConfig,
    LinearDecoder,
    RetrievalHead,
    build,
    describe,
)
from tests.models.test_encoder import ring_positions, scramble_batchnorm


def net(n_subjects=1, stride=2, **changes):
    torch.manual_seed(3)
    encoder = EncoderConfig(
        positions=ring_positions(8),
        n_subjects=n_subjects,
        n_virtual=6,
        hidden=8,
        fourier_dim=32,
        stride=stride,
        depth=4,
    )
    values = {
        "n_channels": 8,
        "encoder": encoder,
        "n_features": 5,
        "n_symbols": 7,
        "linear_taps": 9,
        "linear_stride": stride,
        "n_subjects": n_subjects,
    }
    model = DecoderNet(DecoderConfig(**{**values, **changes}))
    if model.linear is not None:
        torch.nn.init.normal_(model.linear.weight, std=0.1)
        torch.nn.init.normal_(model.linear.bias)
    scramble_batchnorm(model)
    return model.eval()


def stepped(model, x, size, subject=None):
    state, parts = model.initial_state(len(x)), []
    for piece in x.split(size, dim=1):
        y, state = model.step(piece, state, subject)
        parts.append(y)
    return {name: torch.cat([p[name] for p in parts], dim=1) for name in parts[0]}


def test_heads():
    hidden = torch.randn(2, 11, 8)
    assert RetrievalHead(8, 5)(hidden).shape == (2, 11, 5)
    log_probs = CtcHead(8, 29)(hidden)
    assert log_probs.shape == (2, 11, 29)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 11))


@torch.no_grad()
@pytest.mark.parametrize("size", [2, 16, 48])
def test_steps_equal_whole(size):
    model = net()
    x = torch.randn(2, 48, 8)
    whole = model(x)
    assert {k: v.shape for k, v in whole.items()} == {"estimate": (2, 24, 5), "log_probs": (2, 24, 7)}
    for name, value in stepped(model, x, size).items():
        torch.testing.assert_close(value, whole[name], atol=1e-5, rtol=0)


@torch.no_grad()
def test_folded_equals_unfolded_for_every_subject():
    model = net(n_subjects=3)
    x = torch.randn(1, 48, 8)
    for subject in range(3):
        folded = model.folded(subject)
        for name, value in model(x, torch.tensor([subject])).items():
            torch.testing.assert_close(folded(x)[name], value, atol=1e-4, rtol=0)
            torch.testing.assert_close(stepped(folded, x, 16)[name], value, atol=1e-4, rtol=0)


def test_outputs_follow_the_heads():
    assert net().outputs == ("estimate", "log_probs")
    assert net(n_symbols=0).outputs == ("estimate",)
    assert net(n_features=0, linear_taps=0).outputs == ("log_probs",)
    assert net(encoder=None).outputs == ("estimate",)


def test_linear_decoder_is_the_fir_filter_it_says():
    linear = LinearDecoder(n_channels=1, n_features=1, taps=3)
    with torch.no_grad():
        linear.weight[0, 0, 0] = torch.tensor([0.0, 10.0, 1.0])  # newest sample + 10 x the one before
        y = linear(torch.tensor([1.0, 2.0, 3.0])[None, :, None])
    assert y.flatten().tolist() == [1, 12, 23]


def test_linear_decoder_filters_each_subject_with_their_own_weights():
    linear = LinearDecoder(4, 2, taps=5, stride=2, n_subjects=3)
    torch.nn.init.normal_(linear.weight)
    x = torch.randn(3, 12, 4)
    both = linear(x, torch.tensor([2, 0, 2]))
    for item, subject in enumerate([2, 0, 2]):
        torch.testing.assert_close(both[item : item + 1], linear.folded(subject)(x[item : item + 1]))


def test_build_describe_round_trip_through_json():
    model = net(n_subjects=2)
    again = build(json.loads(json.dumps(describe(model))))
    again.load_state_dict(model.state_dict())
    x = torch.randn(1, 16, 8)
    subject = torch.tensor([1])
    torch.testing.assert_close(again.eval()(x, subject), model(x, subject))


def test_build_names_what_is_valid():
    with pytest.raises(ValueError, match="decoder"):
        build({"name": "transformr"})
    with pytest.raises(ValueError, match="n_features"):
        build({"name": "decoder", "n_feature": 3})


def test_linear_path_without_retrieval_is_refused():
    with pytest.raises(ValueError, match="linear_taps"):
        DecoderConfig(n_channels=2, n_symbols=3, linear_taps=4)
