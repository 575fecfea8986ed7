"""A speech checkpoint as the start of a transfer encoder: its shape, its weights, and whose alphabet its
head speaks.

Symbols are compared by name: <pad> is the blank and | the space of Hugging Face's CTC vocabularies. Knows no
data and trains nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from models.text.wav2vec2 import TransferNet
from offline.speech.checkpoint import CONFIG, WEIGHTS, first_line, folder_of, read_json
from rtdecode.errors import ConfigError, MissingExtra, StudyError, TrainingError
from rtdecode.text.symbols import BLANK, SPACE, Symbols

VOCABULARY = "vocab.json"
RENAMED = {"<pad>": BLANK, "|": SPACE}


def speech_folder(checkpoint: str, *, weights: bool) -> Path:
    """The local folder of a checkpoint, fetched where it is an id. StudyError when there is none."""
    return folder_of(checkpoint, "", [CONFIG, VOCABULARY, *([WEIGHTS] if weights else [])])


def speech_shape(checkpoint: str, folder: Path) -> dict[str, Any]:
    """config.json, with its model_type."""
    found = read_json(checkpoint, folder / CONFIG)
    if not isinstance(found.get("model_type"), str):
        raise StudyError(f"{checkpoint} has no model_type in its {CONFIG}")
    return found


def head_symbols(checkpoint: str, folder: Path) -> tuple[str, ...]:
    """What the checkpoint's CTC head says, in the order of its outputs, blank and space under our names.

    StudyError for a vocabulary that is missing or leaves outputs without a name.
    """
    if not (folder / VOCABULARY).is_file():
        raise StudyError(
            f"{checkpoint} has no {VOCABULARY}: nobody knows what its head says",
            hint="take a checkpoint fine-tuned with CTC, or model.transfer.head=new",
        )
    table = read_json(checkpoint, folder / VOCABULARY)
    numbers = {number: name for name, number in table.items() if isinstance(number, int)}
    if sorted(numbers) != list(range(len(table))):
        raise StudyError(f"{folder / VOCABULARY} does not number its {len(table)} symbols from 0")
    return tuple(RENAMED.get(numbers[i], numbers[i]) for i in range(len(table)))


def check_head(checkpoint: str, folder: Path, symbols: Symbols) -> None:
    """TrainingError, naming the first symbol that differs, unless the head of the checkpoint speaks
    `symbols`.
    """
    try:
        symbols.check(head_symbols(checkpoint, folder), f"the head of {checkpoint}")
    except ConfigError as problem:
        raise TrainingError(
            problem.message,
            hint="choose data.labels to match it, another checkpoint, or model.transfer.head=new",
        ) from problem


def load_pretrained(net: TransferNet, checkpoint: str, folder: Path, *, head: bool) -> None:
    """Put the checkpoint's weights into `net`: the encoder's, and the head's where wanted.

    StudyError for weights that are missing, damaged or of another shape.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as missing:
        raise MissingExtra("safetensors", "offline") from missing
    if not (folder / WEIGHTS).is_file():
        raise StudyError(
            f"{checkpoint} has no {WEIGHTS}",
            hint="`offline convert-checkpoint` makes one of a pickle, or training.setup=scratch",
        )
    try:
        weights: Mapping[str, Tensor] = load_file(folder / WEIGHTS)
    except Exception as problem:  # safetensors raises its own
        raise StudyError(f"cannot read {folder / WEIGHTS}: {first_line(problem)}") from problem
    try:
        net.load_speech(dict(weights), head=head)
    except ValueError as problem:
        raise StudyError(f"{checkpoint} does not fit its own {CONFIG}: {problem}") from problem
