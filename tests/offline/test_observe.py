"""On a real simulated study, from speech to scores: the ideal observer bounds ridge, and both beat chance."""

import pytest

from offline.config import linear
from offline.data import prepare
from offline.export import export
from offline.train import train
from tests.offline.tiny import config

pytest.importorskip("espeakng_loader")
pytest.importorskip("mne")


def test_ideal_observer_bounds_ridge_on_the_bundles_own_task(tmp_path):
    from offline.simulate.build import simulate
    from offline.studies.simulated import load

    simulate(
        tmp_path / "study",
        subjects=1,
        minutes_train=3,
        minutes_valid=0.5,
        minutes_test=0.7,
        gain=3.0,
        seed=1,
        recombined=20,
    )
    study = load(tmp_path / "study")
    settings = linear(config(speech={"bands": 8}, model={"linear_taps": 40}))
    bundle = export(train(settings, prepare(study, settings), tmp_path / "run"), study, tmp_path / "bundle")
    top10 = {s.name: s for s in bundle.spec.training.scores}["retrieval top-10"]
    assert top10.ridge == top10.value  # the model is ridge
    assert top10.ideal is not None
    assert top10.ideal > 2 * top10.chance
    assert top10.ideal > top10.ridge
    assert bundle.spec.training.times_real == 3.0
