"""Training losses. Tensors in, a scalar out; no models, no data.

`clip_loss` in its default form is the published contrastive loss; the options are what later work added, and
`siglip_loss` is its pairwise sibling. Shapes: B estimates, K >= B candidates of which B consecutive ones,
from `first` on, are the positives; (.., T', F) each. Scores are computed in float32 whatever the model's
precision: sums over a window's features overflow half precision, and EPS vanishes in it.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-8
NORMS = ("candidates", "both", "estimate", "none")
MAX_SCALE = 100.0
DUPLICATE_COSINE = 0.999


def clip_scores(
    estimate: Tensor, candidates: Tensor, norm: str = "candidates", center: bool = False
) -> Tensor:
    """(B, K) float32 inner products over features and time.

    norm    "candidates": only the candidates are divided by their norm (the published form: the estimate's
            free norm is the temperature). "both": cosine. "estimate", "none": as they say. A silent window,
            all zeros, scores 0 and gets no gradient; every other norm has EPS added.
    center  subtract every feature's mean over time first, on both sides: what live retrieval does with its
            window.
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
    with torch.autocast(estimate.device.type, enabled=False):
        estimate, candidates = estimate.float(), candidates.float()
        if center:
            estimate = estimate - estimate.mean(dim=1, keepdim=True)
            candidates = candidates - candidates.mean(dim=1, keepdim=True)
        z, y = estimate.flatten(1), candidates.flatten(1)
        if norm in ("candidates", "both"):
            y = y * _one_over_norm(y)
        scores = z @ y.T
        if norm in ("estimate", "both"):
            scores = scores * _one_over_norm(z)
    return scores


def _one_over_norm(x: Tensor) -> Tensor:
    """(N, D) -> (N, 1). 0 for silence, which else would send back a gradient of 1 / EPS."""
    norm = x.norm(dim=1, keepdim=True)
    return torch.where(norm > 0, 1 / (EPS + norm), 0.0)


def clip_loss(
    estimate: Tensor,
    candidates: Tensor,
    *,
    norm: str = "candidates",
    center: bool = False,
    scale: Tensor | float = 1.0,
    symmetric: bool = False,
    not_negative: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """Cross-entropy of finding the right candidate; the published loss by default.

    scale         multiplies the scores (1 / temperature): a number or `Temperature()`
    symmetric     average with finding the right estimate of each positive candidate, among these B estimates
    not_negative  (B, K) bool, True where candidate k is (nearly) the same stimulus as b's and must not be
                  pushed away; the positive itself is never banned
    first         the candidate of estimate 0: rank x B where candidates of several processes are gathered
    """
    scores = scale * clip_scores(estimate, candidates, norm, center)
    own = torch.arange(len(estimate), device=scores.device)
    if not_negative is not None:
        banned = not_negative.clone()
        banned[own, own + first] = False
        scores = scores.masked_fill(banned, -torch.inf)
    loss = F.cross_entropy(scores, own + first)
    if symmetric:
        loss = (loss + F.cross_entropy(scores[:, first : first + len(own)].T, own)) / 2
    return loss


def siglip_loss(
    estimate: Tensor,
    candidates: Tensor,
    *,
    norm: str = "both",
    center: bool = False,
    scale: Tensor | float = 10.0,
    bias: Tensor | float = -10.0,
    positive: Tensor | None = None,
    not_negative: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """Sigmoid loss over all pairs (Zhai et al. 2023, arXiv:2303.15343), mean over estimates.

    scale, bias   logit = scale x score + bias; both may be learned (`Temperature(10.0)`, a Parameter of -10)
    positive      (B, K) bool: pairs that belong together. None: candidates that are duplicates of the right
                  one, cosine >= 0.999
    not_negative  (B, K) bool: pairs left out, unless they are positive: near-duplicates that are neither
    """
    scores = scale * clip_scores(estimate, candidates, norm, center) + bias
    own = torch.arange(len(estimate), device=scores.device)
    positive = duplicates(candidates, first, len(estimate)) if positive is None else positive.clone()
    positive[own, own + first] = True
    pairs = -F.logsigmoid(torch.where(positive, scores, -scores))
    if not_negative is not None:
        pairs = pairs.masked_fill(not_negative & ~positive, 0.0)
    return pairs.sum() / len(estimate)


@torch.no_grad()
def duplicates(candidates: Tensor, first: int, count: int, cosine: float = DUPLICATE_COSINE) -> Tensor:
    """(count, K) bool: which candidates equal the ones from `first` on; two silent ones do not (cosine 0)."""
    return clip_scores(candidates[first : first + count], candidates, norm="both") >= cosine


class Temperature(nn.Module):
    """A learned factor for scores, exp(log_scale), from 1 / 0.07 and never above `limit`.

    The parameter itself is held below the limit before it is used, so that it can come back: clamping its
    exponential would leave it without a gradient. Not decayed: give it a parameter group of weight_decay 0.
    """

    def __init__(self, start: float = 1 / 0.07, limit: float = MAX_SCALE):
        super().__init__()
        if not 0 < start <= limit:
            raise ValueError(f"a temperature's scale must start in (0, {limit:g}], got {start:g}")
        self.log_scale = nn.Parameter(torch.tensor(math.log(start)))
        self.limit = limit

    def forward(self) -> Tensor:
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(self.limit))
        return self.log_scale.exp()


def ctc_loss(log_probs: Tensor, targets: Tensor, n_frames: Tensor, n_symbols: Tensor) -> Tensor:
    """Mean over items of CTC loss per target symbol.

    log_probs (B, T', V), symbol 0 = blank; targets (B, S) padded; n_frames (B,), n_symbols (B,). Items
    whose target does not fit into their frames give 0 instead of infinity.
    """
    return F.ctc_loss(
        log_probs.transpose(0, 1), targets, n_frames, n_symbols, blank=0, reduction="mean", zero_infinity=True
    )
