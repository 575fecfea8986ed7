"""The command line without a live stream: data, training, judging.

Parses and hands over. Results on stdout, progress on stderr; each command imports what it needs.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from offline.commands import data, judging, training
from offline.commands.common import STUDIES
from offline.commands.examples import EXAMPLES
from rtdecode import __version__
from rtdecode.errors import ConfigError, MissingExtra, closest
from rtdecode.options import Parser, add_completion, answer, with_examples


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    # Read by OpenMP when torch loads: waiting threads that spin slow a busy machine down several times.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    return answer(lambda: _run(build_parser().parse(argv)))


def build_parser() -> Parser:
    parser = Parser(
        prog="offline", description="Training and evaluation: everything that needs no live stream."
    )
    parser.add_argument("--version", action="version", version=f"rtdecode {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in (data, training, judging):
        group.add(commands)
    add_completion(commands, _completion)
    with_examples(commands, EXAMPLES)
    return parser


def _completion(options: argparse.Namespace) -> int:
    from rtdecode.commands.completion import script

    print(script(build_parser(), options.shell, {"--study": STUDIES, "--model": ("encoder", "ridge")}))
    return 0


def _run(options: argparse.Namespace) -> int:
    if getattr(options, "study", STUDIES[0]) not in STUDIES:
        raise ConfigError(f"there is no study {options.study!r}", hint=closest(options.study, STUDIES))
    try:
        return int(options.run(options))
    except ModuleNotFoundError as missing:
        if str(missing.name).split(".")[0] in ("rtdecode", "offline", "models"):
            raise  # ours: not the user's to install
        raise MissingExtra(str(missing.name), "offline") from missing
