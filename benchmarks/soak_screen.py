"""30 minutes of the demo recording at x20 before the screen in a pseudo-terminal, with planted faults.

    python benchmarks/soak_screen.py [--minutes 30] [--speed 20] [--every 30] [--json]

Gaps, NaN, flat channels and disconnections in turn. Exit code 1 when a counter of the log or of the screen is
not exact, when anything raises, or when the memory of a process grows by more than 2 MB a minute in the
second half (judged from one minute on).
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtdecode.bench.soak_screen import SLOPE_MB_MIN, Outcome, soak_screen
from rtdecode.config import to_json
from rtdecode.recordings import read

ROOT = Path(__file__).resolve().parent.parent
JUDGED_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="of the recording")
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--every", type=float, default=30.0, help="seconds of the recording between faults")
    parser.add_argument("--bundle", type=Path, default=ROOT / "recordings" / "demo")
    parser.add_argument("--recording", type=Path, default=ROOT / "recordings" / "demo.xdf")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write("[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n")
        config.flush()
        os.environ["LSLAPICFG"] = config.name
        outcome = soak_screen(
            options.bundle,
            read(options.recording).data,
            60 * options.minutes,
            options.speed,
            options.every,
            progress=lambda text: print(text, file=sys.stderr, flush=True),
        )
    grown = [what for what, slope in outcome.slope_mb_min.items() if slope > SLOPE_MB_MIN]
    judged = outcome.wall_s >= JUDGED_S
    print(json.dumps(to_json(outcome)) if options.json else "\n".join(lines(outcome, judged)))
    return int(bool(outcome.wrong) or (judged and bool(grown)))


def lines(outcome: Outcome, judged: bool) -> list[str]:
    counts = ", ".join(f"{what} {outcome.found[what]} of {n}" for what, n in outcome.planted.items())
    memory = "; ".join(
        f"{what} {mb:.0f} MB, {outcome.slope_mb_min.get(what, float('nan')):+.2f} MB/min"
        for what, mb in outcome.rss_mb.items()
    )
    bar = f"bar {SLOPE_MB_MIN:g}" if judged else "too short to judge"
    return [
        f"{outcome.seconds / 60:.1f} min in {outcome.wall_s:.0f} s, {outcome.decisions} decisions",
        f"found of planted: {counts}",
        f"memory: {memory} ({bar})",
        *(f"WRONG: {sentence}" for sentence in outcome.wrong),
        "every count is exact" if not outcome.wrong else f"{len(outcome.wrong)} counts are wrong",
    ]


if __name__ == "__main__":
    sys.exit(main())
