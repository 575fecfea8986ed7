"""A run of the recipe of windows becomes a bundle: one listener folded in, graphs, bank, golden output.

A causal model becomes a network of steps, a symmetric one a network of windows. What a stream goes through
before it must be what the study was prepared with, so both have to be made by the live decoder's own boxes:
anything else is refused with what to do instead. The bundle is written beside its destination and moved there
whole. Knows nothing of training.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import models
from models import ContrastiveNet, DecoderNet
from offline.contrastive.checkpoint import Checkpoint, load_checkpoint
from offline.contrastive.live_bank import Stretch, held_out
from offline.contrastive.live_contract import Stream, stream_of
from offline.contrastive.live_scores import fitted_sharpness, found_in, held_out_scores, scaled
from offline.contrastive.score import assert_unheard
from offline.contrastive.train import check_prepared
from offline.contrastive.windows import make_windows
from offline.disk import whole_folder
from offline.export import golden
from offline.graphs import decoder_graphs, stream_graph, window_graph
from offline.prepare.features import features_folder
from offline.prepare.store import FeatureStore, PreparedRecording, PreparedStudy
from rtdecode.bundle import SCHEMA, Bundle, BundleSpec, ModelSpec, Training, load_bundle, seal, write_bank
from rtdecode.engines import Session, open_session
from rtdecode.engines.onnx import OnnxSession
from rtdecode.errors import BundleError, StudyError, closest
from rtdecode.retrieval.bank import at_native_rate
from rtdecode.retrieval.ranking import top_order
from rtdecode.retrieve import TOP, Bank, RetrievalSpec

HOP_S = 0.1  # between two decisions
GOLDEN_STEPS, GOLDEN_WINDOWS = 24, 4
CONTROL_SEED = 987_654_321  # unlike any training seed
SHARPNESS = 20.0  # where neither validation nor the run says


@dataclass(frozen=True)
class _Ready:
    """All that is exported. recordings: the subject's;  net: the run's, with their sensors"""

    checkpoint: Checkpoint
    prepared: PreparedStudy
    features: FeatureStore
    recordings: tuple[PreparedRecording, ...]
    subject: str
    stream: Stream
    net: ContrastiveNet


def export_windows(
    run: str | Path,
    prepared: PreparedStudy,
    out: str | Path,
    *,
    subject: str | None = None,
    score: bool = True,
) -> Bundle:
    """Make the bundle of one subject (default: the first), its bank being that subject's test blocks.

    score  rank the test blocks and store the scores
    Raises BundleError when `out` exists, when nothing live can do what run or study were made with, or ONNX
    Runtime disagrees with torch; StudyError and TrainingError when run, study and features do not fit.
    """
    out, checkpoint = Path(out), load_checkpoint(run)
    if out.exists():
        raise BundleError(f"{out} exists", hint="choose another directory or remove it")
    subject = checkpoint.subjects[0] if subject is None else subject
    if subject not in checkpoint.subjects:
        raise StudyError(
            f"the model was not trained on subject {subject!r}", hint=closest(subject, checkpoint.subjects)
        )
    recordings = tuple(r for r in prepared.recordings if r.subject == subject)
    stream = stream_of(checkpoint, prepared, recordings, subject)
    features = FeatureStore(features_folder(prepared.root, checkpoint.config.speech))
    check_prepared(checkpoint.config, prepared, features)
    tested = make_windows(recordings, checkpoint.config, grid=("test",)).windows
    assert_unheard(checkpoint, tested)
    net, rows = checkpoint.placed(recordings)
    if len(set(rows.values())) > 1:
        raise StudyError(
            f"the sensors of {subject} are not in the same places in all of {len(rows)} recordings, and a "
            "bundle has one place for each",
            hint="prepare with --only the recordings of one montage, or give all the same positions",
        )
    ready = _Ready(checkpoint, prepared, features, recordings, subject, stream, net)
    with whole_folder(out) as work:
        bundle = _write(work, ready, rows[recordings[0].name], score)
    return dataclasses.replace(bundle, path=out)


def _write(work: Path, ready: _Ready, montage: int, score: bool) -> Bundle:
    checkpoint, whiten = ready.checkpoint, ready.stream.whiten
    row, channels = checkpoint.subjects.index(ready.subject), len(ready.stream.contract.labels)
    net = on_channels(ready.net.folded(row, montage), channels, whiten)
    control = on_channels(untrained(ready.net).folded(row, montage), channels, whiten)
    bank, stretches = held_out(ready.recordings, "test", checkpoint, ready.features)
    spec = _spec(ready, net)
    decoder_graphs(net, work, size=spec.model.size, hop=spec.model.hop)
    if spec.model.mode == "step":
        stream_graph(control, spec.model.hop, work / "control.onnx")
    else:
        window_graph(control, spec.model.size, work / "control.onnx")
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, work / "weights.safetensors")
    np.savez(work / "golden.npz", allow_pickle=False, **golden(net, _sample(spec, stretches[0])))
    write_bank(work, bank)
    seal(work, spec)
    bundle = load_bundle(work)
    session = open_session(bundle, "onnx")  # refuses when ONNX Runtime and torch disagree
    assert spec.retrieval is not None
    bank = leaner(spec, session, bank, stretches)
    write_bank(work, bank)
    seal(work, spec)
    bundle = load_bundle(work)  # the bank's file was mapped
    sharpness = _sharpness(ready, bundle)
    spec = dataclasses.replace(spec, retrieval=dataclasses.replace(spec.retrieval, sharpness=sharpness))
    if score:
        untaught = OnnxSession(work / "control.onnx", spec, size=spec.model.size)
        scores = held_out_scores(
            found_in(spec, session, bank, stretches),
            found_in(spec, untaught, bank, stretches),
            len(bank.candidates),
        )
        spec = dataclasses.replace(spec, training=dataclasses.replace(spec.training, scores=scores))
    seal(work, spec)
    return load_bundle(work)


def _spec(ready: _Ready, net: DecoderNet) -> BundleSpec:
    checkpoint, stream = ready.checkpoint, ready.stream
    config = checkpoint.config
    hop = max(1, round(HOP_S * config.signal.sfreq))
    encoder = net.config.encoder
    if encoder is None or encoder.causal:
        model = ModelSpec("step", hop, hop, 1, models.describe(net))
    else:
        size = config.n_context + config.n_window if config.n_context else config.n_frames
        model = ModelSpec("window", size, hop, 1, models.describe(net))
    trained = [r for r in ready.prepared.recordings if r.subject in checkpoint.subjects]
    hours = (
        sum(
            min(block.stop, r.duration) - block.start
            for r in trained
            for block in r.blocks
            if block.split == "train"
        )
        / 3600
    )
    gain = ready.prepared.facts.get("gain") if checkpoint.study == "simulated" else None
    kind = (
        f"recordings of the study {checkpoint.study}"
        if gain is None
        else f"simulated listener, {gain:g} x the response in real EEG"
    )
    listeners = "1 subject" if len(checkpoint.subjects) == 1 else f"{len(checkpoint.subjects)} subjects"
    note = (
        f"{kind}; {listeners}, {hours:.2f} h in training blocks, none of them in the bank; {checkpoint.step} "
        f"updates; {stream.how}; scores: windows inside the test blocks as prepared, twice a second, by this "
        "bundle's network and search"
    )
    return BundleSpec(
        SCHEMA,
        config.name,
        stream.contract,
        stream.preprocess,
        model,
        RetrievalSpec(config.n_frames, config.n_offset, "search", SHARPNESS),
        None,
        Training(checkpoint.study, ready.subject, round(hours, 4), note, ready.prepared.licence, gain),
    )


def leaner(spec: BundleSpec, session: Session, bank: Bank, stretches: Sequence[Stretch]) -> Bank:
    """The bank with its features at their own rate, if it then names the same candidates in the same order
    for every held-out window that is scored; else as it is.
    """
    native = at_native_rate(bank)
    if native is bank:
        return bank
    first, second = (
        [top_order(scores, TOP).tolist() for scores, _ in found_in(spec, session, each, stretches)]
        for each in (bank, native)
    )
    return native if first == second else bank


def _sharpness(ready: _Ready, bundle: Bundle) -> float:
    """Fitted on what the validation blocks hold; without any, the scale of the run's own cosines."""
    loss = ready.checkpoint.config.loss
    default = SHARPNESS
    if loss.norm == "both" and loss.kind != "mse":
        default = round(float(np.clip(ready.checkpoint.scale, 2.0, 100.0)), 2)
    try:
        bank, stretches = held_out(ready.recordings, "valid", ready.checkpoint, ready.features)
    except StudyError:  # fewer than two phrases
        return default
    return fitted_sharpness(found_in(bundle.spec, open_session(bundle), bank, stretches)) or default


