"""The recursion of second-order sections, run by scipy's compiled loop without importing scipy.signal.

scipy.signal takes about a second and 60 MB to import, its loop `_sosfilt` is one small extension module. It
is loaded by itself, by its full name, as `import` would once scipy.signal is there: whoever imports that
later gets the same module. It is used only after it agreed with a recursion written out here; where it is
missing, moved or different, the public `scipy.signal.sosfilt` gives the same bits. Knows nothing of filters'
purposes.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import ExtensionFileLoader, PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

import numpy as np

Recursion = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
"""(sos (sections, 6), x (C, T), state (C, sections, 2)), all float64 and contiguous: x and state in place."""

LOOP = "scipy.signal._sosfilt"


@cache
def recursion() -> Recursion:
    """The fastest loop that is here and right."""
    return compiled() or public()


def compiled() -> Recursion | None:
    """scipy's own loop, without the 40 µs of checks around it that cost more than a hop's filtering.

    None where it cannot be had without its package, or does not do what is expected.
    """
    try:
        loop: Recursion = _module()._sosfilt
        return loop if _right(loop) else None
    except Exception:  # private code of any version: whatever it raises, there is a public way
        return None


def public() -> Recursion:
    """The same by `scipy.signal.sosfilt`."""
    from scipy.signal import sosfilt

    def loop(sos: np.ndarray, x: np.ndarray, state: np.ndarray) -> None:
        x[:], after = sosfilt(sos, x, zi=state.transpose(1, 0, 2))
        state[:] = after.transpose(1, 0, 2)

    return loop


def _module() -> ModuleType:
    if LOOP in sys.modules:
        return sys.modules[LOOP]
    package = find_spec("scipy")  # looks where it is, imports nothing
    if package is None or not package.submodule_search_locations:
        raise ImportError("scipy is not a package on disk")
    folders = [str(Path(place) / "signal") for place in package.submodule_search_locations]
    spec = PathFinder.find_spec(LOOP, folders)
    if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
        raise ImportError(f"{LOOP} is not an extension module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _right(loop: Recursion) -> bool:
    """Whether two sections, two channels and a state come out as by the transposed direct form II."""
    sos = np.array([[0.5, 0.25, -0.125, 1.0, -0.5, 0.25], [1.0, -2.0, 1.0, 1.0, 0.75, 0.5]])
    x, state = np.array([[1.0, -2.0, 3.0], [0.5, 0.0, 8.0]]), np.arange(8.0).reshape(2, 2, 2)
    y, after = x.copy(), state.copy()
    for channel, memory in zip(y, after, strict=True):
        for t in range(len(channel)):
            for (b0, b1, b2, _, a1, a2), z in zip(sos, memory, strict=True):
                given, channel[t] = channel[t], b0 * channel[t] + z[0]
                z[:] = b1 * given - a1 * channel[t] + z[1], b2 * given - a2 * channel[t]
    loop(sos, x, state)
    return bool(np.allclose(x, y, rtol=1e-12) and np.allclose(state, after, rtol=1e-12))
