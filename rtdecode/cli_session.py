"""What there is to say to the commands of a session: decode, watch, replay, record, look back."""

import argparse
import sys
from pathlib import Path

from rtdecode.cli_unit import add_assume_unit
from rtdecode.errors import ConfigError
from rtdecode.options import count, positive

HEADLESS_WAIT_S = 5.0

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


def add_live(commands: Commands) -> None:
    live = commands.add_parser("live", help="decode a stream, on the screen or as JSON lines")
    _which_stream(live)
    live.add_argument("--source-id", metavar="ID", help="source_id of the stream, when names are not enough")
    live.add_argument("--where", metavar="PREDICATE", help="e.g. \"name='EEG' and type='EEG'\"")
    live.add_argument("--streams", metavar="A,B,C", help="several streams, each with a decoder of its own")
    live.add_argument(
        "--bundle",
        type=Path,
        required=True,
        action="append",
        help="directory written by `offline export`; several times: several decoders of a stream",
    )
    live.add_argument("--headless", action="store_true", help="no screen: JSON lines on stdout")
    live.add_argument("--duration", type=positive, metavar="S", help="headless: stop after so many seconds")
    live.add_argument("--decisions", type=count, metavar="N", help="headless: stop after so many decisions")
    live.add_argument("--engine", default="onnx", help="onnx (default), auto, or one of `rtdecode engines`")
    live.add_argument("--threads", type=count, default=1, help="threads of the engine (default 1)")
    live.add_argument(
        "--precision",
        choices=("fp32", "bf16", "int8"),
        default="fp32",
        help="less than fp32 (default) must have been found to agree: `rtdecode engines BUNDLE --agree`",
    )
    add_assume_unit(live)
    live.add_argument(
        "--bad",
        choices=("keep", "mask", "interpolate"),
        default="keep",
        help="flat, railed, noisy channels: use them, hold them still, or make them of the good ones",
    )
    live.add_argument(
        "--policy",
        choices=("latest", "every"),
        default="latest",
        help="when behind: rank the newest hop only, or every hop however late",
    )
    live.add_argument(
        "--realtime", action="store_true", help="real-time priority and locked memory for the decoder (Linux)"
    )
    live.add_argument(
        "--processor",
        default="auto",
        metavar="auto|any|N",
        help="the one that the decoder keeps to, and our other processes off (Linux; default auto)",
    )
    live.add_argument(
        "--rescore", metavar="MODEL", help="a causal language model (folder, cached id) asked about sentences"
    )
    live.add_argument(
        "--rescore-deadline", type=positive, metavar="S", help="how long it may take (1 unless given)"
    )
    live.add_argument(
        "--allow-corrections",
        action="store_true",
        help="with --rescore: its corrections are said though the bundle forbids them (docs/text.md)",
    )
    live.add_argument("--markers", default="", metavar="NAME", help="a marker stream to show and log")
    live.add_argument("--record", type=Path, metavar="DIR", help="write a session log")
    live.add_argument(
        "--sessions",
        type=Path,
        default=Path("sessions"),
        metavar="DIR",
        help="where the key r writes session logs (default ./sessions)",
    )
    live.add_argument("--outlets", default="", metavar="PREFIX", help="publish the results as LSL streams")
    live.add_argument(
        "--watch",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="let `rtdecode watch` look (127.0.0.1:7700; of several decoders 7710 and those after it)",
    )
    live.set_defaults(run=_live)


