"""A Hugging Face causal language model of a local folder as the scorer of whole texts: `rescore` asks.

A text's score is the sum of the log-probabilities of its tokens. The first token counts only where something
stands before it: the model's begin-of-sentence token, or a context (what was said before). Weights are read
from safetensors only, no code of a checkpoint is run and nothing is fetched. Torch and transformers are
imported when a model is opened, not before. Knows no search and no deadline.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtdecode.errors import ConfigError, MissingExtra, StudyError

FILES = ["*.json", "*.safetensors", "*.txt", "tokenizer.model"]
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


class FolderLM:
    """`score` is a pure function of its texts; equal texts are scored once, others in batches by length.

    bos  token every text begins with, None where the checkpoint has none
    """

    def __init__(
        self, folder: Path, *, name: str = "", context: str = "", batch: int = 16, device: str = "cpu"
    ):
        """name     of the checkpoint in errors; "": the folder's
        context  said before every text; set `context` again as a conversation goes on

        MissingExtra without transformers; StudyError for a checkpoint that is none, damaged, without
        safetensors or without a tokenizer that knows where its tokens stand.
        """
        if batch < 1:
            raise ConfigError(f"batch is {batch}, 1 text at least")
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as missing:
            raise _missing() from missing
        name = name or str(folder)
        _check_weights(folder, name)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            loader: Any = AutoModelForCausalLM
            self._model = loader.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
            )
        except Exception as problem:  # transformers raises whatever its parts met
            raise StudyError(
                f"{name} is no causal language model: {_first_line(problem)}",
                hint="a folder with config.json, tokenizer.json and model.safetensors",
            ) from problem
        if not self._tokenizer.is_fast:
            raise StudyError(f"{name} has no tokenizer.json", hint="save it with a fast tokenizer")
        try:
            self._model.to(device)
        except Exception as problem:  # torch names the device and why not
            raise ConfigError(f"cannot use the device {device!r}: {_first_line(problem)}") from problem
        self._model.eval()
        self._torch, self._device, self._batch = torch, device, batch
        self.context, self.bos = context, self._tokenizer.bos_token_id
        self._longest = getattr(self._model.config, "max_position_embeddings", None) or 1 << 30

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural-log probability of each text after the context. An empty text has 0.0.

        ConfigError for a text that is longer than the model can read; a context that is too long loses its
        start.
        """
        coded = {text: self._coded(text) for text in dict.fromkeys(texts)}
        found = {text: 0.0 for text, (ids, first) in coded.items() if first == len(ids)}
        order = sorted((text for text in coded if text not in found), key=lambda text: len(coded[text][0]))
        for start in range(0, len(order), self._batch):
            part = order[start : start + self._batch]
            found.update(zip(part, self._scored([coded[text] for text in part]), strict=True))
        return [found[text] for text in texts]

    def _coded(self, text: str) -> tuple[list[int], int]:
        """(token ids, place of the first that counts)."""
        context = self.context
        if context and text and not context[-1].isspace():
            context += " "
        coded = self._tokenizer(context + text, add_special_tokens=False, return_offsets_mapping=True)
        ids: list[int] = coded["input_ids"]
        # A token that covers both sides of the seam is said by the text, so it counts.
        before = sum(1 for _, stop in coded["offset_mapping"] if stop <= len(context.rstrip()))
        head = [] if self.bos is None else [self.bos]
        surplus = len(head) + len(ids) - self._longest
        if surplus > before:
            raise ConfigError(
                f"a text has {len(ids) - before} tokens, the model reads {self._longest - len(head)} at most"
            )
        if surplus > 0:
            ids, before = ids[surplus:], before - surplus
        first = len(head) + before
        return head + ids, min(max(first, 1), len(head) + len(ids))

    def _scored(self, coded: list[tuple[list[int], int]]) -> list[float]:
        torch = self._torch
        longest = max(len(ids) for ids, _ in coded)
        ids = torch.zeros(len(coded), longest, dtype=torch.long)  # padding lies behind: no token sees it
        mask, counted = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.float32)
        for row, (tokens, first) in enumerate(coded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
            counted[row, first : len(tokens)] = 1.0
        ids, mask, counted = (x.to(self._device) for x in (ids, mask, counted))
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
            said = logits.gather(2, ids[:, 1:, None])[..., 0] - logits.logsumexp(2)
            return [float(x) for x in (said * counted[:, 1:]).sum(1).cpu()]


def model_folder(checkpoint: str) -> Path:
    """Where a checkpoint lies on this machine, before anything is loaded: a folder, or the copy that the
    Hugging Face cache has of an id.

    MissingExtra without transformers; ConfigError for one that is not here, or has no safetensors.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        raise _missing()
    folder = Path(checkpoint).expanduser()
    if not folder.is_dir():
        if checkpoint.startswith((".", "/", "~")) or checkpoint.count("/") > 1:
            raise ConfigError(f"there is no folder {checkpoint} with a language model")
        folder = _cached(checkpoint)
    try:
        _check_weights(folder, checkpoint)
    except StudyError as problem:
        raise ConfigError(problem.message, hint=problem.hint) from problem
    return folder.resolve()


def _cached(checkpoint: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(checkpoint, local_files_only=True, allow_patterns=FILES))
    except Exception as problem:  # the hub's client raises its transport's errors, and those are many
        raise ConfigError(
            f"the language model {checkpoint!r} is neither a folder nor in this machine's Hugging Face cache",
            hint=f"nothing is fetched during a session: first `hf download {checkpoint}`",
        ) from problem


def _check_weights(folder: Path, name: str) -> None:
    if any(folder.glob("*.safetensors")):
        return
    other = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
    raise StudyError(
        f"{name} has no .safetensors, it has {', '.join(other) or 'no weights'}",
        hint="weights in a pickle are not read; take a checkpoint that was saved as safetensors",
    )


def _missing() -> MissingExtra:
    return MissingExtra("transformers (for a causal language model)", "offline")


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
