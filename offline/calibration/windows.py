"""Windows of continuous recordings as scores: the streaming recipe in the terms of `offline.contrastive`.

Windows lie half a window apart; each is a trial and, as what was really heard in it, a candidate. The
comparison is the live one: every feature's mean removed, cosine. Knows nothing of how an estimate came about.
"""

from collections.abc import Callable, Sequence

import numpy as np

from offline.config import Config
from offline.contrastive.scores import Scores
from offline.segments import Track
from offline.study import StudyRecording
from rtdecode.errors import StudyError

Estimator = Callable[[Track], np.ndarray]
"""(T', F) estimate of a whole track; frame n speaks of the stimulus `delay_frames` earlier."""


def unit(windows: np.ndarray) -> np.ndarray:
    """(B, N, F) -> (B, N * F) of norm 1, every feature's mean over the window removed."""
    flat = (windows - windows.mean(axis=1, keepdims=True)).reshape(len(windows), -1)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12)


def starts(track: Track, config: Config, first: int = 0, stop: int | None = None) -> list[int]:
    """Output frames at which windows begin, half a window apart, whose stimulus is known throughout."""
    n, delay = config.window_frames, config.delay_frames
    frames = len(track.x) // config.model.stride  # as many as an estimate has
    end = min(len(track.y), frames, stop if stop is not None else frames)
    every = max(1, n // 2)
    chosen = range(max(delay, first), end - n + 1, every)
    return [s for s in chosen if track.scored[s - delay : s - delay + n].all()]


def track_scores(
    estimate: Estimator,
    tracks: Sequence[Track],
    recordings: Sequence[StudyRecording],
    config: Config,
    scale: float,
    about: dict[str, str] | None = None,
) -> Scores:
    """Every window of the tracks against all of them. recordings: those that the tracks are of, in order.

    scale  of the cosine before a softmax
    """
    n, delay = config.window_frames, config.delay_frames
    z, y, where = [], [], []
    for number, track in enumerate(tracks):
        made = estimate(track)
        for start in starts(track, config):
            z.append(made[start : start + n])
            y.append(track.y[start - delay : start - delay + n])
            where.append((number, (start - delay) / config.frame_rate))
    if not z:
        raise StudyError(
            f"no window of {config.output.window_s:g} s in {len(tracks)} recordings whose sound is known"
        )
    names = [recordings[number].name for number, _ in where]
    words = [_word(recordings[number], seconds + config.output.window_s / 2) for number, seconds in where]
    return Scores(
        scale * (unit(np.stack(z)) @ unit(np.stack(y)).T),
        np.arange(len(z)),
        tuple(recordings[number].subject for number, _ in where),
        tuple(words),
        tuple(words),
        tuple(
            (name, round(seconds * config.frame_rate))
            for name, (_, seconds) in zip(names, where, strict=True)
        ),
        tuple((name, seconds) for name, (_, seconds) in zip(names, where, strict=True)),
        tuple(names),
        about or {},
    )


def _word(recording: StudyRecording, t: float) -> str:
    """The word that began last before `t` seconds; '' before the first."""
    return max(((e.start, e.text) for e in recording.of_kind("word") if e.start <= t), default=(0.0, ""))[1]
