"""One measurement at a time: our core, our reader alone, the network alone; paced, or flooded.

Latency runs from the moment a sample was pushed in the sender's process. Every figure comes with the share
of a core it cost. Prints nothing.
"""

import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.probe import ProbedSupervisor, Stopwatch
from rtdecode.bench.push_log import PushLog
from rtdecode.bench.sender import INDEX_MODULO, Plan, sending
from rtdecode.errors import RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.priority import short_turns
from rtdecode.live.processor import keep_to, reserved

WARM_S = 1.0  # left out at the beginning of every measurement
SPARE_S = 20.0  # beyond the signal's length, for starting and stopping


@dataclass(frozen=True)
class Cell:
    """What is sent: channels at sfreq Hz, `chunk` samples per push, for `seconds` after warming up."""

    channels: int
    sfreq: float
    seconds: float

    @property
    def chunk(self) -> int:
        return max(1, round(self.sfreq / 1000))

    @property
    def name(self) -> str:
        return f"{self.channels} x {self.sfreq:g} Hz"


@dataclass(frozen=True)
class Times:
    """Milliseconds, and what they cost. cpu: share of one core; lost: samples that never came."""

    p50: float
    p99: float
    max: float
    n: int
    cpu: float = 0.0
    lost: int = 0
    more: dict[str, float] = field(default_factory=dict)


def times_of(ms: np.ndarray, cpu: float = 0.0, lost: int = 0, **more: float) -> Times:
    """Exact quantiles; RtdecodeError of nothing."""
    if not len(ms):
        raise RtdecodeError(
            "nothing was measured: no sample arrived", hint="`rtdecode doctor` looks for the cause"
        )
    p50, p99 = np.quantile(ms, [0.5, 0.99])
    return Times(float(p50), float(p99), float(ms.max()), len(ms), cpu, lost, more)


def stream_name() -> str:
    return f"rtdecode-bench-{uuid.uuid4().hex[:8]}"


