"""What there is to say before a session: nothing at all (the start screen), and what a bundle is."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

Commands = argparse._SubParsersAction


def add_bundle(commands: Commands) -> None:
    bundle = commands.add_parser(
        "bundle", help="the bundle card: trained on what, on whom, held-out scores beside chance"
    )
    bundle.add_argument("path", type=Path, help="directory written by `offline export`")
    bundle.add_argument("--json", action="store_true", help="one JSON object instead of words")
    bundle.set_defaults(run=_bundle)


def _bundle(options: argparse.Namespace) -> int:
    from rtdecode.commands.card import run_card

    return run_card(options.path, as_json=options.json)


def start_with(hand_over: Callable[[Sequence[str]], int]) -> Callable[[argparse.Namespace], int]:
    """What `rtdecode` without a command does."""

    def run(options: argparse.Namespace) -> int:
        from rtdecode.commands.start import run_start

        return run_start(hand_over)

    return run
