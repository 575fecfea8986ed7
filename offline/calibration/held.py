"""The part of a calibration that only judges: its windows, and the losses of an estimate on them.

It is the last part in time; of sentences heard in both parts, it keeps none. Knows nothing of fitting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

import models
from offline.calibration.windows import Estimator, starts, unit
from offline.config import Config
from offline.segments import Sentence, Track
from offline.validate import run_track, text_error
from rtdecode.errors import StudyError


@dataclass(frozen=True)
class Held:
    """parts: (track with left context, its first frame that counts)."""

    parts: tuple[tuple[Track, int], ...]

    def loss(self, model: models.DecoderNet, config: Config, scale: float, symbols: Sequence[str]) -> float:
        """Of a model: the retrieval loss, or the character error rate where it has no retrieval."""
        if not config.output.retrieval:
            return text_error(model, [track for track, _ in self.parts], symbols)
        return self.retrieval_loss(lambda track: run_track(model, track)["estimate"], config, scale)

    def retrieval_loss(self, estimate: Estimator, config: Config, scale: float) -> float:
        """Mean cross-entropy of each window's own sound among those of all windows; scale of the cosine."""
        n, delay = config.window_frames, config.delay_frames
        z, y = [], []
        for track, first in self.parts:
            made = estimate(track)
            for start in starts(track, config, first):
                z.append(made[start : start + n])
                y.append(track.y[start - delay : start - delay + n])
        logits = scale * (unit(np.stack(z)) @ unit(np.stack(y)).T).astype(float)
        top = logits.max(axis=1)
        return float((top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - np.diag(logits)).mean())


def divided(
    tracks: Sequence[Track], config: Config, hold_out: float, context: int
) -> tuple[list[Track], Held]:
    """Tracks to fit on, and the last `hold_out` of all frames to judge by. StudyError if one is too short.

    context  frames of signal before the held part that its first estimates look back on
    """
    total = sum(len(track.y) for track in tracks)
    boundary = round((1 - hold_out) * total)
    fit: list[Track] = []
    held: list[tuple[Track, int]] = []
    done = 0
    for track in tracks:
        cut = min(max(boundary - done, 0), len(track.y))
        if cut:
            fit.append(_piece(track, 0, cut, config.model.stride))
        if cut < len(track.y):
            first = max(0, cut - context)
            # what was fitted on ends with the stimulus of frame `cut`; estimates of it come `delay` later
            begin = cut - first + (config.delay_frames if cut else 0)
            held.append((_piece(track, first, len(track.y), config.model.stride), begin))
        done += len(track.y)
    known = {sentence.text for track in fit for sentence in track.sentences}
    held = [(_without(track, known), first) for track, first in held]
    crop = config.window_frames * config.optim.windows_per_crop + round(
        config.optim.context_s * config.frame_rate
    )
    fit = [track for track in fit if len(track.y) > crop]
    windows = sum(len(starts(track, config, first)) for track, first in held)
    if not fit or (config.output.retrieval and windows < 2):
        raise StudyError(
            f"{total / config.frame_rate:.0f} s of calibration are too short: {len(fit)} stretches longer "
            f"than {crop / config.frame_rate:g} s to fit on, {windows} windows of "
            f"{config.output.window_s:g} s to judge by",
            hint="record more, with sentences that do not all repeat",
        )
    return fit, Held(tuple(held))


def _piece(track: Track, first: int, stop: int, stride: int) -> Track:
    inside = tuple(
        Sentence(s.first - first, s.stop - first, s.text)
        for s in track.sentences
        if s.first >= first and s.stop <= stop
    )
    return replace(
        track,
        x=track.x[first * stride : stop * stride],
        y=track.y[first:stop],
        scored=track.scored[first:stop],
        sentences=inside,
    )


def _without(track: Track, texts: set[str]) -> Track:
    scored = track.scored.copy()
    for sentence in track.sentences:
        if sentence.text in texts:
            scored[sentence.first : sentence.stop] = False
    return replace(track, scored=scored)
