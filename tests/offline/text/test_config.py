"""Presets, single settings and what is refused; the sweep of 45 architectures in three set-ups."""

from collections import Counter

import pytest
import torch

from offline.contrastive.config import load_contrastive_config, recipe_of
from offline.jobs.sweep import load_sweep
from offline.overrides import override
from offline.text.config import TextConfig, load_text_config
from offline.text.net import build_net
from rtdecode.errors import ConfigError

PRESETS = ("text-transformer", "text-gru", "text-small", "text-wav2vec2", "text-conformer")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_of_this_recipe_and_called_after_their_file(name):
    config = load_text_config(name)
    assert recipe_of(name) == "text" and config.name == name


def test_the_default_is_the_preset_of_the_transformer():
    assert TextConfig().model.kind == load_text_config(TextConfig().name).model.kind == "transformer"


def test_the_recurrent_preset_has_the_published_size():
    with torch.device("meta"):
        net = build_net(load_text_config("text-gru"), 512, 45)
    # Card et al. 2024: 44.3 M, of them 11.8 M in the day layers
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(44.3e6, abs=5e4)
    assert sum(p.numel() for p in net.front.days.parameters()) == pytest.approx(11.8e6, abs=5e4)


def test_the_transfer_preset_is_the_best_published_architecture():
    config = load_text_config("text-wav2vec2")
    assert (config.model.gru.hidden, config.model.gru.layers, config.model.transfer.mlp) == (512, 5, ())
    assert (config.training.ramp_first, config.training.ramp_epochs) == (7, 3)
    assert config.loop.watch == "cer" and config.augment.noise == 0.02


def test_unknown_names_get_the_closest():
    with pytest.raises(ConfigError, match="did you mean text-small"):
        load_text_config("text-smal")
    with pytest.raises(ConfigError, match=r"model.gru.hiden.*did you mean model.gru.hidden"):
        override(load_text_config("text-small"), ["model.gru.hiden=3"])
    with pytest.raises(ConfigError, match="recipe 'windows', expected 'text'"):
        load_text_config("reference")
    with pytest.raises(ConfigError, match="recipe 'text', expected 'windows'"):
        load_contrastive_config("text-small")


def test_an_unknown_key_in_a_file_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('recipe = "text"\n[augment]\nnoize = 1.0\n')
    with pytest.raises(ConfigError, match=r"unknown key 'noize'.*did you mean noise"):
        load_text_config(path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["loop.watch=loss"], "loop.watch is 'loss', and the best weights of a model of phonemes"),
        (["data.labels=characters"], "chosen by 'cer' or 'wer'"),
        (["training.setup=fft"], "starts from a pretrained encoder, and model.kind 'gru' has none"),
        (["data.days=a", "data.hold_out=a"], "day a is both trained on and held out"),
        (["model.front.stride=9"], "stride must be 1 to the window's 8 bins, got 9"),
        (["batch.size=15"], "batch.size 15 is no multiple of batch.days 2"),
        (["loop.lowest=false"], "lowest must be true"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        override(load_text_config("text-small"), settings)


def test_a_frozen_head_of_chance_is_refused():
    with pytest.raises(ConfigError, match="head of chance"):
        override(load_text_config("text-wav2vec2"), ["training.setup=frozen", "model.transfer.head=new"])


def test_the_sweep_has_45_architectures_in_three_setups():
    sweep = load_sweep("brain2text")
    assert len(sweep.runs) == 135 and len({run.out for run in sweep.runs}) == 135
    architectures = Counter((r.config.model.transfer.mlp, r.config.model.gru) for r in sweep.runs)
    assert len(architectures) == 45 and set(architectures.values()) == {3}
    assert Counter(r.config.training.setup for r in sweep.runs) == {"fft": 45, "frozen": 45, "scratch": 45}
    # nothing but the set-up differs between the arms of one architecture
    rates = {(r.config.loop, r.config.training.encoder_lr, r.config.training.ramp_first) for r in sweep.runs}
    assert len(rates) == 1
    assert {r.config.model.transfer.mlp for r in sweep.runs} == {(), (128,), (256,), (512,), (512, 128)}
