"""Quick scores during training, on whole validation recordings through the torch model.

Coarser than `offline.evaluate`, which runs the live engine: here candidates are windows of the validation
recordings.
"""

from collections.abc import Sequence

import numpy as np
import torch

from models import DecoderNet
from offline.config import Config
from offline.segments import Track
from rtdecode.score import cer


def greedy(log_probs: np.ndarray, symbols: Sequence[str]) -> str:
    """(T', V) -> text: best symbol per frame, repeats collapsed, blanks dropped."""
    best = log_probs.argmax(axis=1)
    kept = best[np.flatnonzero(np.diff(best, prepend=-1))]
    return " ".join("".join(symbols[k] for k in kept if k != 0).split())


@torch.no_grad()
def run_track(model: DecoderNet, track: Track) -> dict[str, np.ndarray]:
    """Outputs of the model over a whole recording, batch axis dropped."""
    whole = len(track.x) - len(track.x) % model.config.stride
    out = model(torch.from_numpy(track.x[None, :whole]), torch.tensor([track.subject]))
    return {name: value[0].numpy() for name, value in out.items()}


def text_error(model: DecoderNet, tracks: Sequence[Track], symbols: Sequence[str]) -> float:
    """Corpus-level character error rate over whole recordings."""
    heard = [" ".join(s.text for s in track.sentences) for track in tracks]
    read = [greedy(run_track(model, track)["log_probs"], symbols) for track in tracks]
    return cer(" ".join(read), " ".join(heard))


def window_topk(
    model: DecoderNet, tracks: Sequence[Track], config: Config, k: int = 10, candidates: int = 200
) -> tuple[float, float]:
    """Top-k over windows spread evenly over the validation recordings, and its chance level."""
    n, delay = config.window_frames, config.delay_frames
    estimates, targets = [], []
    total = sum(len(t.y) for t in tracks)
    every = max(n // 2, total // candidates)
    for track in tracks:
        estimate = run_track(model, track)["estimate"]
        for start in range(delay, min(len(estimate), len(track.y)) - n, every):
            if track.scored[start - delay : start - delay + n].any():
                estimates.append(estimate[start : start + n])
                targets.append(track.y[start - delay : start - delay + n])
    return topk(np.stack(estimates), np.stack(targets), k)


def topk(estimates: np.ndarray, targets: np.ndarray, k: int) -> tuple[float, float]:
    """(B, N, F) twice -> share of rows whose own target is among the k best by centred cosine, and chance."""

    def unit(values: np.ndarray) -> np.ndarray:
        flat = (values - values.mean(axis=1, keepdims=True)).reshape(len(values), -1)
        return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12)

    scores = unit(estimates) @ unit(targets).T
    better = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return float((better < k).mean()), min(1.0, k / len(targets))
