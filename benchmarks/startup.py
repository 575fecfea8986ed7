"""How soon the live decoder is ready and how much memory it holds, in processes of its own without torch.

    python benchmarks/startup.py [--rounds 7] [--bundle recordings/demo] [--no-live]

"import" is everything the core process imports (live/launch.py), "load" opens the bundle and compares its
network with the golden output; both from the first line of a fresh interpreter, modules compiled before as
any installation has them. Then it decodes waves until `HOPS` decisions, through all that a stream goes
through (no noise: numpy.random is no part of a decoder). In each round the same runs once more with
scipy.signal imported first, as the decoder once did. At last a real core decodes the replayed demo through
LSL. Exit code 1 where a target is missed, by the least time: what else the machine does only adds to it.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HOPS = 50
READY_S, RSS_MB = 0.5, 150.0
WAYS = ("rtdecode", "with scipy.signal")
FOREIGN = ("torch", "scipy.signal", "scipy.stats", "textual", "mne", "transformers", "pyxdf", "rapidfuzz")


def child(way: str, folder: str) -> dict[str, Any]:
    """One start, measured inside."""
    began, cpu = time.perf_counter(), time.process_time()
    sys.path.insert(0, str(ROOT))
    if way != WAYS[0]:
        import scipy.signal  # noqa: F401
    for name in ("live.launch", "live.core", "live.feed", "live.tape", "engines.onnx"):
        importlib.import_module(f"rtdecode.{name}")
    from rtdecode.bundle import load_bundle
    from rtdecode.engines import open_session
    from rtdecode.live.decoding import Decoding
    from rtdecode.live.usage import rss_mb
    from rtdecode.types import StreamInfo

    imported = time.perf_counter()
    bundle = load_bundle(folder)
    session = open_session(bundle)
    _ = bundle.language
    ready, cpu = time.perf_counter(), time.process_time() - cpu

    import numpy as np

    spec = bundle.spec
    units = (spec.stream.unit,) * len(spec.stream.labels)
    info = StreamInfo("waves", "EEG", spec.stream.labels, units, spec.stream.sfreq)

    class Counted:
        decisions = 0

        def decided(self, decision: object, began: float) -> None:
            self.decisions += 1

        def __getattr__(self, name: str) -> Any:
            raise SystemExit(f"the decoder says {name}")

    counted = Counted()
    decoding = Decoding(bundle, session, spec.stream.bind(info), info, counted)
    at, piece = 0, max(1, round(spec.hop_s * spec.stream.sfreq))
    scale, center = np.array(spec.preprocess.scale), np.array(spec.preprocess.center)
    while counted.decisions < HOPS:
        stamps = (at + np.arange(piece)) / spec.stream.sfreq
        waves = np.sin(np.outer(stamps, 2 * np.pi * (5.0 + np.sqrt(np.arange(len(scale))))))
        decoding.push((center + scale * waves).astype(np.float32), stamps)
        at += piece
    return {
        "import": imported - began,
        "load": ready - imported,
        "ready": ready - began,
        "cpu": cpu,
        "rss": rss_mb(),
        "foreign": [name for name in FOREIGN if name in sys.modules],
        "modules": len(sys.modules),
    }


def started(way: str, folder: Path, env: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", way, "--bundle", str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))


def live_core(folder: Path, recording: Path, env: dict[str, str], scratch: Path) -> tuple[float, float, int]:
    """Seconds from the spawn to the core's first word, its RSS in MB after `HOPS` decisions, its threads."""
    config = scratch / "lsl_api.cfg"
    config.write_text("[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n")
    env = {**env, "LSLAPICFG": str(config), "PYTHONPATH": str(ROOT)}
    os.environ.update(env)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.path.insert(0, str(ROOT))
    from rtdecode.live.config import CoreConfig
    from rtdecode.live.supervisor import Supervisor

    name = f"startup-{os.getpid()}"
    play = ["-m", "rtdecode", "replay", str(recording), "--stream", name, "--select", "EEG", "--speed", "max"]
    sender = subprocess.Popen(
        [sys.executable, *play], env=env, cwd=scratch, stderr=subprocess.PIPE, text=True
    )
    assert sender.stderr is not None
    try:
        while "waiting for a listener" not in (line := sender.stderr.readline()):
            if not line:
                raise SystemExit(f"{recording} cannot be replayed")
        began, first, decisions = time.perf_counter(), 0.0, 0
        with Supervisor(CoreConfig(str(folder), name, wait_s=20.0)) as core:
            while decisions < HOPS and not core.ended:
                for message in core.messages(0.2):
                    first = first or time.perf_counter() - began
                    decisions += message["kind"] == "decision"
            if decisions < HOPS:
                raise SystemExit(f"the core decided {decisions} times, then: {core.error}")
            status = Path(f"/proc/{core.pid}/status").read_text()
        held = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return first, int(held["VmRSS"].split()[0]) * 1024 / 1e6, int(held["Threads"])
    finally:
        sender.terminate()
        sender.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bundle", type=Path, default=ROOT / "recordings" / "demo")
    parser.add_argument("--no-live", action="store_true", help="leave out the core that decodes from LSL")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child, str(arguments.bundle))))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        env |= {"PYTHONPYCACHEPREFIX": scratch, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for turn in range(arguments.rounds + 1):
            for way in WAYS:
                figures = started(way, arguments.bundle, env)
                if turn:  # the first compiles the modules
                    runs[way].append(figures)
        missed = report(runs)
        demo = ROOT / "recordings" / "demo.xdf"
        if not arguments.no_live and arguments.bundle.resolve() == demo.with_suffix(""):
            first, rss, threads = live_core(arguments.bundle, demo, env, Path(scratch))
            missed |= rss > RSS_MB
            print(f"a live core: {first:.2f} s from spawn to its first word, {threads} threads,")
            print(f"  {rss:.0f} MB after {HOPS} decisions (at most {RSS_MB:g})")
    return int(missed)


def report(runs: dict[str, list[dict[str, Any]]]) -> bool:
    def median(way: str, what: str) -> float:
        return statistics.median(float(run[what]) for run in runs[way])

    print(
        f"{'median of ' + str(len(runs[WAYS[0]])) + ' starts':22}{'import s':>9}{'load s':>8}{'ready s':>9}",
        end="",
    )
    print(f"{'least s':>9}{'cpu s':>7}{'RSS MB':>8}{'modules':>9}")
    for way in WAYS:
        least = min(float(run["ready"]) for run in runs[way])
        print(f"{way:22}{median(way, 'import'):>9.2f}{median(way, 'load'):>8.2f}", end="")
        print(f"{median(way, 'ready'):>9.2f}{least:>9.2f}{median(way, 'cpu'):>7.2f}", end="")
        print(f"{median(way, 'rss'):>8.0f}{median(way, 'modules'):>9.0f}")
    now, before = WAYS
    ratios = median(before, "ready") / median(now, "ready"), median(before, "rss") / median(now, "rss")
    print(f"{'target':22}{'':26}{READY_S:>9.2f}{'':7}{RSS_MB:>8.0f}")
    print(f"ready {ratios[0]:.1f} x sooner, memory {ratios[1]:.2f} x smaller than with scipy.signal")
    foreign = sorted({name for run in runs[now] for name in run["foreign"]})
    print(f"of {', '.join(FOREIGN)} it imports: {', '.join(foreign) or 'none'}")
    soonest = min(float(run["ready"]) for run in runs[now])
    return bool(foreign) or soonest > READY_S or median(now, "rss") > RSS_MB


if __name__ == "__main__":
    sys.exit(main())
