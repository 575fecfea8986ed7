"""`rtdecode bench`: latency, throughput and cost on this machine, beside other ways to do it, in one run."""

import json
import sys
from pathlib import Path

from rtdecode.bench.run import GRID, Report, Row, run
from rtdecode.commands.streams import table
from rtdecode.config import to_json
from rtdecode.sources.lsl import quiet

QUICK_GRID = "64x1000,306x1000"


def run_bench(
    *,
    quick: bool = False,
    grid: str | None = None,
    seconds: float | None = None,
    rounds: int | None = None,
    bundle: Path | None = None,
    as_json: bool = False,
) -> int:
    """Measure and print; returns 1 when samples were lost, 0 otherwise. Bars missed are printed, not fatal:
    a loaded machine misses them.

    quick    two cells, one round of 3 s, no flood
    grid     CHANNELSxHZ, ...;  bundle  decode with this one, at its own channels and rate
    """
    quiet()
    report = run(
        grid or (QUICK_GRID if quick else GRID),
        seconds or (3.0 if quick else 5.0),
        rounds or (1 if quick else 3),
        bundle,
        flood=not quick,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    if as_json:
        print(json.dumps(to_json(report), ensure_ascii=False))
    else:
        print("\n".join(text(report)))
    return int(any("lost" in what and not held for what, _, _, held in report.bars))


def text(report: Report) -> list[str]:
    """The report as lines."""
    lines = []
    cells = list(dict.fromkeys(row.cell for row in report.rows))
    for cell in cells:
        lines += [cell, *_cell([row for row in report.rows if row.cell == cell]), ""]
    lines += [
        f"{'held  ' if held else 'MISSED'}  {what}: {value:.3g} (bar {bar:g})"
        for what, value, bar, held in report.bars
    ]
    lines += [f"note: {note}" for note in report.notes]
    load = f"load {report.load[0]:.1f} before, {report.load[1]:.1f} after, {report.cores} cores"
    lines.append(f"{load}; p50 is the median round, p99 the best / the median round")
    return [*lines, f"between the rounds a loop that does nothing else was {report.stalls}"]


def _cell(rows: list[Row]) -> list[str]:
    head = ("", "p50", "p99", "max", "CPU", "lost")
    return ["  " + line for line in table([head, *(_words(row) for row in rows)])]


def _words(row: Row) -> tuple[str, ...]:
    if row.unit == "x":
        return (row.who + ", times real time", f"{row.p50:.1f} x", "", "", "", str(row.lost))
    p99 = f"{row.p99_best:.2f} / {row.p99_median:.2f} ms"
    return (row.who, f"{row.p50:.2f} ms", p99, f"{row.max:.1f} ms", f"{100 * row.cpu:.0f} %", str(row.lost))
