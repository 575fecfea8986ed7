"""`rtdecode record`: a stream into a session log, without decoding anything.

One process: liblsl keeps a minute while the disk hesitates. A stream that ends is looked for again, and goes
on in the same log as another connection.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from rtdecode.commands.interrupted import Interrupted
from rtdecode.errors import RecordingError, StreamError
from rtdecode.live.recorder import FLUSH_BYTES, FLUSH_S, discard_empty
from rtdecode.live.watch import GapCheck
from rtdecode.session.manifest import create, manifest
from rtdecode.session.writer import LogWriter
from rtdecode.sources.lsl import Lost, LslSource, Search, Wanted, matching, quiet, select

PULL_S = 0.1
LOOK_S = 0.02


def run_record(
    *,
    out: Path,
    stream: str | None = None,
    stype: str | None = None,
    wait_s: float | None = 5.0,
    duration_s: float | None = None,
) -> int:
    """Record until the duration or a signal ends it. Returns 0; RtdecodeError for what the user can mend.

    out         directory to make;  duration_s: seconds from the first sample
    wait_s      seconds to find the stream at first; None waits for ever
    """
    quiet()
    with Interrupted() as interrupted:
        create(out, manifest(None, {"stream": stream, "stype": stype}))
        try:
            writer = LogWriter(out)
            recording = _Recording(writer, Wanted(stream, stype), wait_s)
            try:
                until = float("inf")
                while not interrupted.seen and time.monotonic() < until:
                    recording.turn()
                    if duration_s is not None and recording.samples and until == float("inf"):
                        until = time.monotonic() + duration_s
            finally:
                recording.close()
                writer.close()
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise RecordingError(
                f"recording into {out} failed: {reason}", hint="what was recorded until then is kept"
            ) from problem
        finally:
            discard_empty(out)
    _say(f"{recording.samples} samples in {recording.run} runs, recorded into {out}")
    return 0


class _Recording:
    """What is being recorded. samples, run: so far."""

    def __init__(self, writer: LogWriter, wanted: Wanted, wait_s: float | None):
        self._writer, self._wanted = writer, wanted
        self._began = now = time.monotonic()
        self._until = float("inf") if wait_s is None else now + wait_s
        self._search: Search | None = Search()
        self._source: LslSource | None = None
        self._source_id = ""
        self._gaps = GapCheck(1.0)
        self._count = self.samples = self.run = 0
        self._flush_at = now

    def turn(self) -> None:
        """Look for the stream or take what it has. OSError when the disk refuses."""
        if self._source is None:
            self._look()
        else:
            self._pull(self._source)
        now = time.monotonic()
        if now >= self._flush_at or self._writer.waiting() > FLUSH_BYTES:
            self._flush_at = now + FLUSH_S
            if self._source is not None:
                self._writer.clock(self._source.now(), self._source.offset_s)
            self._writer.flush()

    def close(self) -> None:
        if self._search:
            self._search.stop()
        if self._source:
            self._source.close()

    def _look(self) -> None:
        self._search = self._search or Search()
        found = self._search.take()
        if found is None:
            time.sleep(LOOK_S)
            return
        try:
            source = LslSource(select(found, self._wanted, self._source_id))
        except StreamError:
            ambiguous = len(matching(found, self._wanted)) > 1
            if not self.samples and (ambiguous or time.monotonic() > self._until):
                raise
            return
        self._search.stop()
        self._search = None
        self._source, info = source, source.info
        self._source_id = info.source_id
        self._gaps = GapCheck(info.sfreq or 1.0)
        self._count = 0
        self.run += 1
        self._writer.stream(info)
        self._writer.run(self.run, 0)
        self._event("info", f"connected to {info.name}: {len(info.labels)} channels, {info.sfreq:g} Hz")

    def _pull(self, source: LslSource) -> None:
        try:
            data, stamps = source.pull(max(1, round(0.02 * source.info.sfreq)), PULL_S)
        except Lost:
            source.close()
            self._source = None
            self._event("error", "stream lost: its sender closed it; looking for it again")
            return
        if not len(stamps):
            return
        self._writer.samples(data, stamps)
        start = 0
        while source.info.sfreq and start < len(stamps):
            gap = self._gaps.check(stamps[start:])
            if gap is None:
                break
            start += gap.at
            self._gaps.reset()
            self.run += 1
            self._writer.run(self.run, self._count + start)
            self._event("warn", f"a gap of {gap.seconds:.3f} s by the stamps: run {self.run} begins")
        self._count += len(stamps)
        self.samples += len(stamps)

    def _event(self, level: str, text: str) -> None:
        event: dict[str, Any] = {"kind": "event", "t": round(time.monotonic() - self._began, 3)}
        line = {**event, "level": level, "text": text}
        self._writer.line(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        _say(f"{level}: {text}")


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:  # nobody reads: record on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
