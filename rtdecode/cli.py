"""The command line: what there is to say, parsed and handed over. Each command imports what it needs."""

import argparse
from collections.abc import Callable, Sequence

from rtdecode import __version__
from rtdecode.cli_check import add_check
from rtdecode.cli_examples import EXAMPLES
from rtdecode.cli_session import (
    add_live,
    add_record,
    add_replay,
    add_report,
    add_review,
    add_watch,
)
from rtdecode.cli_start import add_bundle, start_with
from rtdecode.cli_tools import (
    add_bench,
    add_bridge,
    add_calibrate,
    add_demo,
    add_doctor,
    add_engines,
    add_streams,
)
from rtdecode.options import Parser, add_completion, answer, with_examples


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    return answer(lambda: _run(build_parser().parse(argv)))


def _run(options: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def build_parser() -> Parser:
    parser = Parser(prog="rtdecode", description="A streaming, real-time brain decoder in the terminal.")
    parser.add_argument("--version", action="version", version=f"rtdecode {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(run=start_with(lambda argv: _run(build_parser().parse(argv))))
    for add in (add_live, add_replay, add_streams, add_bundle, add_record, add_review, add_report, add_bridge,
                add_doctor, add_bench, add_engines, add_demo, add_calibrate,
                add_check, add_watch):  # fmt: skip
        add(commands)
    add_completion(commands, _completion)
    with_examples(commands, EXAMPLES)
    return parser


def _completion(options: argparse.Namespace) -> int:
    from rtdecode.commands.completion import script
    from rtdecode.engines import EVERY

    print(script(build_parser(), options.shell, {"--engine": ("auto", *EVERY)}))
    return 0
