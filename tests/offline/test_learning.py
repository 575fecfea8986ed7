"""Held-out scores without an engine are the live rule's; fewer minutes are the first ones; ridge has its own
lambdas; the table of the learning curve is added to, never repeated.
"""

import csv
import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from offline import checkpoint
from offline.baseline import fit_ridge, fit_ridge_by_subject, fit_shared_ridge
from offline.checkpoint import new_model
from offline.config import load_config
from offline.data import Fitted, Prepared, Source, filtered_recordings, first_minutes, prepare
from offline.evaluate import _scored
from offline.features import FeatureScaler
from offline.report.content import read_learning
from offline.ridge import apply_filter
from offline.segments import Track
from offline.train import train
from offline.validate import HeldOut, bank_scores, run_track, shuffled
from rtdecode.errors import StudyError
from rtdecode.score import top_k
from tests.offline.tiny import config, tiny_study

FILE = Path(__file__).parents[2] / "benchmarks" / "learning.py"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny_study(tmp_path_factory.mktemp("tiny"), subjects=2)


@pytest.fixture(scope="module")
def prepared(study):
    return prepare(study, config())


def prepare_source(settings) -> Source:
    """Three subjects, eight channels, four features: nothing but shapes."""
    fitted = Fitted((0.0,) * 8, (1.0,) * 8)
    labels = tuple(f"E{i}" for i in range(8))
    speech = FeatureScaler((0.0,) * 4, (1.0,) * 4)
    return Source(
        "made", "CC0", None, labels, "microvolts", 128.0, ("a", "b", "c"), ((0.5, 0.5),) * 8, (fitted,) * 3,
        speech, (), 0.1, 1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def learning():
    spec = importlib.util.spec_from_file_location("learning", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_held_out_scores_are_those_of_the_live_retriever(study, prepared):
    held = HeldOut.of(study, prepared.source, config(), "sub-02")
    weight, bias, _ = fit_ridge(config(), prepared)
    estimate = apply_filter(held.tracks[0].x, weight[1], bias[1], 2)
    live = list(_scored(held.task, held.recordings[0], estimate))[-len(held.stops[0]) :]
    n = config().window_frames
    scores = bank_scores(np.stack([estimate[s - n : s] for s in held.stops[0]]), held.task.bank)
    np.testing.assert_allclose(scores, np.stack([s for s, _ in live]), atol=1e-5)
    assert [t for _, t in live] == held.truths[0].tolist()
    ranked = held.by_ridge(weight[1], bias[1])
    assert ranked[0][0] == np.argsort(-live[0][0], kind="stable")[:10].tolist()


def test_ridge_of_a_planted_study_is_found_and_shuffling_loses_it(study, prepared):
    held = HeldOut.of(study, prepared.source, config(), "sub-01")
    weight, bias, lambdas = fit_ridge_by_subject(config(), prepared)
    assert len(lambdas) == 2 and set(lambdas) <= set(config().ridge_lambdas)
    ranked = held.by_ridge(weight[0], bias[0])
    right, wrong = top_k(ranked, held.candidates), top_k(shuffled(ranked), held.candidates)
    assert right.top1 > 0.5 and wrong.top1 < right.top1 / 2 and right.n == wrong.n


def test_lambda_of_a_subject_does_not_depend_on_the_others(prepared):
    def only(subject):
        return tuple(t for t in prepared.valid if t.subject == subject)

    noisy = tuple(replace(t, y=t.y[::-1].copy()) for t in only(1))
    weight, _, lambdas = fit_ridge_by_subject(config(), prepared)
    other, _, changed = fit_ridge_by_subject(config(), replace(prepared, valid=only(0) + noisy))
    assert lambdas[0] == changed[0]
    np.testing.assert_array_equal(weight[0], other[0])
    with pytest.raises(StudyError, match="no validation recording"):
        fit_ridge_by_subject(config(), replace(prepared, valid=only(0)))


def test_what_subjects_share_is_learned_from_all_of_them():
    rng = np.random.default_rng(0)
    settings = config()
    common = rng.normal(size=(4, 8, 16)).astype(np.float32)
    zero = np.zeros(4, np.float32)

    def tracks(samples, subject):
        x = rng.normal(size=(samples, 8)).astype(np.float32)
        own = common + 0.1 * np.random.default_rng(subject).normal(size=common.shape)
        y = apply_filter(x, own.astype(np.float32), zero, 2) + rng.normal(0, 8, (samples // 2, 4))
        y = np.vstack([y[8:], np.zeros((8, 4))]).astype(np.float32)  # answered `delay` frames later
        return Track("t", subject, x, y, np.ones(len(y), bool), ())

    source = prepare_source(settings)
    data = Prepared(source, tuple(tracks(600, s) for s in range(3)), tuple(tracks(600, s) for s in range(3)))

    def error(weight):
        truth = [common + 0.1 * np.random.default_rng(s).normal(size=common.shape) for s in range(3)]
        return float(np.mean((weight - np.stack(truth)) ** 2))

    alone, _, _ = fit_ridge(settings, data)
    shared, bias, lambdas = fit_shared_ridge(settings, data)
    assert shared.shape == (3, 4, 8, 16) and bias.shape == (3, 4) and len(lambdas) == 2
    assert error(shared) < 0.6 * error(alone)


def test_fewer_minutes_are_the_first_and_everything_is_fitted_on_them(study, prepared):
    filtered = filtered_recordings(study, config())
    less = prepare(study, config(), minutes=0.25, filtered=filtered)
    assert [len(t.x) for t in less.train] == [960, 960]
    assert len(less.valid[0].x) == len(prepared.valid[0].x)
    assert less.source.hours == pytest.approx(2 * 0.25 / 60)
    assert less.source.train_sentences < prepared.source.train_sentences
    assert less.source.scalers != prepared.source.scalers
    assert max(s.stop for s in less.train[0].sentences) <= 480
    # the same samples, but for the scaler that was fitted on fewer of them
    scale = np.array(prepared.source.scalers[0].scale) / np.array(less.source.scalers[0].scale)
    shift = np.array(prepared.source.scalers[0].center) - np.array(less.source.scalers[0].center)
    expected = prepared.train[0].x[:960] * scale + shift / np.array(less.source.scalers[0].scale)
    np.testing.assert_allclose(less.train[0].x, expected, atol=1e-3)
    assert filtered[less.train[0].id].shape[0] > 960, "what was filtered once is not cut for the next"


def test_minutes_run_over_several_recordings_and_too_many_are_refused(study):
    one = study.select("train", "sub-01")[0]
    two = replace(one, name="second")
    samples = {one.name: np.zeros((640, 2)), "second": np.ones((640, 2))}
    kept, cut = first_minutes((one, two), samples, 15 / 60, 64.0)
    assert [len(cut[r.name]) for r in kept] == [640, 320]
    assert kept[0].events == one.events and all(e.start + e.duration <= 5 for e in kept[1].events)
    with pytest.raises(StudyError, match=r"subject sub-01 has 0\.3 minutes"):
        first_minutes((one, two), samples, 0.5, 64.0)


def test_the_symmetric_twin_trains_and_is_scored(study, prepared, tmp_path):
    settings = config(model={"causal": False}, output={"text": False}, optim={"steps": 2})
    out = train(settings, prepared, tmp_path / "run")
    model = checkpoint.load_checkpoint(out).model
    assert not model.config.encoder.causal
    track = prepared.valid[0]
    torch.nn.init.normal_(model.retrieval.outer.weight)
    before = run_track(model, track)["estimate"]
    later = replace(track, x=np.concatenate([track.x[:200], track.x[200:] + 5]))
    changed = np.abs(run_track(model, later)["estimate"] - before).max(axis=1) > 1e-4
    assert changed[:100].any(), "a symmetric model sees what comes"
    held = HeldOut.of(study, prepared.source, settings, "sub-01")
    assert top_k(held.by_model(model), held.candidates).n == len(held.stops[0])


def test_a_causal_model_sees_nothing_that_comes(prepared):
    model = new_model(config(), prepared.source, 1).eval()
    track = prepared.valid[0]
    later = replace(track, x=np.concatenate([track.x[:200], track.x[200:] + 5]))
    a, b = run_track(model, track)["estimate"], run_track(model, later)["estimate"]
    np.testing.assert_array_equal(a[:100], b[:100])
    assert np.abs(a[100:] - b[100:]).max() > 1e-4


def test_the_curve_is_written_row_by_row_and_goes_on(learning, study, tmp_path):
    gained = replace(study, gain=2.0)
    settings = config(output={"text": False}, optim={"steps": 2})
    said, table = [], learning.Table(tmp_path / "curve.csv")
    learning.curve(gained, settings, [0.25], ["ridge"], table, tmp_path / "runs", said.append)
    again = learning.Table(tmp_path / "curve.csv")
    assert again.done == {(2.0, 0.25, "ridge")}
    learning.curve(gained, settings, [0.25], ["ridge", "causal"], again, tmp_path / "runs", said.append)
    rows = list(csv.DictReader((tmp_path / "curve.csv").open()))
    assert [r["model"] for r in rows] == [
        "ridge",
        "ridge-common",
        "untrained",
        "shuffled",
        "causal",
        "linear-path",
    ]
    assert len(list(csv.DictReader((tmp_path / "curve.subjects.csv").open()))) == 12
    ridge = rows[0]
    assert float(ridge["top1"]) > 0.5 and ridge["n"] == rows[4]["n"] and ridge["subjects"] == "2"
    assert float(ridge["chance10"]) == 1.0, "fewer than ten candidates"
    size = (tmp_path / "curve.csv").stat().st_size
    learning.curve(gained, settings, [0.25], ["ridge", "causal"], again, tmp_path / "runs", said.append)
    assert (tmp_path / "curve.csv").stat().st_size == size


def test_bad_options_are_one_sentence(learning, tmp_path, capsys):
    assert learning.main(["--data", str(tmp_path), "--out", str(tmp_path / "a.csv"), "--models", "rige"]) == 2
    assert "no model 'rige'" in capsys.readouterr().err
    assert learning.main(["--data", str(tmp_path / "no"), "--out", str(tmp_path / "a.csv")]) == 2
    assert "incomplete" in capsys.readouterr().err and not (tmp_path / "a.csv").exists()
    with pytest.raises(SystemExit):
        learning.main(["--data", str(tmp_path), "--out", str(tmp_path / "a.csv"), "--minutes", "5,x"])


def test_the_preset_for_many_subjects_loads():
    assert load_config("multi").model.linear_taps and not load_config("multi").output.text


def test_the_table_becomes_one_that_the_report_reads(learning, tmp_path):
    table = learning.Table(tmp_path / "curve.csv")
    for minutes, model, top10 in ((0.0, "ideal", 0.9), (5.0, "ridge", 0.3), (5.0, "shuffled", 0.05),
                                  (5.0, "causal", 0.5)):  # fmt: skip
        row = learning.Row(3.0, minutes, 8, model, "", 0.1, top10, 0.053, 100, 300, 1.0, "")
        table.add([row], row)
    learning.for_report(table.path, tmp_path / "report.csv")
    (found,) = read_learning(tmp_path / "report.csv")
    assert (found.model, found.gain, found.minutes, found.top10) == ("causal", 3.0, 5.0, 0.5)
    assert (found.chance, found.shuffled, found.ridge, found.ideal) == (0.053, 0.05, 0.3, 0.9)
