"""Sizes of the published models, parts of a model, plain data to model and back, one-day forms."""

import json
from dataclasses import replace

import pytest
import torch

from models.text import (
    PRESETS,
    FrontConfig,
    GruConfig,
    TransferConfig,
    build_text,
    describe_text,
    preset_text,
    text_net,
)
from models.text.presets import CONFORMER_LARGE, WAV2VEC2_BASE
from tests.models.text.nets import CHANNELS, CONFORMER, EVERY, SPEECH, STREAMING, day_of, net, streamed


def sizes(config):
    """Parameters by group, and under "all", without memory for any."""
    with torch.device("meta"):
        model = text_net(config)
    found = {group: sum(p.numel() for _, p in named) for group, named in model.parameter_groups().items()}
    return {**found, "all": sum(p.numel() for p in model.parameters())}


def test_sizes_of_the_published_recurrent_models():
    nejm = sizes(preset_text("nejm", 512, 41, 45))
    assert nejm == {"days": 11_819_520, "encoder": 32_464_128, "head": 31_529, "all": 44_315_177}
    assert sizes(preset_text("tf", 256, 41, 24))["encoder"] == 53_508_096
    assert sizes(preset_text("tf-512", 256, 41, 24))["encoder"] == 12_598_272
    # the published 135 M hold another 1.58 M of day layers that are never used
    assert sizes(preset_text("bidirectional", 256, 41, 24))["all"] == 133_845_033
    assert sizes(preset_text("tf", 256, 41, 24))["days"] == 1_579_008


@pytest.mark.parametrize(
    ("hidden", "millions"),
    [(256, (13.0, 15.3, 17.7)), (512, (26.7, 36.2, 45.6)), (1024, (56.6, 94.4, 132.2))],
)
def test_sizes_of_the_published_brain_feature_extractors(hidden, millions):
    for layers, wanted in zip((1, 3, 5), millions, strict=True):
        config = GruConfig(FrontConfig(256, 32), 32, hidden, layers, learned_start=False, bidirectional=True)
        assert round(sizes(config)["encoder"] / 1e6, 1) == wanted


def test_sizes_of_the_others():
    chunk = sizes(preset_text("chunk", 256, 41))
    assert chunk["days"] == 0 and 9.3e6 < chunk["all"] < 9.5e6
    # a wav2vec2-base without its convolutions and feature projection, and its head of 32 characters
    base = sizes(preset_text("wav2vec2", 256, 32, 24))
    assert (base["encoder"], base["head"]) == (89_775_488, 24_608)
    assert base["bfe"] == 45_643_776 + 1_579_008 + 1024 * 768 + 768


def test_only_the_published_speech_shapes_are_called_base_and_large():
    assert (WAV2VEC2_BASE["hidden_size"], WAV2VEC2_BASE["num_hidden_layers"]) == (768, 12)
    assert (CONFORMER_LARGE["hidden_size"], CONFORMER_LARGE["num_hidden_layers"]) == (1024, 24)


@pytest.mark.parametrize("name", EVERY)
def test_every_parameter_is_in_one_group(name):
    model = net(name)
    groups = model.parameter_groups()
    named = [key for members in groups.values() for key, _ in members]
    assert sorted(named) == sorted(key for key, _ in model.named_parameters())
    first = "bfe" if "wav2vec2" in name or name == "conformer" else "days"
    assert set(groups) == {first, "encoder", "head"}
    assert {key.split(".")[0] for key, _ in groups["head"]} == {"head"}
    if first == "bfe":
        assert {key.split(".")[0] for key, _ in groups["bfe"]} == {"front", "bfe"}
        assert {key.split(".")[0] for key, _ in groups["encoder"]} == {"encoder"}


@torch.no_grad()
@pytest.mark.parametrize("name", EVERY)
def test_build_describe_round_trip_through_json(name):
    model = net(name)
    again = build_text(json.loads(json.dumps(describe_text(model)))).eval()
    assert again.config == model.config
    again.load_state_dict(model.state_dict())
    x, day = torch.randn(1, 60, CHANNELS), day_of(model, 1)
    assert torch.equal(again(x, None, day)[0], model(x, None, day)[0])


@torch.no_grad()
@pytest.mark.parametrize("name", EVERY)
def test_the_form_for_one_day_is_the_model_on_that_day_and_can_be_rebuilt(name):
    model = net(name)
    x = torch.randn(1, 80, CHANNELS)
    for day in range(model.n_days) if model.n_days else (None,):
        wanted, _ = model(x, None, None if day is None else torch.tensor([day]))
        folded = model.folded(day)
        again, _ = model(x, None, None if day is None else torch.tensor([day]))
        assert torch.equal(again, wanted)  # the model itself is left as it was
        assert folded.n_days <= 1 and not folded.training
        torch.testing.assert_close(folded(x)[0], wanted, atol=1e-5, rtol=0)
        again = build_text(describe_text(folded)).eval()
        again.load_state_dict(folded.state_dict())
        assert torch.equal(again(x)[0], folded(x)[0])
        if model.streams:
            found = streamed(folded, x, [1] * (80 // folded.stride // folded.block))
            n = found.shape[1] - folded.lag
            torch.testing.assert_close(found[:, folded.lag :], wanted[:, :n], atol=1e-5, rtol=0)


def test_a_day_layer_without_softsign_goes_into_the_first_matrix():
    assert net("gru-32").folded(1).front.days is None
    assert net("gru").folded(1).front.days is not None


def test_a_stream_says_how_many_bins_bring_out_its_last_frame():
    for name in STREAMING:
        model = net(name)
        hop = model.stride * model.block
        for n in range(60):
            whole = n + model.tail(n)
            frames = max((n - model.front.config.window) // model.stride + 1, 0)
            assert whole % hop == 0 and (not frames or whole // model.stride >= frames + model.lag)
            assert model.tail(n) - hop < max((frames + model.lag) * model.stride - n, 0)


def test_what_is_unknown_is_refused_by_name():
    with pytest.raises(ValueError, match="text-chunk"):
        build_text({"name": "text-lstm"})
    with pytest.raises(ValueError, match="n_symbol'"):
        build_text({"name": "text-gru", "n_symbol": 3, "front": {"n_channels": 2}})
    with pytest.raises(ValueError, match="front"):
        build_text({"name": "text-gru", "n_symbols": 3})
    with pytest.raises(ValueError, match="nejm"):
        preset_text("njem", 2, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"speech": {"model_type": "hubert"}}, "hubert"),
        ({"speech": {}}, "None"),
        ({"context": 4}, "bidirectional"),
        ({"context": 4, "bidirectional": False, "speech": CONFORMER}, "streaming form"),
        ({"block": 2}, "context is 0"),
        ({"convolution": "right"}, "right"),
        ({"speech": {**SPEECH, "adapter_attn_dim": 4}}, "adapter"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(TransferConfig(FrontConfig(2), 5, SPEECH), **changes)


def test_a_changed_architecture_is_labelled():
    assert preset_text("wav2vec2", 2, 5).label == "wav2vec2"
    assert "changed architecture" in preset_text("wav2vec2-streaming", 2, 5).label


def test_presets_say_what_they_are():
    for name, (words, _) in PRESETS.items():
        assert len(words) > 10, name
    assert preset_text("chunk", 2, 5).front.n_days == 0  # day layers only where asked for
