"""What a stream must bring, and goes through, so that a run of windows sees what it was trained on.

Only a study prepared by the live decoder's own filters, scaled without looking at the window, can be had
live; whatever else was chosen is refused here, with what to choose instead. Knows no model and no bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from offline.contrastive.checkpoint import Checkpoint
from offline.contrastive.normalise import Scaling, fit_trained, scaling_key
from offline.contrastive.windows import make_windows
from offline.disk import read_json
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import PreparedRecording, PreparedStudy, header
from rtdecode.config import from_json
from rtdecode.contract import Contract
from rtdecode.errors import BundleError, StudyError
from rtdecode.preprocess import PreprocessSpec

PREPARE = "--filter causal --highpass-hz 0.5 --lowpass-hz 25"


@dataclass(frozen=True)
class Stream:
    """whiten: (C, C) that the network must take into its weights, or None;  how: where the scale is from"""

    contract: Contract
    preprocess: PreprocessSpec
    whiten: np.ndarray | None
    how: str


def stream_of(
    checkpoint: Checkpoint, prepared: PreparedStudy, recordings: Sequence[PreparedRecording], subject: str
) -> Stream:
    """Of one subject's recordings. BundleError where run or study need what no stream has; StudyError where
    the recordings do not agree.
    """
    settings = from_json(
        PrepareSettings, header(prepared.root)["settings"], str(prepared.root / "study.json")
    )
    _refuse(checkpoint, prepared, settings)
    if not recordings:
        raise StudyError(
            f"{prepared.root} has no recording of subject {subject}",
            hint="prepare the study that the model was trained on",
        )
    contract = _contract(recordings)
    scaling, how = _scaling(checkpoint, recordings)
    if len(scaling.center) != len(contract.labels):
        raise StudyError(
            f"{subject} has {len(contract.labels)} channels, the run was scaled for {len(scaling.center)}",
            hint="give the prepared study that the run was trained on",
        )
    preprocess = PreprocessSpec(
        contract.sfreq,
        settings.sfreq,
        settings.highpass_hz,
        settings.lowpass_hz,
        settings.order,
        tuple(map(float, scaling.center)),
        tuple(map(float, scaling.scale)),
        checkpoint.config.signal.clamp,
    )
    return Stream(contract, preprocess, scaling.whiten, how)


def _refuse(checkpoint: Checkpoint, prepared: PreparedStudy, settings: PrepareSettings) -> None:
    config = checkpoint.config
    if prepared.name != checkpoint.study:
        raise BundleError(
            f"{checkpoint.path} was trained on the study {checkpoint.study!r}, {prepared.root} is "
            f"{prepared.name!r}",
            hint="give the prepared study that the run was trained on",
        )
    if config.signal.normalise != "online":
        raise BundleError(
            f"{checkpoint.path} was trained with signal.normalise = {config.signal.normalise!r}: each window "
            "loses the mean of its own baseline, which no stream has",
            hint=f"prepare with {PREPARE}, and train with --set signal.normalise=online",
        )
    if settings.filter != "causal":
        raise BundleError(
            f"{prepared.root} is prepared with the filter {settings.filter!r}, which looks into the future",
            hint=f"prepare it into another directory with {PREPARE}, and train on that",
        )
    if config.model.linear_ahead:
        raise BundleError(
            f"the linear path of {checkpoint.path} sees {config.model.linear_ahead} samples of the future",
            hint="train with --set model.linear_ahead=0, and a larger window.offset_s instead",
        )
    if config.speech.context == "window":
        raise BundleError(
            f"{checkpoint.path} was trained on speech features of single windows, and a bank is one timeline",
            hint="prepare and train with --set speech.context=block",
        )


def _contract(recordings: Sequence[PreparedRecording]) -> Contract:
    contracts = {r.name: Contract(r.labels, r.unit, _raw_sfreq(r)) for r in recordings}
    (first, contract), *others = contracts.items()
    for name, other in others:
        for what, mine, theirs in (
            ("channels", contract.labels, other.labels),
            ("unit", contract.unit, other.unit),
            ("rate", f"{contract.sfreq:g} Hz", f"{other.sfreq:g} Hz"),
        ):
            if mine != theirs:
                said = f"{len(theirs)} and {len(mine)}" if what == "channels" else f"{theirs} and {mine}"
                raise StudyError(
                    f"{name} and {first} differ in their {what} ({said}), and a bundle is for one kind of "
                    "stream",
                    hint="prepare with --only the recordings that are alike",
                )
    return contract


def _raw_sfreq(recording: PreparedRecording) -> float:
    path = recording.root / "recording.json"
    try:
        return float(read_json(path, "the prepared study", "prepare it again")["raw_sfreq"])
    except (KeyError, TypeError, ValueError) as problem:
        raise StudyError(f"{path} has no rate of the recording", hint="prepare the study anew") from problem


def _scaling(checkpoint: Checkpoint, recordings: Sequence[PreparedRecording]) -> tuple[Scaling, str]:
    """The one that was trained with; where each recording has its own, one over all training windows of the
    subject, for a stream is a new recording.
    """
    config = checkpoint.config
    keys = {scaling_key(r.name, r.subject, config) for r in recordings} & set(checkpoint.scalings)
    if len(keys) == 1:
        return checkpoint.scalings[keys.pop()], "scaled as in training"
    pooled = replace(config, signal=replace(config.signal, scaler="subject"))
    fitted = fit_trained(recordings, make_windows(recordings, config, grid=("train",)).windows, pooled)
    if not fitted:
        raise StudyError(
            f"no training window of {recordings[0].subject} is in the prepared study",
            hint="give the prepared study that the run was trained on",
        )
    return next(iter(fitted.values())), f"one scale over the training windows of {len(keys)} recordings"
