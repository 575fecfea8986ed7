"""A run of the recipe of windows, evaluated: scores, signal-blind baselines, curves that need its estimates.

Joins `score_windows` with what `metrics`, `baselines` and `curves` compute. The baselines here see everything
but the brain: the mean estimate of training, the model on noise, how loud and how full of sound a candidate
is. Knows nothing of reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models import ContrastiveNet
from offline.contrastive.baselines import Blind, blind_baselines
from offline.contrastive.batches import Loader
from offline.contrastive.checkpoint import Checkpoint, load_checkpoint
from offline.contrastive.curves import (
    Curve,
    Point,
    candidate_curve,
    last_frames_cut,
    point,
    window_curve,
)
from offline.contrastive.metrics import Summary, summarise
from offline.contrastive.normalise import ScalingTable, scalings_for
from offline.contrastive.score import score_windows
from offline.contrastive.scores import Scores
from offline.contrastive.task import Forward
from offline.contrastive.train import selected
from offline.contrastive.windows import Window, make_windows
from offline.losses import clip_scores
from offline.prepare.store import FeatureStore, PreparedRecording, PreparedStudy

CHUNK = 64
TRAIN_WINDOWS = 256  # from which the mean training estimate is taken
DETAIL_TRIALS = 2000


@dataclass(frozen=True)
class Evaluation:
    """blind: beside chance, see `baselines`; curves: over candidates, window length, look-ahead."""

    scores: Scores
    summary: Summary
    blind: tuple[Blind, ...]
    curves: tuple[Curve, ...]

    def lines(self) -> list[str]:
        """For people; no score without its chance."""
        out = []
        for level, found in (("segments", self.summary.segments), ("words", self.summary.words)):
            for one in found:
                spread = one.by_blocks
                interval = "" if spread is None else f", interval {spread.low:.1%} to {spread.high:.1%}"
                out.append(
                    f"{level:<9} top-{one.k:<3} {one.value:.1%} (chance {one.chance:.1%}, most frequent "
                    f"{one.frequent:.1%}{interval}; n = {one.n} of {one.of})"
                )
        return out + [blind.sentence for blind in self.blind]


def evaluate_run(
    run: str | Path,
    prepared: PreparedStudy,
    features: FeatureStore,
    split: str = "test",
    subjects: Sequence[str] | None = None,
    *,
    curves: bool = True,
) -> Evaluation:
    """Everything of one run. curves: also those that need estimates kept (of up to DETAIL_TRIALS trials).

    Raises what `score_windows` raises.
    """
    ready = load_checkpoint(run)
    scores = score_windows(ready, prepared, features, split, subjects)
    own = _Again(ready, prepared, features, split, subjects)
    window_s = ready.config.n_window / ready.config.signal.sfreq
    found: tuple[Curve, ...] = (candidate_curve(scores),)
    if curves:
        found += own.curves(scores)
    return Evaluation(scores, summarise(scores, window_s=window_s), own.blind(scores), found)


def look_ahead_of_runs(
    runs: Sequence[str | Path], prepared: PreparedStudy, features: FeatureStore, *, k: int = 10
) -> tuple[Curve, ...]:
    """Causal runs, by what each may see of the future (its window.offset_s), as one curve; each symmetric run
    as a point where it sees as much as its own reach and offset allow.
    """
    points: dict[str, list[Point]] = {"causal": [], "symmetric": []}
    for run in runs:
        ready = load_checkpoint(run)
        encoder, config = ready.net.config.encoder, ready.config
        reach = 0 if config.model.causal or encoder is None else encoder.context
        reach = max(reach, ready.net.config.linear_ahead)
        x = 1000 * (config.window.offset_s + reach / config.signal.sfreq)
        kind = "causal" if config.model.causal else "symmetric"
        points[kind].append(point(x, score_windows(ready, prepared, features), k))
    return tuple(
        Curve(f"Top-{k} over look-ahead, a model each", "look-ahead (ms)", tuple(sorted(p, key=_x)), name)
        for name, p in points.items()
        if p
    )


def _x(one: Point) -> float:
    return one.x


class _Again:
    """The windows and candidates of `score_windows` once more, in the same order."""

    def __init__(
        self,
        ready: Checkpoint,
        prepared: PreparedStudy,
        features: FeatureStore,
        split: str,
        subjects: Sequence[str] | None,
    ):
        self.ready, self.features = ready, features
        self.recordings = selected(prepared, subjects or ())
        self.windows = make_windows(self.recordings, ready.config, words=(split,)).windows
        first: dict[tuple[str, int], Window] = {}
        for window in self.windows:
            first.setdefault((window.uid, window.index), window)
        self.candidates = tuple(first.values())
        self.trained = tuple(r for r in self.recordings if r.subject in ready.subjects)

    def _loader(self, recordings: Sequence[PreparedRecording]) -> tuple[Loader, Forward, ContrastiveNet]:
        ready = self.ready
        rows = {subject: row for row, subject in enumerate(ready.subjects)}
        net = ready.net
        if any(r.subject not in rows for r in recordings):
            net = net.with_new_subject().eval()
            rows |= {r.subject: len(ready.subjects) for r in recordings if r.subject not in rows}
        net, montages = ready.placed(recordings, net)
        scalings = scalings_for(recordings, ready.scalings, ready.config)
        table = ScalingTable.of([scalings[r.name] for r in recordings], ready.n_channels)
        loader = Loader(recordings, self.features, ready.config, ready.n_channels, rows, montages)
        return loader, Forward(ready.config, table, ready.speech), net

    @torch.no_grad()
    def _estimates(self, windows: Sequence[Window], noise: bool = False) -> np.ndarray:
        """(N, T, F). noise: of white noise of the samples' own strength instead of the samples."""
        names = {w.recording for w in windows}
        loader, forward, net = self._loader([r for r in self.recordings if r.name in names])
        generator, out = torch.Generator().manual_seed(0), []
        for start in range(0, len(windows), CHUNK):
            batch = loader.load(windows[start : start + CHUNK])
            x = forward.brain(batch)
            if noise:
                x = torch.randn(x.shape, generator=generator) * x.std(dim=(1, 2), keepdim=True)
            out.append(forward.estimates(net, x, batch, batch.subject).float().numpy())
        return np.concatenate(out)

    @torch.no_grad()
    def _targets(self, windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray]:
        """(K, T, F) and (K,) the share of each window in which there is sound."""
        names = {w.recording for w in windows}
        loader, forward, net = self._loader([r for r in self.recordings if r.name in names])
        y, filled = [], []
        for start in range(0, len(windows), CHUNK):
            batch = loader.load(windows[start : start + CHUNK])
            y.append(net.targets(forward.features(batch)).float().numpy())
            filled.append((batch.rows >= 0).float().mean(dim=1).numpy())
        return np.concatenate(y), np.concatenate(filled)

    def blind(self, scores: Scores) -> tuple[Blind, ...]:
        """Every baseline without the brain; the mean estimate only where there are training windows."""
        loss = self.ready.config.loss
        y, filled = self._targets(self.candidates)
        targets = torch.from_numpy(y)

        def against(z: np.ndarray) -> np.ndarray:
            return clip_scores(torch.from_numpy(z), targets, loss.norm, loss.center).numpy()

        mean = None
        train = make_windows(self.trained, self.ready.config, grid=("train",)).windows
        if train:
            some = [train[i] for i in np.linspace(0, len(train) - 1, TRAIN_WINDOWS).astype(int)]
            mean = against(self._estimates(some).mean(axis=0, keepdims=True))[0]
        # noise once a recording: the rows of its listener and its scale are then all that differs
        names = list(dict.fromkeys(scores.recording))
        one_each = [next(w for w in self.windows if w.recording == name) for name in names]
        by_recording = against(self._estimates(one_each, noise=True))
        at = {name: row for row, name in enumerate(names)}
        others = {"the model on noise": by_recording[[at[name] for name in scores.recording]]}
        energy = np.square(y).mean(axis=(1, 2))
        duration = filled.tolist() if np.ptp(filled) > 0 else None
        return blind_baselines(
            scores, mean_estimate=mean, energy=energy.tolist(), duration=duration, others=others
        )

    def curves(self, scores: Scores) -> tuple[Curve, ...]:
        """Over window length, and for a symmetric model with its last frames cut."""
        config = self.ready.config
        rows = np.unique(np.linspace(0, scores.trials - 1, min(DETAIL_TRIALS, scores.trials)).astype(int))
        z, (y, _) = self._estimates([self.windows[row] for row in rows]), self._targets(self.candidates)
        some, n = scores.of_trials(rows), config.n_frames
        stops = sorted({max(1, round(share * n)) for share in (0.125, 0.25, 0.375, 0.5, 0.75, 1.0)})
        sfreq, center = config.signal.sfreq, config.loss.center
        found: tuple[Curve, ...] = (window_curve(some, z, y, stops, sfreq=sfreq, center=center),)
        encoder = self.ready.net.config.encoder
        if encoder is not None and not config.model.causal:
            reach = min(encoder.context, n - 1)
            found += (last_frames_cut(some, z, y, context=reach, sfreq=sfreq, center=center),)
        return found
