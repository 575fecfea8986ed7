"""The command line: what there is to say, parsed and handed over. Each command imports what it needs."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rtdecode import __version__
from rtdecode.errors import ConfigError
from rtdecode.options import Parser, answer, positive

HEADLESS_WAIT_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    return answer(lambda: _run(build_parser().parse(argv)))


def _run(options: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def build_parser() -> Parser:
    parser = Parser(prog="rtdecode", description="A streaming, real-time brain decoder in the terminal.")
    parser.add_argument("--version", action="version", version=f"rtdecode {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_live, _add_replay, _add_streams, _add_record, _add_review, _add_report, _add_bridge,
                _add_doctor, _add_bench, _add_engines, _add_demo, _add_calibrate, _add_watch):  # fmt: skip
        add(commands)
    return parser


Commands = argparse._SubParsersAction


def _which_stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", metavar="NAME", help="name of the LSL stream")
    parser.add_argument("--type", metavar="TYPE", help="type of the LSL stream, when the name is not known")
    parser.add_argument(
        "--wait",
        type=positive,
        metavar="S",
        help="seconds to look for it (5 unless given; the screen waits and lists what it finds)",
    )


def _add_live(commands: Commands) -> None:
    live = commands.add_parser("live", help="decode a stream, on the screen or as JSON lines")
    _which_stream(live)
    live.add_argument("--source-id", metavar="ID", help="source_id of the stream, when names are not enough")
    live.add_argument("--where", metavar="PREDICATE", help="e.g. \"name='EEG' and type='EEG'\"")
    live.add_argument("--bundle", type=Path, required=True, help="directory written by `offline export`")
    live.add_argument("--headless", action="store_true", help="no screen: JSON lines on stdout")
    live.add_argument("--duration", type=positive, metavar="S", help="headless: stop after so many seconds")
    live.add_argument("--decisions", type=int, metavar="N", help="headless: stop after so many decisions")
    live.add_argument("--engine", default="onnx", help="onnx (default), auto, or one of `rtdecode engines`")
    live.add_argument("--threads", type=int, default=1, help="threads of the engine (default 1)")
    live.add_argument("--assume-unit", default="", metavar="UNIT", help="unit of channels that state none")
    live.add_argument("--bad", choices=("keep", "mask"), default="keep", help="flat, railed, noisy channels")
    live.add_argument(
        "--policy",
        choices=("latest", "every"),
        default="latest",
        help="when behind: rank the newest hop only, or every hop however late",
    )
    live.add_argument("--markers", default="", metavar="NAME", help="a marker stream to show and log")
    live.add_argument("--record", type=Path, metavar="DIR", help="write a session log")
    live.add_argument("--outlets", default="", metavar="PREFIX", help="publish the results as LSL streams")
    live.add_argument(
        "--watch", nargs="?", const="", metavar="HOST:PORT", help="let `rtdecode watch` look (127.0.0.1:7700)"
    )
    live.set_defaults(run=_live)


def _live(options: argparse.Namespace) -> int:
    from rtdecode.live.config import CoreConfig
    from rtdecode.remote.address import parse

    if options.engine == "auto" and options.record:
        raise ConfigError(
            "a session log names its engine, and auto chooses one anew each time",
            hint=f"`rtdecode engines {options.bundle}` says which it would be: name that",
        )
    watch = None if options.watch is None else parse(options.watch)

    config = CoreConfig(
        str(options.bundle),
        options.stream,
        options.type,
        options.engine,
        options.threads,
        wait_s=HEADLESS_WAIT_S if options.wait is None and options.headless else options.wait,
        assume_unit=options.assume_unit,
        outlets=options.outlets,
        source_id=options.source_id,
        where=options.where,
        bad=options.bad,
        policy=options.policy,
        markers=options.markers,
    )
    if options.headless:
        from rtdecode.commands.live import run_headless

        return run_headless(
            config,
            duration_s=options.duration,
            decisions=options.decisions,
            record=options.record,
            watch=watch,
        )
    from rtdecode.commands.screen import run_screen

    return run_screen(config, record=options.record, watch=watch)


def _add_watch(commands: Commands) -> None:
    watch = commands.add_parser("watch", help="a running session's screen elsewhere, read-only")
    watch.add_argument(
        "where", nargs="?", default="", metavar="HOST:PORT", help="as `rtdecode live --watch` said"
    )
    watch.add_argument("--fps", type=positive, metavar="N", help="pictures a second (15; in a browser 5)")
    watch.add_argument(
        "--web", nargs="?", const="", metavar="HOST:PORT", help="serve it to browsers (127.0.0.1:7701)"
    )
    watch.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> int:
    from rtdecode.commands.watch import WEB_FPS, run_watch, run_web, web_address
    from rtdecode.remote.address import parse

    where = parse(options.where)
    if options.web is None:
        return run_watch(where, fps=options.fps or 15.0)
    return run_web(where, web_address(options.web), fps=options.fps or WEB_FPS)


def _add_replay(commands: Commands) -> None:
    replay = commands.add_parser("replay", help="a recording as a live LSL stream, original timing")
    replay.add_argument(
        "file", type=Path, help="FIF, EDF, BDF, BrainVision, CTF, KIT, XDF, .mat, session log"
    )
    replay.add_argument("--stream", default="EEG", help="name of the LSL stream (default EEG)")
    replay.add_argument("--select", metavar="NAME", help="which stream of an XDF file, by name or type")
    replay.add_argument("--speed", default="1", help="0.5, 1, 4 … or max (default 1)")
    replay.add_argument("--loop", action="store_true", help="start again at the end, without a gap")
    replay.add_argument("--no-wait", action="store_true", help="do not wait for a listener")
    replay.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> int:
    from rtdecode.commands.replay import run_replay

    return run_replay(
        options.file,
        name=options.stream,
        select=options.select,
        speed=options.speed,
        loop=options.loop,
        wait=not options.no_wait,
    )


def _add_streams(commands: Commands) -> None:
    streams = commands.add_parser("streams", help="what is on the network, and whether a bundle fits it")
    streams.add_argument("--bundle", type=Path, help="compare every stream with this bundle")
    streams.add_argument("--wait", type=positive, default=2.0, metavar="S", help="seconds to listen (2)")
    streams.add_argument("--assume-unit", default="", metavar="UNIT", help="unit of channels that state none")
    streams.set_defaults(run=_streams)


def _streams(options: argparse.Namespace) -> int:
    from rtdecode.commands.streams import run_streams

    return run_streams(bundle=options.bundle, wait_s=options.wait, assume_unit=options.assume_unit)


def _add_record(commands: Commands) -> None:
    record = commands.add_parser("record", help="write a stream into a session log, without decoding")
    _which_stream(record)
    record.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    record.add_argument("--duration", type=positive, metavar="S", help="stop after so many seconds")
    record.set_defaults(run=_record)


def _record(options: argparse.Namespace) -> int:
    from rtdecode.commands.record import run_record

    wait_s = HEADLESS_WAIT_S if options.wait is None else options.wait
    return run_record(
        out=options.out, stream=options.stream, stype=options.type, wait_s=wait_s, duration_s=options.duration
    )


def _add_review(commands: Commands) -> None:
    review = commands.add_parser("review", help="what a session log holds; decode it again")
    review.add_argument("log", type=Path)
    review.add_argument("--decisions", action="store_true", help="print the decisions as JSON lines")
    review.add_argument("--redecode", action="store_true", help="decode again: exit 1 if a decision differs")
    review.add_argument("--bundle", type=Path, help="the bundle, when it is no longer where it was")
    review.add_argument(
        "--export",
        choices=("csv", "textgrid", "bids"),
        help="write decisions (csv), words for Praat (textgrid) or BIDS events.tsv (bids)",
    )
    review.add_argument("--out", type=Path, metavar="FILE", help="where to (default: beside the log)")
    review.set_defaults(run=_review)


def _review(options: argparse.Namespace) -> int:
    if options.export or options.out:
        from rtdecode.commands.report import run_export

        return run_export(options.log, kind=options.export, out=options.out)
    from rtdecode.commands.review import run_review

    return run_review(
        options.log, decisions=options.decisions, redecode=options.redecode, bundle=options.bundle
    )


def _add_report(commands: Commands) -> None:
    report = commands.add_parser("report", help="a session log as one HTML file that needs no network")
    report.add_argument("log", type=Path)
    report.add_argument("--out", type=Path, metavar="FILE", help="where to (default: LOG.html, beside it)")
    report.add_argument("--bundle", type=Path, help="the bundle, when it is no longer where it was")
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from rtdecode.commands.report import run_report

    return run_report(options.log, out=options.out, bundle=options.bundle)


def _add_calibrate(commands: Commands) -> None:
    calibrate = commands.add_parser(
        "calibrate", help="the decoder of a new listener, from minutes of known stimulus (needs torch)"
    )
    calibrate.add_argument("recording", type=Path, help="a file or a session log of the listener")
    calibrate.add_argument("--events", type=Path, metavar="TSV", help="what was heard in it, and when")
    calibrate.add_argument("--run", dest="trained", type=Path, required=True, help="what was trained")
    calibrate.add_argument("--data", type=Path, required=True, help="the study whose sounds were heard")
    calibrate.add_argument("--subject", required=True, help="the new listener's id")
    calibrate.add_argument("--minutes", type=positive, help="how much of it to use (default 5)")
    calibrate.add_argument("--out", type=Path, required=True, help="the new run")
    calibrate.add_argument("--bundle", type=Path, help="also make the listener's bundle there")
    calibrate.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from rtdecode.commands.calibrate import run_calibrate

    return run_calibrate(
        recording=options.recording,
        run=options.trained,
        data=options.data,
        subject=options.subject,
        out=options.out,
        events=options.events,
        minutes=options.minutes,
        bundle=options.bundle,
    )


def _add_bridge(commands: Commands) -> None:
    bridge = commands.add_parser("bridge", help="another system's stream as an LSL stream")
    bridge.add_argument("source", choices=("fieldtrip",), help="fieldtrip: a FieldTrip buffer")
    bridge.add_argument("--to-lsl", required=True, metavar="NAME", help="name of the LSL stream")
    bridge.add_argument("--unit", default="", help="unit of the samples, e.g. fT, or MEG=fT,EEG=uV")
    bridge.add_argument("--host", default="127.0.0.1", help="where the buffer is (default this machine)")
    bridge.add_argument("--port", type=int, default=1972, help="its port (default 1972)")
    bridge.add_argument("--type", metavar="TYPE", help="type of the LSL stream")
    bridge.add_argument("--labels", default="", help="channel names, when the buffer has none: Fz,Cz,…")
    bridge.set_defaults(run=_bridge)


def _bridge(options: argparse.Namespace) -> int:
    from rtdecode.commands.bridge import run_bridge

    return run_bridge(
        to_lsl=options.to_lsl,
        unit=options.unit,
        host=options.host,
        port=options.port,
        stype=options.type,
        labels=options.labels,
    )


def _add_doctor(commands: Commands) -> None:
    doctor = commands.add_parser(
        "doctor", help="is this machine ready? versions, LSL, engines, what is missing"
    )
    doctor.add_argument(
        "--seconds", type=positive, default=2.0, help="length of the loopback test (default 2)"
    )
    doctor.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from rtdecode.commands.doctor import run_doctor

    return run_doctor(seconds=options.seconds, as_json=options.json)


def _add_bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="latency and throughput here, beside the alternatives")
    bench.add_argument("--quick", action="store_true", help="a short look")
    bench.add_argument("--grid", metavar="CxHZ,…", help="e.g. 64x1000,306x1000")
    bench.add_argument("--seconds", type=positive, help="per cell")
    bench.add_argument("--rounds", type=int, help="interleaved rounds")
    bench.add_argument("--bundle", type=Path, help="measure with this bundle")
    bench.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    bench.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from rtdecode.commands.bench import run_bench

    return run_bench(
        quick=options.quick,
        grid=options.grid,
        seconds=options.seconds,
        rounds=options.rounds,
        bundle=options.bundle,
        as_json=options.json,
    )


def _add_engines(commands: Commands) -> None:
    engines = commands.add_parser("engines", help="what can run a bundle here: parity, cost, what is missing")
    engines.add_argument("bundle", type=Path)
    engines.add_argument("--only", metavar="A,B", default="", help="these engines (default: all)")
    engines.add_argument("--mode", help="stream, window or incremental (default: as exported)")
    engines.add_argument("--hop", type=int, metavar="N", help="model samples a hop (default: the bundle's)")
    engines.add_argument("--precision", default="fp32", help="fp32 (default), bf16 or int8")
    engines.add_argument("--threads", type=int, default=1, help="threads of the engine (default 1)")
    engines.add_argument("--seconds", type=positive, default=3.0, help="paced hops of each (default 3)")
    engines.add_argument(
        "--agree",
        type=Path,
        metavar="RECORDING",
        help="compare rankings on it with those of float32",
    )
    engines.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    engines.set_defaults(run=_engines)


def _engines(options: argparse.Namespace) -> int:
    from rtdecode.commands.engines import run_engines

    return run_engines(
        options.bundle,
        only=tuple(name for name in options.only.split(",") if name),
        mode=options.mode,
        hop=options.hop,
        precision=options.precision,
        threads=options.threads,
        seconds=options.seconds,
        agree=options.agree,
        as_json=options.json,
    )


def _add_demo(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="replay the shipped recording and decode it live")
    demo.add_argument(
        "--recordings", type=Path, default=Path("recordings"), help="folder of demo.xdf and demo/"
    )
    demo.add_argument("--headless", action="store_true", help="a summary (the default without a terminal)")
    demo.add_argument("--duration", type=positive, default=20.0, metavar="S", help="headless: seconds (20)")
    demo.add_argument("--since", type=float, metavar="EPOCH", help=argparse.SUPPRESS)
    demo.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    from rtdecode.commands.demo import run_demo

    return run_demo(
        options.recordings, headless=options.headless, duration_s=options.duration, since=options.since
    )
