"""The command line's manners, shared by `rtdecode` and `offline`: one sentence for a mistake, exit code 2.

stdout belongs to results, stderr to people. Exit codes: 0 done, 1 our fault, 2 the user can mend it,
130 interrupted.
"""

import argparse
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from rtdecode.errors import RtdecodeError, closest

SHELLS = ("bash", "zsh", "fish")
FULL = (errno.ENOSPC, errno.EDQUOT)


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a wrong word with the closest right ones."""

    def error(self, message: str) -> NoReturn:
        raise RtdecodeError(message, hint=f"`{self.prog} --help` lists everything")

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Parse all of `argv`; RtdecodeError for anything left over."""
        found, left = self.parse_known_args(argv)
        if left:
            chosen = self._chosen(found)
            options = [option for action in chosen._actions for option in action.option_strings]
            raise RtdecodeError(f"{chosen.prog}: unknown option {left[0]!r}", hint=closest(left[0], options))
        return found

    def _chosen(self, found: argparse.Namespace) -> argparse.ArgumentParser:
        command = getattr(found, "command", None)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and command in action.choices:
                return action.choices[command]
        return self

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            name = action.dest if not action.option_strings else action.option_strings[-1]
            raise RtdecodeError(
                f"{name}: {value!r} is not one of them", hint=closest(str(value), map(str, action.choices))
            )


def positive(text: str) -> float:
    """An argparse type: a number above zero."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


def count(text: str) -> int:
    """An argparse type: a whole number from one on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return value


def with_examples(
    commands: "argparse._SubParsersAction[Parser]", examples: Mapping[str, tuple[str, ...]]
) -> None:
    """End the --help of each command with its examples, one a line, as they are typed."""
    for name, parser in commands.choices.items():
        if lines := examples.get(name):
            parser.formatter_class = argparse.RawDescriptionHelpFormatter
            parser.epilog = "\n".join(("examples:", *(f"  {line}" for line in lines)))


def add_completion(
    commands: "argparse._SubParsersAction[Parser]", run: Callable[[argparse.Namespace], int]
) -> None:
    """`completion bash|zsh|fish`, the same for both command lines."""
    parser = commands.add_parser("completion", help="a script that lets Tab complete commands and options")
    parser.add_argument("shell", choices=SHELLS, help=f"one of: {', '.join(SHELLS)}")
    parser.set_defaults(run=run)


def answer(run: Callable[[], int]) -> int:
    """Run a command; a mistake becomes one sentence on stderr and exit code 2.

    Where the terminal's encoding lacks a sign, it is written as \\uXXXX, as stderr does anyway.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run()
        sys.stdout.flush()  # here, where what goes wrong can still be told
        return code
    except RtdecodeError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _drop_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        _drop_output()
        print(
            f"error: cannot write: {problem.strerror} (make room there, or write elsewhere)", file=sys.stderr
        )
        return 2


def _drop_output() -> None:
    """What is still buffered goes nowhere: Python would try once more at its end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
