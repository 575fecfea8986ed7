"""Scoring a bank of speech: every exact way beside the plain product, in turns of one run.

    python benchmarks/retrieval.py [--candidates 1300] [--many 10000] [--turns 15] [--json]

The plain way is one float32 product of 1024 features x 360 frames at 120 Hz with every candidate: by NumPy
and, where it is installed, by torch; ratios are to the faster. It needs about 1.5 MB a candidate; with less
memory free it is run on fewer, which is said, and its time scaled up. Features and estimates are random and
smooth in time; a twentieth of a query's energy is some candidate's own. Ratios are of the medians of
interleaved turns, one thread; the live search's are to whole windows. Exit code 1 when a target is missed.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from rtdecode.retrieval.coarse import Coarse, agreement
from rtdecode.retrieval.interpolate import Interpolation
from rtdecode.retrieval.segments import Filling, Segments
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec, Retriever
from rtdecode.types import Retrieved

FEATURES, HIDDEN, FRAMES, NATIVE, HOP = 1024, 640, 360, 150, 12
SFREQ, HOP_MS = 120.0, 100.0
TARGETS = {"one-shot, 50 Hz, folded": 3.3, "progressive, per hop": 50.0, "int8 + rerank": 7.0}
QUERIES = 100


@dataclass(frozen=True)
class Row:
    """ratio: to the plain product of as many candidates;  error: largest, in std of the scores."""

    what: str
    candidates: int
    ms: float
    ratio: float
    target: float | None
    error: float | None
    memory_mb: float


def smooth(rng: np.random.Generator, frames: int, width: int) -> np.ndarray:
    """(frames, width) float32 with a correlation of 0.8 from frame to frame."""
    x = rng.standard_normal((frames, width), np.float32)
    for n in range(1, frames):
        x[n] = 0.8 * x[n - 1] + 0.6 * x[n]
    return x


def free_mb() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 1024
    return 0.0


def medians(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Milliseconds of each, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(turns):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(1e3 * (time.perf_counter() - began))
    return {name: float(np.median(found)) for name, found in taken.items()}


class Case:
    """A folded bank of K slices and one query, the progressive way in the middle of its window."""

    def __init__(self, rng: np.random.Generator, stream: np.ndarray, firsts: np.ndarray):
        self.weight = (rng.standard_normal((FEATURES, HIDDEN)) / HIDDEN**0.5).astype(np.float32)
        self.bias = rng.standard_normal(FEATURES).astype(np.float32)
        self.plain = Segments(stream, firsts, Interpolation.nearest(NATIVE, FRAMES))
        self.folded = self.plain.folded(self.weight, self.bias)
        self.hidden = smooth(rng, FRAMES, HIDDEN)
        self.estimate = self.hidden @ self.weight.T + self.bias
        self.filling = Filling(self.folded, HOP)
        self._at = 0

    def hop(self) -> np.ndarray:
        """One hop of the progressive way; a new window when this one is full."""
        if self._at == FRAMES:
            self.filling.reset()
            self._at = 0
        self.filling.push(self.hidden[self._at : self._at + HOP])
        self._at += HOP
        return self.filling.scores()

    def queries(self, rng: np.random.Generator, count: int) -> list[np.ndarray]:
        """Hidden windows like `hidden`, with a twentieth of their energy some candidate's own."""
        found = []
        for k in rng.integers(len(self.folded), size=count):
            first = int(self.folded.firsts[k])
            own = self.folded.interpolation.apply(self.folded.slices.features[first : first + NATIVE])
            noise = smooth(rng, FRAMES, HIDDEN)
            found.append(
                (noise + 0.23 * own * (np.linalg.norm(noise) / np.linalg.norm(own))).astype(np.float32)
            )
        return found


