"""`rtdecode completion`, `offline completion`: what Tab completes, as a script of the user's shell.

The script comes from shtab, which writes it from the very parser: nothing is listed twice, and completing
starts no Python. Knows no command.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import shtab


def script(parser: argparse.ArgumentParser, shell: str, values: Mapping[str, Sequence[str]]) -> str:
    """The script for `shell` (options.SHELLS). `parser` is marked for it: give one of its own.

    values  what an option may be given that is checked later than by the parser, by option
    """
    for action in _actions(parser):
        for option in action.option_strings:
            if option in values and action.choices is None:
                action.choices = tuple(values[option])
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
