"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real files (its README says what is there); a checkout without it skips these tests."""
    root = Path(os.environ.get("RTDECODE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real files at {root} (set RTDECODE_TEST_DATA)")
    return root