def beside_plain(rng: np.random.Generator, candidates: int, turns: int) -> tuple[list[Row], str, list[str]]:
    """Separate segments, nothing shared: the way the published decoder keeps them."""
    said = []
    stream = smooth(rng, candidates * NATIVE, FEATURES)
    firsts = np.arange(candidates) * NATIVE
    case = Case(rng, stream, firsts)
    coarse = Coarse(case.folded)
    size = 4 * FRAMES * FEATURES / 2**20
    count = min(candidates, int((free_mb() - 2000) / size))
    if count < candidates:
        said.append(f"memory: the plain product is run on {count} of {candidates} candidates and scaled")
    bank = np.empty((count, FRAMES * FEATURES), np.float32)
    for k in range(count):
        bank[k] = case.plain.interpolation.apply(stream[k * NATIVE : (k + 1) * NATIVE]).ravel()
    inverse = 1 / np.sqrt(np.einsum("kd,kd->k", bank, bank, dtype=np.float64)).astype(np.float32)
    flat = case.estimate.ravel()
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: (bank @ flat) * inverse,
        "one-shot, 50 Hz": lambda: case.plain.scores(case.estimate),
        "one-shot, 50 Hz, folded": lambda: case.folded.scores(case.hidden),
        "progressive, per hop": case.hop,
        "int8 + rerank": lambda: coarse.top(case.hidden),
    }
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
        tensors = torch.from_numpy(bank), torch.from_numpy(flat), torch.from_numpy(inverse)
        ways["plain, torch"] = lambda: torch.mv(tensors[0], tensors[1]) * tensors[2]
    ms = medians(ways, turns)
    by = {name: ms.pop(name) * candidates / count for name in list(ms) if name.startswith("plain")}
    plain = min(by.values())
    exact = (bank @ flat) * inverse
    for _ in range((FRAMES - case.filling.held) // HOP):
        case.hop()
    found = {
        "one-shot, 50 Hz": case.plain.scores(case.estimate),
        "one-shot, 50 Hz, folded": case.folded.scores(case.hidden),
        "progressive, per hop": case.filling.scores(),
    }
    mb = {
        "one-shot, 50 Hz": stream.nbytes,
        "one-shot, 50 Hz, folded": case.folded.slices.features.nbytes,
        "progressive, per hop": case.folded.slices.features.nbytes,
        "int8 + rerank": coarse.nbytes + case.folded.slices.features.nbytes,
    }
    rows = [
        Row(f"{name}, 120 Hz", candidates, value, plain / value, None, 0.0, candidates * size)
        for name, value in sorted(by.items(), key=lambda item: item[1])
    ]
    for name, value in ms.items():
        error = float(np.abs(found[name][:count] - exact).max() / exact.std()) if name in found else None
        rows.append(Row(name, candidates, value, plain / value, TARGETS.get(name), error, mb[name] / 2**20))
    return rows, str(agreement(coarse, case.queries(rng, QUERIES))), said


def many(rng: np.random.Generator, candidates: int, turns: int, plain_ms: float) -> list[Row]:
    """Slices of one hour of speech that overlap, at no regular distance, as words begin. `plain_ms`: the
    plain product's time for one candidate.
    """
    frames = 50 * 3600
    stream = np.tile(smooth(rng, frames // 10, HIDDEN), (10, 1))
    firsts = np.sort(rng.integers(frames - NATIVE, size=candidates))
    segments = Segments(stream, firsts, Interpolation.nearest(NATIVE, FRAMES))
    hidden, filling, coarse = smooth(rng, FRAMES, HIDDEN), Filling(segments, HOP), Coarse(segments)
    at = iter(list(range(0, FRAMES, HOP)) * (turns + 1))

    def hop() -> np.ndarray:
        begin = next(at)
        if begin == 0:
            filling.reset()
        filling.push(hidden[begin : begin + HOP])
        return filling.scores()

    ways: dict[str, Callable[[], object]] = {
        "one-shot": lambda: segments.scores(hidden),
        "int8 + rerank": lambda: coarse.top(hidden),
        "progressive": hop,
    }
    ms = medians(ways, min(turns, 7))
    held = stream.nbytes + segments.inverses.nbytes
    said = f"slices of 1 h at 50 Hz, {HIDDEN} features"
    memory = {name: (held + (coarse.nbytes if "int8" in name else 0)) / 2**20 for name in ms}
    return [
        Row(f"{name}: {said}", candidates, value, plain_ms * candidates / value, None, None, memory[name])
        for name, value in ms.items()
    ]


def live(rng: np.random.Generator, candidates: int, turns: int) -> list[Row]:
    """The live decoder's ranking of phrases in an hour of speech: 16 features at 32 Hz, windows of 3 s, all
    offsets tried. Its ratio is to whole windows.
    """
    frames, window, hop = 32 * 3600, 96, 8
    stream, length = np.tile(smooth(rng, frames // 10, 16), (10, 1)), (frames - window) // candidates
    spans = tuple(Candidate(f"{k}", "", "", window + k * length, length, 0.0, 0.0) for k in range(candidates))
    bank, spec = Bank(stream, spans), RetrievalSpec(window, 0, "search", 20.0)
    whole, progressive = Retriever(spec, bank, 32.0), Retriever(spec, bank, 32.0, hop=hop)
    estimate = smooth(rng, window + hop * (turns + 1), 16)
    for retriever in (whole, progressive):
        retriever.push(estimate[:window], window)
    at = {id(whole): window, id(progressive): window}

    def next_hop(retriever: Retriever) -> Retrieved:
        stop = at[id(retriever)] = at[id(retriever)] + hop
        retriever.push(estimate[stop - hop : stop], stop)
        return retriever.rank()

    ms = medians(
        {"whole window": lambda: next_hop(whole), "progressive": lambda: next_hop(progressive)}, turns
    )
    first = ms["whole window"]
    held = {"whole window": window, "progressive": window // hop + 1 + hop + 1}
    error = float(np.abs(whole.scores() - progressive.scores()).max() / whole.scores().std())
    return [
        Row(
            f"live search of 1 h at 32 Hz, 16 features: {name}",
            candidates,
            value,
            first / value,
            None,
            error if name == "progressive" else 0.0,
            (2 * stream.nbytes + 4 * frames * (held[name] + 5)) / 2**20,
        )
        for name, value in ms.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidates", type=int, default=1300)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rows, agrees, said = beside_plain(rng, options.candidates, options.turns)
    slices = many(rng, options.many, options.turns, rows[0].ms / options.candidates)
    missed = [f"{row.what}: {row.ratio:.1f}" for row in rows if row.target and row.ratio < row.target]
    missed += [f"{row.what}: {row.ms:.0f} ms of {HOP_MS:.0f}" for row in slices[1:] if row.ms > HOP_MS]
    slices += live(rng, options.many, options.turns)
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows + slices], "int8": agrees, "missed": missed}))
        return bool(missed)
    print(f"{'':62}{'K':>7}{'ms':>9}{'ratio':>8}{'target':>8}{'error':>9}{'MB':>8}")
    for row in rows + slices:
        target = f"{row.target:g}" if row.target else ""
        error = "" if row.error is None else f"{row.error:.0e}"
        print(
            f"{row.what:62}{row.candidates:>7}{row.ms:>9.2f}{row.ratio:>8.1f}{target:>8}{error:>9}"
            f"{row.memory_mb:>8.0f}"
        )
    print(f"int8: {agrees}")
    for line in said + [f"missed: {what}" for what in missed]:
        print(line)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
