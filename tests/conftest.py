"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# That a machine is busy is no failure: no example has a deadline. `make test` asks for "repeatable", so that
# a red run is a change's own doing; by hand every run draws other examples.
_ANY_PACE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", _ANY_PACE, derandomize=False)
settings.register_profile("repeatable", _ANY_PACE, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "exploring"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real files (its README says what is there); a checkout without it skips these tests."""
    root = Path(os.environ.get("RTDECODE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real files at {root} (set RTDECODE_TEST_DATA)")
    return root
