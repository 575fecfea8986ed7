"""A new subject for the recipe of windows: layer, linear filter and scaler from minutes of known stimulus.

From a run and a prepared study that holds somebody the run was not trained on comes another run with that
subject added; everything else keeps its bits. As in `offline.calibrate`: the last part of the calibration
only judges, and what does not help there is not kept. The windows that were used are added to the run's
table, so that evaluating on any of them is refused. Never prints.
"""

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import models
from models import ContrastiveNet
from offline.calibration.gain import Gain, measured
from offline.calibration.grow import SUBJECTS
from offline.calibration.linear import ridge_towards
from offline.calibration.result import Calibrated, CalibrationSettings
from offline.calibration.rows import fit_rows
from offline.contrastive.batches import Loader, near
from offline.contrastive.checkpoint import SCALINGS, WINDOWS, Checkpoint, load_checkpoint, montage
from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.normalise import ScalingTable, fit_stretches, save_scalings, scaling_key
from offline.contrastive.ridge_start import LAMBDAS
from offline.contrastive.score import Calibration, score_windows
from offline.contrastive.task import Forward, WindowTask
from offline.contrastive.train import check_prepared, check_sounds, selected
from offline.contrastive.windows import Window, Windows, make_windows
from offline.disk import whole_folder
from offline.loop.checkpointing import NET, RUN, STATE, read_run, save, weights
from offline.prepare.store import FeatureStore, PreparedRecording, PreparedStudy
from offline.ridge import NormalEquations
from offline.split import same_text
from rtdecode.config import to_json
from rtdecode.errors import StudyError, TrainingError


@dataclass(frozen=True)
class _Material:
    """What a calibration works with. stretches: seconds by recording that the windows cover."""

    fit: tuple[Window, ...]
    held: tuple[Window, ...]
    recordings: tuple[PreparedRecording, ...]
    stretches: dict[str, list[tuple[float, float]]]

    @property
    def minutes(self) -> float:
        return sum(stop - start for spans in self.stretches.values() for start, stop in spans) / 60


def calibrate_windows(
    checkpoint: str | Path,
    prepared: PreparedStudy,
    features: FeatureStore,
    subject: str,
    out: str | Path,
    settings: CalibrationSettings | None = None,
    *,
    progress: Callable[[str], None] | None = None,
) -> Calibrated:
    """Add `subject` of `prepared`, from the first minutes of their training and validation blocks.

    Raises StudyError when the subject is known already or not prepared, channels do not fit, or there is too
    little; TrainingError when `out` exists, `checkpoint` is no run, or the loss is not finite.
    """
    settings, out = settings or CalibrationSettings(), Path(out)
    if out.exists():
        raise TrainingError(f"{out} exists", hint="choose another directory or remove it")
    ready = load_checkpoint(checkpoint)
    if subject in ready.subjects:
        raise StudyError(f"the model knows subject {subject!r} already", hint="use the model as it is")
    check_prepared(ready.config, prepared, features)
    own = _material(ready.config, prepared, subject, settings)
    check_sounds(own.fit + own.held, features)
    net, rows = ready.placed(own.recordings, ready.net.with_new_subject())
    row = net.config.n_subjects - 1
    config = _calibrating(ready.config, len(own.fit), settings)
    scalings = [fit_stretches(r, own.stretches[r.name], config, "calibration") for r in own.recordings]
    table = ScalingTable.of(scalings, ready.n_channels)
    loader = Loader(own.recordings, features, config, ready.n_channels, {subject: row}, rows)
    task = WindowTask(net, Forward(config, table, ready.speech), loader, own.fit, own.held)
    task.pool = []  # only the loss is asked for, many times
    task.module.eval()
    step, saved = weights(ready.path)
    beside = {name: value for name, value in saved.items() if not name.startswith(NET)}
    task.module.load_state_dict({**task.module.state_dict(), **beside})
    if config.loop.threads:
        torch.set_num_threads(config.loop.threads)
    drawn = iter(range(settings.fit.updates))

    def loss() -> float:
        return task.validate()["loss"]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.fit.seed)
        before = loss()
        ridge_lambda = _linear_path(task, row, own.fit, loss)
        linear = loss()
        layer = None
        if net.encoder is not None:
            layer = fit_rows(
                task.module,
                [(NET + SUBJECTS, row)],
                lambda: task.loss(task.batch(next(drawn)))["loss"],
                loss,
                settings.fit,
                progress,
            )
        found = Calibrated(out, subject, own.minutes, before, linear, loss(), ridge_lambda, layer)
    known = dict(ready.scalings)
    for recording, scaling in zip(own.recordings, scalings, strict=True):
        known.setdefault(scaling_key(recording.name, subject, config), scaling)
    _write(ready, net, found, own, settings, known, beside, step)
    return found


