"""The command line: `rtdecode live | replay | streams | demo`. Parses and hands over."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rtdecode import __version__
from rtdecode.options import Parser, answer, positive

HEADLESS_WAIT_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    return answer(lambda: _run(_parser().parse(argv)))


def _parser() -> Parser:
    parser = Parser(prog="rtdecode", description="A streaming, real-time brain decoder in the terminal.")
    parser.add_argument("--version", action="version", version=f"rtdecode {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    live = commands.add_parser("live", help="decode a stream, on the screen or as JSON lines")
    _stream_options(live)
    live.add_argument("--bundle", type=Path, required=True, help="directory written by `offline export`")
    live.add_argument(
        "--headless", action="store_true", help="no screen: one JSON object per decision on stdout"
    )
    live.add_argument("--duration", type=positive, metavar="S", help="headless: stop after this many seconds")
    live.add_argument("--decisions", type=int, metavar="N", help="headless: stop after this many decisions")
    live.add_argument("--engine", default="onnx", help="onnx (default) or torch (the reference)")
    live.add_argument("--threads", type=int, default=1, help="threads of the engine (default 1)")
    live.add_argument("--assume-unit", default="", metavar="UNIT", help="unit of channels that state none")

    replay = commands.add_parser("replay", help="a recording as a live LSL stream, original timing")
    replay.add_argument(
        "file", type=Path, help="FIF, EDF, BDF, BrainVision, CTF, KIT, XDF, or the cocktail .mat"
    )
    replay.add_argument("--stream", default="EEG", help="name of the LSL stream (default EEG)")
    replay.add_argument("--select", metavar="NAME", help="which stream of an XDF file, by name or type")
    replay.add_argument("--speed", default="1", help="0.5, 1, 4 … or max (default 1)")
    replay.add_argument("--loop", action="store_true", help="start again at the end, without a gap")
    replay.add_argument(
        "--no-wait", action="store_true", help="do not wait for a listener before the first sample"
    )

    streams = commands.add_parser("streams", help="what is on the network, and whether a bundle fits it")
    streams.add_argument("--bundle", type=Path, help="compare every stream with this bundle")
    streams.add_argument(
        "--wait", type=positive, default=2.0, metavar="S", help="seconds to listen (default 2)"
    )
    streams.add_argument("--assume-unit", default="", metavar="UNIT", help="unit of channels that state none")

    demo = commands.add_parser("demo", help="replay the shipped recording and decode it live")
    demo.add_argument(
        "--recordings", type=Path, default=Path("recordings"), help="folder with demo.xdf and demo/"
    )
    demo.add_argument(
        "--headless", action="store_true", help="no screen: 20 s, then a summary (default without a terminal)"
    )
    demo.add_argument(
        "--duration", type=positive, default=20.0, metavar="S", help="headless: seconds (default 20)"
    )
    demo.add_argument("--since", type=float, metavar="EPOCH", help=argparse.SUPPRESS)
    return parser


def _stream_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", metavar="NAME", help="name of the LSL stream")
    parser.add_argument("--type", metavar="TYPE", help="type of the LSL stream, when the name is not known")
    parser.add_argument(
        "--wait",
        type=positive,
        metavar="S",
        help="seconds to look for it (headless 5 unless given; the screen waits and lists what it finds)",
    )


def _run(options: argparse.Namespace) -> int:
    # Each command imports what it needs: `rtdecode --help` loads neither liblsl nor the screen.
    if options.command == "live":
        common = {
            "stream": options.stream,
            "stype": options.type,
            "bundle": options.bundle,
            "engine": options.engine,
            "threads": options.threads,
            "assume_unit": options.assume_unit,
        }
        if options.headless:
            from rtdecode.commands.live import run_headless

            wait_s = HEADLESS_WAIT_S if options.wait is None else options.wait
            return run_headless(
                **common, wait_s=wait_s, duration_s=options.duration, decisions=options.decisions
            )
        from rtdecode.commands.screen import run_screen

        return run_screen(**common, wait_s=options.wait)
    if options.command == "replay":
        from rtdecode.commands.replay import run_replay

        return run_replay(
            options.file,
            name=options.stream,
            select=options.select,
            speed=options.speed,
            loop=options.loop,
            wait=not options.no_wait,
        )
    if options.command == "streams":
        from rtdecode.commands.streams import run_streams

        return run_streams(bundle=options.bundle, wait_s=options.wait, assume_unit=options.assume_unit)
    from rtdecode.commands.demo import run_demo

    return run_demo(
        options.recordings, headless=options.headless, duration_s=options.duration, since=options.since
    )
