"""Inner loops that a decision waits for, compiled (`_*.c`) where there was a compiler at installation.

A processor that sleeps between hops finds its caches cold, and an interpreter then takes three to five times
as long: what follows the network in 0.1 ms when it is repeated takes 0.4 ms at the end of a hop. Everything
here has a twin in Python where it is used, which gives the same to rounding; `use(False)` has the twins run.

    Chain(sos, settled, phases, up, down, centre, scale, clamp).push(x, out), .reset()
        band-pass (sections, 6), its settled state (sections, 2), resampling filters (up, L), newest input
        last, all float64; (T, C) float32 or float64 -> (T', C) float32 in `out`, as preprocess. RuntimeError
        where two threads push at once
    Search(features, inverse, cuts, frames, width).scores(window, out)
        (T, F) float32, (T - frames + 1,) float32, (2 K,) int64; (frames, F) float32 -> (K,) float64 in `out`,
        as retrieval.window.WholeSearch. ValueError where sizes do not fit
    Search.first(window, sharpness, count)
        `top` of these scores
    top(scores, sharpness, count)
        (K,) float64 -> the first `count` <= MOST: candidates, scores, probabilities; as retrieval.ranking
    finite(values)
        of any shape, float32 or float64 -> whether there are only numbers, as quality.all_finite
    splice(form, numbers, pieces)
        `form` (bytes), where byte 1 and a byte i stand for number i of `numbers` (bytes, a JSON array), and
        byte 2 and a byte i for pieces[i] (a list of bytes); as live.output. ValueError where there is none
"""

import contextlib
import os
from collections.abc import Iterator
from types import ModuleType

MOST = 64  # candidates that `top` can give

_found: ModuleType | None
try:
    from rtdecode import _kernels as _found  # type: ignore[attr-defined,no-redef,unused-ignore]
except ImportError:  # no compiler, or another Python's
    _found = None

_VARIABLE, _PYTHON = "RTDECODE_KERNELS", "python"
_used = os.environ.get(_VARIABLE) != _PYTHON


def use(compiled: bool) -> None:
    """Whether what is made from now on uses compiled code, where there is any."""
    global _used
    _used = compiled


@contextlib.contextmanager
def children_in_python() -> Iterator[None]:
    """Processes started meanwhile use what is written in Python."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = _PYTHON
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE)
        if before is not None:
            os.environ[_VARIABLE] = before


def kernels() -> ModuleType | None:
    """The compiled module, or None: use what is written in Python."""
    return _found if _used else None


def available() -> bool:
    """Whether there is compiled code here."""
    return _found is not None
