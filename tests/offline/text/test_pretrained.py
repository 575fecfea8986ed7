"""A speech encoder as a start: its weights, its alphabet by name, what each set-up does with it, by epoch."""

import json

import pytest
import torch

from offline.overrides import override
from offline.text.train import assemble, start, train
from rtdecode.errors import ConfigError, StudyError, TrainingError
from rtdecode.text.symbols import W2V_CHARACTERS
from tests.offline.text import tiny

transformers = pytest.importorskip("transformers")
from safetensors.torch import save_file  # noqa: E402

SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "conv_dim": (8, 8),
    "conv_stride": (2, 2),
    "conv_kernel": (3, 3),
    "num_feat_extract_layers": 2,
    "layerdrop": 0.0,
    "vocab_size": 32,
}


def vocabulary():
    names = {"<blank>": "<pad>", " ": "|"}
    return {names.get(name, name): i for i, name in enumerate(W2V_CHARACTERS.names)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A CTC checkpoint as Hugging Face writes it, with weights of chance."""
    folder = tmp_path_factory.mktemp("speech")
    torch.manual_seed(5)
    model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**SHAPE))
    model.config.save_pretrained(folder)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "vocab.json").write_text(json.dumps(vocabulary()))
    return folder


def config(folder, *settings):
    return tiny.config(
        "loop.watch=cer", "data.labels=w2v-characters", "model.kind=wav2vec2", "training.setup=fft",
        f"model.transfer.checkpoint={folder}", "training.encoder_lr=0.001", *settings,
    )  # fmt: skip


def speech_weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_fine_tuning_starts_from_the_weights_and_scratch_from_the_shape(checkpoint):
    weights = speech_weights(checkpoint)
    name = "layers.0.attention.q_proj.weight"
    pretrained = start(config(checkpoint), 12, 3)
    assert torch.equal(pretrained.encoder.state_dict()[name], weights[f"wav2vec2.encoder.{name}"])
    assert torch.equal(pretrained.head.weight, weights["lm_head.weight"])
    scratch = start(config(checkpoint, "training.setup=scratch"), 12, 3)
    assert [p.shape for p in scratch.parameters()] == [p.shape for p in pretrained.parameters()]
    assert not torch.equal(scratch.encoder.state_dict()[name], weights[f"wav2vec2.encoder.{name}"])
    # what reads the brain starts alike in every arm
    assert torch.equal(scratch.bfe.gru.gru.weight_ih_l0, pretrained.bfe.gru.gru.weight_ih_l0)


def test_scratch_needs_no_weights(checkpoint, tmp_path):
    (tmp_path / "config.json").write_text((checkpoint / "config.json").read_text())
    start(config(tmp_path, "training.setup=scratch"), 12, 3)
    (tmp_path / "vocab.json").write_text((checkpoint / "vocab.json").read_text())
    with pytest.raises(StudyError, match=r"has no model\.safetensors"):
        start(config(tmp_path), 12, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"E": "T", "T": "E"}, "symbol 5 is 'T' there and 'E' here"),
        ({"'": "É"}, "has 'É'"),
        ({"<unk>": "|", "|": "<unk>"}, "another order: symbol 3"),
    ],
    ids=["swapped", "foreign", "moved"],
)
def test_a_head_of_another_alphabet_is_refused_by_name(checkpoint, tmp_path, change, said):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    table = {change.get(name, name): i for name, i in vocabulary().items()}
    (tmp_path / "vocab.json").write_text(json.dumps(table))
    with pytest.raises(TrainingError, match=said) as refused:
        assemble(config(tmp_path), tiny.study())
    assert str(tmp_path) in str(refused.value) and "data.labels" in refused.value.hint
    start(config(tmp_path, "model.transfer.head=new"), 12, 3)


def test_phonemes_do_not_fit_a_head_of_characters(checkpoint):
    with pytest.raises(ConfigError, match="chosen by 'per'"):
        override(config(checkpoint), ["data.labels=phonemes"])
    settings = ["data.labels=phonemes", "loop.watch=per"]
    with pytest.raises(TrainingError, match="symbol tables differ"):
        assemble(config(checkpoint, *settings), tiny.study())


def test_a_vocabulary_that_is_missing_or_numbered_with_gaps_is_refused(checkpoint, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    with pytest.raises(StudyError, match=r"has no vocab\.json"):
        start(config(tmp_path), 12, 3)
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "|": 2}))
    with pytest.raises(StudyError, match="does not number its 2 symbols"):
        start(config(tmp_path), 12, 3)


def test_a_model_of_another_kind_and_no_folder_are_refused(checkpoint):
    with pytest.raises(ConfigError, match=r"type 'wav2vec2', model.kind 'conformer' needs"):
        start(config(checkpoint, "model.kind=conformer"), 12, 3)
    with pytest.raises(StudyError, match="no checkpoint folder"):
        start(config("./nowhere"), 12, 3)


@pytest.mark.parametrize("setup", ["fft", "frozen", "scratch"])
def test_which_parts_move_in_which_epoch_and_how_fast(checkpoint, tmp_path, setup):
    """Two epochs still, one at half the rate, then at the whole."""
    settings = [f"training.setup={setup}", "training.ramp_first=1", "training.ramp_epochs=2"]
    run = config(checkpoint, *settings, "loop.schedule=none", "loop.max_epochs=4", "loop.updates_per_epoch=1")
    before = {n: p.detach().clone() for n, p in assemble(run, tiny.study()).task.module.named_parameters()}
    epochs = []

    def seen(progress):
        saved = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
        rates = {group["part"]: group["lr"] for group in saved["optimizer"]["param_groups"]}
        moved = {
            _part(name) for name, value in before.items() if not torch.equal(value, saved["model"][name])
        }
        epochs.append((rates, moved))

    train(run, tiny.study(), tmp_path / "run", progress=seen)
    rates = [rate for rate, _ in epochs]
    assert [r["front"] for r in rates] == [0.01] * 4
    if setup == "frozen":
        assert all(set(r) == {"front"} for r in rates) and [m for _, m in epochs] == [{"front"}] * 4
        return
    for part in ("encoder", "head"):
        assert [r[part] for r in rates] == pytest.approx([0.0, 0.0, 0.0005, 0.001])
    assert [m for _, m in epochs] == [{"front"}, {"front"}, *[{"front", "encoder", "head"}] * 2]


def _part(name):
    return {"encoder": "encoder", "head": "head"}.get(name.split(".")[1], "front")
