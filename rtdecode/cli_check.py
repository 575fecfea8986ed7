"""What there is to say to `rtdecode check`."""

import argparse
import os
from pathlib import Path

from rtdecode.cli_unit import add_assume_unit
from rtdecode.options import count, positive

STEPS = ("noise", "blink", "scale", "delay", "story")

Commands = argparse._SubParsersAction


def add_check(commands: Commands) -> None:
    check = commands.add_parser(
        "check",
        help="is this sitting fit to decode? guided steps, each a number beside its limit",
        description="Noise floor, blinks, scale, delay, a known story: each step is a number "
        "beside its limit, and says what to do where it fails. Nothing is changed; `rtdecode calibrate` fits "
        "a listener. Exit code: 0 no step failed, 1 one did, 2 not all could run.",
    )
    check.add_argument("--stream", metavar="NAME", help="name of the LSL stream")
    check.add_argument("--type", metavar="TYPE", help="type of the LSL stream, when the name is not known")
    check.add_argument("--wait", type=positive, default=5.0, metavar="S", help="seconds to look for it (5)")
    check.add_argument("--bundle", type=Path, required=True, help="directory written by `offline export`")
    add_assume_unit(check)
    check.add_argument("--markers", default="", metavar="NAME", help="a marker stream: what is heard")
    check.add_argument(
        "--story", type=Path, metavar="FILE", help="or a table of events, or the recording being replayed"
    )
    check.add_argument("--headless", action="store_true", help="no screen: every step in turn, line by line")
    check.add_argument("--out", type=Path, metavar="DIR", help="a new directory, or that of a session log")
    check.add_argument("--skip", action="append", choices=STEPS, default=[], help="leave a step out (repeat)")
    check.add_argument(
        "--seconds-scale", type=positive, default=1.0, metavar="X", help="longer or shorter steps (1)"
    )
    check.add_argument("--story-seconds", type=positive, metavar="S", help="seconds of the story (60)")
    check.add_argument("--engine", default="onnx", help="onnx (default), or one of `rtdecode engines`")
    check.add_argument("--threads", type=count, default=1, help="threads of the engine (default 1)")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    # before numpy is loaded: threads of a matrix product wait for the next one at full speed
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from rtdecode.commands.check import run_check

    return run_check(
        bundle=options.bundle,
        stream=options.stream,
        stype=options.type,
        wait_s=options.wait,
        assume_unit=options.assume_unit,
        markers=options.markers,
        known=options.story,
        headless=options.headless,
        out=options.out,
        skip=tuple(options.skip),
        seconds_scale=options.seconds_scale,
        story_s=options.story_seconds,
        engine=options.engine,
        threads=options.threads,
    )
