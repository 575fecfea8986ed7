"""One planted session for all that is said of it. It is only read: what changes a log changes a copy."""

from pathlib import Path

import pytest

from rtdecode.bundle import Bundle
from rtdecode.report.facts import Session, gather
from rtdecode.session.reader import SessionLog
from tests.bundles import make_bundle
from tests.session_logs import write_session


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("report") / "tiny")


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    return write_session(tmp_path_factory.mktemp("report") / "log", bundle)


@pytest.fixture(scope="session")
def session(log: Path) -> Session:
    return gather(SessionLog(log))
