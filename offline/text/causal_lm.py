"""A Hugging Face causal language model by id or folder: `rtdecode.text.rescore_lm`, and it may be fetched.

Live sessions take the same scorer from a local folder (rtdecode/live/rescoring.py). Knows no search and no
deadline.
"""

from pathlib import Path
from typing import Any

from offline.speech.checkpoint import folder_of
from rtdecode.errors import ConfigError, MissingExtra
from rtdecode.text.rescore_lm import FILES, FolderLM


class CausalLM(FolderLM):
    def __init__(self, checkpoint: str, *, context: str = "", batch: int = 16, device: str = "cpu"):
        """checkpoint  Hugging Face id, fetched where it is not here, or a local folder; else as FolderLM"""
        if batch < 1:
            raise ConfigError(f"batch is {batch}, 1 text at least")
        try:
            import transformers  # noqa: F401  # before anything is fetched
        except ImportError as missing:
            raise MissingExtra("transformers (for a causal language model)", "offline") from missing
        folder = folder_of(checkpoint, "", FILES)
        super().__init__(folder, name=checkpoint, context=context, batch=batch, device=device)

    @classmethod
    def from_folder(cls, folder: Path, **options: Any) -> "CausalLM":
        """Of a local folder only; nothing is fetched."""
        return cls(str(Path(folder).resolve()), **options)
