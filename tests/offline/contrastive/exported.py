"""A small lab: a study prepared as a stream would be, and runs of it with their bundles."""

import json
import shutil

import pytest

from offline.cli import main
from offline.contrastive.export import export_windows
from offline.contrastive.train import train
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import open_prepared
from rtdecode.bundle import load_bundle
from tests.offline.contrastive.small import RATE, config, small

CAUSAL = PrepareSettings(
    sfreq=RATE, highpass_hz=0.5, lowpass_hz=15.0, filter="causal", split_rule="sentence", min_block_s=0.0
)
LIVE = {
    "signal": {"normalise": "online"},
    "loss": {"center": True},
    "loop": {"updates_per_epoch": 60, "max_epochs": 1},
}


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The small study, prepared as a stream would be."""
    return small(tmp_path_factory.mktemp("lab"), settings=CAUSAL, sentences=60)


@pytest.fixture(scope="session")
def streaming(lab, tmp_path_factory):
    """(run, bundle) of a causal model with a linear path, whitened, by the command line."""
    folder = tmp_path_factory.mktemp("streaming")
    settings = config(
        **{**LIVE, "signal": {**LIVE["signal"], "whiten": 0.1}},
        model={"causal": True, "linear_taps": 8},
        window={"offset_s": 0.3, "context_s": 0.5},
    )
    run = train(settings, lab.prepared, lab.features, folder / "run")
    data, out = lab.prepared.root, folder / "bundle"
    assert (
        main(["export", "--run", str(run), "--data", str(data), "--subject", "sub-02", "--out", str(out)])
        == 0
    )
    return run, load_bundle(out)


@pytest.fixture(scope="session")
def windowed(lab, tmp_path_factory):
    """(run, bundle) of a symmetric model."""
    folder = tmp_path_factory.mktemp("windowed")
    run = train(config(**LIVE), lab.prepared, lab.features, folder / "run")
    return run, export_windows(run, lab.prepared, folder / "bundle", subject="sub-02")


def heard_again(lab, folder, **changes):
    """The study with one more recording of its first listener: the same, but for what is said of it."""
    shutil.copytree(lab.prepared.root, folder)
    own = folder / "recordings" / "sub-01_story"
    again = own.with_name("sub-01_again")
    shutil.copytree(own, again)
    facts = json.loads((own / "recording.json").read_text()) | {"name": again.name, **changes}
    (again / "recording.json").write_text(json.dumps(facts))
    study = json.loads((folder / "study.json").read_text())
    study["recordings"].append(again.name)
    (folder / "study.json").write_text(json.dumps(study))
    return open_prepared(folder)
