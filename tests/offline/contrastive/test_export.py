"""A run of windows becomes a bundle: of the raw recording the live decoder says what the run says of the
prepared one.
"""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from models import ContrastiveNet, ContrastiveNetConfig, EncoderConfig
from offline.cli import main
from offline.contrastive.checkpoint import load_checkpoint
from offline.contrastive.export import export_windows, on_channels
from offline.prepare.run import prepare_study
from rtdecode.bundle import load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import check_golden, open_session
from rtdecode.errors import BundleError, StudyError
from rtdecode.types import Chunk, StreamInfo
from tests.offline.contrastive.exported import CAUSAL, heard_again


@pytest.fixture(params=["streaming", "windowed"])
def made(request):
    return request.getfixturevalue(request.param)


def test_the_bundle_loads_and_engines_agree_with_its_golden_output(made):
    for engine in ("onnx", "torch", "numpy"):
        again = load_bundle(made[1].path)
        assert check_golden(open_session(again, engine), again, engine) < 1e-4


def test_a_causal_run_streams_and_a_symmetric_one_takes_windows(streaming, windowed):
    (_, steps), (_, windows) = streaming, windowed
    assert (steps.spec.model.mode, steps.spec.model.size) == ("step", 4)
    settings = load_checkpoint(windowed[0]).config
    assert (windows.spec.model.mode, windows.spec.model.size) == ("window", settings.n_frames)
    assert open_session(windows, mode="incremental").info().mode == "incremental"
    assert (steps.spec.retrieval.delay, windows.spec.retrieval.delay) == (12, 4)


class _Listening:
    """A session that keeps its estimates."""

    def __init__(self, session):
        self.session, self.estimates = session, []

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, x):
        frames = self.session.run(x)
        self.estimates.append(frames.estimate)
        return frames


@torch.no_grad()
def test_the_live_engine_on_the_raw_recording_says_what_the_run_says_of_the_prepared_one(made, lab):
    run, bundle = made
    ready = load_checkpoint(run)
    raw = next(r for r in lab.study.recordings if r.subject == "sub-02")
    info = StreamInfo("EEG", "EEG", raw.labels, (raw.unit,) * len(raw.labels), raw.sfreq)
    session = _Listening(open_session(bundle))
    engine = Engine(bundle, bundle.spec.stream.bind(info), session)
    data = raw.read()
    for first in range(0, len(data), 333):  # of any size
        piece = data[first : first + 333]
        engine.push(Chunk(piece, (first + np.arange(len(piece))) / raw.sfreq, first))

    prepared = next(r for r in lab.prepared.recordings if r.name == raw.name)
    scaling = ready.scalings[raw.name]
    x = np.clip((prepared.signal() - scaling.center) / scaling.scale, -20, 20)
    if scaling.whiten is not None:
        x = x @ scaling.whiten
    x, row = torch.from_numpy(x)[None], torch.tensor([1])
    size, hop = bundle.spec.model.size, bundle.spec.model.hop
    whole = ready.net(x, row)[0] if bundle.spec.model.mode == "step" else None
    assert len(session.estimates) == (x.shape[1] - size) // hop + 1
    for number, found in enumerate(session.estimates):
        span = slice(number * hop, number * hop + size)
        expected = ready.net(x[:, span], row)[0] if whole is None else whole[span]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_the_stream_is_the_recordings_own_and_goes_through_what_prepared_them(made):
    spec = made[1].spec
    assert spec.stream.labels == tuple(f"E{i}" for i in range(8))
    assert (spec.stream.unit, spec.stream.sfreq) == ("microvolts", 80.0)
    assert (spec.preprocess.highpass_hz, spec.preprocess.lowpass_hz, spec.preprocess.sfreq) == (
        0.5,
        15.0,
        40.0,
    )


def test_the_bank_holds_test_sentences_alone_each_once(made, lab):
    bundle, found = made[1], {"train": set(), "test": set()}
    for recording in lab.prepared.recordings:
        for block in recording.blocks:
            if block.split in found and recording.subject == "sub-02":
                inside = [
                    w for w in recording.events if w.kind == "word" and block.start <= w.start < block.stop
                ]
                found[block.split] |= {(w.stimulus, round(w.offset, 3)) for w in inside}
    for candidate in bundle.bank.candidates:
        low, high = candidate.start - 1e-3, candidate.start + candidate.duration - 1e-3
        held = {
            split: any(w[0] == candidate.source and low <= w[1] < high for w in own)
            for split, own in found.items()
        }
        assert held == {"train": False, "test": True}
    said = [word for c in bundle.bank.candidates for word in c.text.split()]
    assert len(said) == len(found["test"])
    assert len({c.id for c in bundle.bank.candidates}) == len(bundle.bank.candidates)


