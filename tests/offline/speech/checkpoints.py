"""Wav2Vec2 checkpoints small enough for a test: random weights, the true layout on disk."""

import json
from pathlib import Path

import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

N_LAYERS, WIDTH = 3, 16


def save_checkpoint(
    folder: Path, *, stable: bool = True, normalise: bool = True, pickled: bool = False
) -> Path:
    """A checkpoint of 3 layers and 16 features. stable: layer norms as the large models have them."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=WIDTH,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        do_stable_layer_norm=stable,
        feat_extract_norm="layer" if stable else "group",
        layer_norm_eps=1e-5,
    )
    model = Wav2Vec2Model(config)
    for parameter in model.parameters():  # the default start is so small that every layer passes through
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    if pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
