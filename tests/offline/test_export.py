"""From checkpoint to bundle to decisions: what training made is what the live decoder runs."""

import dataclasses

import numpy as np
import pytest

from offline.checkpoint import load_checkpoint
from offline.data import prepare, prepare_recording
from offline.evaluate import evaluate, run_engine
from offline.export import export
from offline.train import train
from offline.validate import run_track
from rtdecode.bundle import load_bundle
from rtdecode.engines import check_golden, open_session
from rtdecode.errors import BundleError, StudyError
from tests.offline.tiny import config, tiny_study


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    study = tiny_study(folder, subjects=2)
    settings = config(optim={"steps": 40, "steps_per_epoch": 40, "lr": 3e-3})
    checkpoint = train(settings, prepare(study, settings), folder / "run")
    bundle = export(checkpoint, study, folder / "bundle", subject="sub-02")
    return study, checkpoint, bundle


def test_bundle_loads_and_both_engines_agree_with_its_golden_output(made):
    _, _, bundle = made
    again = load_bundle(bundle.path)
    assert again.spec == bundle.spec
    for engine in ("onnx", "torch"):
        assert check_golden(open_session(again, engine), again, engine) < 1e-4


def test_no_file_of_a_bundle_tells_where_it_was_made(made):
    # the exporter writes stack traces into the graph: paths of somebody's machine, and other bytes on each
    for file in made[2].path.iterdir():
        content = file.read_bytes()
        assert b"site-packages" not in content, file.name
        assert b"export.py" not in content, file.name


def test_exported_graph_equals_the_trained_model_on_a_whole_recording(made):
    study, checkpoint, bundle = made
    trained = load_checkpoint(checkpoint)
    track = prepare_recording(study.select("test", "sub-02")[0], study, trained.source, trained.config)
    expected = run_track(trained.model, track)
    session, hop = open_session(bundle), bundle.spec.model.hop
    frames = [session.run(track.x[i : i + hop]) for i in range(0, len(track.x) - hop + 1, hop)]
    for head in ("estimate", "log_probs"):
        found = np.concatenate([getattr(f, head) for f in frames])
        np.testing.assert_allclose(found, expected[head][: len(found)], atol=1e-4)


def test_the_bank_is_of_held_out_speech_and_inside_its_timeline(made):
    study, _, bundle = made
    heard = {e.stimulus for r in study.select("train") for e in r.events}
    assert not heard & {c.source for c in bundle.bank.candidates}
    for candidate in bundle.bank.candidates:
        assert candidate.first >= 0 and candidate.first + candidate.frames <= len(bundle.bank.features)


def test_scores_are_stored_beside_chance_ridge_and_the_untrained(made):
    _, _, bundle = made
    scores = {s.name: s for s in bundle.spec.training.scores}
    rates = {"text CER", "text WER", "greedy text CER", "greedy text WER"}
    assert set(scores) == {"retrieval top-1", "retrieval top-10"} | rates
    top1 = scores["retrieval top-1"]
    assert top1.chance == pytest.approx(1 / len(bundle.bank.candidates))
    assert top1.ridge is not None and top1.control is not None and top1.n > 20
    assert top1.value > 5 * top1.chance > top1.control
    assert scores["text CER"].control is not None


def test_evaluation_gives_the_stored_scores_again_and_its_lines_name_chance(made):
    study, _, bundle = made
    report = evaluate(bundle, study)
    assert report.scores == bundle.spec.training.scores
    assert all("chance" in line or "untrained" in line for line in report.lines())
    assert report.shuffled.top1 <= 3 * report.shuffled.chance1 + 0.05


def test_decisions_do_not_depend_on_the_chunks(made, monkeypatch):
    study, _, bundle = made
    recording = study.select("test", "sub-02")[0]
    whole = run_engine(bundle, recording)
    monkeypatch.setattr("offline.evaluate.CHUNK_S", 0.07)
    pieces = run_engine(bundle, recording)
    assert [d.retrieved for d in pieces] == [d.retrieved for d in whole]
    assert [d.text for d in pieces] == [d.text for d in whole]


def test_export_refuses_and_leaves_nothing_half_written(made, tmp_path):
    study, checkpoint, bundle = made
    with pytest.raises(BundleError, match="exists"):
        export(checkpoint, study, bundle.path)
    with pytest.raises(StudyError, match="sub-09"):
        export(checkpoint, study, tmp_path / "b", subject="sub-09")
    without_test = dataclasses.replace(study, recordings=study.select("train"))
    with pytest.raises(StudyError, match="no test recording"):
        export(checkpoint, without_test, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
