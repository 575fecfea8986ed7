"""What a pause costs: filter, ranking and line of a hop, at once and after doing nothing for a while.

    python benchmarks/cold.py [--channels 306] [--sfreq 1000] [--times 300]

A processor forgets what it held while it sleeps, and on a shared host also while it is awake: a neighbour
uses the same caches. Prints the median of each step in microseconds, after pauses of 0 to 19 ms that were
watched through (a loop that asks for samples) or slept through. Why the core rehearses: docs/decisions/0013.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pylsl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtdecode.bench.bundle import make_bench_bundle
from rtdecode.live.output import DecisionText
from rtdecode.preprocess import Preprocess
from rtdecode.retrieve import Retriever
from rtdecode.types import Decision

STEPS = ("filter", "ranking", "decision", "line")
PAUSES_MS = (0.0, 0.1, 0.25, 0.4, 1.0, 5.0, 19.0)
TOOK = {"preprocess": 0.1234, "infer": 0.5678, "heads": 0.0912, "total": 0.9876}


def steps(channels: int, sfreq: float) -> Callable[[], list[float]]:
    """Does each once, of a bundle as `rtdecode bench` uses it; seconds that each took."""
    with tempfile.TemporaryDirectory(prefix="rtdecode-cold-") as folder:
        bundle = make_bench_bundle(Path(folder) / "bundle", channels, sfreq)
    rng, spec, text = np.random.default_rng(0), bundle.spec.retrieval, DecisionText()
    bank, rate = bundle.bank, bundle.spec.frame_rate
    assert spec and bank
    preprocess, retriever = Preprocess(bundle.spec.preprocess), Retriever(spec, bank, rate)
    raw = rng.normal(size=(max(1, round(0.002 * sfreq)), channels)).astype(np.float32)
    estimate = rng.normal(size=(spec.frames, bank.features.shape[1])).astype(np.float32)

    def once() -> list[float]:
        times = [time.perf_counter()]
        preprocess.push(raw)
        times.append(time.perf_counter())
        retriever.push(estimate, spec.frames)
        ranked = retriever.rank()
        times.append(time.perf_counter())
        decision = Decision(3, 1, 1234, 1234.567891, ranked, None, TOOK)
        times.append(time.perf_counter())
        text.encode(decision, TOOK, 0.0)
        times.append(time.perf_counter())
        return np.diff(times).tolist()

    return once


def watch(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pylsl.local_clock()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--channels", type=int, default=306)
    parser.add_argument("--sfreq", type=float, default=1000.0)
    parser.add_argument("--times", type=int, default=300)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # one processor, as the core has
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    once = steps(options.channels, options.sfreq)
    for _ in range(300):
        once()
    print(f"{'pause, ms':>16}" + "".join(f"{name:>10}" for name in (*STEPS, "all")))
    for name, pause in (("watched", watch), ("slept", time.sleep)):
        for ms in PAUSES_MS[0 if pause is watch else 1 :]:
            rows = []
            for _ in range(options.times):
                if ms:
                    pause(1e-3 * ms)
                rows.append(once())
            median = 1e6 * np.median(rows, axis=0)
            print(f"{name:>9}{ms:7g}" + "".join(f"{us:10.1f}" for us in (*median, median.sum())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
