"""Train the contrastive recipe on a prepared study: checks, windows, scales, model, then the one loop.

Refuses to start when the splits leak, when what is prepared does not fit the configuration, or when a
resumed run would see other data than it began with. Never prints: progress goes to a callback.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models import ContrastiveNet
from offline.contrastive.batches import Loader, spoken_frames
from offline.contrastive.checkpoint import (
    SCALINGS,
    WINDOWS,
    Positions,
    check_features,
    describe_run,
    montage,
    net_config,
)
from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.normalise import (
    Scaling,
    ScalingTable,
    digest,
    fit_trained,
    save_scalings,
    scalings_for,
)
from offline.contrastive.ridge_start import start_from_ridge
from offline.contrastive.task import Forward, WindowTask
from offline.contrastive.window_features import Features
from offline.contrastive.windows import Window, Windows, make_windows
from offline.loop import ALONE, Progress, World, fit
from offline.loop.checkpointing import STATE, check_data, check_run
from offline.loop.metrics import Sink
from offline.prepare.store import PreparedRecording, PreparedStudy, header
from offline.speech import SpeechScaler
from offline.split import assert_no_leak
from rtdecode.config import to_json
from rtdecode.errors import StudyError, TrainingError, closest

GOLDEN_WINDOWS = 8


@dataclass(frozen=True)
class Assembled:
    """Everything a run needs before its first update; `run` is what run.json will say."""

    task: WindowTask
    windows: Windows
    run: dict[str, Any]
    scalings: dict[str, Scaling]


def train(
    config: ContrastiveConfig,
    prepared: PreparedStudy,
    features: Features,
    out: Path,
    *,
    resume: bool = False,
    sinks: Sequence[Sink] = (),
    progress: Callable[[Progress], None] | None = None,
    world: World = ALONE,
) -> Path:
    """Returns the run's directory `out`. Several processes: call it in each, inside `joined(world)`.

    resume  go on from `out`; the same configuration and data as when it began
    Raises StudyError when the splits leak or prepared data is damaged; TrainingError when the data does not
    fit the configuration or the run, when a loss is not finite, when the disk is full.
    """
    if world.first:
        check_run(out, to_json(config), resume)
    going_on = (out / STATE).exists() and resume
    assembled = assemble(config, prepared, features, world=world, ridge=not going_on)
    if world.first:
        check_data(out, assembled.run, ("subjects", "data", "features"))
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise TrainingError(f"cannot make the directory {out}: {problem.strerror}") from problem
        assembled.windows.save(out / WINDOWS)
        save_scalings(out / SCALINGS, assembled.scalings)
    return fit(
        assembled.task,
        config.loop,
        out,
        run=assembled.run,
        resume=resume,
        sinks=sinks,
        progress=progress,
        world=world,
    )


def assemble(
    config: ContrastiveConfig,
    prepared: PreparedStudy,
    features: Features,
    *,
    world: World = ALONE,
    ridge: bool = True,
) -> Assembled:
    """All checks, then windows, scales, model and task. Raises as `train`. Writes nothing."""
    recordings = selected(prepared, config.subjects)
    # Over the whole study, not the selection: what is tested on may be somebody else's.
    assert_no_leak((r.name, r.events, r.blocks) for r in prepared.recordings)
    check_prepared(config, prepared, features)
    windows = make_windows(recordings, config, grid=("train", "valid"))
    trained, valid = windows.of("train"), windows.of("valid")
    if not trained:
        raise TrainingError(
            f"{prepared.name} has no training window of {config.n_window / config.signal.sfreq:.2f} s in "
            f"{len(recordings)} recordings",
            hint="shorter windows, or another split rule when preparing; sentences that are heard again in a "
            "test recording are not trained on",
        )
    check_sounds(windows.windows, features)
    subjects = tuple(sorted({window.subject for window in trained}))
    # A listener whom only validation knows has no layer of his own.
    valid = tuple(window for window in valid if window.subject in subjects)
    names = {window.recording for window in (*trained, *valid)}
    recordings = tuple(r for r in recordings if r.name in names)
    n_channels = max(len(r.labels) for r in recordings)
    labels = recordings[0].labels
    if config.model.linear_taps:
        for other in recordings:
            if other.labels != labels:
                raise TrainingError(
                    f"the channels of {other.name} are not those of {recordings[0].name}, and a linear path "
                    "needs the same everywhere",
                    hint="model.linear_taps=0",
                )
    places = {r.name: montage(r, n_channels) for r in recordings}
    montages: tuple[Positions, ...] = tuple(dict.fromkeys(places.values()))
    fitted = fit_trained(recordings, trained, config)
    scalings = scalings_for(recordings, fitted, config)
    speech = SpeechScaler.fit(spoken_frames(recordings, features), per_feature=config.scale_per_feature)

    torch.manual_seed(config.loop.seed)
    net = ContrastiveNet(net_config(config, montages, features.n_features, len(subjects)))
    if net.linear is not None and net.encoder is None:
        # An estimate of all zeros has no direction, so a cosine would never move it.
        torch.nn.init.normal_(net.linear.weight, std=1e-3)
    loader = Loader(
        recordings,
        features,
        config,
        n_channels,
        {subject: row for row, subject in enumerate(subjects)},
        {name: montages.index(place) for name, place in places.items()},
    )
    table = ScalingTable.of([scalings[r.name] for r in recordings], n_channels)
    forward = Forward(config, table.to(world.device), speech)
    ridge_lambda = None
    if ridge and config.model.linear_start == "ridge":
        # The loader is at hand on the CPU: so is this.
        ridge_lambda = start_from_ridge(net, Forward(config, table, speech), loader, trained, valid)
    task = WindowTask(net, forward, loader, trained, valid, world)
    data = {
        "windows": windows.digest(),
        "counts": windows.counts(),
        "scalings": digest(fitted),
        "split": _split_digest(prepared),
        "first_batch": _golden(task),
    }
    run = describe_run(
        config,
        net,
        study=prepared.name,
        licence=prepared.licence,
        subjects=subjects,
        montages=montages,
        labels=labels if config.model.linear_taps else (),
        features=features,
        speech=speech,
        data=data,
    )
    if ridge_lambda is not None:
        run["ridge_lambda"] = ridge_lambda
    return Assembled(task, windows, run, fitted)


def selected(prepared: PreparedStudy, subjects: Sequence[str]) -> tuple[PreparedRecording, ...]:
    """Recordings of these subjects; of all where none is named. StudyError for a subject who is not there."""
    for subject in subjects:
        if subject not in prepared.subjects:
            raise StudyError(
                f"{prepared.name} has no subject {subject!r}", hint=closest(subject, prepared.subjects)
            )
    return tuple(r for r in prepared.recordings if not subjects or r.subject in subjects)


def check_prepared(config: ContrastiveConfig, prepared: PreparedStudy, features: Features) -> None:
    """TrainingError when rate, filter or features are not those the configuration asks for."""
    if prepared.sfreq != config.signal.sfreq:
        raise TrainingError(
            f"{prepared.root} is prepared at {prepared.sfreq:g} Hz, the configuration asks for "
            f"{config.signal.sfreq:g} Hz",
            hint=f"prepare it at that rate, or --set signal.sfreq={prepared.sfreq:g}",
        )
    if config.signal.normalise == "online":
        settings = header(prepared.root).get("settings", {})
        if not settings.get("highpass_hz"):
            raise TrainingError(
                f"online normalisation has no baseline, and {prepared.root} is prepared without a high-pass",
                hint="prepare it with one (0.5 Hz, say), or --set signal.normalise=reference",
            )
    check_features(config, features)


def check_sounds(windows: Sequence[Window], features: Features) -> None:
    """StudyError when a window hears a sound that has no features."""
    known = set(features.stimuli)
    for window in windows:
        for piece in window.pieces:
            if piece.stimulus not in known:
                raise StudyError(
                    f"{window.recording} hears {piece.stimulus!r}, of which {features.path} has no features",
                    hint="prepare the features of the whole study",
                )


def _split_digest(prepared: PreparedStudy) -> str:
    table = [[r.name, [[b.start, b.stop, b.uid, b.split] for b in r.blocks]] for r in prepared.recordings]
    return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]


def _golden(task: WindowTask) -> dict[str, Any]:
    """The first batch in a few numbers: which windows, and what a part of them holds."""
    rows = task.sampler.rows(0)
    windows = [task.train[row] for row in rows]
    names = hashlib.sha256("\n".join(w.name for w in windows).encode()).hexdigest()[:16]
    some = task.loader.load(windows[:GOLDEN_WINDOWS])
    # Few digits: sums may round differently from machine to machine.
    brain, speech = (float(f"{float(v.double().abs().mean()):.4g}") for v in (some.x, some.frames))
    return {"windows": names, "brain": brain, "speech": speech}
