"""A new subject from a few minutes of known stimulus: layer, filter and scaler; nothing else is touched.

From a checkpoint of the streaming recipe and recordings of somebody it was not trained on comes another
checkpoint with that subject added, which evaluates and exports like any. The rest of the model keeps its
bits. In this order, each judged on the last part of the calibration, which is not fitted on:

    scaler         from the signal alone
    linear path    ridge towards the mean filter, lambda by the held-out part (or the mean filter itself)
    subject layer  by gradient with a pull to its start; the best by the held-out part, the start included

So a calibration that helps nothing changes nothing. Never prints: progress goes to a callback.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import models
from offline.calibration.grow import LINEAR, SUBJECTS, adopt
from offline.calibration.held import Held, divided
from offline.calibration.known import check_sounds, first_minutes, fitting
from offline.calibration.linear import equations, ridge_towards
from offline.calibration.result import Calibrated, CalibrationSettings
from offline.calibration.rows import fit_rows
from offline.checkpoint import RIDGE, Checkpoint, load_checkpoint
from offline.config import Config
from offline.data import Prepared, prepare_recording
from offline.disk import whole_folder
from offline.loop.checkpointing import NET, RUN, STATE, read_run, save, weights
from offline.ridge import NormalEquations, apply_filter
from offline.segments import Track
from offline.study import Study, StudyRecording
from offline.train import CropTask, Trained
from rtdecode.config import to_json
from rtdecode.errors import StudyError, TrainingError


def calibrate(
    checkpoint: str | Path,
    study: Study,
    recordings: Sequence[StudyRecording],
    out: str | Path,
    settings: CalibrationSettings | None = None,
    *,
    progress: Callable[[str], None] | None = None,
) -> Calibrated:
    """Add the one subject of `recordings` to a checkpoint. study: whose sounds were heard.

    Raises StudyError when recordings do not fit, belong to several subjects or to the test, or are too short;
    TrainingError when `out` exists, `checkpoint` is none, or the loss is not finite. Then nothing is written.
    """
    settings, checkpoint, out = settings or CalibrationSettings(), Path(checkpoint), Path(out)
    if out.exists():
        raise TrainingError(f"{out} exists", hint="choose another directory or remove it")
    trained = load_checkpoint(checkpoint)
    subject = _one_subject(recordings)
    own = first_minutes([fitting(r, trained.source) for r in recordings], settings.minutes)
    check_sounds(own, study)
    grown = adopt(trained, subject, own)
    config = grown.config
    torch.set_num_threads(config.optim.threads)
    seconds = sum(len(r.read()) / r.sfreq for r in own)
    tracks = [prepare_recording(r, study, grown.source, config) for r in own]
    fit, held = divided(tracks, config, settings.hold_out, _context(grown.model))
    step, saved = weights(checkpoint)
    scale = float(saved["log_scale"].exp().clamp(1.0, config.optim.max_scale))
    row, model = len(grown.source.subjects) - 1, grown.model
    sums = equations(fit, config) if config.output.retrieval else None

    def loss() -> float:
        return held.loss(model, config, scale, grown.source.symbols)

    before = loss()
    chosen = _linear_path(model, row, sums, config, loss)
    linear = loss()
    layer = None
    if model.encoder is not None:
        task = CropTask(
            replace(config, optim=replace(config.optim, seed=settings.fit.seed)),
            Trained(model),
            Prepared(grown.source, tuple(fit), ()),
        )
        task.module.log_scale.data.copy_(saved["log_scale"])
        layer = fit_rows(
            task.module,
            [(NET + SUBJECTS, row)],
            lambda: task.loss(task.batch(0))["loss"],
            loss,
            settings.fit,
            progress,
        )
    ridge = {} if sums is None else _own_ridge(grown, row, sums, held, scale)
    found = Calibrated(out, subject, seconds / 60, before, linear, loss(), chosen, layer)
    _write(checkpoint, replace(grown, ridge=ridge), found, {**saved}, step, settings)
    return found


def _one_subject(recordings: Sequence[StudyRecording]) -> str:
    subjects = sorted({r.subject for r in recordings})
    if len(subjects) != 1:
        named = ", ".join(subjects) or "none"
        raise StudyError(f"a calibration is of one subject, got {len(subjects)}: {named}")
    held_out = [r.name for r in recordings if r.split == "test"]
    if held_out:
        raise StudyError(
            f"recording {held_out[0]} belongs to the test: no gain could be measured on it afterwards",
            hint="calibrate with other recordings",
        )
    return subjects[0]


def _context(model: models.DecoderNet) -> int:
    """Output frames that a frame looks back."""
    deep = 0 if model.encoder is None else model.encoder.config.context
    linear = 0 if model.linear is None else model.linear.memory
    return -(-max(deep, linear) // model.config.stride)


@torch.no_grad()
def _linear_path(
    model: models.DecoderNet,
    row: int,
    sums: NormalEquations | None,
    config: Config,
    loss: Callable[[], float],
) -> float | None:
    """Sets the row of the linear path to the best found; its lambda, None for the mean filter."""
    if model.linear is None or sums is None:
        return None
    weight, bias = model.linear.weight[row].numpy().copy(), model.linear.bias[row].numpy().copy()
    best, chosen, kept = loss(), None, (weight, bias)
    for value in config.ridge_lambdas:
        filters = ridge_towards(sums, weight, bias, value)
        _set_linear(model, row, filters)
        found = loss()
        if found < best:
            best, chosen, kept = found, value, filters
    _set_linear(model, row, kept)
    return chosen


@torch.no_grad()
def _set_linear(model: models.DecoderNet, row: int, filters: tuple[np.ndarray, np.ndarray]) -> None:
    for name, value in zip(LINEAR, filters, strict=True):
        model.get_parameter(name)[row] = torch.from_numpy(value)


def _own_ridge(
    grown: Checkpoint, row: int, sums: NormalEquations, held: Held, scale: float
) -> dict[str, torch.Tensor]:
    """The ridge filters; the new row is plain ridge on the same minutes: what calibration stands beside."""
    config = grown.config
    tried = [sums.solve(value) for value in config.ridge_lambdas]

    def judged(filters: tuple[np.ndarray, np.ndarray]) -> float:
        def estimate(track: Track) -> np.ndarray:
            return apply_filter(track.x, *filters, config.model.stride)

        return held.retrieval_loss(estimate, config, scale)

    best = min(tried, key=judged)
    ridge = {name: rows.clone() for name, rows in grown.ridge.items()}
    for name, value in zip(("weight", "bias"), best, strict=True):
        ridge[name][row] = torch.from_numpy(value)
    return ridge


def _write(
    checkpoint: Path,
    grown: Checkpoint,
    found: Calibrated,
    saved: dict[str, torch.Tensor],
    step: int,
    settings: CalibrationSettings,
) -> None:
    """The new checkpoint directory, beside its name first."""
    run: dict[str, Any] = read_run(checkpoint)
    facts = {**to_json(settings), "subject": found.subject, "held_out_loss": [found.before, found.after]}
    run |= {"model": models.describe(grown.model), "source": to_json(grown.source)}
    run["calibrations"] = [*run.get("calibrations", []), facts]
    beside = {name: value for name, value in saved.items() if not name.startswith(NET)}
    state = {NET + name: value for name, value in grown.model.state_dict().items()}
    try:
        with whole_folder(found.path) as work:
            save(work / STATE, {"step": step, "model": {**state, **beside}})
            save(work / RIDGE, grown.ridge)
            (work / RUN).write_text(json.dumps(run, indent=1) + "\n", "utf-8")
    except OSError as problem:
        raise TrainingError(f"cannot write {found.path}: {problem.strerror}") from problem
