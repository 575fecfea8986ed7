"""Sensors whose places differ from recording to recording: one attention, several montages.

The heads of the attention are functions of position, so they serve any montage; its weights are computed once
per distinct montage of a batch. Knows nothing about time, as models.sensors.
"""

import torch
from torch import Tensor

from models.encoder import EncoderConfig
from models.sensors import INVALID_POSITION, SensorAttention, SensorFront

Positions = tuple[tuple[float, float], ...]


class MontageAttention(SensorAttention):
    """Attention of one set of heads over several montages (M, C, 2): weights (O, C) for each one asked for.

    The embeddings are made when the model is, the softmax once per distinct montage of a batch. One dropped
    disc per forward, in the same place of every montage.
    """

    def __init__(self, montages: Tensor, n_virtual: int, fourier_dim: int, radius: float):
        m, c, _ = montages.shape
        super().__init__(montages.reshape(m * c, 2), n_virtual, fourier_dim, radius)
        self.positions = self.positions.view(m, c, 2)
        self.embedding = self.embedding.view(m, c, fourier_dim)
        self.valid = self.valid.view(m, c)
        for k, valid in enumerate(self.valid):
            if not bool(valid.any()):
                raise ValueError(f"none of the {c} sensors of montage {k} has a known position")

    def kept(self, centre: Tensor | None) -> Tensor:
        """(M, C) bool; a disc that would ban every sensor of a montage is ignored there."""
        if centre is None:
            return self.valid
        far = torch.linalg.vector_norm(self.positions - centre, dim=2) > self.radius
        kept = self.valid & far
        return torch.where(kept.any(dim=1, keepdim=True), kept, self.valid)

    def weights(self, which: Tensor) -> Tensor:
        """(N,) montage numbers -> (N, O, C)."""
        scores = self.heads @ self.embedding[which].transpose(1, 2)
        centre = None
        if self.training and self.radius > 0:
            centre = torch.rand(2, device=scores.device)
        return torch.softmax(scores.masked_fill(~self.kept(centre)[which, None], -torch.inf), dim=2)

    def forward(self) -> Tensor:
        """(O, C) of the first montage."""
        return self.weights(torch.zeros(1, dtype=torch.long, device=self.heads.device))[0]


class MontageFront(SensorFront):
    """SensorFront whose attention follows each window's montage."""

    def __init__(self, config: EncoderConfig, montages: tuple[Positions, ...]):
        super().__init__(
            torch.tensor([(0.5, 0.5)]),
            config.n_virtual,
            config.n_subjects,
            config.fourier_dim,
            config.spatial_dropout,
            config.subject_dropout,
        )
        self.attention: MontageAttention = MontageAttention(
            torch.tensor(montages, dtype=torch.float32),
            config.n_virtual,
            config.fourier_dim,
            config.spatial_dropout,
        )

    def forward(self, x: Tensor, subject: Tensor | None, montage: Tensor | None = None) -> Tensor:
        if montage is None:
            weights = self.attention()
        else:
            distinct, place = torch.unique(montage, return_inverse=True)
            weights = self.attention.weights(distinct)
            weights = weights[0] if len(distinct) == 1 else weights[place]
        x = self.linear(torch.matmul(weights, x))
        return torch.einsum("bct,bcd->bdt", x, self.subjects[self.rows(subject, len(x))])

    def matrix(self, subject: int | None, montage: int = 0) -> tuple[Tensor, Tensor]:
        """As SensorFront.matrix, of one montage."""
        row = self.rows(None if subject is None else torch.tensor([subject]), 1)[0]
        by_subject = self.subjects[row].T
        weights = self.attention.weights(torch.tensor([montage], device=self.subjects.device))[0]
        assert self.linear.bias is not None
        return by_subject @ self.linear.weight[:, :, 0] @ weights, by_subject @ self.linear.bias


def distinct_montages(positions: list[Positions]) -> tuple[tuple[Positions, ...], list[int]]:
    """Montages of a list of recordings without repeats, and which one each recording has.

    Shorter ones are padded to the longest with positions that attention ignores: pad signals with zeros.
    """
    longest = max(len(p) for p in positions)
    blank = (INVALID_POSITION, INVALID_POSITION)
    padded = [tuple((float(x), float(y)) for x, y in p) + (blank,) * (longest - len(p)) for p in positions]
    distinct = tuple(dict.fromkeys(padded))
    return distinct, [distinct.index(p) for p in padded]
