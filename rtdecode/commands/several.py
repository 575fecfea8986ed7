"""`rtdecode live` with several streams or several bundles: JSON lines of all, or one screen for all."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rtdecode.commands.interrupted import Interrupted
from rtdecode.commands.live import POLL_S, forget_stdout, say, summary, tell
from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import each_reserved
from rtdecode.live.several import Member, Running, Several, members
from rtdecode.live.supervisor import CoreStopped
from rtdecode.remote.address import Address
from rtdecode.remote.publisher import Published, published
from rtdecode.snapshot import Snapshot

BATCHED = "batched"  # the engine that several cores share


def run_several(
    config: CoreConfig,
    *,
    streams: str | None,
    bundles: Sequence[Path],
    headless: bool,
    duration_s: float | None = None,
    decisions: int | None = None,
    record: Path | None = None,
    watch: Address | None = None,
    sessions: Path = Path("sessions"),
) -> int:
    """`rtdecode live` of several. streams: names between commas; None: config's one, with several bundles.

    watch  where to publish the pictures of the first; the others have the ports after it
    ConfigError for what cannot be asked of several.
    """
    if streams is not None and (config.stream or config.source_id or config.where):
        raise ConfigError(
            "--streams names all streams; --stream, --source-id and --where speak of one",
            hint="use one or the other",
        )
    if streams is None and config.stream is None:
        raise ConfigError("several bundles need the name of their stream", hint="--stream NAME")
    names = [config.stream or ""] if streams is None else [name.strip() for name in streams.split(",")]
    with (
        _placed(members(config, names, bundles, record)) as placed,
        _batched(placed, bundles, record) as planned,  # its process keeps off the cores' processors, too
    ):
        if headless:
            return run_several_headless(planned, duration_s=duration_s, decisions=decisions, watch=watch)
        return run_several_screen(planned, sessions, watch)


@contextmanager
def _placed(planned: Sequence[Member]) -> Iterator[Sequence[Member]]:
    with each_reserved([one.config for one in planned]) as configs:
        yield [dataclasses.replace(one, config=own) for one, own in zip(planned, configs, strict=True)]


@contextmanager
def _batched(
    planned: Sequence[Member], bundles: Sequence[Path], record: Path | None
) -> Iterator[Sequence[Member]]:
    """The same, sharing a batch, where that engine was named."""
    config = planned[0].config
    if config.engine != BATCHED:
        yield planned
        return
    if len(bundles) != 1 or config.precision != "fp32":
        raise ConfigError(f"--engine {BATCHED} runs one bundle in fp32", hint="or choose another engine")
    if record:
        raise ConfigError(
            f"a session log is decoded again by one engine, --engine {BATCHED} is one for several streams",
            hint="record with another engine",
        )
    from rtdecode.live.batch import shared_batch

    with shared_batch(bundles[0], len(planned), config.threads) as path:
        shared = [dataclasses.replace(one.config, batch=path) for one in planned]
        yield [dataclasses.replace(one, config=own) for one, own in zip(planned, shared, strict=True)]


def run_several_headless(
    planned: Sequence[Member],
    *,
    duration_s: float | None = None,
    decisions: int | None = None,
    watch: Address | None = None,
) -> int:
    """Decode until the duration, `decisions` of each, a signal, or the reader of stdout ends it.

    duration_s  seconds from the first decision of any
    Each line is a decision as of one stream, with "stream" and "bundle" before it. One that ends says why on
    stderr and the others go on; the exit code then tells of it (Several.exit_code).
    """
    with Interrupted() as interrupted, Several(planned) as several, _seen(several, watch) as seen:
        if seen:
            say(f"elsewhere: {seen.command}")
        try:
            _print_decisions(several, interrupted, duration_s, decisions)
        except KeyboardInterrupt:  # the second Ctrl-C: whoever should read stdout does not
            forget_stdout()
            raise
    _tell_failures(several)
    for running in several.all:
        if running.core.rescored:
            say(f"{running.member.name}: {running.core.rescored}")
        if running.last:
            say(f"{running.member.name}: {summary(running.said, running.last, running.times)}")
    return several.exit_code


def _print_decisions(
    several: Several, interrupted: Interrupted, duration_s: float | None, decisions: int | None
) -> None:
    until, told = float("inf"), set[str]()

    def enough(running: Running) -> bool:
        return running.ended or (decisions is not None and running.said >= decisions)

    while not interrupted.seen and time.monotonic() < until and not all(map(enough, several.all)):
        for running, message in several.messages(POLL_S):
            member = running.member
            if dropped := message.pop("dropped", 0):
                say(f"this reader is too slow: {dropped} lines of {member.name} were left out")
            if message.pop("kind") != "decision":
                tell(message, member.name)
                continue
            if duration_s is not None and until == float("inf"):
                until = time.monotonic() + duration_s
            if decisions is not None and running.said >= decisions:
                continue  # it has said its share and waits for the others
            try:
                line = {"stream": member.stream, "bundle": member.bundle, **message}
                print(json.dumps(line, ensure_ascii=False), flush=True)
            except BrokenPipeError:  # `| head` has seen enough
                forget_stdout()
                return
            running.said += 1
            running.times.add(message["stage_ms"]["total"])
        for running in several.all:
            if running.error and running.member.name not in told:
                told.add(running.member.name)
                say(f"{running.member.name}: {_why(running.error)}")


def _why(error: RtdecodeError) -> str:
    trace = f"\n{error.trace}" if isinstance(error, CoreStopped) and error.trace else ""
    return f"error: {error}{trace}"


def _seen(several: Several, watch: Address | None) -> AbstractContextManager[Published | None]:
    return published([running.core for running in several.all], watch)


def run_several_screen(planned: Sequence[Member], sessions: Path, watch: Address | None = None) -> int:
    """Show one of the decoders at a time until the user quits; they all go on meanwhile."""
    if not sys.stdout.isatty():
        raise RtdecodeError("stdout is not a terminal", hint="--headless prints decisions as JSON lines")
    from rtdecode.commands.screen import SessionControl
    from rtdecode.tui import keymap
    from rtdecode.tui.encoding import need_utf8
    from rtdecode.tui.several import SeveralApp, Shown

    need_utf8()
    keymap.read()  # what is wrong with the user's keys is said before anything starts
    with Several(planned, sessions) as several, _seen(several, watch) as seen:
        shown = [
            Shown(running.member.name, _Watched(running), SessionControl(running.core, running.recordings))
            for running in several.all
        ]
        app = SeveralApp(shown)
        if seen:
            say(f"elsewhere: {seen.command}")
            app.call_later(app.notify, seen.command, title="elsewhere", timeout=30, markup=False)
        app.run()
        errors = [(running.member.name, running.error) for running in several.all if running.error]
    for name, error in errors:
        say(f"{name}: {_why(error)}")
    _tell_failures(several)
    return several.exit_code


def _tell_failures(several: Several) -> None:
    """Which logs are not whole."""
    for running in several.all:
        for failure in running.recordings.failures:
            say(f"{running.member.name}: error: {failure}")


class _Watched:
    """A core as the screen sees it. Its lines are read so that they do not pile up; `Several` stops it."""

    def __init__(self, running: Running):
        self._core = running.core

    def latest(self) -> Snapshot | None:
        self._core.messages(0.0)
        return self._core.latest()

    @property
    def why(self) -> str:
        """Why it ended, in a sentence; empty while it goes on."""
        return str(self._core.error) if self._core.error else ""

    def stop(self) -> None:
        """Nothing: all are stopped together."""
