"""A checkpoint becomes a bundle: folded weights, ONNX step graph, bank, golden output, held-out scores.

The bundle is written beside its destination and moved there whole. Knows nothing of training; the scores come
from `offline.evaluate`, which runs the live engine on the finished bundle.
"""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import models
from offline.bank import make_bank
from offline.checkpoint import Checkpoint, load_checkpoint, untrained
from offline.config import Config
from offline.data import Source, prepare_recording
from offline.disk import whole_folder
from offline.evaluate import evaluate, fit_sharpness
from offline.graphs import stream_graph, write_graph
from offline.study import Study
from offline.words import searched
from rtdecode.bundle import SCHEMA, Bundle, BundleSpec, ModelSpec, Training, load_bundle, seal, write_bank
from rtdecode.engines import open_session
from rtdecode.errors import BundleError, StudyError
from rtdecode.retrieve import RetrievalSpec
from rtdecode.transcribe import TextSpec

log = logging.getLogger(__name__)

GOLDEN_STEPS = 24


class StepGraph(nn.Module):
    """The exported signature of any net with `step`: x (1, size, C), state_0.. -> outputs, then next_0.. ."""

    def __init__(self, model: models.DecoderNet):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        out, following = self.model.step(x, list(states))
        return (*(out[name] for name in self.model.outputs), *following)


def export_onnx(model: models.DecoderNet, size: int, path: Path) -> None:
    """Write the step graph of a folded model, all weights inside the file."""
    if isinstance(model, models.DecoderNet):
        return stream_graph(model, size, path)
    states = model.initial_state(1)
    inputs, outputs = [[f"{name}_{i}" for i in range(len(states))] for name in ("state", "next")]
    example = (torch.zeros(1, size, model.config.n_channels), *states)
    write_graph(StepGraph(model), example, ["x", *inputs], [*model.outputs, *outputs], path)


@torch.no_grad()
def golden(model: models.DecoderNet, x: np.ndarray) -> dict[str, np.ndarray]:
    """x (steps, size, C) and the outputs of the torch reference: fed step by step from reset, or, where the
    encoder is symmetric, window by window.
    """
    encoder = model.config.encoder
    state, parts = model.initial_state(1), []
    for piece in x:
        batch = torch.from_numpy(piece)[None]
        if encoder is not None and not encoder.causal:
            parts.append(model(batch))
            continue
        out, state = model.step(batch, state)
        parts.append(out)
    return {"x": x, **{name: torch.cat([p[name][0] for p in parts]).numpy() for name in model.outputs}}


def export(
    checkpoint: str | Path, study: Study, out: str | Path, *, subject: str | None = None, score: bool = True
) -> Bundle:
    """Make the bundle of one subject (default: the first), its bank being that subject's held-out recordings.

    score  evaluate on the test recordings and store the scores.
    Raises BundleError when `out` exists or ONNX Runtime disagrees with torch, StudyError when the study does
    not fit.
    """
    out, trained = Path(out), load_checkpoint(Path(checkpoint))
    source = trained.source
    if trained.config.model.hidden and not trained.config.model.causal:
        raise BundleError(
            f"{checkpoint} is symmetric (model.causal = false): it needs the future and cannot run in steps",
            hint="train it with --set model.causal=true for the live decoder",
        )
    if out.exists():
        raise BundleError(f"{out} exists", hint="choose another directory or remove it")
    subject = source.subjects[0] if subject is None else subject
    if subject not in source.subjects:
        raise StudyError(f"the model was not trained on subject {subject!r}: {', '.join(source.subjects)}")
    with whole_folder(out) as work:
        bundle = _write(work, trained, study, subject, score)
    return dataclasses.replace(bundle, path=out)


def _write(work: Path, trained: Checkpoint, study: Study, subject: str, score: bool) -> Bundle:
    source, config = trained.source, trained.config
    row = source.subjects.index(subject)
    valid, test = study.select("valid", subject), study.select("test", subject)
    if not test:
        raise StudyError(f"study {study.name!r} has no test recording of subject {subject}")
    model = trained.model.folded(row)
    export_onnx(model, config.hop_samples, work / "model.onnx")
    # deterministic but unlike the training seed: what the network says before it has learned anything
    export_onnx(untrained(config, source).folded(row), config.hop_samples, work / "control.onnx")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, work / "weights.safetensors")
    sample = prepare_recording((valid or test)[0], study, source, config).x
    steps = sample[: GOLDEN_STEPS * config.hop_samples].reshape(GOLDEN_STEPS, config.hop_samples, -1)
    arrays = golden(model, np.ascontiguousarray(steps))
    np.savez(work / "golden.npz", allow_pickle=False, **arrays)
    if config.output.retrieval:
        write_bank(work, make_bank(study, test + valid, source, config))
        save_file({k: v[row].contiguous() for k, v in trained.ridge.items()}, work / "ridge.safetensors")
    spec = _spec(config, source, models.describe(model), subject, row, trained.step)
    if config.output.text:
        # once per stimulus, however many heard it
        heard = dict.fromkeys(
            (e.stimulus, e.text) for r in study.select("train") for e in r.of_kind("sentence")
        )
        if heard:  # a calibration may bring a study without any: the text is greedy then
            text = searched(work, source.symbols, [sentence for _, sentence in heard])
            spec = dataclasses.replace(spec, text=text)
    seal(work, spec)
    bundle = load_bundle(work)
    open_session(bundle, "onnx")  # refuses when ONNX Runtime and torch disagree
    if spec.retrieval is not None and valid:
        sharpness = fit_sharpness(bundle, valid)
        spec = dataclasses.replace(spec, retrieval=dataclasses.replace(spec.retrieval, sharpness=sharpness))
        seal(work, spec)
        bundle = load_bundle(work)
    if score:
        report = evaluate(bundle, study, subject=subject)
        spec = dataclasses.replace(spec, training=dataclasses.replace(spec.training, scores=report.scores))
        seal(work, spec)
        bundle = load_bundle(work)
    return bundle


def _spec(config: Config, source: Source, shape: dict, subject: str, row: int, steps: int) -> BundleSpec:
    simulated = source.times_real is not None
    kind = (
        f"simulated listener, {source.times_real:g} x the response in real EEG"
        if simulated
        else "real recordings"
    )
    listeners = "1 subject" if len(source.subjects) == 1 else f"{len(source.subjects)} subjects"
    note = (
        f"{kind}; {listeners}, {source.hours:.2f} h, "
        f"{source.train_sentences} different training sentences, none of them in the bank; {steps} updates"
    )
    retrieval = None
    if config.output.retrieval:
        retrieval = RetrievalSpec(config.window_frames, config.delay_frames, "search", 20.0)
    return BundleSpec(
        SCHEMA,
        config.name,
        source.contract(),
        source.preprocess(config, row),
        ModelSpec("step", config.hop_samples, config.hop_samples, config.model.stride, shape),
        retrieval,
        TextSpec(source.symbols) if config.output.text else None,
        Training(source.study, subject, round(source.hours, 4), note, source.licence, source.times_real),
    )
