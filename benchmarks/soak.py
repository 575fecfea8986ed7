"""An hour at 306 channels x 1 kHz with planted gaps, NaN, flat channels, disconnections; exact counts.

    python benchmarks/soak.py [--minutes 60] [--channels 306] [--sfreq 1000] [--every 30] [--json]

Exit code 1 when a sample is lost beyond the planted ones, a counter is not exact, or memory grows by more
than 1 MB/h after warming up (judged from ten minutes on).
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtdecode.bench.soak import SLOPE_MB_H, Outcome, soak
from rtdecode.config import to_json
from rtdecode.sources.lsl import quiet

JUDGED_MINUTES = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--channels", type=int, default=306)
    parser.add_argument("--sfreq", type=float, default=1000.0)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between planted faults")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    outcome = soak(
        60 * options.minutes,
        options.channels,
        options.sfreq,
        options.every,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    grew = outcome.slope_mb_h if options.minutes >= JUDGED_MINUTES else None
    missed = bool(outcome.wrong) or (grew is not None and grew > SLOPE_MB_H)
    print(json.dumps(to_json(outcome)) if options.json else "\n".join(lines(outcome, grew)))
    return int(missed)


def lines(outcome: Outcome, grew: float | None) -> list[str]:
    counts = ", ".join(f"{what} {outcome.found[what]} of {n}" for what, n in outcome.planted.items())
    slope = "too short to tell" if grew is None else f"{grew:+.2f} MB/h (bar {SLOPE_MB_H:g})"
    return [
        f"{outcome.seconds / 60:.1f} min, {outcome.decisions} decisions",
        f"found of planted: {counts}",
        f"memory {outcome.rss_mb:.0f} MB, {slope}; extra p99 {outcome.extra_p99_ms:.2f} ms; "
        f"CPU {100 * outcome.cpu:.0f} %",
        *(f"WRONG: {sentence}" for sentence in outcome.wrong),
        "every count is exact" if not outcome.wrong else f"{len(outcome.wrong)} counts are wrong",
    ]


if __name__ == "__main__":
    sys.exit(main())
