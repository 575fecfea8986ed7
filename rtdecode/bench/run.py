"""The whole bench: every cell of the grid, rounds of all consumers one after the other, and the verdict.

Consumers take turns within a round, so that what else the machine does hits them alike; p50 is the median
over rounds, p99 the best round (what the code can do) beside the median one. Prints nothing.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtdecode import kernels
from rtdecode.bench import compare, measure
from rtdecode.bench.bundle import make_bench_bundle
from rtdecode.bench.measure import Cell, Times
from rtdecode.bench.stalls import Stalls, stalls, together
from rtdecode.bundle import load_bundle
from rtdecode.errors import ConfigError, RtdecodeError

GRID = "64x1000,208x1000,306x1000,256x30000"
FLOOD_S = 20.0
EXTRA_P50_MS, EXTRA_P99_MS, CPU_SHARE, TIMES_FASTER = 0.25, 0.5, 0.15, 20.0
BARE = "a bare loop: no filter, no ranking; extra"
PLAIN = "rtdecode, nothing compiled: extra"
WIDE = 300  # channels from which on the bars were set


@dataclass(frozen=True)
class Row:
    """One consumer in one cell, over all rounds. unit: "ms", or "x" for multiples of real time."""

    cell: str
    who: str
    p50: float
    p99_best: float
    p99_median: float
    max: float
    cpu: float
    lost: int
    unit: str = "ms"


@dataclass(frozen=True)
class Report:
    """rows; bars: (what, measured, bar, held); notes: what was not measured and why; load: before, after.

    stalls  of a loop that did nothing else, between the rounds: what the machine takes from everybody
    """

    rows: tuple[Row, ...]
    bars: tuple[tuple[str, float, float, bool], ...]
    notes: tuple[str, ...]
    load: tuple[float, float]
    cores: int
    stalls: Stalls


def parse_grid(text: str) -> tuple[tuple[int, float], ...]:
    """ "64x1000,306x1000" -> channels and Hz; ConfigError for anything else."""
    cells = []
    for item in text.split(","):
        channels, _, sfreq = item.strip().lower().partition("x")
        try:
            cell = int(channels), float(sfreq)
        except ValueError:
            cell = (0, 0.0)
        if not (1 <= cell[0] <= 10_000 and 100 <= cell[1] <= 100_000):
            raise ConfigError(
                f"--grid has {item.strip()!r}",
                hint="give CHANNELSxHZ, separated by commas, e.g. 64x1000,306x1000",
            )
        cells.append(cell)
    return tuple(cells)


def run(
    grid: str = GRID,
    seconds: float = 5.0,
    rounds: int = 3,
    bundle: Path | None = None,
    flood: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure everything. `bundle`: decode with this one instead; the grid is then its channels and rate."""
    before = _load()
    rows: list[Row] = []
    bars: list[tuple[str, float, float, bool]] = []
    notes: list[str] = [] if compare.available() else [compare.MISSING]
    held_up: list[Stalls] = []
    if bundle:
        stream = load_bundle(bundle).spec.stream
        cells = [Cell(len(stream.labels), stream.sfreq, seconds)]
    else:
        cells = [Cell(channels, sfreq, seconds) for channels, sfreq in parse_grid(grid)]
    for cell in cells:
        with _bundle_for(cell, bundle) as path:
            found, problems = _cell(cell, path, rounds, progress, held_up)
            notes += problems
            rows += [_row(cell, who, times) for who, times in found.items()]
            bars += _bars(cell, found)
            if flood:
                progress(f"{cell.name}: flood")
                speed = measure.flood(Cell(cell.channels, cell.sfreq, FLOOD_S), path)
                rows.append(
                    Row(cell.name, "flood", speed.p50, speed.p50, speed.p50, speed.max, 0.0, speed.lost, "x")
                )
                bars.append((f"{cell.name}: lost in flood", speed.lost, 0, speed.lost == 0))
    load = before, _load()
    return Report(tuple(rows), tuple(bars), tuple(notes), load, os.cpu_count() or 0, together(held_up))


