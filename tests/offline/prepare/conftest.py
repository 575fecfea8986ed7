"""The simulated study, made once."""

import pytest

from offline.simulate.build import simulate
from offline.simulate.text import sentences
from offline.studies.simulated import load
from tests.offline.prepare.heard import heard_study


@pytest.fixture(scope="session")
def simulated_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "book.txt").write_text(".\n".join(sentences()[:60]))
    return simulate(
        folder / "study", subjects=2, minutes_train=0.3, minutes_valid=0.2, minutes_test=0.2, gain=10.0,
        recombined=4, text=folder / "book.txt",
    )  # fmt: skip


@pytest.fixture
def simulated(simulated_root):
    return load(simulated_root)


@pytest.fixture
def heard(tmp_path):
    (tmp_path / "raw").mkdir()
    return heard_study(tmp_path / "raw")
