"""A run is evaluated whole: scores beside chance, baselines without the brain at chance, curves."""

import numpy as np
import pytest

from offline.contrastive.baselines import mean_estimate_row
from offline.contrastive.checkpoint import load_checkpoint
from offline.contrastive.evaluate import _Again, evaluate_run, look_ahead_of_runs
from offline.contrastive.metrics import ranks
from offline.contrastive.score import score_windows
from offline.report.command import report_files
from rtdecode.errors import ConfigError

KNOWN = ("sub-01", "sub-02")


@pytest.fixture(scope="module")
def evaluation(planted_windows, planted_run):
    _, study, features = planted_windows
    return evaluate_run(planted_run, study, features, "test", KNOWN)


def test_the_run_is_above_chance_and_its_blind_baselines_are_at_chance(evaluation):
    top = evaluation.summary.top(1)
    assert top.value > 3 * top.chance
    names = {blind.name for blind in evaluation.blind}
    assert names >= {
        "mean training estimate",
        "the model on noise",
        "largest energy",
        "time-shuffled pairing",
    }
    assert all(blind.within for blind in evaluation.blind), [b.sentence for b in evaluation.blind]
    assert all("chance" in line for line in evaluation.lines())


def test_curves_end_where_the_whole_score_is(evaluation):
    whole = float(ranks(evaluation.scores).hits(10).mean())
    titles = {curve.title: curve for curve in evaluation.curves}
    assert len(titles) == 3
    assert titles["Top-10 over the size of the candidate set"].points[-1].value == pytest.approx(whole)
    length = titles["Top-10 over window length"].points
    assert length[-1].value == pytest.approx(whole, abs=0.02) and length[0].value < whole
    assert titles["Top-10 over look-ahead"].points[0].value == pytest.approx(whole, abs=0.02)


def test_estimates_made_again_are_those_that_were_scored(planted_windows, planted_run, evaluation):
    _, study, features = planted_windows
    ready = load_checkpoint(planted_run)
    again = _Again(ready, study, features, "test", KNOWN)
    y, _ = again._targets(again.candidates)
    z = again._estimates(again.windows[:5])
    for row in range(5):
        cosine = mean_estimate_row(z[row], y) / np.linalg.norm(z[row])
        np.testing.assert_allclose(ready.scale * cosine, evaluation.scores.scores[row], rtol=1e-3, atol=1e-3)


def test_a_symmetric_run_is_a_point_of_the_look_ahead(planted_windows, planted_run):
    _, study, features = planted_windows
    (curve,) = look_ahead_of_runs([planted_run], study, features)
    reach = load_checkpoint(planted_run).net.config.encoder.context
    assert curve.name == "symmetric" and curve.points[0].x == pytest.approx(1000 * (0.1 + reach / 64))
    whole = ranks(score_windows(planted_run, study, features)).hits(10).mean()
    assert curve.points[0].value == pytest.approx(float(whole))


def test_a_report_is_made_of_score_files(tmp_path, evaluation):
    file = evaluation.scores.save(tmp_path / "scores")
    html, table = report_files(tmp_path / "report", [file])
    assert "tiny" in html.read_text("utf-8") and table.is_file()
    with pytest.raises(ConfigError, match="nothing to report"):
        report_files(tmp_path / "none")
