"""What viewers cost the decoder: the demo decoded live, watched and unwatched in turns of one session.

    python benchmarks/watch.py [--viewers 3] [--seconds 10] [--rounds 3]

Prints p50 and p99 of "readable to published" over the decisions of the watched and of the unwatched turns,
and their ratio. Exit code 1 where p99 watched is more than 5 % and 0.5 ms above.
"""

import argparse
import json
import queue
import re
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rtdecode.remote.address import parse  # noqa: E402
from rtdecode.remote.viewer import Viewer  # noqa: E402

SETTLE_S = 1.0  # after viewers came or went


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--viewers", type=int, default=3)
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--recordings", type=Path, default=ROOT / "recordings")
    asked = options.parse_args()
    name = f"bench-{uuid.uuid4().hex[:8]}"
    play = [
        sys.executable,
        "-m",
        "rtdecode",
        "replay",
        str(asked.recordings / "demo.xdf"),
        "--stream",
        name,
        "--loop",
    ]
    live = [
        sys.executable,
        "-m",
        "rtdecode",
        "live",
        "--headless",
        "--bundle",
        str(asked.recordings / "demo"),
    ]
    live += ["--stream", name, "--wait", "60", "--watch", "127.0.0.1:0"]
    with (
        subprocess.Popen(play, cwd=ROOT, stderr=subprocess.DEVNULL) as player,
        subprocess.Popen(
            live, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as decoder,
    ):
        try:
            return _measure(decoder, asked.viewers, asked.seconds, asked.rounds)
        finally:
            decoder.terminate()
            player.terminate()


def _measure(decoder: "subprocess.Popen[str]", viewers: int, seconds: float, rounds: int) -> int:
    assert decoder.stdout and decoder.stderr
    said = ""
    while not (found := re.search(r"rtdecode watch (\S+)", said)):
        said = decoder.stderr.readline()
    where = parse(found[1])
    threading.Thread(target=lambda: [None for _ in decoder.stderr], daemon=True).start()
    lines: queue.Queue[tuple[float, float]] = queue.Queue()

    def read() -> None:
        for line in decoder.stdout:
            lines.put((time.monotonic(), json.loads(line)["stage_ms"]["total"]))

    threading.Thread(target=read, daemon=True).start()
    lines.get()
    times: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 * rounds):
        watched = turn % 2 == 1
        looking = [Viewer(where).start() for _ in range(viewers if watched else 0)]
        start = time.monotonic() + SETTLE_S
        time.sleep(SETTLE_S + seconds)
        for viewer in looking:
            assert viewer.latest() is not None
            viewer.stop()
        while not lines.empty():
            at, ms = lines.get()
            if start <= at < start + seconds:
                times[watched].append(ms)
    p99 = {}
    for watched, values in times.items():
        p50, p99[watched] = np.percentile(values, (50, 99))
        words = f"{viewers} viewers" if watched else "unwatched"
        print(f"{words:<12} {len(values):6d} decisions  p50 {p50:6.2f}  p99 {p99[watched]:6.2f} ms")
    print(f"p99 watched / unwatched {p99[True] / p99[False]:.2f}")
    return int(p99[True] > 1.05 * p99[False] and p99[True] > p99[False] + 0.5)


if __name__ == "__main__":
    sys.exit(main())
