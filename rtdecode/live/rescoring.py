"""A second opinion on sentences that ended, from a language model in a process of its own; never waited for.

    Transcriber.sentences -> Rescoring (core) -> pipe -> rescoring_worker (torch) -> pipe -> correction events

Committed text stays as it is: another reading is an event that names both. So what is decoded live equals
what is decoded from the log, whenever the model answers, and whether it does. An answer after the deadline is
counted and, unless the bundle asks for late ones, thrown away. Knows no model.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from rtdecode.errors import ConfigError
from rtdecode.live.config import CoreConfig
from rtdecode.live.control import one_line
from rtdecode.live.lines import LineReader, LineWriter
from rtdecode.text.rescore import RescoreSpec, Sentence, chosen
from rtdecode.transcribe import TextSpec

QUEUE = 4  # sentences asked and not answered; further ones are not asked
Ends = tuple[Connection, Connection]
"""Of the pipes to the worker: to read answers from, and to ask through."""
SHOWN = 160  # characters of each text in an event's words; its facts hold the whole


class Say(Protocol):
    def __call__(self, level: str, text: str, **more: Any) -> object: ...


@dataclass
class Tally:
    """Sentences with more than one reading, by what became of them. unanswered: when the session ended."""

    corrected: int = 0
    confirmed: int = 0
    late: int = 0
    failed: int = 0
    unasked: int = 0
    unanswered: int = 0


@dataclass
class _Job:
    run: int
    sentence: Sentence
    asked: float
    late: bool = False

    @property
    def name(self) -> str:
        return f"sentence {self.sentence.number} of run {self.run}"


def check(text: TextSpec | None, config: CoreConfig) -> TextSpec:
    """ConfigError where rescoring could never say anything."""
    if text is None:
        raise ConfigError("--rescore is for text, and this bundle has none", hint="leave it out")
    if text.search is None:
        raise ConfigError(
            "--rescore chooses among readings, and this bundle reads greedily: it has one",
            hint="export it with a search (docs/text.md)",
        )
    if text.endpoint is None:
        raise ConfigError("--rescore is for sentences that end, and in this bundle none does by itself")
    if not (text.commit.allow_corrections or config.allow_corrections):
        raise ConfigError(
            "--rescore says corrections, and this bundle forbids them (text.commit.allow_corrections)",
            hint="--allow-corrections has them said as events; the text itself is never changed",
        )
    return text


def open_rescoring(
    config: CoreConfig, text: TextSpec | None, ends: Ends | None, say: Say
) -> "Rescoring | None":
    """What a core rescores with; None where none is asked for. ConfigError as `check`."""
    if not config.rescore or ends is None:
        return None
    spec = check(text, config).rescore
    return Rescoring(ends, config.rescore, config.rescore_deadline_s, spec, say)


class Rescoring:
    """The core's end; one thread. deadline_s: from the end of a sentence to the answer

    tally  what became of the sentences so far
    """

    def __init__(
        self,
        ends: Ends,
        model: str,
        deadline_s: float,
        spec: RescoreSpec,
        say: Say,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.tally = Tally()
        self._ends = ends  # kept: they close their files when they are collected
        self._reader, self._writer = LineReader(ends[0].fileno()), LineWriter(ends[1].fileno(), QUEUE)
        self._model = one_line(model.rstrip("/").rpartition("/")[2] or model, 60)
        self._deadline_s, self._spec, self._say, self._clock = deadline_s, spec, say, clock
        self._jobs: dict[int, _Job] = {}
        self._number = 0
        self._ready = self._over = False
        self._troubles: set[str] = set()  # that were said since a sentence was last answered in time

    def ask(self, run: int, sentences: Sequence[Sentence]) -> None:
        """Sentences that just ended. Never waits."""
        for sentence in sentences:
            if len(sentence.readings) < 2:
                continue
            job = _Job(run, sentence, self._clock())
            if not self._ready or len(self._jobs) >= QUEUE:
                self.tally.unasked += 1
                if self._ready:
                    self._warn("it answers too slowly", f"{job.name} is not asked, {QUEUE} are waiting")
                continue
            texts = [reading.text for reading in sentence.readings]
            until = job.asked + self._deadline_s
            self._jobs[self._number] = job
            self._writer.send({"id": self._number, "until": self._until(until), "texts": texts})
            self._number += 1

    def _until(self, until: float) -> float | None:
        """After which the worker need not begin."""
        return None if self._spec.correct_late else until

    def poll(self) -> None:
        """Take what was answered, and see what is late. Never waits."""
        if self._over:
            return
        self._writer.flush()
        for line in self._reader.read():
            self._heard(line)
        until = self._clock() - self._deadline_s
        for job in self._jobs.values():
            if job.asked < until and not job.late:
                self._late(job)
        if self._reader.closed and not self._over:
            self._end("its process ended")

    def finish(self) -> None:
        """The session ends: take what is there, and say what it came to."""
        self.poll()
        self.tally.unanswered += sum(not job.late for job in self._jobs.values())
        self._jobs.clear()
        tally = asdict(self.tally)
        counts = ", ".join(f"{count} {name}" for name, count in tally.items() if count)
        self._say("info", f"rescored by {self._model}: {counts or 'no sentence'}", rescored=tally)

    def _heard(self, line: dict[str, Any]) -> None:
        if "ready" in line:
            self._ready = True
            took = f"loaded in {line['ready']:.1f} s"
            self._say("info", f"rescoring by {self._model}: {took}, {self._deadline_s:g} s a sentence")
        elif "refused" in line:
            self._end(one_line(str(line["refused"])))
        elif (job := self._jobs.pop(line.get("id", -1), None)) is not None:
            self._answered(job, line)

    def _answered(self, job: _Job, line: dict[str, Any]) -> None:
        if not job.late and line["done"] - job.asked > self._deadline_s:
            self._late(job)
        if job.late and (not self._spec.correct_late or "scores" not in line):
            return
        try:
            if "scores" not in line:
                raise ValueError(line.get("problem", "no scores came"))
            readings = job.sentence.readings
            best, _, share = chosen(readings, [float(score) for score in line["scores"]], self._spec)
        except (TypeError, ValueError) as problem:
            self.tally.failed += not job.late
            self._warn("it failed", f"{job.name} stands as it was read: {one_line(str(problem))}")
            return
        if not job.late:
            self._troubles.clear()
            self.tally.confirmed += not best
            self.tally.corrected += bool(best)
        if best:
            self._correct(job, readings[best].text, share, 1e3 * (line["done"] - job.asked))

    def _correct(self, job: _Job, now: str, share: float, ms: float) -> None:
        said = job.sentence.text
        facts = {
            "run": job.run,
            "utterance": job.sentence.number,
            "said": said,
            "now": now,
            "model": self._model,
            "ms": round(ms, 1),
            "confidence": round(share, 4),
            "late": job.late,
        }
        late = ", late" if job.late else ""
        words = f"“{one_line(said, SHOWN)}” → “{one_line(now, SHOWN)}”"
        text = f"≈ corrected: {words} ({job.name}, {self._model}, {ms:.0f} ms{late})"
        self._say("info", text, correction=facts)

    def _late(self, job: _Job) -> None:
        job.late = True
        self.tally.late += 1
        stands = "its answer may come yet" if self._spec.correct_late else "it stands as it was read"
        self._warn("it is late", f"no answer on {job.name} within {self._deadline_s:g} s, {stands}")

    def _warn(self, kind: str, text: str) -> None:
        """A trouble is said once until it is over; each sentence is counted."""
        if kind not in self._troubles:
            self._troubles.add(kind)
            self._say("warn", f"rescoring by {self._model}: {text}")

    def _end(self, why: str) -> None:
        self.tally.failed += sum(not job.late for job in self._jobs.values())
        self._jobs.clear()
        self._ready, self._over = False, True
        self._say("error", f"rescoring by {self._model} is over: {why}; sentences stand as they are read")
