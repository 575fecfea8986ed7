"""`rtdecode review`: a session log in words or as JSON lines, and whether it decodes the same again."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import RecordingError
from rtdecode.report.clock import number
from rtdecode.report.facts import drawn_ms
from rtdecode.report.html import clean
from rtdecode.report.rescored import rescored
from rtdecode.report.times import start_s
from rtdecode.session.manifest import bundle_hash
from rtdecode.session.reader import SessionLog
from rtdecode.wording import counted

EVENTS_SHOWN, LEADERS_SHOWN, CORRECTIONS_SHOWN, TEXT_SHOWN = 12, 5, 5, 2000


def run_review(
    log: Path, *, decisions: bool = False, redecode: bool = False, bundle: Path | None = None
) -> int:
    """Print a log. Returns 0; 1 when decoding it again gave something else. RtdecodeError for a bad log.

    decisions  its decisions as JSON lines instead of a summary (with redecode: those decoded anew)
    redecode   decode its samples again and compare;  bundle: with this one; None: where the log says it lay
    """
    found = SessionLog(log)
    for sentence in found.cut:
        _say(f"note: {sentence}")
    if redecode:
        return _redecode(found, bundle, decisions)
    if bundle is not None:
        raise RecordingError("--bundle is for decoding again", hint="add --redecode")
    if decisions:
        _print_lines(found.lines("decision"))
        return 0
    for line in summary(found):
        print(line)
    return 0


def summary(log: SessionLog) -> Iterator[str]:
    """The log in lines for people."""
    about = log.manifest
    bundle = f", bundle {about.bundle.name} ({about.bundle.sha256[:12]})" if about.bundle else ""
    yield f"session of {about.started}, rtdecode {about.rtdecode}{bundle}"
    if not log.closed:
        yield "the log has no end: its writer was stopped, or still writes"
    for ident, stream in log.streams.items():
        info = stream.info
        units = ", ".join(sorted(set(filter(None, info.units)))) or "no unit"
        length = f", {_clock(stream.samples / info.sfreq)}" if info.sfreq else ""
        yield (
            f"stream {ident}: {info.name} ({info.stype or 'no type'}), {len(info.labels)} channels, "
            f"{info.sfreq:g} Hz, {units}, {stream.samples} samples{length}"
        )
    yield from _runs(log)
    yield from _decisions(log)
    yield from _corrections(log)
    yield from _latency(log)
    yield from _events(log)


def _runs(log: SessionLog) -> Iterator[str]:
    runs = log.runs()
    decided = Counter(line["run"] for line in log.lines("decision"))
    yield f"runs: {len(runs)}"
    for run in runs:
        sfreq = log.streams[run.stream].info.sfreq
        samples = run.stop - run.start
        length = f", {_clock(samples / sfreq)}" if sfreq else ""
        stamp = f", from LSL time {run.t:.6f}" if run.t is not None else ""
        size = f"{samples} samples{length}, {counted(decided[run.run], 'decision')}"
        late = f", joined {_clock(run.before / sfreq)} after it began" if run.before and sfreq else ""
        yield f"  {run.run}: stream {run.stream}{stamp}, {size}{late}"
    if lost := log.unrecorded():
        yield f"  not recorded: {lost} samples (the recorder could not keep up)"


def _decisions(log: SessionLog) -> Iterator[str]:
    count = ranked = warned = 0
    leaders: Counter[tuple[str, str]] = Counter()
    probs: Counter[tuple[str, str]] = Counter()
    chance, text = 0.0, []
    for line in log.lines("decision"):
        count += 1
        warned += bool(line.get("warnings"))
        retrieved = line.get("retrieved")
        if retrieved and retrieved["hits"]:
            first = retrieved["hits"][0]
            key = (first["id"], first["text"])
            leaders[key] += 1
            probs[key] += first["prob"]
            ranked, chance = ranked + 1, retrieved["chance"]
        if line.get("text"):
            text.append(line["text"]["delta"])
    yield f"decisions: {count}" + (f", {warned} of them with a warning" if warned else "")
    if ranked:
        yield f"  first ranks (chance {100 * chance:.2g} % each):"
    for (ident, words), times in leaders.most_common(LEADERS_SHOWN):
        share, prob = 100 * times / ranked, probs[ident, words] / times
        yield f"    {share:5.1f} %  {ident}  {words}  (mean probability {prob:.2f})"
    if said := "".join(text).strip():
        yield f"text: {said[:TEXT_SHOWN]}{'…' if len(said) > TEXT_SHOWN else ''}"


def _corrections(log: SessionLog) -> Iterator[str]:
    start = start_s(log)
    found = [one for line in log.lines("event") if (one := rescored(line, line["t"] - start)) is not None]
    if not found:
        return
    yield f"corrections by a language model: {len(found)}, beside the text"
    for one in found[:CORRECTIONS_SHOWN]:
        late = ", late" if one.late else ""
        yield f"  [{one.t:8.1f} s] “{clean(one.said)}” → “{clean(one.now)}”{late}"
    if len(found) > CORRECTIONS_SHOWN:
        yield f"  and {len(found) - CORRECTIONS_SHOWN} more: `rtdecode report` lists them"


def _latency(log: SessionLog) -> Iterator[str]:
    """total: readable to published;  screen: published to drawn, of the decisions that a screen drew."""
    stages = [line.get("stage_ms") for line in log.lines("decision")]
    total = [number(stage.get("total")) for stage in stages if isinstance(stage, dict)]
    drawn = [ms for line in log.lines("drawn") for ms in drawn_ms(line)]
    for what, found in (("total", [ms for ms in total if ms is not None]), ("screen", drawn)):
        if found:
            p50, p99 = np.percentile(found, [50, 99])
            times = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {max(found):.2f} ms"
            n = counted(len(found), "decision") if what == "total" else f"{len(found)} that were drawn"
            yield f"{what}: {times} of {n}"


def _events(log: SessionLog) -> Iterator[str]:
    found = [line for line in log.lines("event")]
    levels = Counter(line["level"] for line in found)
    yield f"events: {', '.join(f'{n} {level}' for level, n in levels.most_common()) or 'none'}"
    start = start_s(log)
    serious = [line for line in found if line["level"] != "info"] or found
    for line in serious[:EVENTS_SHOWN]:
        yield f"  [{line['t'] - start:8.1f} s] {line['level']}: {line['text']}"
    if len(serious) > EVENTS_SHOWN:
        yield f"  and {len(serious) - EVENTS_SHOWN} more in {log.path / 'events.jsonl'}"


def _redecode(log: SessionLog, bundle: Path | None, decisions: bool) -> int:
    about = log.manifest
    path = bundle or (Path(about.bundle.path) if about.bundle else None)
    if path is None:
        raise RecordingError(f"{log.path} was recorded without a bundle", hint="give one with --bundle")
    from rtdecode.bundle import load_bundle
    from rtdecode.engines import open_trial
    from rtdecode.live.redecode import compare, redecode

    loaded = load_bundle(path)
    config = about.config
    # the comparison below is its own proof: a precision need not have been found to agree on this machine
    session = open_trial(
        loaded,
        str(config.get("engine") or "onnx"),
        _whole(config.get("threads")),
        precision=config.get("precision") or "fp32",
    )
    again = redecode(log, loaded, session)
    if decisions:
        _print_lines(again)
        return 0
    if about.bundle is None or bundle_hash(path) != about.bundle.sha256:
        count = sum(1 for _ in again)
        print(f"{counted(count, 'decision')} with another bundle than the log's: nothing to compare")
        return 0
    joined = {run.run for run in log.runs() if run.before}
    if joined and all(line["run"] in joined for line in log.lines("decision")):
        said = "was joined in the middle, and its beginning is not in the log"
        print(f"nothing to compare: every decision is of a run that {said}")
        return 0
    by_arrival = any(line.get("clock") == "arrival" for line in log.lines("health"))
    found = compare(log.lines("decision"), again, times=not by_arrival, runs=log.runs())
    are = "is" if found.logged == 1 else "are"
    print(f"{found.equal} of {counted(found.logged, 'decision')} {are} the same again, byte by byte")
    if found.joined:
        print(
            f"{found.joined} more are of a run that was joined in the middle: its beginning is not in the log"
        )
    if found.untimed:
        print(
            "times are compared from the next connection on only: stamps are judged by all that came before"
        )
    if corrections := sum("correction" in line for line in log.lines("event")):
        print(f"corrections by a language model: {corrections}, not compared (they are events, no decisions)")
    if by_arrival:
        print("times are not compared: the stamps were of no use, times were arrivals")
    if lost := log.unrecorded():
        print(f"{lost} samples are not in the log: the rest of their runs cannot be repeated")
    if not found.same:
        print(f"first difference: {found.first}")
    return 0 if found.same else 1


def _print_lines(lines: Iterable[dict[str, Any]]) -> None:
    for line in lines:
        shown = {key: value for key, value in line.items() if key != "kind"}
        print(json.dumps(shown, ensure_ascii=False))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value < 1024 else 1


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
