"""Replay with planted faults before the screen in a real terminal: benchmarks/soak_screen.py runs it.

The session is a user's, `rtdecode live --record` in a pseudo-terminal, and nobody looks inside: what it
counted is read from what it wrote down and from what stands on its screen at the end, memory from the system.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.faulty_replay import FLAT, NAN, play, stretches
from rtdecode.bench.measure import stream_name
from rtdecode.bench.sender import Plan
from rtdecode.bench.soak import plant
from rtdecode.bench.terminal import SOON_S, Terminal, until
from rtdecode.bundle import load_bundle
from rtdecode.errors import StreamError
from rtdecode.session.tail import LineTail, SampleTail
from rtdecode.session.writer import EVENTS, SAMPLES

# Of the second half. Keeping every decision's line would grow by 8 at x20, every picture by more; two minutes
# after the start allocators still settle by 0.3 to 1.2, which five minutes later are 0.02 to 0.2.
SLOPE_MB_MIN = 2.0
COUNTERS = ("lost", "gaps", "restarts")


@dataclass(frozen=True)
class Outcome:
    """What was planted and what was found; each of `wrong` is a sentence.

    rss_mb, slope_mb_min  by process: memory of its own at the end, and its growth a minute after warming up
    """

    planted: dict[str, int]
    found: dict[str, int]
    wrong: tuple[str, ...]
    decisions: int
    seconds: float
    wall_s: float
    rss_mb: dict[str, float]
    slope_mb_min: dict[str, float]


@dataclass
class _Tally:
    """What the session wrote down."""

    runs: dict[int, list[int]] = field(default_factory=dict)  # run -> samples of each decision
    nan: int = 0
    flat: int = 0
    failed: list[str] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    def take(self, line: dict[str, Any]) -> None:
        if line["kind"] == "decision":
            self.runs.setdefault(line["run"], []).append(line["sample"])
        elif line["kind"] == "health":
            self.health = line
        elif line["kind"] == "error":
            self.failed.append(str(line.get("message")))
        elif line["kind"] == "event":
            self.nan += line["text"].startswith(f"not a number in {self.labels[NAN]}")
            # half a second that is flat in part may end at its extreme, and looks like a rail then
            plateau = (f"{self.labels[FLAT]} flat", f"{self.labels[FLAT]} railed")
            self.flat += line["level"] == "warn" and any(words in line["text"] for words in plateau)


def soak_screen(
    bundle: Path,
    data: np.ndarray,
    seconds: float,
    speed: float = 20.0,
    every_s: float = 30.0,
    settle_s: float = 8.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Play `data` (T, C), of the bundle's own channels, round and round for so many of its seconds."""
    spec = load_bundle(bundle).spec
    name, sfreq = stream_name(), spec.stream.sfreq
    plan = plant(seconds, sfreq, name, "", len(spec.stream.labels), every_s, settle_s)
    sizes = [len(index) for index in stretches(plan)]
    hop, tally = round(spec.hop_s * sfreq), _Tally(labels=spec.stream.labels)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="rtdecode-soak-") as folder:
        signal_file, log = Path(folder) / "signal.npy", Path(folder) / "log"
        np.save(signal_file, data.astype(np.float32))
        heard, said = context.Pipe()
        arguments = (plan, str(signal_file), (spec.stream.labels, spec.stream.unit), speed, said)
        sender = context.Process(target=play, args=arguments, daemon=True)
        sender.start()
        began = time.monotonic()
        told = [began]
        try:
            _await(heard, "the sender did not start")
            # at x20 a run is a quarter of a second: a stall as long would leave all of its hops out
            options = ["--bundle", str(bundle), "--stream", name, "--record", str(log), "--policy", "every"]
            with Terminal(["live", *options]) as screen:
                lines, arrived = LineTail(log / EVENTS), _Arrived(log / SAMPLES)

                def look() -> bool:
                    _hear(lines, tally)
                    screen.measure()
                    now = f"{sum(map(len, tally.runs.values()))} decisions, {screen.said()}"
                    if time.monotonic() - told[-1] > 15.0:
                        told.append(time.monotonic())
                        progress(f"{told[-1] - began:.0f} s, {now}")
                    return screen.alive and sender.is_alive()

                sent = _accompany(heard, sizes, arrived, look)
                lost = sum(count for _, count in plan.skip)
                expected = {"lost": lost, "gaps": len(plan.skip), "restarts": len(plan.away)}
                until(lambda: _settled(lines, tally, expected) or not screen.alive)
                wall_s = time.monotonic() - began
                screen.measure()
                drawn = screen.drawn_anew(expected)
                code, samples = screen.leave(), arrived()
                _hear(lines, tally)
        finally:
            sender.kill()
            sender.join()
    planted = {**expected, "nan": len(plan.nan), "flat": len(plan.flat),
               "runs": 1 + len(plan.skip) + len(plan.away)}  # fmt: skip
    found = {
        **{what: int(tally.health.get(what, -1)) for what in COUNTERS},
        "nan": tally.nan, "flat": tally.flat, "runs": len(tally.runs),
    }  # fmt: skip
    planted["samples"], found["samples"] = sum(sizes), samples
    planted["skipped"], missing = (
        int(tally.health.get("skipped", -1)),
        _missing(plan, tally.runs, hop, seconds),
    )
    found["skipped"] = missing
    wrong = [f"{what}: {n} planted, {found[what]} found" for what, n in planted.items() if n != found[what]]
    wrong += [f"the screen did not show {what}" for what in drawn]
    wrong += [] if sent else ["the sender did not finish"]
    wrong += [f"the decoder stopped: {message}" for message in tally.failed]
    wrong += [f"the screen ended with exit code {code}"] if code else []
    wrong += ["a traceback was drawn"] if screen.traceback else []
    return Outcome(
        planted, found, tuple(wrong), sum(map(len, tally.runs.values())), seconds, wall_s,
        screen.rss(), screen.slopes(),
    )  # fmt: skip


