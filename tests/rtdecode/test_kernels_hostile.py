"""Nothing that compiled kernels are handed brings the process down: each in a process that may crash.

Why it matters: C that reads beyond an array does not raise: it ends a session, or decides nonsense.
"""

import pytest

from tests.kernels_here import compiled_only, run_python

# What would end the process, were it not refused: in a process of its own.
HOSTILE = {
    "samples of no bytes": "expect(chain_of().push, np.empty(3, np.dtype([])), float32(4, 3))",
    "scores of no bytes": "expect(compiled().top, np.empty(3, np.dtype([])), 1.0, 1)",
    "numbers of no bytes": "expect(compiled().finite, np.empty(3, np.dtype([])))",
    "numbers of no shape": "assert compiled().finite(np.zeros(())) and compiled().finite(np.float32(1))",
    "numbers that are repeated": """
from numpy.lib.stride_tricks import as_strided
assert compiled().finite(as_strided(np.ones(1), (3, 5), (0, 0)))
assert not compiled().finite(as_strided(np.array([1, np.nan])[1:], (3, 5), (0, 0)))
""",
    "an interval without end": """
chain = expect(chain_of, phases=np.ones((1, 4)), up=1, down=2**63 - 1)
if chain:
    expect(chain.push, np.zeros((5000, 3)), float32(0, 3))
""",
    "cuts changed later": """
cuts = np.array([0, 3, 2, 7])
search = search_of(cuts=cuts)
cuts[:] = 2**40, 2**41, 2**40, 2**41
expect(search.scores, float32(4, 2), np.zeros(2))
""",
    "scores into the cuts": """
cuts = np.array([0, 3, 2, 7])
search = search_of(cuts=cuts)
for _ in range(3):
    expect(search.scores, np.random.default_rng(0).normal(size=(4, 2)).astype("f4"), cuts[2:].view("f8"))
""",
    "sizes whose product wraps": """
expect(search_of, width=2**59 + 1, frames=1, inverse=np.ones(32, "f4"), cuts=np.array([0, 32]))
expect(search_of, width=2**60 - 1, frames=1, inverse=np.ones(16, "f4"), cuts=np.array([0, 16]))
""",
    "one chain, many threads": """
from threading import Thread
chain, x = chain_of(centre=np.zeros(64), scale=np.ones(64)), np.zeros((3000, 64))
def push():
    for _ in range(20):
        expect(chain.push, x, float32(2000, 64), also=RuntimeError)
        expect(chain.reset, also=RuntimeError)
threads = [Thread(target=push) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
""",
}
PRELUDE = """
import numpy as np
from tests.kernels_here import NO_SUCH_ARGUMENT, chain_of, compiled, float32, search_of

def expect(call, *args, also=ValueError, **kwargs):
    try:
        return call(*args, **kwargs)
    except (*NO_SUCH_ARGUMENT, also):
        return None
"""


@compiled_only
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_brings_the_process_down(name: str) -> None:
    done = run_python(PRELUDE + HOSTILE[name] + "\nprint('alive')", RTDECODE_KERNELS="")
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr
