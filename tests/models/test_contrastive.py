"""ContrastiveNet against its published golden values, and each addition against what it promises."""

import json
from dataclasses import replace

import pytest
import torch

from models import (
    ContrastiveNet,
    ContrastiveNetConfig,
    DeepMelConfig,
    EncoderConfig,
    build,
    build_contrastive,
    describe,
    distinct_montages,
)
from models.sensors import INVALID_POSITION
from tests.models.test_encoder import ring_positions, scramble_batchnorm

BLANK = (INVALID_POSITION, INVALID_POSITION)
OTHER = tuple((y, 0.9 * x) for x, y in ring_positions(8))
GAPPY = (*ring_positions(6), BLANK, BLANK)


def net(n_subjects=3, encoder=None, **changes):
    torch.manual_seed(3)
    shape = {"n_virtual": 6, "hidden": 8, "fourier_dim": 32, "spatial_dropout": 0.0, "causal": False}
    config = EncoderConfig(ring_positions(8), n_subjects=n_subjects, **{**shape, **(encoder or {})})
    values = {"n_channels": 8, "n_features": 5, "encoder": config, "n_subjects": n_subjects}
    model = ContrastiveNet(ContrastiveNetConfig(**{**values, **changes}))
    for part in model.modules():  # loud enough that what goes in makes a difference to what comes out
        if isinstance(part, torch.nn.Conv1d | torch.nn.Linear):
            torch.nn.init.normal_(part.weight, std=0.3)
    if model.linear is not None:
        torch.nn.init.normal_(model.linear.weight, std=0.1)
        torch.nn.init.normal_(model.linear.bias)
    scramble_batchnorm(model)
    return model.eval()


def published(n_subjects, n_features=1024, **changes):
    encoder = EncoderConfig(((0.5, 0.5),), n_subjects=n_subjects, causal=False, **changes)
    model = ContrastiveNet(ContrastiveNetConfig(1, n_features, encoder, n_subjects=n_subjects))
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("n_subjects", "total"), [(27, 9_565_054), (96, 14_595_154), (19, 8_981_854), (33, 10_002_454)]
)
def test_published_parameter_counts(n_subjects, total):
    assert published(n_subjects) == total == 7_596_754 + 72_900 * n_subjects
    assert published(n_subjects, 120) == total - 579_464
    assert published(n_subjects, 768) == total - 164_096
    assert published(n_subjects, subject_dropout=0.1) == total + 72_900


def test_deep_mel_beside_the_brain_model_has_its_own_parameters():
    encoder = EncoderConfig(((0.5, 0.5),), n_subjects=27, causal=False)
    config = ContrastiveNetConfig(1, 768, encoder, n_subjects=27, speech=DeepMelConfig())
    total = sum(p.numel() for p in ContrastiveNet(config).parameters())
    assert total == 9_565_054 - 164_096 + 9_320_128


@pytest.mark.parametrize(("causal", "before", "after"), [(False, 67, 67), (True, 134, 0)])
def test_receptive_field_by_gradient(causal, before, after):
    model = net(1, encoder={"causal": causal}).double()
    x = torch.randn(1, 301, 8, dtype=torch.float64, requires_grad=True)
    y = model(x)
    assert y.shape == (1, 301, 5)
    y[0, 150].sum().backward()
    touched = x.grad.abs().sum((0, 2)).nonzero().flatten() - 150
    assert (int(touched.min()), int(touched.max())) == (-before, after)


@torch.no_grad()
def test_every_subject_has_a_matrix_of_its_own():
    model = net()
    x = torch.randn(1, 40, 8).expand(3, -1, -1)
    y = model(x, torch.tensor([0, 1, 0]))
    torch.testing.assert_close(y[0], y[2])
    assert not torch.allclose(y[0], y[1], atol=0.1)


def test_subject_dropout_trains_the_shared_row_that_the_unseen_use():
    model = net(encoder={"subject_dropout": 1.0})
    x, subject = torch.randn(2, 40, 8), torch.tensor([0, 2])
    model.train()(x, subject).sum().backward()
    touched = model.encoder.front.subjects.grad.abs().sum((1, 2)) > 0
    assert touched.tolist() == [False, False, False, True]
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x, None), model(x, torch.tensor([3, 3])))
    with pytest.raises(ValueError, match="which subject"):
        net()(x)


