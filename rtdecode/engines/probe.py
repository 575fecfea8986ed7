"""One engine tried in a process of its own: what it costs to start, what it holds, how long a hop takes.

    python -m rtdecode.engines.probe BUNDLE ENGINE [--mode M --hop N --precision P --threads N --seconds S]

Prints one JSON object. A process of its own, because two libraries' thread pools slow each other down, memory
can only be told of a process, and a library that crashes must not take the others with it. Hops are paced as
a stream paces them: between two the caches go cold, as they do live.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Probe:
    """What was found; `why`: the reason in words where the engine does not run, then nothing else is set.

    start_s     from an interpreter that has imported nothing to a session whose golden output agrees
    p50_ms ...  of a paced hop;  rss_mb  largest resident memory;  cpu  cores used while pacing
    """

    engine: str
    precision: str
    mode: str = ""
    hop: int = 0
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    parity: float | None = None
    start_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    hops: int = 0
    rss_mb: float = 0.0
    cpu: float = 0.0
    why: str = ""


def probe(
    bundle: Path,
    engine: str,
    *,
    mode: str | None = None,
    hop: int | None = None,
    precision: str = "fp32",
    threads: int = 1,
    seconds: float = 3.0,
) -> Probe:
    """Try one engine in another process. A crash is a reason like any other."""
    command = [sys.executable, "-m", "rtdecode.engines.probe", str(bundle), engine]
    command += ["--precision", precision, "--threads", str(threads), "--seconds", str(seconds)]
    command += ["--mode", mode] if mode else []
    command += ["--hop", str(hop)] if hop else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S + seconds)
    except subprocess.TimeoutExpired:
        return Probe(engine, precision, why=f"it did not answer within {TIMEOUT_S:g} s")
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        lines = done.stderr.strip().splitlines() or [""]
        return Probe(engine, precision, why=f"its process ended with {how}: {lines[-1]}".rstrip(": "))
    return Probe(**json.loads(done.stdout.splitlines()[-1]))


def here(
    bundle_path: Path,
    engine: str,
    mode: str | None,
    hop: int | None,
    precision: str,
    threads: int,
    seconds: float,
) -> Probe:
    """The trial itself, in this process."""
    began = time.perf_counter()
    import numpy as np

    from rtdecode.bundle import load_bundle
    from rtdecode.engines import open_trial
    from rtdecode.engines.select import Feed, missing
    from rtdecode.errors import RtdecodeError

    if why := missing(engine):
        return Probe(engine, precision, why=why)
    try:
        bundle = load_bundle(bundle_path)
        session = open_trial(bundle, engine, threads, mode=mode, hop=hop, precision=precision)  # type: ignore[arg-type]
    except RtdecodeError as problem:
        return Probe(engine, precision, why=str(problem))
    start_s = time.perf_counter() - began
    info = session.info()
    feed, period = Feed(bundle, info), info.hop / bundle.spec.preprocess.sfreq
    session.run(feed(0))
    times: list[float] = []
    used, first = time.process_time(), time.perf_counter()
    for k in range(1, 1 + max(5, round(seconds / period))):
        if (wait := first + k * period - time.perf_counter()) > 0:
            time.sleep(wait)
        x, began = feed(k), time.perf_counter()
        session.run(x)
        times.append(1e3 * (time.perf_counter() - began))
    took = time.perf_counter() - first
    return Probe(
        engine,
        info.precision,
        info.mode,
        info.hop,
        info.device,
        dict(info.versions),
        info.parity,
        start_s,
        float(np.median(times)),
        float(np.percentile(times, 99)),
        len(times),
        _peak_mb(),
        (time.process_time() - used) / took,
    )


def _peak_mb() -> float:
    """Largest resident memory of this program; getrusage would count that of the process it came from."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # there is none on Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("engine")
    parser.add_argument("--mode")
    parser.add_argument("--hop", type=int)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    said = parser.parse_args()
    found = here(said.bundle, said.engine, said.mode, said.hop, said.precision, said.threads, said.seconds)
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