def decoder(cell: Cell, bundle: Path, watcher: Callable[[Any], None] | None = None) -> Times:
    """The whole core, as `rtdecode live` runs it. p50, p99: "extra", pushed to published minus inference.

    more     decode_*, infer_*: pushed to published, and the network's own part; around_*: pushed to published
             without all decoding: the last filtering, the network, the ranking; inside_*: readable to
             published without the network; cpu_alone: the core's CPU without the network; skipped hops;
             stage_*: as the core has them
    watcher  called about fifteen times a second with the supervisor, as a screen would
    """
    name, total_s = stream_name(), WARM_S + cell.seconds
    log = PushLog(cell.chunk, round(total_s * cell.sfreq) // cell.chunk + 1)
    watch = Stopwatch(round(200 * total_s) + 1000)
    plan = Plan(name, log.name, cell.channels, cell.sfreq, total_s, cell.chunk, index=False)
    try:
        with (
            reserved(CoreConfig(str(bundle), name, wait_s=15.0, processor="auto")) as config,
            sending(plan) as said,
            ProbedSupervisor(config, watch) as core,
        ):
            used = _CpuOf(core.pid)
            deadline = time.monotonic() + total_s + SPARE_S
            while not said.poll() and core.alive and time.monotonic() < deadline:
                core.messages(1 / 15)
                if watcher:
                    watcher(core)
                used.from_stamp(log.start, WARM_S)
            cpu = used.share()
            core.messages(0.2)
            last, core_error = core.latest(), core.error
            core.stop()
            if core_error:
                raise core_error
            rows, pushed, start, telemetry = watch.rows(), log.pushed, log.start, core.telemetry
            index = np.rint((rows[:, 0] - start) * cell.sfreq).astype(int) if len(rows) else np.zeros(0, int)
            warm = (index >= WARM_S * cell.sfreq) & (index < pushed)
            rows, index = rows[warm], index[warm]
            decode_ms = 1e3 * (rows[:, 1] - log.times(index))
    finally:
        log.stop()
        log.close()
        watch.close()
    extra_ms = decode_ms - rows[:, 2]
    around_ms = extra_ms - rows[:, 5] - rows[:, 7]
    if not len(rows):
        times_of(extra_ms)
    infer_share = float(rows[:, 2].sum()) / 1e3 / cell.seconds
    inside = telemetry.get("extra", {})
    health = last.health if last else None
    return times_of(
        extra_ms,
        cpu,
        _lost(index, rows[:, 4], rows[:, 3]) + (health.lost if health else 0),
        decode_p50=float(np.quantile(decode_ms, 0.5)),
        decode_p99=float(np.quantile(decode_ms, 0.99)),
        infer_p50=float(np.quantile(rows[:, 2], 0.5)),
        infer_p99=float(np.quantile(rows[:, 2], 0.99)),
        inside_p50=float(inside.get("p50", 0.0)),
        inside_p99=float(inside.get("p99", 0.0)),
        around_p50=float(np.quantile(around_ms, 0.5)),
        around_p99=float(np.quantile(around_ms, 0.99)),
        around_max=float(around_ms.max()),
        decode_max=float(decode_ms.max(initial=0.0)),
        inside_max=float(inside.get("max", 0.0)),
        cpu_alone=max(0.0, cpu - infer_share),
        skipped=float(health.skipped if health else 0),
        **{f"stage_{name}_p50": float(h["p50"]) for name, h in telemetry.items()},
        **{f"stage_{name}_p99": float(h["p99"]) for name, h in telemetry.items()},
    )


def _lost(index: np.ndarray, sample: np.ndarray, run: np.ndarray) -> int:
    """Samples that the core did not count although they were sent: index and count must go together."""
    lost = 0
    for r in np.unique(run):
        behind = (index - sample)[run == r]
        lost += int(behind[-1] - behind[0])
    return lost


class _CpuOf:
    """CPU of another process from /proc, in ticks of 10 ms; 0 where there is none."""

    def __init__(self, pid: int | None):
        self._path = Path(f"/proc/{pid}/stat")
        self._first: tuple[float, float] | None = None

    def _read(self) -> tuple[float, float] | None:
        try:
            fields = self._path.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return time.monotonic(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def from_stamp(self, start: float, after_s: float) -> None:
        """Begin to count `after_s` after the stream's first sample."""
        if self._first is None and start and time.monotonic() > start + after_s:
            self._first = self._read()

    def share(self) -> float:
        last = self._read()
        if self._first is None or last is None or last[0] <= self._first[0]:
            return 0.0
        return (last[1] - self._first[1]) / (last[0] - self._first[0])


def flood(cell: Cell, bundle: Path) -> Times:
    """As fast as the core takes it, without loss. p50: how many times real time; n: decisions."""
    name = stream_name()
    chunk = 20 * cell.chunk
    log = PushLog(chunk, round(cell.seconds * cell.sfreq) // chunk + 1)
    watch = Stopwatch(round(200 * cell.seconds) + 1000)
    plan = Plan(name, log.name, cell.channels, cell.sfreq, cell.seconds, chunk, flood=True, index=False)
    try:
        with (
            reserved(CoreConfig(str(bundle), name, wait_s=15.0, processor="auto")) as config,
            sending(plan),
            ProbedSupervisor(config, watch) as core,
        ):
            total = round(cell.seconds * cell.sfreq) // chunk * chunk
            hop = 0.03 * cell.sfreq
            began, deadline, quiet_since, before = 0.0, time.monotonic() + 60.0, time.monotonic(), 0
            while core.alive and time.monotonic() < deadline:
                for message in core.messages(0.01):
                    if message["kind"] == "decision":
                        log.taken = max(log.taken, round((message["t"] - log.start) * cell.sfreq) + 1)
                now = time.monotonic()
                began = began or (now if log.pushed else 0.0)
                if log.taken != before:
                    before, quiet_since = log.taken, now
                if log.taken >= total - hop or (began and now - quiet_since > 10.0):
                    break
            elapsed = time.monotonic() - began
            error, last = core.error, core.latest()
            rows, taken, start = watch.rows(), log.taken, log.start
        if error:
            raise error
        index = np.rint((rows[:, 0] - start) * cell.sfreq).astype(int)
        health = last.health if last else None
        lost = _lost(index, rows[:, 4], rows[:, 3]) + (health.lost if health else 0)
        lost += max(0, total - round(hop) - taken)
        speed = taken / cell.sfreq / elapsed
    finally:
        log.stop()
        log.close()
        watch.close()
    return Times(speed, speed, speed, len(rows), 0.0, lost, {"samples_per_s": taken / elapsed})


# --- consumers that only read, and the network alone: each in a process of its own


def spawned(work: Callable[..., None], *arguments: Any, timeout_s: float) -> Any:
    """What `work(connection, *arguments)` sends from a process of its own; RtdecodeError if nothing."""
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(said, *arguments), daemon=True)
    process.start()
    said.close()
    try:
        if not heard.poll(timeout_s):
            raise RtdecodeError(f"a process of the bench did not answer within {timeout_s:.0f} s")
        result = heard.recv()
    except EOFError as problem:
        raise RtdecodeError("a process of the bench ended without a result") from problem
    finally:
        process.kill()
        process.join()
        heard.close()
    if isinstance(result, str):
        raise RtdecodeError(result)
    return result


def consumer(cell: Cell, work: Callable[..., None], *more: Any) -> Times:
    """Latency of a consumer that only reads: `work(connection, stream name, log name, cell, *more)`.

    It sends rows of (newest index, seconds at which it was readable), samples read, and its CPU share.
    """
    name, total_s = stream_name(), WARM_S + cell.seconds
    log = PushLog(cell.chunk, round((total_s + 5) * cell.sfreq) // cell.chunk + 1)
    plan = Plan(name, log.name, cell.channels, cell.sfreq, total_s + 5, cell.chunk)
    try:
        with sending(plan):
            rows, lost, cpu = spawned(work, name, log.name, cell, *more, timeout_s=total_s + SPARE_S)
            log.stop()
        index = rows[:, 0].astype(int)
        ms = 1e3 * (rows[:, 1] - log.times(index))
    finally:
        log.stop()
        log.close()
    return times_of(ms, cpu, lost)


def reading(said: Connection, name: str, log_name: str, cell: Cell) -> None:
    """Our own source, every sample as it comes."""
    from rtdecode.sources.lsl import LslSource, Wanted, quiet, resolve, select

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet()
    source = LslSource(select(resolve(), Wanted(name)))
    rows: list[tuple[float, float]] = []
    read = first = last = 0
    until = cpu = wall = 0.0
    while not until or time.monotonic() < until:
        data, _ = source.pull(1, 0.05)
        now = time.monotonic()
        if not len(data):
            continue
        if not until:
            until, wall, cpu, first = now + cell.seconds, now, time.process_time(), int(data[0, 0])
        last = int(data[-1, 0])
        read += len(data)
        rows.append((last, now))
    share = (time.process_time() - cpu) / (time.monotonic() - wall)
    lost = (last - first + 1) % INDEX_MODULO - read
    said.send((np.array(rows[len(rows) // 10 :]), lost, share))
    os._exit(0)


def inference(cell: Cell, bundle: Path) -> Times:
    """The network alone, woken at the same cadence, placed as the core is; cpu: its own share of a core."""
    with reserved(CoreConfig(str(bundle), processor="auto")) as config:
        ms, cpu = spawned(_infer, config, cell.seconds, timeout_s=cell.seconds + SPARE_S)
    return times_of(ms, cpu)


def _infer(said: Connection, config: CoreConfig, seconds: float) -> None:
    keep_to(config.processor)
    short_turns()
    from rtdecode.bundle import load_bundle
    from rtdecode.engines import open_session

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bundle = load_bundle(config.bundle)
    session = open_session(bundle)
    x = np.ascontiguousarray(bundle.golden["x"][0])
    hops = round(seconds / bundle.spec.hop_s)
    ms, cpu = np.zeros(hops), 0.0
    due = time.monotonic()
    for k in range(hops):
        due += bundle.spec.hop_s
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        began, used = time.perf_counter(), time.thread_time()
        session.run(x)
        ms[k] = 1e3 * (time.perf_counter() - began)
        cpu += time.thread_time() - used
    said.send((ms[min(10, hops // 2) :], cpu / seconds))
    os._exit(0)
