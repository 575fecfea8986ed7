"""Property tests draw the same examples whenever `make test` runs, and new ones by hand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
DRAW = """
from hypothesis import given, strategies
import tests.conftest

@given(strategies.integers())
def draw(number):
    print(number)

draw()
"""


def drawn(profile: str) -> str:
    """What a property test is given in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        cwd=ROOT,
        env={**os.environ, "HYPOTHESIS_PROFILE": profile},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 100
    return done.stdout


@pytest.mark.parametrize(("profile", "same"), [("repeatable", True), ("exploring", False)])
def test_a_profile_decides_whether_examples_repeat(profile: str, same: bool) -> None:
    assert (drawn(profile) == drawn(profile)) == same


def test_the_tests_run_under_the_profile_that_was_asked_for() -> None:
    asked = os.environ.get("HYPOTHESIS_PROFILE", "exploring")
    assert settings.get_current_profile_name() == asked
    assert settings().derandomize == (asked == "repeatable")


def test_make_test_asks_for_the_one_that_repeats() -> None:
    (recipe,) = re.findall(r"^test:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert 'HYPOTHESIS_PROFILE="$${HYPOTHESIS_PROFILE-repeatable}"' in recipe