def _sample(spec: BundleSpec, stretch: Stretch) -> np.ndarray:
    """(steps, size, C): successive steps, or overlapping windows, of the first held-out stretch."""
    size, signal = spec.model.size, stretch.recording.signal()
    ahead, most = (size, GOLDEN_STEPS) if spec.model.mode == "step" else (spec.model.hop, GOLDEN_WINDOWS)
    need = size + (most - 1) * ahead
    first = max(0, min(stretch.low, len(signal) - need))
    x = scaled(spec.preprocess, signal[first : first + need])
    return np.stack([x[at : at + size] for at in range(0, len(x) - size + 1, ahead)])


def on_channels(net: DecoderNet, count: int, whiten: np.ndarray | None = None) -> DecoderNet:
    """A folded net for its first `count` channels alone, the others being silent padding, with a whitening
    matrix (C, C) taken into its first weights: the same function of what comes before that.
    """
    encoder = net.config.encoder
    if encoder is not None:
        encoder = dataclasses.replace(encoder, positions=encoder.positions[:count])
    small = DecoderNet(dataclasses.replace(net.config, n_channels=count, encoder=encoder))
    state = net.state_dict()
    matrix = torch.eye(count) if whiten is None else torch.from_numpy(whiten)
    if "encoder.front.weight" in state:  # (O, C, 1)
        state["encoder.front.weight"] = (state["encoder.front.weight"][:, :count, 0] @ matrix.T)[:, :, None]
    if "linear.weight" in state:  # (1, F, C, taps)
        state["linear.weight"] = torch.einsum("sfct,kc->sfkt", state["linear.weight"][:, :, :count], matrix)
    small.load_state_dict(state)
    return small.eval()


def untrained(net: ContrastiveNet) -> ContrastiveNet:
    """A model of the same shape that has learned nothing, the same one every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(CONTROL_SEED)
        other = ContrastiveNet(net.config)
        if other.linear is not None:
            torch.nn.init.normal_(other.linear.weight, std=1e-3)  # zeros would have no direction
    return other.eval()
