"""The files of a Hugging Face checkpoint: found or fetched, judged by config.json, read without a pickle.

Knows no audio and builds no model.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from offline.disk import whole_folder
from rtdecode.errors import MissingExtra, StudyError

CONFIG, AUDIO_CONFIG = "config.json", "preprocessor_config.json"
WEIGHTS, PICKLE = "model.safetensors", "pytorch_model.bin"


def convert_checkpoint(checkpoint: str, out: Path, revision: str = "") -> Path:
    """Write `out`, a folder with the same checkpoint as safetensors, and return it.

    Its pickle is read by torch's weights-only loader, which runs no code. Raises StudyError when the
    checkpoint is not a Wav2Vec2, has no such file or holds anything but tensors, or `out` exists.
    """
    from safetensors.torch import save_file

    if out.exists():
        raise StudyError(f"{out} exists already", hint="name a new folder")
    folder = folder_of(checkpoint, revision, [CONFIG, AUDIO_CONFIG, PICKLE])
    judged(checkpoint, read_json(checkpoint, folder / CONFIG))
    read_json(checkpoint, folder / AUDIO_CONFIG)
    if not (folder / PICKLE).is_file():
        raise StudyError(f"{checkpoint} has no {PICKLE} to convert")
    try:
        weights = torch.load(folder / PICKLE, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader met
        raise StudyError(f"cannot read {folder / PICKLE}: {first_line(error)}") from error
    if not isinstance(weights, dict):
        raise StudyError(f"{folder / PICKLE} should hold named tensors, it holds a {type(weights).__name__}")
    tensors = {k: v.clone().contiguous() for k, v in weights.items() if isinstance(v, Tensor)}
    with whole_folder(out) as beside:
        for name in (CONFIG, AUDIO_CONFIG):
            shutil.copyfile(folder / name, beside / name)
        save_file(tensors, beside / WEIGHTS, metadata={"format": "pt"})
    return out


def folder_of(checkpoint: str, revision: str, files: list[str]) -> Path:
    """The local folder of a checkpoint; an id is fetched first, only `files` of it."""
    local = Path(checkpoint).expanduser()
    if local.is_dir():
        return local
    if checkpoint.startswith((".", "/", "~")) or checkpoint.count("/") > 1:
        raise StudyError(f"there is no checkpoint folder {checkpoint}", hint="or give a Hugging Face id")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra("transformers (for Wav2Vec2)", "offline") from error
    try:
        return Path(snapshot_download(checkpoint, revision=revision or None, allow_patterns=files))
    except Exception as error:  # the hub's client raises its transport's errors, and those are many
        raise StudyError(
            f"cannot fetch checkpoint {checkpoint!r} from Hugging Face: {first_line(error)}",
            hint="check its name and the network, or give a local folder",
        ) from error


def read_json(checkpoint: str, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise StudyError(
            f"checkpoint {checkpoint} has no {path.name}", hint="is it a Hugging Face checkpoint of Wav2Vec2?"
        ) from None
    except (OSError, ValueError) as error:
        raise StudyError(f"cannot read {path}: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise StudyError(f"{path} should hold named values, it holds a {type(values).__name__}")
    return values


def judged(checkpoint: str, config: dict[str, Any]) -> dict[str, Any]:
    kind = config.get("model_type")
    if kind != "wav2vec2":
        raise StudyError(
            f"checkpoint {checkpoint} has model_type {kind!r}, expected 'wav2vec2'",
            hint="for example facebook/wav2vec2-large-xlsr-53",
        )
    return config


def resolved(checkpoint: str, layers: tuple[int, ...], n_layers: int) -> tuple[int, ...]:
    """Layers counted from 0, in order; -1 is the last of n_layers + 1 hidden states."""
    found = sorted({k if k >= 0 else n_layers + 1 + k for k in layers})
    if found[0] < 0 or found[-1] > n_layers:
        raise StudyError(
            f"layers {list(layers)} asked for, checkpoint {checkpoint} has hidden states 0 to {n_layers}",
            hint=f"{n_layers} or -1 is its last layer",
        )
    return tuple(found)


def identity(checkpoint: str, folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), folder / CONFIG, folder / AUDIO_CONFIG]):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
