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

# Every part of scipy but its compiled loop for filters brings hundreds of modules and half a second or more.
SLOW = {f"scipy.{part}" for part in ("signal", "special", "fft", "linalg", "sparse", "stats", "io")}
SLOW |= {"pyxdf", "rapidfuzz", "transformers", "urllib.request", "asyncio", "concurrent.futures"}

# all that the core process loads until its first decision, and what a stream goes through
DECODES = """
import rtdecode.live.launch, rtdecode.live.core, rtdecode.live.feed, rtdecode.live.tape
import numpy as np
from rtdecode.bundle import load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.live.display import Display
from rtdecode.types import Chunk, StreamInfo
bundle = load_bundle("recordings/demo")
stream = bundle.spec.stream
info = StreamInfo("demo", "EEG", stream.labels, (stream.unit,) * len(stream.labels), stream.sfreq)
engine = Engine(bundle, stream.bind(info), open_session(bundle))
x = np.random.default_rng(0).normal(size=(4000, len(stream.labels))).astype(np.float32)
assert engine.push(Chunk(x, np.arange(4000) / stream.sfreq, 0))
Display(bundle.spec.preprocess, stream.labels).push(x, x)
"""


def loaded_by(statement: str) -> set[str]:
    """Full names of all modules."""
    code = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(found.stdout.split())


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import rtdecode.engine", {"torch", "textual", "mne", "pylsl", "offline", "models"}),
        ("import rtdecode.cli", {"torch", "textual", "mne", "pylsl", "onnxruntime", "offline", "models"}),
        ("import rtdecode.tui.app", {"torch", "mne", "pylsl", "onnxruntime", "offline", "models"}),
        ("import rtdecode.live.core", {"torch", "mne", "textual", "offline", "models"} | SLOW),
        pytest.param(DECODES, {"torch", "mne", "textual", "offline", "models", "onnx"} | SLOW, id="decodes"),
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
