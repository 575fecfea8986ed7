"""What calibration brought, on recordings that it did not use: before, after, and ridge on the same minutes.

Before is somebody unseen: the shared row, the mean filter, a scaler from unlabelled signal. Knows nothing of
how the calibration was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.calibration.grow import adopt
from offline.calibration.known import first_minutes, fitting
from offline.calibration.windows import Estimator, track_scores
from offline.checkpoint import Checkpoint, load_checkpoint
from offline.contrastive.metrics import Accuracy, Interval, accuracy, blocks, bootstrap, ranks
from offline.contrastive.scores import Scores
from offline.data import prepare_recording
from offline.loop.checkpointing import weights
from offline.ridge import apply_filter
from offline.segments import Track
from offline.study import Study, StudyRecording
from offline.validate import run_track
from rtdecode.errors import StudyError


@dataclass(frozen=True)
class Gain:
    """Top-k of test windows. difference: after - before, its interval over stretches of stimulus."""

    before: Accuracy
    after: Accuracy
    ridge: Accuracy | None
    difference: float
    interval: Interval | None
    scores: dict[str, Scores]

    def lines(self) -> list[str]:
        """For people."""
        spread = "" if self.interval is None else f" ({self.interval.low:+.1%} to {self.interval.high:+.1%})"
        ridge = "" if self.ridge is None else f", ridge on the same minutes {self.ridge.value:.1%}"
        return [
            f"top-{self.after.k} of {self.after.of} windows: {self.after.value:.1%} calibrated, "
            f"{self.before.value:.1%} not{ridge}, chance {self.after.chance:.1%}; "
            f"gain {self.difference:+.1%}{spread}, n = {self.after.n}"
        ]


def unseen_scores(checkpoint: str | Path, study: Study, recordings: Sequence[StudyRecording]) -> Scores:
    """Scores of somebody the model was not trained on, without calibration: the scaler is from the signal of
    these very recordings, of which nothing else is used beforehand.
    """
    trained = load_checkpoint(Path(checkpoint))
    own = [fitting(r, trained.source) for r in recordings]
    subjects = {r.subject for r in own}
    if len(subjects) != 1:
        raise StudyError(f"recordings of one subject, got {len(subjects)}: {', '.join(sorted(subjects))}")
    grown = adopt(trained, subjects.pop(), own)
    return _scored(grown, study, own, _scale(Path(checkpoint)), "not calibrated")


def gain(
    checkpoint: str | Path,
    calibrated: str | Path,
    study: Study,
    calibration: Sequence[StudyRecording],
    test: Sequence[StudyRecording],
    *,
    minutes: float,
    k: int = 10,
) -> Gain:
    """Compare on `test`. calibration, minutes: as they were calibrated with; of them only the signal is used,
    for the same scaler. StudyError when a sentence of the test was heard in the calibration.
    """
    before, after = load_checkpoint(Path(checkpoint)), load_checkpoint(Path(calibrated))
    used = first_minutes([fitting(r, before.source) for r in calibration], minutes)
    heard = {e.text for r in used for e in r.of_kind("sentence")}
    shared = sorted(heard & {e.text for r in test for e in r.of_kind("sentence")})
    if shared:
        raise StudyError(
            f"{len(shared)} sentences of the test were heard in the calibration, the first: {shared[0]!r}",
            hint="test on other sentences",
        )
    own = [fitting(r, before.source) for r in test]
    scale = _scale(Path(checkpoint))
    grown = adopt(before, used[0].subject, used)
    scores = {
        "not calibrated": _scored(grown, study, own, scale, "not calibrated"),
        "calibrated": _scored(after, study, own, scale, "calibrated"),
    }
    if after.ridge:
        scores["ridge"] = _scored(after, study, own, scale, "ridge", _ridge(after, used[0].subject))
    return measured(scores, k)


def measured(scores: dict[str, Scores], k: int = 10) -> Gain:
    """The gain from scores of the same trials, by name: "not calibrated", "calibrated", perhaps "ridge"."""
    found = {name: accuracy(ranks(one), one.target, one, k) for name, one in scores.items()}
    before, after = (ranks(scores[name]).hits(k) for name in ("not calibrated", "calibrated"))
    delta = after - before
    spread = bootstrap(delta, blocks(scores["calibrated"]))
    mean = float(np.mean(delta))
    return Gain(found["not calibrated"], found["calibrated"], found.get("ridge"), mean, spread, scores)


def _scale(checkpoint: Path) -> float:
    return float(weights(checkpoint)[1]["log_scale"].exp())


def _ridge(checkpoint: Checkpoint, subject: str) -> Estimator:
    row = checkpoint.source.subjects.index(subject)
    weight, bias = (checkpoint.ridge[name][row].numpy() for name in ("weight", "bias"))
    return lambda track: apply_filter(track.x, weight, bias, checkpoint.config.model.stride)


def _scored(
    checkpoint: Checkpoint,
    study: Study,
    recordings: Sequence[StudyRecording],
    scale: float,
    name: str,
    estimate: Estimator | None = None,
) -> Scores:
    if not checkpoint.config.output.retrieval:
        raise StudyError("the model has no retrieval to score")
    if not recordings:
        raise StudyError("no test recording to score")
    tracks = [prepare_recording(r, study, checkpoint.source, checkpoint.config) for r in recordings]

    def model(track: Track) -> np.ndarray:
        return run_track(checkpoint.model, track)["estimate"]

    about = {"study": study.name, "model": name}
    return track_scores(estimate or model, tracks, recordings, checkpoint.config, scale, about)