@contextmanager
def _bundle_for(cell: Cell, given: Path | None) -> Iterator[Path]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="rtdecode-bench-") as folder:
        path = Path(folder) / "bundle"
        make_bench_bundle(path, cell.channels, cell.sfreq)
        yield path


def _cell(
    cell: Cell, bundle: Path, rounds: int, progress: Callable[[str], None], held_up: list[Stalls]
) -> tuple[dict[str, list[Times]], list[str]]:
    found: dict[str, list[Times]] = {}
    problems: list[str] = []
    for r in range(rounds):
        progress(f"{cell.name}: round {r + 1} of {rounds}")
        held_up.append(stalls())
        decoded = measure.decoder(cell, bundle)
        more = decoded.more
        found.setdefault("rtdecode: extra over inference", []).append(decoded)
        for who, key in (
            ("rtdecode: of it inside, readable to published", "inside"),
            ("rtdecode: extra over filter, network, ranking", "around"),
            ("rtdecode: pushed to decision", "decode"),
        ):
            times = Times(more[f"{key}_p50"], more[f"{key}_p99"], more[f"{key}_max"], decoded.n, decoded.cpu)
            found.setdefault(who, []).append(times)
        if kernels.available():
            with kernels.children_in_python():
                found.setdefault(PLAIN, []).append(measure.decoder(cell, bundle))
        found.setdefault("inference alone, same cadence", []).append(measure.inference(cell, bundle))
        found.setdefault("rtdecode: reading alone", []).append(measure.consumer(cell, measure.reading))
        found.setdefault(BARE, []).append(compare.bare_loop(cell, bundle))
        if compare.available() and not problems:
            who = f"mne_lsl.StreamLSL.get_data(), buffer {compare.buffer_s(cell.sfreq):g} s"
            try:
                found.setdefault(who, []).append(measure.consumer(cell, compare.stream_lsl))
            except RtdecodeError as problem:
                found.pop(who)
                problems.append(f"{cell.name}: {problem}")
    return found, problems


def _row(cell: Cell, who: str, times: list[Times]) -> Row:
    def median(values: list[float]) -> float:
        return float(np.median(values))

    p99 = [t.p99 for t in times]
    return Row(
        cell.name,
        who,
        median([t.p50 for t in times]),
        min(p99),
        median(p99),
        median([t.max for t in times]),
        median([t.cpu for t in times]),
        max(t.lost for t in times),
    )


def _bars(cell: Cell, found: dict[str, list[Times]]) -> list[tuple[str, float, float, bool]]:
    ours = found["rtdecode: extra over inference"]
    lost = max(t.lost for t in ours)
    bars = [(f"{cell.name}: samples lost", float(lost), 0.0, lost == 0)]
    if cell.sfreq <= 2000 and cell.channels >= WIDE:
        p50, p99 = min(t.p50 for t in ours), min(t.p99 for t in ours)
        cpu = min(t.more["cpu_alone"] for t in ours)
        bars += [
            (f"{cell.name}: extra p50 ms, best round", p50, EXTRA_P50_MS, p50 <= EXTRA_P50_MS),
            (f"{cell.name}: extra p99 ms, best round", p99, EXTRA_P99_MS, p99 <= EXTRA_P99_MS),
            (f"{cell.name}: CPU without inference", cpu, CPU_SHARE, cpu <= CPU_SHARE),
        ]
    theirs = next((times for who, times in found.items() if "StreamLSL" in who), [])
    if theirs and cell.channels >= WIDE:
        reading = float(np.median([t.p50 for t in found["rtdecode: reading alone"]]))
        ratio = float(np.median([t.p50 for t in theirs])) / reading
        bars.append((f"{cell.name}: StreamLSL p50 / our reading", ratio, TIMES_FASTER, ratio >= TIMES_FASTER))
    return bars


def _load() -> float:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return 0.0
