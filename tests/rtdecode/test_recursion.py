"""The compiled loop gives the public function's bits, however it was loaded; a strange one is not used."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import signal

from rtdecode import recursion as module
from rtdecode.filters import butterworth_band_pass

ROOT = Path(__file__).parents[2]

# A fresh interpreter: loads the loop in this order, runs it, says what it made and what came along.
RUN = """
import hashlib, sys
import numpy as np
{before}
from rtdecode.filters import butterworth_band_pass
from rtdecode.recursion import compiled, public
own = "scipy.signal" not in sys.modules
loop = {loop}
rng = np.random.default_rng(0)
sos = butterworth_band_pass(4, 1.0, 20.0, 256.0)
x, state = rng.normal(size=(3, 500)), rng.normal(size=(3, 4, 2))
loop(sos, x, state)
light = "scipy.signal" not in sys.modules
from scipy import signal
from scipy.signal._sosfilt import _sosfilt
import scipy.signal._signaltools as tools
y, _ = signal.sosfilt(sos, rng.normal(size=(3, 50)), zi=np.zeros((4, 3, 2)))
assert np.isfinite(y).all() and tools._sosfilt is _sosfilt
print(own, light, hashlib.sha256(x.tobytes() + state.tobytes()).hexdigest())
"""


def ran(before: str, loop: str) -> list[str]:
    code = RUN.format(before=before, loop=loop)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_same_bits_before_after_and_without_the_package() -> None:
    alone, alone_light, expected = ran("", "compiled()")
    assert (alone, alone_light) == ("True", "True")  # and scipy.signal works when it is imported later
    first, _, bits = ran("import scipy.signal", "compiled()")
    assert (first, bits) == ("False", expected)
    assert ran("", "public()") == ["True", "False", expected]


@pytest.mark.parametrize("order", [1, 2, 4, 7])
def test_in_place_is_what_the_public_function_returns(order: int) -> None:
    rng = np.random.default_rng(order)
    sos = butterworth_band_pass(order, 0.5, 25.0, 256.0)
    x, state = rng.normal(size=(5, 300)), rng.normal(size=(5, len(sos), 2))
    expected, after = signal.sosfilt(sos, x, zi=state.transpose(1, 0, 2))
    for loop in (module.compiled(), module.public()):
        assert loop is not None
        y, memory = x.copy(), state.copy()
        loop(sos, y, memory)
        assert np.array_equal(y, expected)
        assert np.array_equal(memory, after.transpose(1, 0, 2))


def no_module() -> SimpleNamespace:
    raise ImportError("it moved")


def renamed() -> SimpleNamespace:
    return SimpleNamespace()


def other_arguments() -> SimpleNamespace:
    return SimpleNamespace(_sosfilt=lambda sos, x: x)


def other_result() -> SimpleNamespace:
    def loop(sos: np.ndarray, x: np.ndarray, state: np.ndarray) -> None:
        module.public()(sos[::-1], x, state)

    return SimpleNamespace(_sosfilt=loop)


def no_state() -> SimpleNamespace:
    def loop(sos: np.ndarray, x: np.ndarray, state: np.ndarray) -> None:
        module.public()(sos, x, state.copy())

    return SimpleNamespace(_sosfilt=loop)


@pytest.mark.parametrize("strange", [no_module, renamed, other_arguments, other_result, no_state])
def test_a_loop_that_is_not_the_one_expected_is_not_used(strange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_module", strange)
    assert module.compiled() is None
    module.recursion.cache_clear()
    try:
        x, state = np.ones((1, 4)), np.zeros((1, 1, 2))
        module.recursion()(np.array([[1.0, 1.0, 0.0, 1.0, -0.5, 0.0]]), x, state)
        assert x.tolist() == [[1.0, 2.5, 3.25, 3.625]]
        assert state.tolist() == [[[2.8125, 0.0]]]
    finally:
        module.recursion.cache_clear()
