"""`rtdecode live`: on the screen, or headless: decisions as JSON lines on stdout, words on stderr."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtdecode.commands.interrupted import Interrupted
from rtdecode.histogram import Histogram
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import reserved
from rtdecode.live.recorder import recorded
from rtdecode.live.supervisor import CoreStopped, Supervisor
from rtdecode.remote.address import Address
from rtdecode.remote.publisher import published
from rtdecode.snapshot import Snapshot
from rtdecode.wording import counted

POLL_S = 0.1  # how soon a signal or the end of --duration is seen


def run_headless(
    config: CoreConfig,
    *,
    duration_s: float | None = None,
    decisions: int | None = None,
    record: Path | None = None,
    watch: Address | None = None,
    core: Callable[[CoreConfig], Supervisor] = Supervisor,
) -> int:
    """Decode until the duration, the number of decisions, a signal, or the reader of stdout ends it.

    duration_s  seconds from the first decision;  record: directory of a session log to write
    watch       where to publish the pictures for `rtdecode watch`;  core: what decodes, when not live

    Returns 0; 1 when the decoder broke. Raises RtdecodeError for what the user can mend.
    """
    times = Histogram()
    with (
        Interrupted() as interrupted,
        reserved(config) as config,
        recorded(config, record, say) as fed,
        core(fed) as decoder,
        published([decoder], watch) as seen,
    ):
        if seen:
            say(f"elsewhere: {seen.command}")
        try:
            said = _print_decisions(decoder, interrupted, duration_s, decisions, times)
        except KeyboardInterrupt:  # the second Ctrl-C: whoever should read stdout does not
            forget_stdout()
            raise
        last = decoder.latest()
        error = decoder.error
    if error:
        return _broken(error)
    if decoder.rescored:
        say(decoder.rescored)
    if last:
        say(summary(said, last, times))
    return 0


def summary(said: int, last: Snapshot, times: Histogram) -> str:
    """What a session came to, in one line. times: of the decisions said; the last picture may be older."""
    total = last.health.stages.get("total")
    p50, p99 = (total.p50, total.p99) if total else (times.quantile(0.5), times.quantile(0.99))
    delays = f"readable to published p50 {p50:.2f} ms p99 {p99:.2f} ms, " if said else ""
    return f"{counted(said, 'decision')}, {delays}runs {last.run}, samples lost {last.health.lost}"


def _print_decisions(
    core: Supervisor,
    interrupted: Interrupted,
    duration_s: float | None,
    decisions: int | None,
    times: Histogram,
) -> int:
    said, until = 0, float("inf")
    while not (interrupted.seen or core.ended) and time.monotonic() < until:
        for message in core.messages(POLL_S):
            if dropped := message.pop("dropped", 0):
                say(f"this reader is too slow: {dropped} lines were left out")
            if message.pop("kind") != "decision":
                tell(message)
                continue
            if not said and duration_s is not None:
                until = time.monotonic() + duration_s
            try:
                print(json.dumps(message, ensure_ascii=False), flush=True)
            except BrokenPipeError:  # `| head` has seen enough
                forget_stdout()
                return said
            said += 1
            times.add(message["stage_ms"]["total"])
            if said == decisions:
                return said
    return said


def _broken(error: Exception) -> int:
    if not isinstance(error, CoreStopped):
        raise error
    print(f"{error.trace}error: {error}", file=sys.stderr)
    return 1


def tell(message: dict[str, Any], who: str = "") -> None:
    """An event, a change of state or the state of health, as one line for people. who: of several decoders"""
    who = f"{who}: " if who else ""
    if "level" in message:
        say(f"{who}{message['level']}: {message['text']}", message["t"])
    elif "stages" in message:
        rate = f"{message['rate_hz']:.1f} of {message['nominal_hz']:g} Hz"
        counts = f"load {100 * message['load']:.0f} %, late {message['late']}, lost {message['lost']}"
        stages = ", ".join(f"{k} {q['p50']:.2f} / {q['p99']:.2f}" for k, q in message["stages"].items())
        say(
            f"{who}{message['state']}, {rate}, {counts}; p50 / p99 in ms: {stages or 'none yet'}",
            message["t"],
        )
    elif "state" in message:
        run = f", run {message['run']}" if message["run"] else ""
        say(who + message["state"] + run, message["t"])


def say(text: str, t: float | None = None) -> None:
    with contextlib.suppress(OSError):  # nobody reads stderr: decode on
        print(f"[{t:8.1f} s] {text}" if t is not None else f"rtdecode: {text}", file=sys.stderr, flush=True)


def forget_stdout() -> None:
    """Nobody reads stdout any more: keep the interpreter's last flush from complaining."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
