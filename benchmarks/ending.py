"""How long does it take to stop? Ctrl-C and SIGTERM at moments from loading to decoding and recording.

    python benchmarks/ending.py [--times 10] [--json]

Starts `rtdecode live --headless --record` on the demo, replayed as a stream, sends the signal after a random
time, and waits for the end. Prints how long that took, whether a process stayed, and whether the log opens.
Bar: 2 s, nothing left, every log that was begun readable.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtdecode.errors import RtdecodeError
from rtdecode.session.reader import SessionLog

ROOT = Path(__file__).resolve().parent.parent
DEMO, NAME = ROOT / "recordings" / "demo", f"rtdecode-ending-{os.getpid()}"
BAR_S, LONGEST_S, EARLIEST_S, LATEST_S = 2.0, 30.0, 0.05, 8.0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rtdecode", *arguments]


def children(parent: int) -> set[int]:
    """Every process below it, as /proc has them now."""
    found, parent_of = {parent}, dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent_of[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    for pid in sorted(parent_of):  # a parent is older than its child, whose number is higher
        if parent_of[pid] in found:
            found.add(pid)
    return found - {parent}


def once(moment_s: float, number: int, folder: Path) -> tuple[float, int, bool]:
    """Seconds to the end, processes left, whether the log opens (or none was begun)."""
    log = folder / "log"
    process = subprocess.Popen(
        command("live", "--headless", "--bundle", str(DEMO), "--stream", NAME, "--record", str(log)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    below = set[int]()
    try:
        time.sleep(moment_s)
        below, began = children(process.pid), time.monotonic()
        process.send_signal(number)
        process.wait(LONGEST_S)
        # the last of its helpers, Python's resource tracker, ends once it sees the others gone
        while (took := time.monotonic() - began) < BAR_S and any(map(alive, below)):
            time.sleep(0.01)
    except subprocess.TimeoutExpired:
        process.kill()
        took = LONGEST_S
    return took, sum(map(alive, below)), not (log / "session.json").exists() or opens(log)


def alive(pid: int) -> bool:
    """A process that ended and that nobody has asked about yet (Z) is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def opens(log: Path) -> bool:
    try:
        SessionLog(log)
    except RtdecodeError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--times", type=int, default=10, help="of each signal (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    moments, rows = random.Random(options.seed), list[tuple[str, float, float, int, bool]]()
    stream = command("replay", str(DEMO.with_suffix(".xdf")), "--stream", NAME, "--loop")
    with subprocess.Popen(stream, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                for _ in range(options.times):
                    moment_s = moments.uniform(EARLIEST_S, LATEST_S)
                    with tempfile.TemporaryDirectory(prefix="rtdecode-ending-") as folder:
                        rows.append((number.name, moment_s, *once(moment_s, number, Path(folder))))
        finally:
            sender.send_signal(signal.SIGTERM)
    took = sorted(row[2] for row in rows)
    held = took[-1] <= BAR_S and not any(row[3] for row in rows) and all(row[4] for row in rows)
    if options.json:
        keys = ("signal", "after_s", "took_s", "left", "readable")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
        return int(not held)
    for name, moment_s, took_s, left, readable in rows:
        note = f"{left} processes left" * bool(left) + " log cannot be read" * (not readable)
        print(f"{name:<8} after {moment_s:4.1f} s: ended in {took_s:4.2f} s {note}")
    load = os.getloadavg()[0]
    said = f"p50 {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s (bar {BAR_S:g}), load {load:.1f}"
    print(f"{'held' if held else 'MISSED'}: {said}")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
