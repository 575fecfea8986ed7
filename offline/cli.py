"""The command line without a live stream: `offline simulate | cut | train | export | evaluate`.

Parses and hands over. Results on stdout, progress on stderr; each command imports what it needs.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rtdecode import __version__
from rtdecode.errors import ConfigError, MissingExtra, closest
from rtdecode.options import Parser, answer, positive

STUDIES = ("simulated", "cocktail")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    # Read by OpenMP when torch loads: waiting threads that spin slow a busy machine down several times.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    return answer(lambda: _run(_parser().parse(argv)))


def _parser() -> Parser:
    parser = Parser(
        prog="offline", description="Training and evaluation: everything that needs no live stream."
    )
    parser.add_argument("--version", action="version", version=f"rtdecode {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="write a study with a planted brain-speech relation")
    simulate.add_argument("out", type=Path, help="a new directory")
    simulate.add_argument("--subjects", type=int, default=4)
    simulate.add_argument(
        "--minutes", type=positive, default=20.0, help="training minutes a subject (default 20)"
    )
    simulate.add_argument("--valid-minutes", type=positive, default=1.5)
    simulate.add_argument("--test-minutes", type=positive, default=3.0)
    simulate.add_argument(
        "--gain", type=positive, default=1.0, help="response strength, times real EEG (default 1)"
    )
    simulate.add_argument(
        "--recombined", type=int, default=150, help="training sentences made from the words of others"
    )
    simulate.add_argument("--text", type=Path, help="plain-text book to speak (default: the shipped fables)")
    simulate.add_argument("--seed", type=int, default=0)

    cut = commands.add_parser("cut", help="the first seconds of a recording as an XDF file")
    cut.add_argument("recording", type=Path)
    cut.add_argument("--seconds", type=positive, required=True)
    cut.add_argument("--select", metavar="NAME", help="which stream of an XDF file, by name or type")
    cut.add_argument("--out", type=Path, required=True)

    train = commands.add_parser("train", help="train on a study")
    _study_options(train)
    train.add_argument("--model", default="encoder", help="encoder (default) or ridge")
    train.add_argument("--config", default="demo", help="TOML file, or the name of a preset (default demo)")
    train.add_argument(
        "--out", type=Path, required=True, help="run directory (ridge on cocktail: the bundle)"
    )
    train.add_argument("--resume", action="store_true", help="go on where the run in --out stopped")
    train.add_argument(
        "--hold-out", type=int, default=3, metavar="TRIAL", help="cocktail: trial kept for testing"
    )

    export = commands.add_parser("export", help="a trained run becomes a bundle for the live decoder")
    export.add_argument("--run", type=Path, required=True, help="directory that `offline train` wrote")
    export.add_argument("--data", type=Path, required=True, help="directory of the study")
    export.add_argument("--subject", help="whose decoder (default: the first)")
    export.add_argument("--out", type=Path, required=True, help="the new bundle")

    evaluate = commands.add_parser(
        "evaluate", help="score a bundle on held-out recordings, beside chance and controls"
    )
    _study_options(evaluate)
    evaluate.add_argument("--bundle", type=Path, required=True)
    evaluate.add_argument("--texts", action="store_true", help="also print what was heard and what was read")
    return parser


def _study_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--study", default="simulated", help=f"one of: {', '.join(STUDIES)} (default simulated)"
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the study")


def _run(options: argparse.Namespace) -> int:
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "simulate": _simulate, "cut": _cut, "train": _train, "export": _export, "evaluate": _evaluate,
    }  # fmt: skip
    if getattr(options, "study", STUDIES[0]) not in STUDIES:
        raise ConfigError(f"there is no study {options.study!r}", hint=closest(options.study, STUDIES))
    try:
        return commands[options.command](options)
    except ModuleNotFoundError as missing:
        if str(missing.name).split(".")[0] in ("rtdecode", "offline", "models"):
            raise  # ours: not the user's to install
        raise MissingExtra(str(missing.name), "offline") from missing


def _simulate(options: argparse.Namespace) -> int:
    from offline.simulate.build import simulate

    out = simulate(
        options.out,
        subjects=options.subjects,
        minutes_train=options.minutes,
        minutes_valid=options.valid_minutes,
        minutes_test=options.test_minutes,
        gain=options.gain,
        recombined=options.recombined,
        text=options.text,
        seed=options.seed,
    )
    _say(f"wrote {out}: {options.subjects} simulated listeners at {options.gain:g} x real EEG")
    return 0


def _cut(options: argparse.Namespace) -> int:
    from offline.cut import cut

    _say(f"wrote {cut(options.recording, options.seconds, options.out, options.select)}")
    return 0


def _train(options: argparse.Namespace) -> int:
    if options.model not in ("encoder", "ridge"):
        raise ConfigError(
            f"there is no model {options.model!r}", hint=closest(options.model, ("encoder", "ridge"))
        )
    if options.study == "cocktail":
        if options.model != "ridge":
            raise ConfigError(
                "the cocktail study has two minutes of training data",
                hint="only --model ridge can be trained on it",
            )
        from offline.cocktail import train_cocktail

        bundle = train_cocktail(options.data, options.hold_out, options.out)
        _say(f"wrote the bundle {bundle}, trial {options.hold_out} held out")
        return 0
    from offline.config import linear, load_config
    from offline.data import prepare
    from offline.train import train

    config = load_config(options.config)
    if options.model == "ridge":
        config = linear(config)
    train(
        config, prepare(_simulated(options.data), config), options.out, resume=options.resume, progress=_say
    )
    _say(
        f"wrote {options.out}; next comes "
        f"`offline export --run {options.out} --data {options.data} --out BUNDLE`"
    )
    return 0


def _export(options: argparse.Namespace) -> int:
    from offline.export import export

    bundle = export(options.run, _simulated(options.data), options.out, subject=options.subject)
    _say(f"wrote the bundle {bundle.path}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from rtdecode.bundle import load_bundle

    if options.study == "cocktail":
        from offline.cocktail_evaluate import evaluate_held_out

        print(evaluate_held_out(options.bundle, options.data).line())
        return 0
    from offline.evaluate import evaluate

    report = evaluate(load_bundle(options.bundle), _simulated(options.data))
    print("\n".join(report.lines()))
    if options.texts:
        for name, heard, read in report.texts:
            print(f"{name}\n  heard  {heard}\n  read   {read}")
    return 0


def _simulated(root: Path) -> Any:
    from offline.studies.simulated import load

    return load(root)


def _say(line: object) -> None:
    print(line, file=sys.stderr, flush=True)
