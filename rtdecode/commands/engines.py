"""`rtdecode engines`: what can run a bundle here, how it agrees and what it costs; which one is chosen."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rtdecode.bundle import Bundle, load_bundle, sha256
from rtdecode.commands.streams import table
from rtdecode.engine import Engine
from rtdecode.engines import EVERY, open_session, open_trial
from rtdecode.engines.precision import REDUCED, TOP, Agreement, identity, keep, relative, same_rankings
from rtdecode.engines.probe import Probe, probe
from rtdecode.engines.select import AUTO, GAIN
from rtdecode.engines.session import Session
from rtdecode.errors import ConfigError, RecordingError
from rtdecode.recordings import Recording, decode, read


def run_engines(
    bundle: Path,
    *,
    only: Sequence[str] = (),
    mode: str | None = None,
    hop: int | None = None,
    precision: str = "fp32",
    threads: int = 1,
    seconds: float = 3.0,
    agree: Path | None = None,
    as_json: bool = False,
) -> int:
    """Try every engine in a process of its own and print a table; 1 when none runs.

    only     these engines;  seconds  of paced hops for each
    agree    a held-out recording: compare what is said in `precision` with float32's, store the report
    """
    load_bundle(bundle)  # a damaged one is told once, not by every engine
    if agree is not None:
        return _agree(bundle, agree, only or ("onnx",), precision, threads)
    unknown = [name for name in only if name not in EVERY]
    if unknown:
        raise ConfigError(f"there is no engine {unknown[0]!r}", hint=f"valid: {', '.join(EVERY)}")
    found = []
    for name in only or EVERY:
        print(f"trying {name} …", file=sys.stderr, flush=True)
        found.append(
            probe(
                bundle,
                name,
                mode=mode,
                hop=hop,
                precision=precision,
                threads=threads,
                seconds=seconds,
            )
        )
    best, why = chosen(found)
    if as_json:
        print(json.dumps({"engines": [asdict(each) for each in found], "chosen": best, "why": why}))
    else:
        print("\n".join(lines(found, best, why)))
    return 0 if best else 1


def chosen(found: Sequence[Probe]) -> tuple[str, str]:
    """What `--engine auto` would take of these, and why; empty where nothing runs. The rule is select's."""
    runs = {each.engine: each for each in found if not each.why and each.engine in AUTO}
    if not runs:
        return "", "none of the engines runs here"
    best = min(runs, key=lambda name: runs[name].p50_ms)
    if "onnx" in runs and runs[best].p50_ms > GAIN * runs["onnx"].p50_ms:
        others = f"none needs less than {100 * GAIN:g} % of its time" if len(runs) > 1 else "the only one"
        return "onnx", f"the default; {others}"
    return best, f"{runs[best].p50_ms:.2f} ms a hop, the quickest that agrees with the golden output"


def lines(found: Sequence[Probe], best: str, why: str) -> list[str]:
    """The table, then what is missing, then the choice."""
    head = ("", "precision", "mode", "parity", "p50", "p99", "CPU", "memory", "start", "versions")
    rows = [head]
    for each in found:
        if each.why:
            continue
        versions = ", ".join(f"{name} {version}" for name, version in each.versions.items())
        rows.append(
            (
                each.engine,
                each.precision,
                f"{each.mode}, hop {each.hop}",
                "-" if each.parity is None else f"{each.parity:.1e}",
                f"{each.p50_ms:.2f} ms",
                f"{each.p99_ms:.2f} ms",
                f"{100 * each.cpu:.1f} %",
                f"{each.rss_mb:.0f} MB",
                f"{each.start_s:.2f} s",
                versions,
            )
        )
    missing = [f"{each.engine}: {each.why}" for each in found if each.why]
    said = [f"chosen by auto: {best} ({why})" if best else why]
    return [*table(rows), *([""] if missing else []), *missing, "", *said]


def _agree(path: Path, recording: Path, engines: Sequence[str], precision: str, threads: int) -> int:
    if precision not in REDUCED:
        raise ConfigError(
            f"{precision} needs no report of agreement", hint=f"--precision {' or '.join(REDUCED)}"
        )
    if len(engines) != 1:
        raise ConfigError("an agreement is measured for one engine at a time", hint="name one with --only")
    report, file = agreement(load_bundle(path), read(recording), recording, engines[0], precision, threads)
    verdict = "agrees" if report.passes else "does NOT agree: it will be refused"
    print(f"engine {report.engine} in {report.precision}: {report.words}; {verdict}")
    print(f"stored in {file}", file=sys.stderr)
    return 0 if report.passes else 1


def agreement(
    bundle: Bundle, recording: Recording, source: Path, engine: str, precision: str, threads: int = 1
) -> tuple[Agreement, Path]:
    """Decode a recording in float32 and in `precision`, compare what they say, store the report.

    RecordingError where neither says anything: that is no report, and one of before stays.
    """
    reference = answers(bundle, open_session(bundle, threads=threads), recording)
    session = open_trial(bundle, engine, threads, precision=precision)  # type: ignore[arg-type]
    info = session.info()
    found = answers(bundle, session, recording)
    pairs = [(one, other) for one, other in zip(reference, found, strict=True) if any(one) or any(other)]
    if not pairs:
        raise RecordingError(
            f"nothing is decoded from {source}: there is nothing to compare", hint="take a longer one"
        )
    report = Agreement(
        identity(bundle),
        info.name,
        info.precision,
        info.mode,
        info.hop,
        dict(info.versions),
        len(pairs),
        same_rankings([one for one, _ in pairs], [other for _, other in pairs]),
        relative(session, bundle),
        source.name,
        sha256(source) if source.is_file() else "",
        f"first {TOP}" if bundle.spec.retrieval else "text",
    )
    return report, keep(report, info)


def answers(bundle: Bundle, session: Session, recording: Recording) -> list[tuple[str, ...]]:
    """Of every decision on this recording the first candidates, or, of a bundle without any, what its text
    gained and what may still change.
    """
    engine = Engine(bundle, bundle.spec.stream.bind(recording.info), session)
    decisions = decode(engine, recording)
    if bundle.spec.retrieval is None:
        return [(each.text.delta, each.text.tentative) for each in decisions if each.text]
    return [tuple(hit.id for hit in each.retrieved.hits) for each in decisions if each.retrieved]
