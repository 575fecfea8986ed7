"""Hours of streaming with planted faults, and an account of every sample: benchmarks/soak.py runs it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rtdecode.bench.bundle import make_bench_bundle
from rtdecode.bench.measure import stream_name
from rtdecode.bench.push_log import PushLog
from rtdecode.bench.sender import CONSUMER_S, Plan, sending
from rtdecode.live.config import CoreConfig
from rtdecode.live.supervisor import Supervisor

SETTLE_S = 8.0  # before the first fault
SLOPE_MB_H = 1.0
WARM_SHARE = 0.2  # of the run, before memory is judged


@dataclass(frozen=True)
class Outcome:
    """What was planted and what was found. Each of `wrong` is a sentence; empty when every count is exact."""

    planted: dict[str, int]
    found: dict[str, int]
    wrong: tuple[str, ...]
    decisions: int
    seconds: float
    slope_mb_h: float | None
    rss_mb: float
    extra_p99_ms: float
    cpu: float


@dataclass
class _Tally:
    """What the core said."""

    runs: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # run -> (sample, index)
    nan: int = 0
    flat: int = 0
    rss: list[tuple[float, float]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


def plant(
    seconds: float,
    sfreq: float,
    name: str,
    log: str,
    channels: int,
    every_s: float,
    settle_s: float = SETTLE_S,
) -> Plan:
    """A plan with a fault every `every_s` seconds: a gap, NaN, a flat channel, a disconnection, in turn."""
    kinds: dict[str, list[tuple[int, int]]] = {"skip": [], "nan": [], "flat": [], "away": []}
    length = {"skip": 0.25, "nan": 0.02, "flat": 2.0, "away": 0.5}
    at, turn = settle_s, 0
    while at + length["flat"] + settle_s / 2 < seconds:
        kind = list(kinds)[turn % len(kinds)]
        share = 1.0 + turn // len(kinds) % 3  # of different lengths
        kinds[kind].append((round(at * sfreq), round(share * length[kind] * sfreq)))
        at, turn = at + every_s, turn + 1
    skip, nan, flat, away = (tuple(spans) for spans in kinds.values())
    return Plan(name, log, channels, sfreq, seconds, index=False, skip=skip, nan=nan, flat=flat, away=away)


def soak(
    seconds: float,
    channels: int = 306,
    sfreq: float = 1000.0,
    every_s: float = 30.0,
    settle_s: float = SETTLE_S,
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Stream, decode, watch as a screen would, and compare every count with what was planted."""
    name, log = stream_name(), PushLog(1, round(seconds * sfreq) + 1)
    plan = plant(seconds, sfreq, name, log.name, channels, every_s, settle_s)
    tally = _Tally()
    try:
        with tempfile.TemporaryDirectory(prefix="rtdecode-soak-") as folder:
            bundle = Path(folder) / "bundle"
            hop = round(make_bench_bundle(bundle, channels, sfreq).spec.hop_s * sfreq)
            with sending(plan) as said, Supervisor(CoreConfig(str(bundle), name, wait_s=15.0)) as core:
                began = told = time.monotonic()
                deadline = began + 1.5 * seconds + CONSUMER_S
                while not said.poll() and core.alive and time.monotonic() < deadline:
                    _hear(core, tally, log.start, sfreq, 1 / 15)
                    core.latest()
                    if time.monotonic() - told > 60.0:
                        told = time.monotonic()
                        progress(
                            f"{(told - began) / 60:.0f} min, {sum(map(len, tally.runs.values()))} decisions"
                        )
                sent = said.poll()
                for _ in range(10):  # what is still under way
                    _hear(core, tally, log.start, sfreq, 0.05)
                last, error = core.latest(), core.error
                core.stop()
                telemetry = core.telemetry
    finally:
        log.stop()
        log.close()
    if error:
        raise error
    health = last.health if last else None
    found = {
        "lost": health.lost if health else -1,
        "gaps": health.gaps if health else -1,
        "restarts": health.restarts if health else -1,
        "nan": tally.nan,
        "flat": tally.flat,
        "runs": len(tally.runs),
    }
    planted = {
        "lost": sum(count for _, count in plan.skip),
        "gaps": len(plan.skip),
        "restarts": len(plan.away),
        "nan": len(plan.nan),
        "flat": len(plan.flat),
        "runs": 1 + len(plan.skip) + len(plan.away),
    }
    wrong = [
        f"{what}: {planted[what]} planted, {found[what]} found"
        for what in planted
        if planted[what] != found[what]
    ]
    wrong += [] if sent else ["the sender did not finish"]
    missing, problems = account(plan, tally.runs, hop, round(seconds * sfreq))
    wrong += problems
    found["skipped"], planted["skipped"] = health.skipped if health else -1, missing
    if found["skipped"] != missing:
        wrong.append(f"{missing} decisions are missing, {found['skipped']} are counted as skipped")
    return Outcome(
        planted,
        found,
        tuple(wrong),
        sum(map(len, tally.runs.values())),
        seconds,
        _slope(tally.rss),
        tally.rss[-1][1] if tally.rss else 0.0,
        float(telemetry.get("extra", {}).get("p99", 0.0)),
        health.cpu if health else 0.0,
    )


def _hear(core: Supervisor, tally: _Tally, start: float, sfreq: float, timeout_s: float) -> None:
    for message in core.messages(timeout_s):
        if message["kind"] == "decision":
            index = round((message["t"] - start) * sfreq) + 1
            tally.runs.setdefault(message["run"], []).append((message["sample"], index))
        elif message["kind"] == "health":
            tally.rss.append((message["t"], message["rss_mb"]))
        elif message["kind"] == "event":
            tally.events.append(message["text"])
            tally.nan += message["text"].startswith("not a number in ch0001")
            tally.flat += message["level"] == "warn" and "ch0002 flat" in message["text"]


def account(
    plan: Plan, runs: dict[int, list[tuple[int, int]]], hop: int, total: int
) -> tuple[int, list[str]]:
    """Decisions left out, and what is wrong. Every run must begin where a planted fault ends and count every
    sample.

    runs  by number, (sample, index of the sender) of each decision
    """
    wrong: list[str] = []
    missing = 0
    first = min((decisions[0][0] for decisions in runs.values()), default=0)  # a full window
    breaks = sorted((*plan.skip, *plan.away))
    starts = [0, *(first + count for first, count in breaks)]
    stops = [*(first for first, _ in breaks), total]
    for (run, decisions), start, stop in zip(sorted(runs.items()), starts, stops, strict=False):
        samples = np.array([sample for sample, _ in decisions])
        indices = np.array([index for _, index in decisions])
        if (indices - samples != start).any():
            worst = int(np.abs(indices - samples - start).max())
            wrong.append(f"run {run} should begin at sample {start}: its count is off by {worst}")
        if ((samples - first) % hop).any() or (np.diff(samples) < hop).any():
            wrong.append(f"run {run}: decisions are not a hop of {hop} samples apart")
        missing += (stop - start - first) // hop + 1 - len(samples)
    return missing, wrong


def _slope(rss: list[tuple[float, float]]) -> float | None:
    """MB per hour after warming up; None of too little."""
    warm = [(t, mb) for t, mb in rss if t > WARM_SHARE * rss[-1][0]]
    if len(warm) < 8:
        return None
    t, mb = np.array(warm).T
    return float(np.polyfit(t / 3600, mb, 1)[0])