def gain_windows(
    checkpoint: str | Path,
    calibrated: str | Path,
    prepared: PreparedStudy,
    features: FeatureStore,
    subject: str,
    settings: CalibrationSettings | None = None,
    *,
    k: int = 10,
) -> Gain:
    """Top-k on the subject's test windows: the shared row with the same scaler, and the calibrated run."""
    ready = load_checkpoint(checkpoint)
    own = _material(ready.config, prepared, subject, settings or CalibrationSettings())
    unlabelled = Calibration(stretches=own.stretches)
    before = score_windows(ready, prepared, features, "test", (subject,), unlabelled)
    after = score_windows(calibrated, prepared, features, "test", (subject,), unlabelled)
    return measured({"not calibrated": before, "calibrated": after}, k)


def _calibrating(config: ContrastiveConfig, windows: int, settings: CalibrationSettings) -> ContrastiveConfig:
    batch = replace(config.batch, size=min(config.batch.size, windows))
    return replace(config, batch=batch, loop=replace(config.loop, seed=settings.fit.seed))


def _material(
    config: ContrastiveConfig, prepared: PreparedStudy, subject: str, settings: CalibrationSettings
) -> _Material:
    recordings = selected(prepared, (subject,))
    windows = make_windows(recordings, config, grid=("train", "valid")).windows
    kept = _first(windows, config, settings.minutes)
    at = round((1 - settings.hold_out) * len(kept))
    fit, held = kept[:at], kept[at:]
    # A held-out window shares neither signal nor sound nor sentence with what is fitted on.
    sfreq, length = config.signal.sfreq, config.n_window / config.signal.sfreq
    last = {window.recording: window.sample / sfreq for window in fit}
    said = {same_text(window.uid) for window in fit if window.index >= 0}
    heard = near(held, fit, length)
    held = tuple(
        window
        for window, known in zip(held, heard, strict=True)
        if not known.any()
        and window.sample / sfreq - last.get(window.recording, -length) >= length
        and not (window.index >= 0 and same_text(window.uid) in said)
    )
    if len(fit) < 2 or len(held) < 2:
        raise StudyError(
            f"{subject} has {len(fit)} windows to fit on and {len(held)} of other sounds to judge by",
            hint="more minutes, or a study with more of this subject outside the test",
        )
    used = tuple(r for r in recordings if r.name in {w.recording for w in kept})
    return _Material(fit, held, used, {r.name: _spans(r.name, kept, config) for r in used})


def _first(windows: Sequence[Window], config: ContrastiveConfig, minutes: float) -> tuple[Window, ...]:
    """The windows that lie in the first `minutes` of what the windows cover."""
    left, kept, before = minutes * 60, [], None
    length = config.n_window / config.signal.sfreq
    for window in windows:
        new = length
        if before is not None and before.recording == window.recording:
            new = min(length, (window.sample - before.sample) / config.signal.sfreq)
        if new > left + 1e-9:
            break
        kept.append(window)
        left, before = left - new, window
    return tuple(kept)