@torch.no_grad()
@pytest.mark.parametrize("ahead", [0, 4, 8])
def test_linear_path_sees_its_taps_and_no_more(ahead):
    model = ContrastiveNet(
        ContrastiveNetConfig(n_channels=8, n_features=5, linear_taps=9, linear_ahead=ahead)
    )
    torch.nn.init.normal_(model.linear.weight)
    x = torch.zeros(1, 60, 8)
    x[0, 30] = 1
    touched = model(x)[0].abs().sum(1).nonzero().flatten() - 30
    assert (int(touched.min()), int(touched.max())) == (-ahead, 8 - ahead)


@torch.no_grad()
def test_estimate_is_the_sum_of_both_paths():
    model = net(linear_taps=9, linear_ahead=4)
    x, subject = torch.randn(2, 40, 8), torch.tensor([0, 2])
    both = model(x, subject)
    weight = model.linear.weight.clone()
    model.linear.weight.zero_()
    deep = model(x, subject) - model.linear.bias[subject][:, None]
    model.linear.weight.copy_(weight)
    model.head.outer.weight.zero_()
    model.head.outer.bias.zero_()
    torch.testing.assert_close(both, deep + model(x, subject), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_each_window_is_read_with_the_montage_of_its_recording():
    montages = (ring_positions(8), OTHER, GAPPY)
    model = net(montages=montages)
    x, subject = torch.randn(5, 40, 8), torch.tensor([0, 1, 2, 0, 1])
    which = torch.tensor([2, 0, 2, 1, 0])
    y = model(x, subject, which)
    for k, montage in enumerate(montages):
        alone = ContrastiveNet(_with_positions(model.config, montage)).eval()
        state = model.state_dict()
        state["encoder.front.attention.positions"] = torch.tensor(montage)
        alone.load_state_dict(state)
        here = which == k
        torch.testing.assert_close(y[here], alone(x[here], subject[here]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model(x, subject), model(x, subject, torch.zeros(5, dtype=torch.long)))


def _with_positions(config, montage):
    return replace(config, montages=(), encoder=replace(config.encoder, positions=montage))


@torch.no_grad()
def test_padding_channels_are_ignored():
    model = net(montages=(ring_positions(8), GAPPY))
    x, subject = torch.randn(2, 40, 8), torch.tensor([0, 1])
    noisy = x.clone()
    noisy[:, :, 6:] += 100
    which = torch.tensor([1, 1])
    torch.testing.assert_close(model(x, subject, which), model(noisy, subject, which))
    assert not torch.allclose(model(x, subject, 0 * which), model(noisy, subject, 0 * which), atol=1e-2)


def test_attention_is_computed_once_per_distinct_montage(monkeypatch):
    model = net(montages=(ring_positions(8), OTHER, GAPPY))
    attention, asked = model.encoder.front.attention, []
    real = attention.weights
    monkeypatch.setattr(attention, "weights", lambda which: asked.append(which.tolist()) or real(which))
    model(torch.randn(6, 20, 8), torch.zeros(6, dtype=torch.long), torch.tensor([2, 0, 2, 2, 0, 0]))
    assert asked == [[0, 2]]


def test_one_disc_is_dropped_from_every_montage_and_never_all_sensors():
    centred = tuple((0.5, 0.5) for _ in range(8))
    model = net(montages=(ring_positions(8), centred), encoder={"spatial_dropout": 0.5})
    attention = model.encoder.front.attention.train()
    kept = attention.kept(torch.tensor([0.5, 0.6]))
    assert kept[1].all() and kept[0].any() and not kept[0].all()
    for _ in range(10):
        weights = attention.weights(torch.tensor([0, 1]))
        torch.testing.assert_close(weights.sum(2), torch.ones(2, 6))


def test_montage_without_any_place_is_refused():
    with pytest.raises(ValueError, match="montage 1"):
        net(montages=(OTHER, (BLANK,) * 8))


def test_distinct_montages_pads_and_counts_each_once():
    long, short = ring_positions(4), ring_positions(3)
    montages, which = distinct_montages([long, short, long, tuple(map(list, short))])
    assert which == [0, 1, 0, 1] and montages == (long, (*short, BLANK))


def test_channel_dropout_is_for_training():
    model = net(1, channel_dropout=0.5, encoder={"dropout": 0.0})
    x = torch.randn(4, 30, 8)
    torch.testing.assert_close(model(x), model(x))
    assert not torch.allclose(model.train()(x), model(x))


@torch.no_grad()
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("montages", [(), (OTHER, GAPPY)])
def test_folded_for_the_live_decoder(causal, montages):
    model = net(montages=montages, encoder={"causal": causal, "spatial_dropout": 0.2}, linear_taps=9)
    x = torch.randn(1, 48, 8)
    for subject in range(3):
        for k in range(len(montages) or 1):
            small = model.folded(subject, k)
            whole = model(x, torch.tensor([subject]), torch.tensor([k]) if montages else None)
            torch.testing.assert_close(small(x)["estimate"], whole, atol=1e-4, rtol=1e-4)
            again = build(json.loads(json.dumps(describe(small)))).eval()
            again.load_state_dict(small.state_dict())
            torch.testing.assert_close(again(x), small(x))
            if causal:
                state, parts = small.initial_state(), []
                for piece in x.split(16, dim=1):
                    y, state = small.step(piece, state)
                    parts.append(y["estimate"])
                torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-4, rtol=1e-4)


def test_look_ahead_cannot_be_folded():
    with pytest.raises(ValueError, match="linear_ahead"):
        net(linear_taps=9, linear_ahead=2).folded(0)


@torch.no_grad()
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_new_subject_changes_nobody_else(dropout):
    model = net(encoder={"subject_dropout": dropout}, linear_taps=9)
    grown = model.with_new_subject()
    x = torch.randn(3, 40, 8)
    old = torch.tensor([0, 1, 2])
    torch.testing.assert_close(grown.eval()(x, old), model(x, old))
    new = torch.full((3,), 3)
    if dropout:
        torch.testing.assert_close(grown(x, new), model(x, None))
        torch.testing.assert_close(grown(x, None), model(x, None), atol=1e-4, rtol=1e-4)
    else:
        mean = model.encoder.front.subjects.mean(0)
        torch.testing.assert_close(grown.encoder.front.subjects[3], mean)
    assert grown.config.n_subjects == 4


@torch.no_grad()
def test_build_describe_round_trip_through_json():
    speech = DeepMelConfig(n_in=4, n_out=5, hidden=6, depth=3)
    model = net(montages=(OTHER, GAPPY), speech=speech, linear_taps=9, linear_ahead=3)
    again = build_contrastive(json.loads(json.dumps(describe(model))))
    assert again.config == model.config
    again.load_state_dict(model.state_dict())
    x, subject, which = torch.randn(2, 30, 8), torch.tensor([1, 2]), torch.tensor([1, 0])
    torch.testing.assert_close(again.eval()(x, subject, which), model(x, subject, which))
    y = torch.randn(2, 30, 4)
    torch.testing.assert_close(again.targets(y), model.targets(y))
    assert model.targets(y).shape == (2, 30, 5)
    fixed = net()
    assert fixed.targets(y) is y


def test_build_names_what_is_valid():
    with pytest.raises(ValueError, match="'contrastive', got 'decoder'"):
        build_contrastive({"name": "decoder"})
    with pytest.raises(ValueError, match="n_features"):
        build_contrastive({"name": "contrastive", "n_feature": 3})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"encoder": None}, "needs an encoder"),
        ({"linear_ahead": 1}, "linear_ahead"),
        ({"linear_taps": 5, "linear_ahead": 5}, "0 to linear_taps - 1"),
        ({"speech": DeepMelConfig()}, "768 features, n_features is 5"),
        ({"n_subjects": 4}, "4 subjects, but 3"),
        ({"n_channels": 9}, "9 channels but 8 positions in the encoder"),
        ({"montages": (OTHER, OTHER[:7])}, "7 positions in montage 1"),
    ],
)
def test_what_does_not_fit_is_refused(values, said):
    base = {
        "n_channels": 8,
        "n_features": 5,
        "encoder": EncoderConfig(ring_positions(8), n_subjects=3),
        "n_subjects": 3,
    }
    with pytest.raises(ValueError, match=said):
        ContrastiveNetConfig(**{**base, **values})
