"""The speech encoder inside is the speech model's own: same numbers, its weights and its head by name."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ConformerConfig, Wav2Vec2ConformerForCTC, Wav2Vec2ForCTC

from models.text import FrontConfig, TransferConfig, TransferNet
from tests.models.text.nets import CONFORMER, SPEECH, SYMBOLS

SMALL = {"conv_dim": [8], "conv_stride": [2], "conv_kernel": [3], "vocab_size": SYMBOLS}


def speech_model(kind):
    torch.manual_seed(1)
    if kind == "conformer":
        return Wav2Vec2ConformerForCTC(Wav2Vec2ConformerConfig(**{**CONFORMER, **SMALL})).eval()
    stable = kind == "norm-first"
    return Wav2Vec2ForCTC(Wav2Vec2Config(**{**SPEECH, **SMALL}, do_stable_layer_norm=stable)).eval()


def transfer(speech, **changes):
    config = TransferConfig(FrontConfig(3), SYMBOLS, speech.config.to_dict(), hidden=8, layers=1)
    return TransferNet(replace(config, **changes)).eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["norm-last", "norm-first", "conformer"])
def test_a_loaded_encoder_and_head_are_the_speech_models_own(kind):
    speech = speech_model(kind)
    model = transfer(speech)  # from config.json as the checkpoint has it, every key
    before = {name: values.clone() for name, values in model.bfe.state_dict().items()}
    model.load_speech(speech.state_dict())
    x = torch.randn(2, 30, 3)
    patches, frames = model.front(x, torch.tensor([30, 30]))
    hidden = model.bfe(patches, frames)
    inner = speech.wav2vec2 if kind != "conformer" else speech.wav2vec2_conformer
    wanted = torch.log_softmax(speech.lm_head(inner.encoder(hidden).last_hidden_state), -1)
    torch.testing.assert_close(model(x)[0], wanted, atol=1e-5, rtol=0)
    assert all(torch.equal(values, before[name]) for name, values in model.bfe.state_dict().items())


@torch.no_grad()
def test_weights_under_their_older_names_are_taken_too():
    speech = speech_model("norm-last")
    older = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): values
        for name, values in speech.state_dict().items()
    }
    assert any(name.endswith("weight_g") for name in older)
    new, old = transfer(speech), transfer(speech)
    new.load_speech(speech.state_dict())
    old.load_speech(older)
    for name, values in new.encoder.state_dict().items():
        assert torch.equal(values, old.encoder.state_dict()[name])


def test_a_checkpoint_that_does_not_fit_is_refused_by_name():
    speech = speech_model("norm-last")
    weights = speech.state_dict()
    other = transfer(speech, n_symbols=SYMBOLS + 2)
    with pytest.raises(ValueError, match=r"'lm_head.weight' has shape \(5, 16\).*\(7, 16\)"):
        other.load_speech(weights)
    start = other.head.weight.clone()
    other.load_speech(weights, head=False)
    assert torch.equal(other.head.weight, start)
    del weights["wav2vec2.encoder.layers.1.attention.q_proj.bias"]
    with pytest.raises(ValueError, match=r"layers.1.attention.q_proj.bias"):
        transfer(speech).load_speech(weights)
    with pytest.raises(ValueError, match="no wav2vec2 encoder can be made"):
        TransferNet(TransferConfig(FrontConfig(3), 5, {**SPEECH, "num_attention_heads": 3}))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["norm-last", "norm-first"])
def test_the_streaming_form_differs_from_the_encoder_only_by_what_it_may_see(kind):
    # with a sentence of one frame nothing can be seen but the frame: the two forms agree on it
    speech = speech_model(kind)
    shape = {"bidirectional": False}
    whole, stream = transfer(speech, **shape), transfer(speech, **shape, context=4)
    stream.load_state_dict(whole.state_dict())
    x = torch.randn(1, 60, 3)
    torch.testing.assert_close(whole(x[:, :14])[0], stream(x[:, :14])[0], atol=1e-6, rtol=0)
    assert (whole(x)[0] - stream(x)[0]).abs().max() > 1e-3


def test_layers_are_dropped_in_training_only():
    speech = speech_model("norm-last")
    model = transfer(speech, bidirectional=False, context=4)
    model.encoder.config.layerdrop = 1.0
    x = torch.randn(1, 60, 3)
    used = model(x)[0]
    model.encoder.train()
    assert not torch.allclose(model(x)[0], used)


def test_importing_the_models_does_not_import_transformers():
    code = "import sys, models.text; print('transformers' in sys.modules, 'rtdecode' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_without_transformers_the_words_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"transformers.*pip install 'rtdecode\[offline\]'"):
        TransferNet(TransferConfig(FrontConfig(3), 5, SPEECH))
