"""CTC over padded batches: the loss, what does not fit, and the plain reading of log-probabilities.

Symbol 0 is the blank everywhere. Knows no model and no alphabet.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def frames_needed(targets: Tensor, n_symbols: Tensor) -> Tensor:
    """(B,) frames that a target needs at least: one a symbol, and a blank between two that are equal.

    targets (B, S) padded, n_symbols (B,)
    """
    within = torch.arange(1, targets.shape[1], device=targets.device) < n_symbols[:, None]
    return n_symbols + ((targets[:, 1:] == targets[:, :-1]) & within).sum(dim=1)


def ctc_loss(log_probs: Tensor, frames: Tensor, targets: Tensor, n_symbols: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood per symbol, (B,), and which targets fit into their frames, (B,) bool.

    log_probs (B, N, V) float32, of which frames (B,) count; a target that does not fit costs 0 and moves
    nothing. Graves et al. 2006. Where torch is to be deterministic it runs on the CPU: on a GPU its gradient
    is not.
    """
    fits = frames >= frames_needed(targets, n_symbols).clamp(min=1)
    if log_probs.is_cuda and torch.are_deterministic_algorithms_enabled():
        device = log_probs.device
        log_probs, frames, targets, n_symbols = (v.cpu() for v in (log_probs, frames, targets, n_symbols))
        fits = fits.cpu()
        loss, _ = _loss(log_probs, frames, targets, n_symbols, fits)
        return loss.to(device), fits.to(device)
    return _loss(log_probs, frames, targets, n_symbols, fits)


def _loss(
    log_probs: Tensor, frames: Tensor, targets: Tensor, n_symbols: Tensor, fits: Tensor
) -> tuple[Tensor, Tensor]:
    if not log_probs.shape[1]:
        return log_probs.sum(dim=(1, 2)), fits
    # what does not fit is given frames that exist: an infinite loss would leave NaN in the gradient
    nll = F.ctc_loss(
        log_probs.transpose(0, 1),
        targets,
        torch.where(fits, frames, log_probs.shape[1]),
        torch.where(fits, n_symbols, 0),
        blank=0,
        reduction="none",
    )
    return torch.where(fits, nll / n_symbols.clamp(min=1), 0.0), fits


def greedy(log_probs: np.ndarray) -> list[int]:
    """(N, V) -> the best symbol of each frame, repeats collapsed, then blanks dropped."""
    if not len(log_probs):
        return []
    best = log_probs.argmax(axis=1)
    kept = best[np.flatnonzero(np.diff(best, prepend=-1))]
    return [int(symbol) for symbol in kept if symbol]