def _accompany(
    heard: Connection, sizes: list[int], arrived: Callable[[], int], look: Callable[[], bool]
) -> bool:
    """Until the sender has sent everything; whether it did. A stretch that is sent is let go when all of it
    arrived: closed before, what is under way would be lost."""
    sent, due = False, 0
    for size in sizes:
        while not heard.poll(0.25):
            if not look():
                return False
        sent, due = heard.recv(), due + size
        deadline = time.monotonic() + SOON_S
        while arrived() < due and look() and time.monotonic() < deadline:
            time.sleep(0.1)
        heard.send("go on")
    return sent


class _Arrived:
    """Samples that the session wrote down so far, and so has."""

    def __init__(self, path: Path):
        self._path = path
        self._tail: SampleTail | None = None

    def __call__(self) -> int:
        if self._tail is None and self._path.exists():
            self._tail = SampleTail(self._path)
        if self._tail is None:
            return 0
        self._tail.grow()
        return sum(self._tail.counts.values())


def _settled(lines: LineTail, tally: _Tally, expected: dict[str, int]) -> bool:
    """Whether the log says all that was planted; it says so every five seconds."""
    before = tally.health
    _hear(lines, tally)
    return tally.health is not before and all(tally.health.get(k) == v for k, v in expected.items())


def _hear(lines: LineTail, tally: _Tally) -> None:
    with suppress(OSError):  # not there yet, or taken away again
        while found := lines.grow():
            for line in found:
                tally.take(line)


def _missing(plan: Plan, runs: dict[int, list[int]], hop: int, seconds: float) -> int:
    """Decisions that were left out: every run has as many as its samples give, from the first full window."""
    breaks = sorted((*plan.skip, *plan.away))
    starts = [0, *(first + count for first, count in breaks)]
    stops = [*(first for first, _ in breaks), round(seconds * plan.sfreq)]
    first = min((samples[0] for samples in runs.values()), default=0)
    return sum(
        max(0, (stop - start - first) // hop + 1) - len(samples)
        for (_, samples), start, stop in zip(sorted(runs.items()), starts, stops, strict=False)
    )


def _await(heard: Connection, why: str) -> None:
    if not heard.poll(SOON_S):
        raise StreamError(why)
    heard.recv()
