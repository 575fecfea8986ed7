"""Ridge on the cocktail-party EEG, to a bundle: the whole path on a real recording.

Leave one trial out: the filter, its lambda, the scaler and the sharpness come from the other trials alone.
EEG and envelopes pass the same causal band-pass and resampler, so that both are late by the same time and
stay aligned; the filter then sees the 250 ms of EEG that follow a moment of speech. Knows no other study.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from offline.cocktail_evaluate import evaluate
from offline.cocktail_task import DELAY, FACTS, FRAMES, HOP, MODEL_SFREQ, envelope_r
from offline.disk import whole_folder
from offline.ridge import NormalEquations, apply_filter
from offline.studies.cocktail import LICENCE, SFREQ, Cocktail, Trial, load
from rtdecode.bundle import SCHEMA, BundleSpec, ModelSpec, Score, Training, load_bundle, seal, write_bank
from rtdecode.contract import Contract
from rtdecode.errors import BundleError, TrainingError
from rtdecode.preprocess import Preprocess, PreprocessSpec, Scaler, robust_scale
from rtdecode.recordings.cocktail import MASTOIDS, SCALP
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec, Retriever

log = logging.getLogger(__name__)

BAND_HZ, ORDER = (1.0, 9.0), 2
CLAMP = 20.0
LAMBDAS = (1e2, 1e3, 1e4, 1e5, 1e6)  # for samples and envelopes of variance 1
SHARPNESS = tuple(float(v) for v in np.geomspace(1, 100, 41))
GOLDEN_STEPS = 8
CONTRACT = Contract(SCALP, "microvolts", SFREQ, MASTOIDS)


@dataclass(frozen=True)
class Fit:
    """What training learned.

    weight (1, C, taps), last tap = newest sample; bias (1,);  center, scale (C,) of the filtered EEG in µV
    """

    weight: np.ndarray
    bias: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    ridge_lambda: float
    sharpness: float


def train_cocktail(data_dir: str | Path, held_out: int, out: str | Path) -> Path:
    """Train without trial `held_out` (1, 2 or 3), write the bundle `out` with its score on that trial.

    Returns `out`. StudyError or RecordingError for incomplete data, BundleError when `out` exists; nothing
    half-written is left.
    """
    out = Path(out)
    if out.exists():
        raise BundleError(f"{out} exists", hint="choose another directory or remove it")
    study = load(data_dir)
    fit = train(study, held_out)
    with whole_folder(out) as work:
        _write(work, study, held_out, fit)
    return out


def train(study: Cocktail, held_out: int) -> Fit:
    """The ridge filter of all trials but `held_out`.

    lambda: every training trial is decoded by a filter of the other training trials; the lambda of LAMBDAS
    with the highest mean correlation wins. sharpness: the most probable one for the same estimates.
    """
    trials = study.without(held_out)
    if len(trials) < 2:
        raise TrainingError(f"{len(trials)} trial is left for training, choosing lambda needs 2")
    bank = envelopes(study, trials)
    eeg = {trial.number: _filtered(trial) for trial in trials}
    correlation = np.zeros((len(LAMBDAS), len(trials)))
    estimates: list[list[np.ndarray]] = [[] for _ in LAMBDAS]
    for j, trial in enumerate(trials):
        center, scale, normal = _equations([t for t in trials if t is not trial], eeg, bank)
        x = _scaled(eeg[trial.number], center, scale)
        for i, value in enumerate(LAMBDAS):
            estimates[i].append(apply_filter(x, *normal.solve(value), stride=1))
            correlation[i, j] = envelope_r(estimates[i][-1], bank[:, trial.attended])
    best = int(np.argmax(correlation.mean(axis=1)))
    log.info("lambda %g of %s: inner r %s", LAMBDAS[best], LAMBDAS, np.round(correlation.mean(axis=1), 3))
    center, scale, normal = _equations(trials, eeg, bank)
    weight, bias = normal.solve(LAMBDAS[best])
    decoded = [(trial.attended, estimate) for trial, estimate in zip(trials, estimates[best], strict=True)]
    sharpness = _sharpness(study, bank, decoded)
    return Fit(weight, bias, center, scale, LAMBDAS[best], sharpness)


def envelopes(study: Cocktail, trials: Sequence[Trial]) -> np.ndarray:
    """(T', K) float32 at MODEL_SFREQ, through the EEG's own filters; variance 1 over what `trials` attend."""
    filtered = _unscaled(study.envelopes.shape[1]).push(study.envelopes)
    return filtered / filtered[:, [trial.attended for trial in trials]].std()


def _unscaled(channels: int) -> Preprocess:
    zeros, ones = (0.0,) * channels, (1.0,) * channels
    return Preprocess(PreprocessSpec(SFREQ, MODEL_SFREQ, *BAND_HZ, ORDER, zeros, ones, np.inf))


def _filtered(trial: Trial) -> np.ndarray:
    """(T', C) float32 µV, as the live path makes it before scaling."""
    return _unscaled(len(SCALP)).push(CONTRACT.bind(trial.recording.info).apply(trial.recording.data))


def _scaled(x: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return Scaler(tuple(center), tuple(scale), CLAMP).push(x)


def _equations(
    trials: Sequence[Trial], eeg: dict[int, np.ndarray], bank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, NormalEquations]:
    center, scale = robust_scale(np.concatenate([eeg[trial.number] for trial in trials]))
    normal = NormalEquations(len(SCALP), 1, DELAY + 1, stride=1)
    for trial in trials:
        x = _scaled(eeg[trial.number], center, scale)
        # The estimate at frame n answers for the speech at n - DELAY.
        y = np.zeros((len(x), 1), np.float32)
        y[DELAY:, 0] = bank[: len(x) - DELAY, trial.attended]
        normal.add(x, y, np.arange(len(x)) >= DELAY)
    return center, scale, normal


def _bank(study: Cocktail, features: np.ndarray) -> Bank:
    frames = len(features)
    seconds = frames / MODEL_SFREQ
    candidates = []
    for k, name in enumerate(study.names):
        talker, segment = name[0], int(name[1:])
        text, source = f"talker {talker}, segment {segment}", f"{talker}_env.mat"
        candidates.append(Candidate(name, text, source, k * frames, frames, 0.0, seconds))
    return Bank(np.ascontiguousarray(features.T.reshape(-1, 1)), tuple(candidates))


def _sharpness(study: Cocktail, bank: np.ndarray, decoded: Sequence[tuple[int, np.ndarray]]) -> float:
    """Of SHARPNESS, the one that makes the attended envelopes most probable over all windows of `decoded`."""
    retriever = Retriever(RetrievalSpec(FRAMES, DELAY, "onset", 1.0), _bank(study, bank), MODEL_SFREQ)
    loss = np.zeros(len(SHARPNESS))
    for attended, estimate in decoded:
        retriever.reset()
        for stop in range(HOP, len(estimate) + 1, HOP):
            retriever.push(estimate[stop - HOP : stop], stop)
            if retriever.ready() and not retriever.ended():
                logits = np.array(SHARPNESS)[:, None] * retriever.scores()
                loss += np.log(np.exp(logits).sum(axis=1)) - logits[:, attended]
    return round(SHARPNESS[int(np.argmin(loss))], 2)


def _write(work: Path, study: Cocktail, held_out: int, fit: Fit) -> None:
    # torch is asked for only here, to write the graph: everything else of this study runs without it
    import torch
    from safetensors.torch import save_file

    import models
    from offline.export import export_onnx, golden

    net = models.DecoderNet(
        models.DecoderConfig(len(SCALP), n_features=1, linear_taps=DELAY + 1, linear_stride=1)
    ).eval()
    assert net.linear is not None
    with torch.no_grad():
        net.linear.weight.copy_(torch.from_numpy(fit.weight[None]))
        net.linear.bias.copy_(torch.from_numpy(fit.bias[None]))
    export_onnx(net, HOP, work / "model.onnx")
    weights = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(weights, work / "weights.safetensors")
    trials = study.without(held_out)
    sample = _scaled(_filtered(trials[0]), fit.center, fit.scale)[: GOLDEN_STEPS * HOP]
    expected = golden(net, sample.reshape(GOLDEN_STEPS, HOP, -1))
    np.savez(work / "golden.npz", x=expected["x"], estimate=expected["estimate"])
    write_bank(work, _bank(study, envelopes(study, trials)))
    numbers = [trial.number for trial in trials]
    facts = {"study": "cocktail", "held_out": held_out, "trained_on": numbers}
    (work / FACTS).write_text(json.dumps(facts) + "\n", "utf-8")
    seconds = sum(trial.recording.duration_s for trial in trials)
    note = (
        f"real EEG; ridge, lags 0-250 ms, lambda {fit.ridge_lambda:g} chosen within the training trials "
        f"{' and '.join(map(str, numbers))}; trial {held_out} held out"
    )
    center, scale = tuple(map(float, fit.center)), tuple(map(float, fit.scale))
    spec = BundleSpec(
        SCHEMA,
        f"cocktail-ridge-without-{held_out}",
        CONTRACT,
        PreprocessSpec(SFREQ, MODEL_SFREQ, *BAND_HZ, ORDER, center, scale, CLAMP),
        ModelSpec("step", HOP, HOP, 1, models.describe(net)),
        RetrievalSpec(FRAMES, DELAY, "onset", fit.sharpness),
        None,
        Training("cocktail", "1", round(seconds / 3600, 4), note, LICENCE),
    )
    seal(work, spec)
    trial = study.trial(held_out)
    found = evaluate(load_bundle(work), trial.recording, trial.attended)
    true, turned = found.scores, found.control
    scores = (
        Score("retrieval top-1", true.top1, true.chance1, turned.top1, n=true.n),
        Score("retrieval top-10", true.top10, true.chance10, turned.top10, n=true.n),
    )
    seal(work, replace(spec, training=replace(spec.training, scores=scores)))
