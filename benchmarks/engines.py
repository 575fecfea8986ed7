"""Everything a hop costs, beside its target: encoder, retrieval, whole hop, pacing, start and memory.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/engines.py [--parts A,B] [--quick]

Published size: 208 sensors, 360 frames of 120 Hz, 1,300 candidates. One thread, random weights, every ratio
of one interleaved run (encoder_steps.py, retrieval.py have the details). Pacing and start are of processes of
their own without torch, on bundles of that size; the naive loop they are compared with is one eager window
and one float32 product with all candidates, every hop. A part that cannot run here says why. Exit code 1 when
a target is missed. The lines on GPUs say whether one was there.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

PARTS = ("encoder", "retrieval", "hop", "pacing", "engines", "int8", "gpu")
CANDIDATES, NATIVE, STRIDE = 1300, 150, 12


@dataclass(frozen=True)
class Line:
    """`target` above 0: at least; below 0: at most its absolute value; None: told, not demanded."""

    what: str
    value: float
    unit: str
    target: float | None = None

    @property
    def held(self) -> bool:
        if self.target is None:
            return True
        return self.value >= self.target if self.target > 0 else self.value <= -self.target

    def __str__(self) -> str:
        if self.target is None:
            return f"        {self.what:62}{self.value:10.3g} {self.unit}"
        verdict, sign = "held  " if self.held else "MISSED", ">=" if self.target > 0 else "<="
        return (
            f"{verdict}  {self.what:62}{self.value:10.3g} {self.unit:4} demanded {sign} {abs(self.target):g}"
        )


def encoder(rounds: int) -> list[Line]:
    """The encoder's ways to decide, from encoder_steps.py."""
    import torch
    from encoder_steps import ways

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        entries = ways(Path(folder), rounds)
        for k in range(rounds):
            for way in entries:
                way(k)
    named = {way.name: way for way in entries}
    p50 = {name: way.p50 for name, way in named.items()}
    eager, folded = p50["torch eager window"], p50["torch eager window, folded"]
    return [
        Line("onnx window / torch eager window", eager / p50["onnx window"], "x", 1.15),
        Line(
            "onnx incremental, hop 12 / eager folded",
            folded / p50["onnx incremental, hop 12"],
            "x",
            4.0,
        ),
        Line("onnx step, hop 12 / eager window", eager / p50["onnx step, hop 12"], "x", 18.0),
        Line("onnx step, hop 1", p50["onnx step, hop 1"], "ms", -2.5),
        Line("largest difference to float64", max(way.difference for way in entries), "std", -1e-4),
    ]


def retrieval(turns: int) -> list[Line]:
    """Scoring a bank, from retrieval.py."""
    from retrieval import beside_plain

    rows, agreed, said = beside_plain(np.random.default_rng(0), CANDIDATES, turns)
    lines = [
        Line(f"{row.what} ({row.candidates} candidates, {row.memory_mb:.0f} MB)", row.ratio, "x", row.target)
        for row in rows
    ]
    print("\n".join(["", *said, agreed]), file=sys.stderr)
    return lines


def hop(rounds: int) -> list[Line]:
    """One causal hop with its progressive ranking, beside the naive loop's, in turns."""
    import torch
    from encoder_steps import CHANNELS, FEATURES, SIZE, network, write_bundle
    from retrieval import Case, smooth

    from rtdecode.engines import open_session

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    naive_net, step_net = network(False), network(True).folded(0)
    few = 100  # the naive product's time grows with its candidates; all of them are 2 GB
    bank = rng.standard_normal((few, FEATURES * SIZE), np.float32)
    samples = rng.standard_normal((SIZE + STRIDE * rounds, CHANNELS), np.float32)
    encode: list[float] = []
    product: list[float] = []
    ours: list[float] = []
    stream = smooth(rng, CANDIDATES * NATIVE, FEATURES)
    ranking = Case(rng, stream, np.arange(CANDIDATES) * NATIVE).hop
    del stream
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        session = open_session(write_bundle(Path(folder) / "stream", step_net))
        for k in range(rounds):
            began = time.perf_counter()
            window = torch.from_numpy(samples[STRIDE * k : STRIDE * k + SIZE])[None]
            found = naive_net(window)["estimate"][0].numpy()
            middle = time.perf_counter()
            bank @ found.reshape(-1)
            done = time.perf_counter()
            encode.append(1e3 * (middle - began))
            product.append(1e3 * (done - middle) * CANDIDATES / few)
            began = time.perf_counter()
            session.run(samples[STRIDE * k : STRIDE * k + STRIDE])
            ranking()
            ours.append(1e3 * (time.perf_counter() - began))
    naive = float(np.median(encode) + np.median(product))
    cost = float(np.median(ours[3:]))
    return [
        Line(f"naive hop: eager window + product with {CANDIDATES}", naive, "ms"),
        Line("whole hop: causal step + progressive ranking", cost, "ms", -6.0),
        Line("whole hop / naive hop", naive / cost, "x", 20.0),
    ]


