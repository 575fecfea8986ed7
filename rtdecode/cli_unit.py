"""The option `--assume-unit`, which several commands have."""

import argparse


def add_assume_unit(parser: argparse.ArgumentParser) -> None:
    """Refused at once where nobody knows the unit."""
    what = "unit of channels that state none"
    parser.add_argument("--assume-unit", type=_unit, default="", metavar="UNIT", help=what)


def _unit(text: str) -> str:
    if not text:
        return text
    from rtdecode.contract import said_unit

    return said_unit(text)
