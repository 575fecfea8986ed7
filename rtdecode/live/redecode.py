"""Decodes a session log again: the same chunks, connections, runs and hops left out as when it was live.

What depended on the clock then (where a run ended, what was skipped) is taken from the log, all else is made
anew. What comes out must equal what was logged, byte by byte; `compare` says where it does not. Pure of LSL.

A log that was begun while decoding joins a run in the middle: what came before is not in it, so that the
decisions of this run cannot be repeated. Those of later runs can; their times only from the next connection
on, since how a stream stamps is learned over all of one.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from rtdecode.bundle import Bundle
from rtdecode.engines import Session
from rtdecode.errors import RecordingError
from rtdecode.live.channels import Policy
from rtdecode.live.clock import Gap
from rtdecode.live.decoding import Decoding, Script
from rtdecode.live.output import decision_line
from rtdecode.session.reader import Run, SessionLog
from rtdecode.types import Decision

COMPARED = ("index", "run", "sample", "t", "retrieved", "text", "warnings")


class Collector:
    """Keeps the decisions; whatever else happens goes by."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def decided(self, decision: Decision, began: float) -> None:
        self.decisions.append(decision)

    def broke(self, gap: Gap, lost: int) -> None: ...

    def stepped(self, seconds: float) -> None: ...

    def restarted(self, why: str) -> None: ...

    def failed(self, why: str) -> None: ...

    def noted(self, level: str, text: str) -> None: ...


class _Ranked:
    """Which hops of the log were ranked: all but those without a decision before the last of their run.

    Not those that only filled the first window: there was nothing to decide. What was left out between them
    and the first decision is in its index.
    """

    def __init__(self, log: SessionLog, hop: float):
        """hop: samples of the stream from one decision to the next."""
        decisions = list(log.lines("decision"))
        self._logged = {(line["run"], line["sample"]) for line in decisions}
        self._joined = {run.run for run in log.runs() if run.before}
        self._filled: dict[int, float] = {}
        self._last: dict[int, int] = {}
        for line in decisions:
            run, sample = line["run"], line["sample"]
            self._last[run] = max(sample, self._last.get(run, 0))
            self._filled.setdefault(run, sample - (line["index"] + 0.5) * hop)

    def __call__(self, run: int, sample: int) -> bool:
        if run in self._joined:  # its samples were counted from elsewhere, and nothing is compared
            return True
        outside = sample < self._filled.get(run, 0) or sample > self._last.get(run, 0)
        return outside or (run, sample) in self._logged


def redecode(log: SessionLog, bundle: Bundle, session: Session) -> Iterator[dict[str, Any]]:
    """Decision lines of the whole log, as they were written live but for the times they took.

    ContractError when the log's stream does not fit the bundle; RecordingError when no run of it is
    long enough for one decision.
    """
    config, collector, runs = log.manifest.config, Collector(), log.runs()
    ranked = _Ranked(log, bundle.spec.hop_s * bundle.spec.stream.sfreq)
    decoding: Decoding | None = None
    current, decided = 0, False
    for chunk in log.chunks():
        if chunk.stream != current:
            current = chunk.stream
            info = log.streams[current].info
            channels = bundle.spec.stream.bind(info, str(config.get("assume_unit") or ""))
            if decoding is None:
                first = next((run.run for run in runs if run.stream == current), 1)
                decoding = Decoding(bundle, session, channels, info, collector, bad=_policy(config))
                decoding.number_runs_from(first)
            else:
                decoding.rebind(channels, info)
            breaks = frozenset(run.start for run in runs if run.stream == current)
            decoding.script = Script(breaks, ranked)
        assert decoding is not None
        decoding.push(chunk.data, chunk.stamps)
        decided = decided or bool(collector.decisions)
        yield from (decision_line(decision, {}, None) for decision in collector.decisions)
        collector.decisions.clear()
    if not decided:
        lengths = [(run.stop - run.start) / log.streams[run.stream].info.sfreq for run in runs]
        need = decoding.filled_s[1] if decoding else bundle.spec.hop_s
        raise RecordingError(
            f"the longest unbroken stretch of {log.path} is {max(lengths, default=0.0):.1f} s, "
            f"the bundle's first decision needs {need:.1f} s"
        )


def _policy(config: dict[str, Any]) -> Policy:
    """What became of bad channels. Logs from before this was written down masked them."""
    policies: tuple[Policy, ...] = get_args(Policy)
    return next((policy for policy in policies if policy == config.get("bad")), "mask")


@dataclass(frozen=True)
class Comparison:
    """equal of logged decisions came out the same; first: the first that did not, in words.

    joined   decisions of runs that were joined in the middle: not compared, nor among `logged`
    untimed  whether times of some were not compared because their connection was joined
    """

    logged: int
    equal: int
    first: str = ""
    joined: int = 0
    untimed: bool = False

    @property
    def same(self) -> bool:
        return self.equal == self.logged


def compare(
    logged: Iterable[dict[str, Any]],
    again: Iterable[dict[str, Any]],
    times: bool = True,
    runs: Iterable[Run] = (),
) -> Comparison:
    """Decisions of a log with decisions decoded anew, matched by run and sample.

    times  False: `t` is left out;  runs  of the log, for those that were joined in the middle
    """
    without_t = tuple(key for key in COMPARED if key != "t")
    runs = list(runs)
    half = {run.run for run in runs if run.before}
    streams = {run.stream for run in runs if run.before}
    loose = {run.run for run in runs if run.stream in streams}
    anew = {(line["run"], line["sample"]): line for line in again}
    count = equal = joined = 0
    untimed = False
    first = ""
    for line in logged:
        if line["run"] in half:
            joined += 1
            continue
        keys = COMPARED if times and line["run"] not in loose else without_t
        untimed = untimed or line["run"] in loose
        count += 1
        other = anew.get((line["run"], line["sample"]))
        if other is not None and printed(line, keys) == printed(other, keys):
            equal += 1
        elif not first:
            where = f"decision {line['index']} of run {line['run']}"
            first = f"{where} is missing" if other is None else f"{where}: {_difference(line, other, keys)}"
    return Comparison(count, equal, first, joined, untimed)


def printed(line: dict[str, Any], keys: tuple[str, ...] = COMPARED) -> str:
    """What is compared of a decision, as it is written."""
    return json.dumps({key: line.get(key) for key in keys}, ensure_ascii=False)


def _difference(line: dict[str, Any], other: dict[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        if json.dumps(line.get(key)) != json.dumps(other.get(key)):
            return f"{key} was {_short(line.get(key))}, now {_short(other.get(key))}"
    return "equal"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