def _spans(recording: str, windows: Sequence[Window], config: ContrastiveConfig) -> list[tuple[float, float]]:
    """Seconds of a recording that its windows cover, in order, joined where they overlap."""
    spans: list[tuple[float, float]] = []
    for window in windows:
        if window.recording != recording:
            continue
        start = window.sample / config.signal.sfreq + config.window.tmin
        stop = start + config.n_window / config.signal.sfreq
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
    return spans


@torch.no_grad()
def _linear_path(
    task: WindowTask, row: int, windows: Sequence[Window], loss: Callable[[], float]
) -> float | None:
    """Ridge towards the mean filter; its lambda, None where that filter is kept or there is no such path."""
    linear, config = task.module.net.linear, task.config
    if linear is None:
        return None
    ahead = task.module.net.config.linear_ahead
    sums = NormalEquations(linear.n_channels, linear.n_features, linear.taps, 1)
    apart: list[Window] = []
    for window in windows:
        if (
            not apart
            or apart[-1].recording != window.recording
            or (window.sample - apart[-1].sample >= config.n_frames)
        ):
            apart.append(window)
    for start in range(0, len(apart), 64):
        batch = task.loader.load(apart[start : start + 64])
        x = torch.nn.functional.pad(task.forward.brain(batch), (0, 0, 0, ahead))[:, ahead:]
        x = x[:, x.shape[1] - config.n_frames :].contiguous()
        y = task.module.net.targets(task.forward.features(batch))
        for samples, target in zip(x.numpy(), y.numpy(), strict=True):
            sums.add(samples, target, torch.ones(len(target), dtype=torch.bool).numpy())
    start_weight, start_bias = linear.weight[row].numpy().copy(), linear.bias[row].numpy().copy()
    best, chosen, kept = loss(), None, (start_weight, start_bias)
    for value in LAMBDAS:
        weight, bias = ridge_towards(sums, start_weight, start_bias, value)
        linear.weight[row], linear.bias[row] = torch.from_numpy(weight), torch.from_numpy(bias)
        found = loss()
        if found < best:
            best, chosen, kept = found, value, (weight, bias)
    linear.weight[row], linear.bias[row] = (torch.from_numpy(part) for part in kept)
    return chosen


def _write(
    ready: Checkpoint,
    net: ContrastiveNet,
    found: Calibrated,
    own: _Material,
    settings: CalibrationSettings,
    scalings: dict[str, Any],
    beside: dict[str, Tensor],
    step: int,
) -> None:
    """The new run's directory, beside its name first."""
    run = read_run(ready.path)
    facts = {**to_json(settings), "subject": found.subject, "held_out_loss": [found.before, found.after]}
    run |= {"model": models.describe(net), "subjects": [*ready.subjects, found.subject]}
    run["calibrations"] = [*run.get("calibrations", []), facts]
    if net.encoder is not None:
        places = [montage(r, ready.n_channels) for r in own.recordings]
        run["montages"] = to_json(tuple(dict.fromkeys([*ready.montages, *places])))
    state = {NET + name: value for name, value in net.state_dict().items()}
    try:
        with whole_folder(found.path) as work:
            save(work / STATE, {"step": step, "model": {**state, **beside}})
            save_scalings(work / SCALINGS, scalings)
            _add_windows(ready.path / WINDOWS, own.fit + own.held, work / WINDOWS)
            (work / RUN).write_text(json.dumps(run, indent=1) + "\n", "utf-8")
    except OSError as problem:
        raise TrainingError(f"cannot write {found.path}: {problem.strerror}") from problem


def _add_windows(table: Path, windows: tuple[Window, ...], out: Path) -> None:
    """The run's table of windows, and these."""
    Windows(windows).save(out)
    with gzip.open(out, "rt", encoding="utf-8", newline="") as file:
        added = list(csv.reader(file))[1:]
    with gzip.open(table, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with gzip.open(out, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([*rows, *added])
