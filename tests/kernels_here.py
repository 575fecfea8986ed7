"""What tests of compiled kernels share: either kind of a thing, and arguments that fit.

Imported by name, and by processes that may crash.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from rtdecode import kernels
from rtdecode.retrieval.bank import Candidate

ROOT = Path(__file__).parents[1]
NO_SUCH_ARGUMENT = (ValueError, TypeError, BufferError)
compiled_only = pytest.mark.skipif(
    not kernels.available(), reason="no compiled kernels here (no compiler at installation)"
)
Made = TypeVar("Made")


@pytest.fixture(autouse=True, scope="module")
def kernels_used() -> Iterator[None]:
    """Compiled code is used here whatever the environment says, and afterwards what was before."""
    before = kernels._used
    kernels.use(True)
    yield
    kernels.use(before)


@contextmanager
def in_python() -> Iterator[None]:
    kernels.use(False)
    try:
        yield
    finally:
        kernels.use(True)


def twins(make: Callable[[], Made]) -> tuple[Made, Made]:
    """Compiled, and in Python."""
    compiled = make()
    with in_python():
        return compiled, make()


def compiled() -> Any:
    found = kernels.kernels()
    assert found is not None
    return found


def chain_of(**changes: Any) -> Any:
    """A chain of 3 channels, 2 sections, 2 phases of 4 taps."""
    fits = {
        "sos": np.tile([1.0, 0, 0, 1, 0, 0], (2, 1)),
        "settled": np.zeros((2, 2)),
        "phases": np.ones((2, 4)),
        "up": 2,
        "down": 3,
        "centre": np.zeros(3),
        "scale": np.ones(3),
        "clamp": 20.0,
    }
    return compiled().Chain(**{**fits, **changes})


def search_of(**changes: Any) -> Any:
    """A search of windows of 4 frames of 2 features, 7 of them, for 2 candidates."""
    fits = {
        "features": np.ones((10, 2), np.float32),
        "inverse": np.ones(7, np.float32),
        "cuts": np.array([0, 3, 2, 7]),
        "frames": 4,
        "width": 2,
    }
    return compiled().Search(**{**fits, **changes})


def float32(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
    )


def candidates(texts: list[str]) -> list[Candidate]:
    return [Candidate(f"c{k}", text, "a %s book", k, 9, 1.5 * k, 0.25) for k, text in enumerate(texts)]
