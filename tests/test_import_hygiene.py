"""Who may know whom, checked at run time: static graphs cannot see a deferred import.

Why it matters: the live decoder must start in about a second on a machine without torch, and its core must be
usable without a screen or a network.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import models
import offline
import rtdecode

ROOT = Path(__file__).parents[1]


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(found.stdout.split())


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import rtdecode.engine", {"torch", "textual", "mne", "pylsl", "offline", "models"}),
        ("import rtdecode.cli", {"torch", "textual", "mne", "pylsl", "onnxruntime", "offline", "models"}),
        ("import rtdecode.tui.app", {"torch", "mne", "pylsl", "onnxruntime", "offline", "models"}),
        ("import rtdecode.live.core", {"torch", "mne", "textual", "offline", "models"}),
        ("import offline.cli", {"torch", "textual", "mne", "pylsl"}),
        ("import models", {"rtdecode", "offline", "mne", "scipy", "pylsl", "textual", "transformers"}),
    ],
)
def test_imports_stay_light(statement: str, forbidden: set[str]) -> None:
    assert not loaded_by(statement) & forbidden


def test_the_packages_are_ours() -> None:
    # `models` and `offline` are common names: another package of that name must not be picked up
    here = Path(rtdecode.__file__).parents[1]
    assert Path(models.__file__).parents[1] == here
    assert Path(offline.__file__).parents[1] == here
