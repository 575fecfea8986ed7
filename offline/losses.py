"""Training losses. Tensors in, a scalar out; no models, no data.

`clip_loss` in its default form is the published contrastive loss; the options are what later work added.
Shapes: B estimates, K >= B candidates of which the first B are the positives, (.., T', F) each.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-8


def clip_scores(
    estimate: Tensor, candidates: Tensor, norm: str = "candidates", center: bool = False
) -> Tensor:
    """(B, K) inner products over features and time.

    norm    "candidates": only the candidates are divided by their norm (the published form: the estimate's
            free norm is the temperature). "both": cosine.
    center  subtract every feature's mean over time first, on both sides: what live retrieval does with its
            window.
    """
    if norm not in ("candidates", "both"):
        raise ValueError(f"norm must be 'candidates' or 'both', got {norm!r}")
    if center:
        estimate = estimate - estimate.mean(dim=1, keepdim=True)
        candidates = candidates - candidates.mean(dim=1, keepdim=True)
    z, y = estimate.flatten(1), candidates.flatten(1)
    scores = z @ (y / (EPS + y.norm(dim=1, keepdim=True))).T
    return scores / (EPS + z.norm(dim=1, keepdim=True)) if norm == "both" else scores


def clip_loss(
    estimate: Tensor,
    candidates: Tensor,
    *,
    norm: str = "candidates",
    center: bool = False,
    scale: Tensor | float = 1.0,
    symmetric: bool = False,
    not_negative: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of finding the right candidate; the published loss by default.

    scale         multiplies the scores (1 / temperature)
    symmetric     average with finding the right estimate of each positive candidate
    not_negative  (B, K) bool, True where candidate k is (nearly) the same stimulus as b's and must not be
                  pushed away; the diagonal is ignored
    """
    scores = scale * clip_scores(estimate, candidates, norm, center)
    target = torch.arange(len(estimate), device=scores.device)
    if not_negative is not None:
        banned = not_negative.clone()
        banned[target, target] = False
        scores = scores.masked_fill(banned, -torch.inf)
    loss = F.cross_entropy(scores, target)
    if symmetric:
        loss = (loss + F.cross_entropy(scores[:, : len(estimate)].T, target)) / 2
    return loss


def ctc_loss(log_probs: Tensor, targets: Tensor, n_frames: Tensor, n_symbols: Tensor) -> Tensor:
    """Mean over items of CTC loss per target symbol.

    log_probs (B, T', V), symbol 0 = blank; targets (B, S) padded; n_frames (B,), n_symbols (B,). Items
    whose target does not fit into their frames give 0 instead of infinity.
    """
    return F.ctc_loss(
        log_probs.transpose(0, 1), targets, n_frames, n_symbols, blank=0, reduction="mean", zero_infinity=True
    )
