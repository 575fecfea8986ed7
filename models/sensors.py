"""From sensors to virtual channels: attention over sensor positions, a 1x1 convolution, a matrix per subject.

All three are linear and frame-wise, so at inference they are ONE affine map (`SensorFront.matrix`). Knows
nothing about time: causal and symmetric encoders share it. Source: spatial attention of Défossez et al.
(2023).
"""

import math

import torch
from torch import Tensor, nn

INVALID_POSITION = -0.1
"""Both coordinates of a sensor without a known place (also of padding channels): attention gives it weight
0.
"""


def fourier_embedding(positions: Tensor, dim: int, margin: float = 0.2) -> Tensor:
    """2-D Fourier features of sensor positions.

    positions (..., 2) in [0, 1]; dim = 2 * n * n. phase(i, j) = 2 pi (i (x + m) + j (y + m)) / (1 + 2 m), i
    for x slow. Returns (..., dim): all cosines, then all sines.
    """
    n = math.isqrt(dim // 2)
    if 2 * n * n != dim:
        raise ValueError(f"a Fourier dimension must be 2 * n * n, got {dim}; nearest is {2 * n * n}")
    width = 1.0 + 2.0 * margin
    freqs = torch.arange(n, dtype=positions.dtype, device=positions.device)
    phase_x = 2 * math.pi * (positions[..., 0:1] + margin) / width * freqs  # (..., n)
    phase_y = 2 * math.pi * (positions[..., 1:2] + margin) / width * freqs
    phase = (phase_x[..., :, None] + phase_y[..., None, :]).flatten(-2)
    return torch.cat([torch.cos(phase), torch.sin(phase)], dim=-1)


class SensorAttention(nn.Module):
    """Weights (O, C) of O virtual channels over C sensors, a softmax of learned functions of position.

    Spatial dropout (training only): one random centre per forward, shared by the batch; sensors within
    `radius` of it get weight 0 and the rest is renormalised. A draw that would ban every sensor is skipped
    (softmax would be NaN).
    """

    positions: Tensor
    embedding: Tensor
    valid: Tensor

    def __init__(self, positions: Tensor, n_virtual: int, fourier_dim: int, radius: float):
        super().__init__()
        if positions.ndim != 2 or positions.shape[1] != 2:
            raise ValueError(f"sensor positions must be (C, 2), got {tuple(positions.shape)}")
        self.radius = radius
        self.heads = nn.Parameter(torch.randn(n_virtual, fourier_dim) / math.sqrt(fourier_dim))
        positions = positions.to(torch.float32)
        self.register_buffer("positions", positions)
        self.register_buffer("embedding", fourier_embedding(positions, fourier_dim), persistent=False)
        valid = ~(positions == INVALID_POSITION).all(dim=1)
        if not bool(valid.any()):
            raise ValueError(f"none of the {len(positions)} sensors has a known position; give a montage")
        self.register_buffer("valid", valid, persistent=False)

    def kept(self, centre: Tensor | None) -> Tensor:
        """(C,) bool: sensors that attention may use, `centre` (2,) being the middle of the dropped disc."""
        if centre is None:
            return self.valid
        far = torch.linalg.vector_norm(self.positions - centre, dim=1) > self.radius
        kept = self.valid & far
        return kept if bool(kept.any()) else self.valid

    def forward(self) -> Tensor:
        scores = self.heads @ self.embedding.T  # (O, C), no further scaling
        centre = None
        if self.training and self.radius > 0:
            centre = torch.rand(2, device=scores.device)
        return torch.softmax(scores.masked_fill(~self.kept(centre), -torch.inf), dim=1)


class SensorFront(nn.Module):
    """SensorAttention -> 1x1 convolution with bias -> one bias-free matrix per subject.

    forward (B, C, T) and subject indices (B,) -> (B, O, T). With subject_dropout > 0 there is one shared
    extra row, which replaces a subject's own row with that probability in training and stands in for an
    unseen subject.
    """

    def __init__(
        self,
        positions: Tensor,
        n_virtual: int,
        n_subjects: int,
        fourier_dim: int,
        spatial_dropout: float,
        subject_dropout: float,
    ):
        super().__init__()
        self.attention = SensorAttention(positions, n_virtual, fourier_dim, spatial_dropout)
        self.linear = nn.Conv1d(n_virtual, n_virtual, 1)
        self.n_subjects, self.subject_dropout = n_subjects, subject_dropout
        rows = n_subjects + (1 if subject_dropout > 0 else 0)
        self.subjects = nn.Parameter(torch.randn(rows, n_virtual, n_virtual) / math.sqrt(n_virtual))

    def rows(self, subject: Tensor | None, batch: int) -> Tensor:
        """(B,) row of the subject matrices to use; None is an unseen subject (or the only one)."""
        shared = len(self.subjects) - 1
        device = self.subjects.device
        if subject is None:
            if len(self.subjects) > 1 and self.subject_dropout == 0:
                raise ValueError(f"{self.n_subjects} subjects and no shared row: say which subject")
            return torch.full((batch,), shared, device=device)
        if self.training and self.subject_dropout > 0:
            drop = torch.rand(len(subject), device=device) < self.subject_dropout
            return torch.where(drop, shared, subject)
        return subject

    def forward(self, x: Tensor, subject: Tensor | None) -> Tensor:
        x = self.linear(torch.matmul(self.attention(), x))
        return torch.einsum("bct,bcd->bdt", x, self.subjects[self.rows(subject, len(x))])

    def matrix(self, subject: int | None) -> tuple[Tensor, Tensor]:
        """The whole front of one subject as weight (O, C) and bias (O,). Call in eval mode (no spatial
        dropout).
        """
        row = self.rows(None if subject is None else torch.tensor([subject]), 1)[0]
        by_subject = self.subjects[row].T
        assert self.linear.bias is not None
        return by_subject @ self.linear.weight[:, :, 0] @ self.attention(), by_subject @ self.linear.bias
