"""A tiny Wav2Vec2 of random weights through the code that runs a real one, against transformers itself."""

import logging
import shutil

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, Wav2Vec2Model

from offline.speech import Wav2Vec2, convert_checkpoint
from rtdecode.errors import StudyError
from tests.offline.speech.checkpoints import N_LAYERS, change_json, save_checkpoint

AUDIO = np.random.default_rng(0).normal(0.3, 2.0, 12000).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("w2v"))


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def reference(folder, layers):
    """Mean of hidden_states as transformers gives them, whole model, its own feature extractor.

    The last one is taken behind the final norm, where transformers 4 had it in every form of the model.
    """
    model = Wav2Vec2Model.from_pretrained(folder).eval()
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(folder)(AUDIO, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        out = model(inputs.input_values, output_hidden_states=True)
    states = [*out.hidden_states[:N_LAYERS], out.last_hidden_state]
    return torch.stack([states[k] for k in layers]).mean(0)[0].numpy()


@pytest.mark.parametrize("layers", [(0,), (1, 2), (2,), (3,), (0, 3)])
@pytest.mark.parametrize("stable", [True, False])
def test_equals_transformers_hidden_states(tmp_path, stable, layers):
    folder = save_checkpoint(tmp_path / "w2v", stable=stable)
    got = Wav2Vec2(str(folder), layers).frames(AUDIO)
    np.testing.assert_allclose(got, reference(folder, layers), atol=2e-5)
    assert got.shape == ((12000 - 400) // 320 + 1, 16)


def test_the_extractors_normalisation_is_honoured(folder, tmp_path):
    raw = save_checkpoint(tmp_path / "raw", normalise=False)
    np.testing.assert_allclose(Wav2Vec2(str(raw), (1,)).frames(AUDIO), reference(raw, [1]), atol=2e-5)
    with_norm = Wav2Vec2(str(folder), (1,))
    np.testing.assert_allclose(with_norm.frames(AUDIO), with_norm.frames(3 * AUDIO + 1), atol=1e-4)
    assert not np.allclose(with_norm.frames(AUDIO), Wav2Vec2(str(raw), (1,)).frames(AUDIO), atol=1e-2)


def test_layers_count_from_either_end(folder):
    assert Wav2Vec2(str(folder), (-1, -2)).layers == (2, 3)
    for bad in ((4,), (-5,), (14, 15)):
        with pytest.raises(StudyError, match="hidden states 0 to 3"):
            Wav2Vec2(str(folder), bad)


@pytest.mark.parametrize("stable", [True, False])
def test_convolutions_in_pieces_change_nothing(tmp_path, monkeypatch, stable):
    model = Wav2Vec2(str(save_checkpoint(tmp_path / "w2v", stable=stable)), (1, 2))
    whole = model.frames(AUDIO)
    monkeypatch.setattr("offline.speech.wav2vec2._PIECE_S", 0.14)
    np.testing.assert_allclose(model.frames(AUDIO), whole, atol=1e-5)


def test_shorter_than_a_frame(folder):
    assert Wav2Vec2(str(folder), (1,)).frames(AUDIO[:50]).shape == (1, 16)


def test_same_audio_same_numbers(folder):
    a, b = Wav2Vec2(str(folder), (1, 2)), Wav2Vec2(str(folder), (1, 2))
    np.testing.assert_array_equal(a.frames(AUDIO), b.frames(AUDIO))
    assert not a.model.training


def test_a_checkpoint_with_a_head_loads(folder, tmp_path, caplog, capfd):
    torch.manual_seed(1)
    ctc = Wav2Vec2ForCTC(Wav2Vec2Model.from_pretrained(folder).config)
    ctc.wav2vec2.load_state_dict(Wav2Vec2Model.from_pretrained(folder).state_dict())
    ctc.save_pretrained(tmp_path / "ctc")
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "ctc")
    expected = reference(folder, [1, 2])
    capfd.readouterr()
    with caplog.at_level(logging.INFO):
        got = Wav2Vec2(str(tmp_path / "ctc"), (1, 2)).frames(AUDIO)
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_identity_follows_the_files(folder, copy):
    same = Wav2Vec2(str(folder), (1,)).identity
    assert Wav2Vec2(str(copy), (1,)).identity == same
    change_json(copy / "preprocessor_config.json", do_normalize=False)
    assert Wav2Vec2(str(copy), (1,)).identity != same


def test_another_family_is_named_before_weights_are_read(copy):
    change_json(copy / "config.json", model_type="hubert")
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(StudyError, match="'hubert', expected 'wav2vec2'"):
        Wav2Vec2(str(copy), (1,))


def test_what_is_missing_is_named(copy, tmp_path):
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(StudyError, match="cannot load checkpoint"):
        Wav2Vec2(str(copy), (1,))
    (copy / "preprocessor_config.json").unlink()
    with pytest.raises(StudyError, match="no preprocessor_config"):
        Wav2Vec2(str(copy), (1,))
    (copy / "config.json").write_text("{")
    with pytest.raises(StudyError, match="cannot read"):
        Wav2Vec2(str(copy), (1,))
    (copy / "config.json").unlink()
    with pytest.raises(StudyError, match="no config"):
        Wav2Vec2(str(copy), (1,))
    with pytest.raises(StudyError, match="no checkpoint folder"):
        Wav2Vec2(str(tmp_path / "none"), (1,))


def test_weights_of_fewer_layers_are_not_made_up(copy):
    change_json(copy / "config.json", num_hidden_layers=5)
    with pytest.raises(StudyError, match=r"lacks .* weights of its model, the first: encoder.layers.3"):
        Wav2Vec2(str(copy), (1,))


def test_no_network_is_one_sentence(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("We couldn't connect to the hub.\nmore words")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(StudyError, match="cannot fetch checkpoint 'some/where'") as caught:
        Wav2Vec2("some/where", (1,))
    assert "more words" not in str(caught.value) and "local folder" in str(caught.value)


def test_an_id_is_fetched_without_pickles(folder, monkeypatch):
    asked = []

    def fetched(name, *, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    Wav2Vec2("some/where", (1,), revision="v2")
    assert [(name, revision) for name, revision, _ in asked] == [("some/where", "v2")] * 2
    assert asked[0][2] == ["config.json"] and not any("bin" in p for _, _, files in asked for p in files)


def test_pickled_weights_are_refused_and_can_be_converted(folder, tmp_path):
    pickled = save_checkpoint(tmp_path / "pickled", pickled=True)
    with pytest.raises(StudyError, match=r"pickled weights are not loaded.*convert_checkpoint"):
        Wav2Vec2(str(pickled), (1,))
    out = convert_checkpoint(str(pickled), tmp_path / "safe")
    np.testing.assert_array_equal(
        Wav2Vec2(str(out), (1, 2)).frames(AUDIO), Wav2Vec2(str(folder), (1, 2)).frames(AUDIO)
    )
    with pytest.raises(StudyError, match="exists already"):
        convert_checkpoint(str(pickled), out)


class Trap:
    def __reduce__(self):
        return print, ("a pickle ran code",)


def test_conversion_runs_no_code_and_leaves_nothing(tmp_path, capsys):
    pickled = save_checkpoint(tmp_path / "pickled", pickled=True)
    torch.save({"weight": Trap()}, pickled / "pytorch_model.bin")
    with pytest.raises(StudyError, match="cannot read"):
        convert_checkpoint(str(pickled), tmp_path / "safe")
    assert capsys.readouterr().out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pickled"]
