"""A trained model against a split of a prepared study: every window at a word scored against every segment.

Candidates are the distinct segments, each once, by its first occurrence (sentence and place of the word in
it), over all subjects. Somebody or something the model was not trained on is scored all the same, and `about`
says how. What the scores mean is `offline.contrastive.metrics`' business.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from models import ContrastiveNet
from offline.contrastive.batches import Loader
from offline.contrastive.checkpoint import WINDOWS, Checkpoint, load_checkpoint
from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.normalise import ScalingTable, scalings_for
from offline.contrastive.scores import Scores
from offline.contrastive.task import Forward
from offline.contrastive.train import check_prepared, check_sounds, selected
from offline.contrastive.window_features import Features
from offline.contrastive.windows import Window, load_learned, make_windows
from offline.loop.prefetch import to_device
from offline.losses import EPS
from offline.prepare.store import PreparedStudy
from rtdecode.errors import StudyError


@dataclass(frozen=True)
class Calibration:
    """What is known of listeners who were not trained on.

    stretches  seconds (start, stop) by recording, heard under known stimulus: scales are fitted there
    net, rows  the model grown by rows of their own, and the row of each subject; None: no rows
    """

    stretches: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    net: ContrastiveNet | None = None
    rows: Mapping[str, int] = field(default_factory=dict)


@torch.no_grad()
def score_windows(
    checkpoint: Checkpoint | str | Path,
    prepared: PreparedStudy,
    features: Features,
    split: str = "test",
    subjects: Sequence[str] | None = None,
    calibration: Calibration | None = None,
    *,
    device: torch.device | str = "cpu",
    size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores of all windows at words of `split`, of these subjects (None: everybody prepared).

    size      windows at a time;  progress  called with trials done and all
    An unseen subject is scored by the shared row (or the mean of all rows), an unseen recording is scaled by
    its calibration stretch or its first seconds: about["scaled_by"] counts recordings, about["unseen"] and
    about["calibrated"] name subjects.
    Raises StudyError: no such windows, channels that do not fit, a sound without features, or a window that
    the model was trained on; TrainingError when study, features and model do not fit.
    """
    ready = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    config = ready.config
    recordings = selected(prepared, subjects or ())
    check_prepared(config, prepared, features)
    windows = make_windows(recordings, config, words=(split,)).windows
    if not windows:
        raise StudyError(
            f"{prepared.name} has no window at a word in the split {split!r} of {len(recordings)} recordings"
        )
    check_sounds(windows, features)
    if prepared.name == ready.study:
        assert_unheard(ready, windows)
    heard = {window.recording for window in windows}
    recordings = tuple(r for r in recordings if r.name in heard)
    net, rows, unseen = _people(ready, [r.subject for r in recordings], calibration)
    net, montages = ready.placed(recordings, net)
    scalings = scalings_for(
        recordings, ready.scalings, config, calibration.stretches if calibration else None
    )
    table = ScalingTable.of([scalings[r.name] for r in recordings], ready.n_channels)
    device = torch.device(device)
    net = net.to(device)
    forward = Forward(config, table.to(device), ready.speech)
    loader = Loader(recordings, features, config, ready.n_channels, rows, montages)

    first: dict[tuple[str, int], int] = {}
    for row, window in enumerate(windows):
        first.setdefault((window.uid, window.index), row)
    candidates = [windows[row] for row in first.values()]
    column = {identity: k for k, identity in enumerate(first)}
    speech = []
    for start in range(0, len(candidates), size):
        batch = to_device(loader.load(candidates[start : start + size]), device)
        speech.append(_unit(net.targets(forward.features(batch)), config))
    targets = torch.cat(speech)
    scores = torch.empty(len(windows), len(candidates))
    for start in range(0, len(windows), size):
        batch = to_device(loader.load(windows[start : start + size]), device)
        z = forward.estimates(net, forward.brain(batch), batch, batch.subject)
        scores[start : start + len(z)] = (ready.scale * _against(z, targets, config)).cpu()
        if progress:
            progress(start + len(z), len(windows))
    net.to("cpu")
    origins = Counter(scaling.origin for scaling in scalings.values())
    calibrated = sorted(set(calibration.rows) & set(rows)) if calibration else []
    return Scores(
        scores.numpy(),
        torch.tensor([column[w.uid, w.index] for w in windows]).numpy(),
        tuple(w.subject for w in windows),
        tuple(w.word for w in windows),
        tuple(w.word for w in candidates),
        tuple(first),
        tuple((w.stimulus, w.stimulus_s) for w in candidates),
        tuple(w.recording for w in windows),
        {
            "model": config.name,
            "recipe": config.recipe,
            "study": prepared.name,
            "split": split,
            "step": ready.step,
            "causal": config.model.causal,
            "normalise": config.signal.normalise,
            "window_s": config.n_frames / config.signal.sfreq,
            "offset_s": config.window.offset_s,
            "scaled_by": dict(origins),
            "unseen": unseen,
            "calibrated": calibrated,
        },
    )


def assert_unheard(ready: Checkpoint, windows: Sequence[Window]) -> None:
    """StudyError when a window, by its text or its sound, was trained or validated on: the split table is
    then not the one of the training. Only windows of the test split can pass.
    """
    if all(window.split != "test" for window in windows):
        return  # whoever scores training windows knows it
    learned = load_learned(ready.path / WINDOWS)
    for window in windows:
        what = learned.hears(window, ready.config)
        if what:
            raise StudyError(
                f"{window.name} is to be tested, but {ready.config.name} was trained on {what}",
                hint="evaluate on the split table that the model was trained with",
            )


def _people(
    ready: Checkpoint, subjects: Sequence[str], calibration: Calibration | None
) -> tuple[ContrastiveNet, dict[str, int], list[str]]:
    """The model, a row for each subject, and who is unknown to it."""
    rows = {subject: row for row, subject in enumerate(ready.subjects)}
    net = ready.net
    if calibration is not None and calibration.net is not None:
        net, rows = calibration.net, {**rows, **calibration.rows}
    unseen = sorted(set(subjects) - set(rows))
    if unseen:
        net = net.with_new_subject().eval()
        rows |= dict.fromkeys(unseen, net.config.n_subjects - 1)
    return net, rows, unseen


def _unit(y: Tensor, config: ContrastiveConfig) -> Tensor:
    """(K, T, F) -> (K, T F), as `clip_scores` divides candidates by their norm, once for all trials."""
    y = y.float()
    if config.loss.center:
        y = y - y.mean(dim=1, keepdim=True)
    flat = y.flatten(1)
    return flat / (EPS + flat.norm(dim=1, keepdim=True))


def _against(z: Tensor, targets: Tensor, config: ContrastiveConfig) -> Tensor:
    """(B, T, F) against `_unit` candidates -> (B, K)."""
    z = z.float()
    if config.loss.center:
        z = z - z.mean(dim=1, keepdim=True)
    flat = z.flatten(1)
    scores = flat @ targets.T
    return scores / (EPS + flat.norm(dim=1, keepdim=True)) if config.loss.norm == "both" else scores