def _live(options: argparse.Namespace) -> int:
    from rtdecode.live.config import CoreConfig
    from rtdecode.live.processor import parse as parse_processor
    from rtdecode.remote.address import SESSION_PORT, SEVERAL_PORT, parse

    if options.engine == "auto" and options.record:
        raise ConfigError(
            "a session log names its engine, and auto chooses one anew each time",
            hint=f"`rtdecode engines {options.bundle[0]}` says which it would be: name that",
        )
    several = options.streams is not None or len(options.bundle) > 1
    port = SEVERAL_PORT if several else SESSION_PORT
    watch = None if options.watch is None else parse(options.watch, port)
    _check_rescoring(options)
    _check_places(options)
    config = CoreConfig(
        str(options.bundle[0]),
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
        precision=options.precision,
        realtime=options.realtime,
        processor=parse_processor(options.processor),
        rescore=options.rescore or "",
        rescore_deadline_s=options.rescore_deadline or 1.0,
        allow_corrections=options.allow_corrections,
    )
    if several:
        from rtdecode.commands.several import run_several

        return run_several(
            config,
            streams=options.streams,
            bundles=options.bundle,
            headless=options.headless,
            duration_s=options.duration,
            decisions=options.decisions,
            record=options.record,
            watch=watch,
            sessions=options.sessions,
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

    return run_screen(config, record=options.record, watch=watch, sessions=options.sessions)


def _check_rescoring(options: argparse.Namespace) -> None:
    """Before anything is started: a session that lacks its language model is not the one asked for."""
    if options.rescore is None:
        if options.rescore_deadline is not None or options.allow_corrections:
            named = "--allow-corrections" if options.allow_corrections else "--rescore-deadline"
            raise ConfigError(f"{named} without --rescore: nothing is rescored", hint="add --rescore MODEL")
        return
    from rtdecode.text.rescore_lm import model_folder

    model_folder(options.rescore)


def _check_places(options: argparse.Namespace) -> None:
    """Before anything is started: where the channels sit must be known to interpolate them."""
    if options.bad != "interpolate":
        return
    from rtdecode.finding import peek_bundle
    from rtdecode.montage import check_places

    for path in options.bundle:
        if spec := peek_bundle(path).spec:  # what is no bundle is refused by whoever opens it
            check_places(spec.stream.labels, str(path))


def add_watch(commands: Commands) -> None:
    watch = commands.add_parser("watch", help="a running session's screen elsewhere, read-only")
    watch.add_argument(
        "where",
        nargs="*",
        metavar="HOST:PORT",
        help="as `rtdecode live --watch` said; of several, n shows the next",
    )
    watch.add_argument("--log", type=Path, metavar="LOG", help="follow a session log that somebody writes")
    watch.add_argument("--fps", type=positive, metavar="N", help="pictures a second (15; in a browser 5)")
    watch.add_argument(
        "--web", nargs="?", const="", metavar="HOST:PORT", help="serve it to browsers (127.0.0.1:7701)"
    )
    watch.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> int:
    from rtdecode.commands.watch import WEB_FPS, run_log, run_watch, run_web, web_address
    from rtdecode.remote.address import parse

    if options.log and options.where:
        raise ConfigError(
            f"{options.where[0]} is a running session and --log {options.log} a log: one screen shows one",
            hint="leave one of them out",
        )
    where = [parse(text) for text in options.where or [""]]
    if options.web is None and options.log:
        return run_log(options.log)
    if options.web is None:
        return run_watch(where, fps=options.fps or 15.0)
    return run_web(options.log or where, web_address(options.web), fps=options.fps or WEB_FPS)


def add_replay(commands: Commands) -> None:
    replay = commands.add_parser("replay", help="a recording as a live LSL stream, original timing")
    replay.add_argument(
        "file", type=Path, help="FIF, EDF, BDF, BrainVision, CTF, KIT, XDF, .mat, session log"
    )
    replay.add_argument(
        "--bundle", type=Path, help="decode it: the live screen, with a bar to move in the file"
    )
    replay.add_argument(
        "--headless", action="store_true", help="with --bundle: JSON lines until the file ends"
    )
    replay.add_argument("--at", type=float, default=0.0, metavar="S", help="begin at this second of the file")
    replay.add_argument(
        "--stream", help="name of the LSL stream (EEG; with --bundle one that nobody else has)"
    )
    add_assume_unit(replay)
    replay.add_argument("--select", metavar="NAME", help="which stream of an XDF file, by name or type")
    replay.add_argument("--speed", default="1", help="0.5, 1, 4 … or max (default 1)")
    replay.add_argument("--loop", action="store_true", help="start again at the end, without a gap")
    replay.add_argument("--no-wait", action="store_true", help="do not wait for a listener")
    replay.add_argument(
        "--control", action="store_true", help="steered by JSON lines on stdin (docs/replay.md)"
    )
    replay.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> int:
    if options.bundle:
        from rtdecode.commands.replay_screen import run_replay_decoded

        return run_replay_decoded(
            options.file,
            options.bundle,
            headless=options.headless,
            name=options.stream,
            select=options.select,
            speed=options.speed,
            loop=options.loop,
            at_s=options.at,
            assume_unit=options.assume_unit,
        )
    if options.headless:
        raise ConfigError("--headless without --bundle: nothing is decoded", hint="add --bundle BUNDLE")
    from rtdecode.commands.replay import run_replay

    return run_replay(
        options.file,
        name=options.stream or "EEG",
        at_s=options.at,
        control=options.control,
        select=options.select,
        speed=options.speed,
        loop=options.loop,
        wait=not options.no_wait,
    )


def add_record(commands: Commands) -> None:
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


def add_review(commands: Commands) -> None:
    review = commands.add_parser("review", help="a session log on the screen, in words, or decoded again")
    review.add_argument("log", type=Path, help="a session log, or a folder of them")
    review.add_argument("other", type=Path, nargs="?", help="a second log, side by side with the first")
    review.add_argument("--text", action="store_true", help="in words (the default without a terminal)")
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
    words = options.text or options.decisions or options.redecode
    if not words and sys.stdin.isatty() and sys.stdout.isatty():
        from rtdecode.commands.review_screen import run_review_screen

        logs = [options.log, *([options.other] if options.other else [])]
        return run_review_screen(logs, bundle=options.bundle)
    if options.other:
        raise ConfigError("two logs stand side by side on a terminal only", hint="one log at a time in words")
    from rtdecode.commands.review import run_review

    return run_review(
        options.log, decisions=options.decisions, redecode=options.redecode, bundle=options.bundle
    )


def add_report(commands: Commands) -> None:
    report = commands.add_parser("report", help="a session log as one HTML file that needs no network")
    report.add_argument("log", type=Path)
    report.add_argument("--out", type=Path, metavar="FILE", help="where to (default: LOG.html, beside it)")
    report.add_argument("--bundle", type=Path, help="the bundle, when it is no longer where it was")
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from rtdecode.commands.report import run_report

    return run_report(options.log, out=options.out, bundle=options.bundle)
