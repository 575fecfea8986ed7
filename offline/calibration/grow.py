"""A trained model gets one subject more, who starts as somebody unseen: and nothing else changes.

The new row of the subject matrices is the shared row that subject dropout trained, else the mean of all rows;
the new linear filter is the mean filter. The scaler needs signal, but not what was heard. Knows nothing of
fitting.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

import models
from offline.calibration.known import model_samples
from offline.checkpoint import Checkpoint
from offline.data import Fitted
from offline.study import StudyRecording
from rtdecode.errors import StudyError
from rtdecode.preprocess import robust_scale

SUBJECTS, LINEAR = "encoder.front.subjects", ("linear.weight", "linear.bias")


def adopt(trained: Checkpoint, subject: str, recordings: Sequence[StudyRecording]) -> Checkpoint:
    """`trained` with `subject` as its last one, uncalibrated. recordings: in the model's form (`fitting`),
    of which only the signal is used, for the scaler. StudyError for a subject that it has already.
    """
    source = trained.source
    if subject in source.subjects:
        raise StudyError(
            f"the model knows subject {subject!r} already",
            hint="give another id with --subject, or use the model as it is",
        )
    if not recordings:
        raise StudyError(f"no recording of {subject!r}: the scaler needs some signal")
    center, scale = robust_scale(np.concatenate([model_samples(r, trained.config) for r in recordings]))
    fitted = Fitted(tuple(center.tolist()), tuple(scale.tolist()))
    return replace(
        trained,
        model=_grown(trained.model),
        ridge={name: _appended(rows, rows.mean(0)) for name, rows in trained.ridge.items()},
        source=replace(source, subjects=(*source.subjects, subject), scalers=(*source.scalers, fitted)),
    )


@torch.no_grad()
def _grown(model: models.DecoderNet) -> models.DecoderNet:
    count = model.config.n_subjects
    encoder = model.config.encoder
    config = replace(
        model.config,
        n_subjects=count + 1,
        encoder=None if encoder is None else replace(encoder, n_subjects=count + 1),
    )
    state = dict(model.state_dict())
    if SUBJECTS in state:
        rows = state[SUBJECTS]
        # with subject dropout the shared row stands after the subjects' own, and stays last
        new = rows[count] if len(rows) > count else rows.mean(0)
        state[SUBJECTS] = torch.cat([rows[:count], new[None], rows[count:]])
    for name in LINEAR:
        if name in state:
            state[name] = _appended(state[name], state[name].mean(0))
    small = models.DecoderNet(config)
    small.load_state_dict(state)
    return small.eval()


def _appended(rows: Tensor, row: Tensor) -> Tensor:
    return torch.cat([rows, row[None]])
