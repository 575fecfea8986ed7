"""Hidden states of a Hugging Face Wav2Vec2 checkpoint, one array per sound.

A checkpoint is a local folder or an id of the hub; either way its config.json is read and judged before any
weight is, and weights are taken from safetensors files alone (`offline.speech.checkpoint`). Knows no windows,
splits or model rate.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offline.speech.checkpoint import (
    AUDIO_CONFIG,
    CONFIG,
    WEIGHTS,
    first_line,
    folder_of,
    identity,
    judged,
    read_json,
    resolved,
)
from rtdecode.errors import MissingExtra, StudyError

_PIECE_S = 30.0  # convolutions of a long sound, where they may be cut without changing a number


class Wav2Vec2:
    """An opened checkpoint in evaluation mode. `frames` is a pure function of the audio.

    rate           Hz of the audio it wants;  frame_rate_hz  of what it gives (50 for every public one)
    layers         the hidden states averaged, counted from 0;  n_features  their width
    identity       changes when the checkpoint does: a hash of its files

    Raises StudyError when it is not a Wav2Vec2 (naming what it is), lacks a file or weights, or has fewer
    layers than asked for; MissingExtra without transformers.
    """

    def __init__(self, checkpoint: str, layers: tuple[int, ...], revision: str = "", device: str = "cpu"):
        folder = folder_of(checkpoint, revision, [CONFIG])
        config = judged(checkpoint, read_json(checkpoint, folder / CONFIG))
        n_layers = int(config.get("num_hidden_layers", 12))
        self.layers = resolved(checkpoint, layers, n_layers)
        wanted = [CONFIG, AUDIO_CONFIG, WEIGHTS, WEIGHTS + ".index.json", "model-*.safetensors"]
        folder = folder_of(checkpoint, revision, wanted)
        audio = read_json(checkpoint, folder / AUDIO_CONFIG)
        self.rate, self.normalise = int(audio.get("sampling_rate", 16000)), audio.get("do_normalize", True)
        self.identity = identity(checkpoint, folder)
        self.device = torch.device(device)
        self.model = _opened(checkpoint, folder).eval().requires_grad_(False).to(self.device)
        self.n_features = int(self.model.config.hidden_size)
        # what lies above the highest layer asked for is never run
        self.model.encoder.layers = self.model.encoder.layers[: self.layers[-1] + 1]
        self._n_layers = n_layers
        hop, self.shortest = 1, 1
        kernels, strides = self.model.config.conv_kernel, self.model.config.conv_stride
        for kernel, stride in zip(kernels, strides, strict=True):
            self.shortest += (kernel - 1) * hop
            hop *= stride
        self.hop, self.frame_rate_hz = hop, self.rate / hop

    @torch.inference_mode()
    def frames(self, audio: np.ndarray) -> np.ndarray:
        """(N,) float32 at `rate` Hz -> (T', n_features) float32, T' = (N - shortest) // hop + 1.

        A sound shorter than one frame (25 ms) is followed by silence. Attention runs over the whole sound;
        the convolutions before it run in pieces where that changes nothing.
        """
        x = np.asarray(audio, np.float32)
        if self.normalise:
            x = (x - x.mean()) / np.sqrt(x.var() + np.float32(1e-7))
        x = np.pad(x, (0, max(0, self.shortest - len(x))))
        hidden = self._convolved(torch.from_numpy(x).to(self.device))
        hidden, _ = self.model.feature_projection(hidden)
        return self._averaged(hidden)[0].cpu().numpy()

    def _convolved(self, x: Tensor) -> Tensor:
        """(N,) -> (1, T', D). Group norm looks over all of time: such a model is not cut."""
        extract = self.model.feature_extractor
        piece = int(_PIECE_S * self.frame_rate_hz)
        count = (len(x) - self.shortest) // self.hop + 1
        if self.model.config.feat_extract_norm == "group" or count <= piece:
            return extract(x[None]).transpose(1, 2)
        parts = []
        for first in range(0, count, piece):
            last = min(first + piece, count) - 1
            parts.append(extract(x[None, first * self.hop : last * self.hop + self.shortest]).transpose(1, 2))
        return torch.cat(parts, dim=1)

    def _averaged(self, hidden: Tensor) -> Tensor:
        """Mean over `layers`, summed on the way: a long sound costs one hidden state, not one per layer.

        The last is the encoder's result, behind its final norm, as the published code had it; versions of
        transformers differ in what they put at the end of hidden_states.
        """
        encoder = self.model.encoder
        total: list[Tensor] = []

        def keep(state: Tensor) -> None:
            if total:
                total[0] += state
            else:
                total.append(state.clone())

        def before(_: Any, args: tuple, kwargs: dict) -> None:
            keep(args[0] if args else kwargs["hidden_states"])

        hooks = [
            encoder.layers[k].register_forward_pre_hook(before, with_kwargs=True)
            for k in self.layers
            if k < self._n_layers
        ]
        try:
            last = encoder(hidden).last_hidden_state
        finally:
            for hook in hooks:
                hook.remove()
        if self.layers[-1] == self._n_layers:
            keep(last)
        return total[0] / len(self.layers)


def _opened(checkpoint: str, folder: Path) -> Any:
    try:
        from transformers import Wav2Vec2Model
        from transformers.utils import logging as words
    except ImportError as error:
        raise MissingExtra("transformers (for Wav2Vec2)", "offline") from error
    if not (folder / WEIGHTS).is_file() and not (folder / f"{WEIGHTS}.index.json").is_file():
        raise StudyError(
            f"checkpoint {checkpoint} has no {WEIGHTS}, and pickled weights are not loaded",
            hint="another revision may have one, or offline.speech.convert_checkpoint writes one",
        )
    level, bar = words.get_verbosity(), words.is_progress_bar_enabled()
    words.set_verbosity(logging.CRITICAL)  # its report on unused heads is no concern of the user's
    words.disable_progress_bar()
    try:
        loaded: Any = Wav2Vec2Model.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # transformers and safetensors raise many kinds
        raise StudyError(
            f"cannot load checkpoint {checkpoint}: {first_line(error)}", hint="is the download complete?"
        ) from error
    finally:
        words.set_verbosity(level)
        if bar:
            words.enable_progress_bar()
    model, info = loaded
    # the mask embedding serves training only, and some checkpoints leave it out
    missing = sorted(set(info["missing_keys"]) - {"masked_spec_embed"})
    if missing:
        raise StudyError(
            f"checkpoint {checkpoint} lacks {len(missing)} weights of its model, the first: {missing[0]}"
        )
    return model.float()