def test_what_it_learned_is_found_and_scores_stand_beside_chance_and_the_untrained(made):
    bundle = made[1]
    scores = {score.name: score for score in bundle.spec.training.scores}
    top1, top10 = scores["retrieval top-1"], scores["retrieval top-10"]
    assert top1.chance == pytest.approx(1 / len(bundle.bank.candidates)) and top1.n >= 10
    assert top1.value > 5 * top1.chance and top10.value > 1.5 * top10.chance
    assert top1.control < top1.value / 2
    assert bundle.spec.training.licence == "CC0" and "test blocks" in bundle.spec.training.note
    assert 2 <= bundle.spec.retrieval.sharpness <= 100


def test_padding_is_cut_and_whitening_taken_in():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    places = tuple((float(x), float(y)) for x, y in rng.uniform(size=(5, 2)))
    padded = (*places[:4], (-0.1, -0.1))
    encoder = EncoderConfig(positions=places, n_subjects=2, n_virtual=6, hidden=8, depth=2, fourier_dim=8)
    net = ContrastiveNet(
        ContrastiveNetConfig(5, 3, encoder, (places, padded), linear_taps=4, n_subjects=2)
    ).eval()
    torch.nn.init.normal_(net.linear.weight)
    whiten = rng.normal(size=(4, 4)).astype(np.float32)
    x = torch.from_numpy(rng.normal(size=(1, 30, 4)).astype(np.float32))
    full = torch.cat([x @ torch.from_numpy(whiten), torch.zeros(1, 30, 1)], dim=2)
    expected = net(full, torch.tensor([1]), torch.tensor([1]))
    small_net = on_channels(net.folded(1, 1), 4, whiten)
    assert small_net.config.n_channels == 4
    torch.testing.assert_close(small_net(x)["estimate"], expected, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_live_is_refused_and_nothing_is_left(
    lab, streaming, planted_run, planted_windows, tmp_path
):
    out = tmp_path / "out" / "bundle"
    with pytest.raises(BundleError, match="loses the mean of its own baseline") as refused:
        export_windows(planted_run, planted_windows[1], out)
    assert "--filter causal" in refused.value.hint and "signal.normalise=online" in refused.value.hint
    with pytest.raises(BundleError, match="was trained on the study 'small'"):
        export_windows(streaming[0], planted_windows[1], out)
    with pytest.raises(StudyError, match="not trained on subject 'sub-99'"):
        export_windows(streaming[0], lab.prepared, out, subject="sub-99")
    with pytest.raises(BundleError, match="exists"):
        export_windows(streaming[0], lab.prepared, streaming[1].path)
    ahead = _changed(streaming[0], tmp_path / "ahead", ("model", "linear_ahead"), 3)
    with pytest.raises(BundleError, match="sees 3 samples of the future"):
        export_windows(ahead, lab.prepared, out)
    assert not out.parent.exists()


def test_a_study_prepared_with_zero_phase_filters_is_refused(lab, streaming, tmp_path, capsys):
    settings = dataclasses.replace(CAUSAL, filter="reference")
    prepare_study(lab.study, tmp_path / "prepared", settings)
    options = ["--data", str(tmp_path / "prepared"), "--out", str(tmp_path / "bundle")]
    assert main(["export", "--run", str(streaming[0]), *options]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and "looks into the future" in said[0] and "--filter causal" in said[0]
    assert not (tmp_path / "bundle").exists()


def test_recordings_of_several_rates_are_no_one_stream(lab, streaming, tmp_path):
    prepared = heard_again(lab, tmp_path / "prepared", raw_sfreq=160.0)
    with pytest.raises(StudyError, match=r"differ in their rate \(160 Hz and 80 Hz\)"):
        export_windows(streaming[0], prepared, tmp_path / "bundle")


def test_sensors_in_several_places_are_no_one_network(lab, windowed, tmp_path):
    prepared = heard_again(lab, tmp_path / "prepared", positions=[[0.1 * k, 0.5] for k in range(8)])
    with pytest.raises(StudyError, match="not in the same places in all of 2 recordings"):
        export_windows(windowed[0], prepared, tmp_path / "bundle")


def _changed(run, copy, key, value):
    """A copy of a run whose configuration says otherwise."""
    shutil.copytree(run, copy)
    facts = json.loads((copy / "run.json").read_text())
    facts["config"][key[0]][key[1]] = value
    (copy / "run.json").write_text(json.dumps(facts))
    return copy