def busy() -> None:
    """One competitor: numbers, for ever."""
    while True:
        sum(range(10_000))


def pacing(seconds: float) -> list[Line]:
    """The causal step at its cadence in a process without torch: idle, then beside one busy process."""
    from encoder_steps import network, write_bundle

    from rtdecode.engines.probe import probe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        write_bundle(path, network(True).folded(0))
        idle = probe(path, "onnx", seconds=seconds)
        other = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
        other.start()
        try:
            beside = probe(path, "onnx", seconds=seconds)
        finally:
            other.terminate()
            other.join()
    return [
        Line(f"paced step, p50 of {idle.hops} hops", idle.p50_ms, "ms"),
        Line("paced p99 / p50, nothing else of ours", idle.p99_ms / idle.p50_ms, "x", -1.25),
        Line("paced p99 / p50 beside one busy process", beside.p99_ms / beside.p50_ms, "x", -2.5),
        Line("processor while pacing", idle.cpu, "core", -0.1),
        Line("process without torch: load", idle.start_s, "s", -0.5),
        Line("process without torch: memory", idle.rss_mb, "MB", -150.0),
    ]


def engines(seconds: float, only: list[str]) -> Iterator[Line]:
    """Every engine that runs here, on the published size, each in its own process; why the others do not."""
    from encoder_steps import network, write_bundle

    from rtdecode.engines import EVERY
    from rtdecode.engines.probe import probe

    every = [(name, "fp32") for name in EVERY] + [("openvino", "bf16"), ("onnx", "int8")]
    asked = [(name, precision) for name, precision in every if not only or name in only]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RTDECODE_CACHE"] = str(Path(folder) / "cache")
        paths = {"step": Path(folder) / "stream", "window": Path(folder) / "window"}
        write_bundle(paths["step"], network(True).folded(0))
        write_bundle(paths["window"], network(False).folded(0))
        for what, mode in (("step", None), ("window", None), ("window", "incremental")):
            for name, precision in asked:
                if precision != "fp32":  # what is made once is not what a session needs
                    probe(paths[what], name, mode=mode, precision=precision, seconds=0.0)
                found = probe(paths[what], name, mode=mode, precision=precision, seconds=seconds)
                if found.why:
                    print(f"        {mode or what}: {name} {precision}: {found.why}", file=sys.stderr)
                    continue
                said = f"{mode or what}, paced: {name} {precision}, {found.rss_mb:.0f} MB, p50"
                yield Line(said, found.p50_ms, "ms")


def int8(rounds: int) -> Iterator[Line]:
    """int8 beside float32, from int8.py: the trained demo's agreement, then time and size."""
    from int8 import BARE, demo, rows

    share, words = demo()
    print(f"        demo: {words}", file=sys.stderr)
    yield Line("demo in int8: held-out decisions with the same first ten", share, "", 0.99)
    for row in rows(rounds):
        alone = row.p50("float32") / row.p50(BARE)
        size = f"{row.mb['float32']:.0f} MB to {row.mb['int8']:.0f}; {BARE} {alone:.1f} x"
        print(f"        {row.name}: {row.share:.1%} of the products, {size}", file=sys.stderr)
        yield Line(f"{row.name}: float32 / int8", row.ratio, "x")


def gpu() -> list[Line]:
    """Says what there is: nothing of a GPU is measured by this program yet."""
    from rtdecode.engines.select import driver

    found = driver()
    said = f"driver {found}: use `rtdecode engines BUNDLE`" if found else "no GPU here"
    print(f"        on a GPU: not measured ({said})")
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--engines", default="", help="of the part engines: these (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: ratios are coarse")
    said = parser.parse_args()
    rounds, seconds = (15, 3.0) if said.quick else (40, 15.0)
    run: dict[str, Callable[[], Iterable[Line]]] = {
        "encoder": lambda: encoder(rounds),
        "retrieval": lambda: retrieval(5 if said.quick else 15),
        "hop": lambda: hop(rounds),
        "pacing": lambda: pacing(seconds),
        "engines": lambda: engines(min(seconds, 5.0), [n for n in said.engines.split(",") if n]),
        "int8": lambda: int8(rounds),
        "gpu": gpu,
    }
    missed = 0
    for name in said.parts.split(","):
        if name not in run:
            parser.error(f"there is no part {name!r}: {', '.join(PARTS)}")
        print(f"{name}:", flush=True)
        for line in run[name]():
            missed += not line.held
            print(line, flush=True)
    load = os.getloadavg()
    print(f"load {load[0]:.1f} now, {load[1]:.1f} in 5 min, {os.cpu_count()} cores; {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
