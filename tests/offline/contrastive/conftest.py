"""The planted study of windows and a run of its first two listeners, made once for all tests that ask."""

import pytest

from offline.contrastive.train import train
from tests.offline.contrastive.exported import lab, streaming, windowed  # noqa: F401
from tests.offline.contrastive.planted import windows_of


@pytest.fixture(scope="session")
def planted_windows(tmp_path_factory):
    """(configuration, prepared study, its features)."""
    return windows_of(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="session")
def planted_run(planted_windows, tmp_path_factory):
    """Its directory."""
    return train(*planted_windows, tmp_path_factory.mktemp("run") / "run")
