"""`offline train | export`: prepared data become a model, a model becomes a bundle."""

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from offline.commands.common import job_options, say, simulated, slurm_options, study_options
from rtdecode.bundle import Bundle
from rtdecode.errors import ConfigError, closest


def add(commands: Any) -> None:
    """The parsers; each names its function."""
    train = commands.add_parser(
        "train",
        help="train on a study",
    )
    study_options(train, "directory of the study; of the prepared study for recipes of windows")
    train.add_argument("--model", default="encoder", help="encoder (default) or ridge")
    train.add_argument("--config", default="demo", help="TOML file, or the name of a preset (default demo)")
    train.add_argument(
        "--set",
        dest="settings",
        metavar="A.B=C",
        action="append",
        default=[],
        help="change one value of the configuration; may be given often",
    )
    train.add_argument(
        "--out", type=Path, required=True, help="run directory (ridge on cocktail: the bundle)"
    )
    train.add_argument("--resume", action="store_true", help="go on where the run in --out stopped")
    train.add_argument(
        "--hold-out", type=int, default=3, metavar="TRIAL", help="cocktail: trial kept for testing"
    )
    train.add_argument(
        "--sounds", type=Path, help="speech.context=window: directory of the study itself, for its audio"
    )
    train.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    train.add_argument("--tensorboard", action="store_true", help="also write RUN/tensorboard")
    train.add_argument("--wandb", metavar="PROJECT", help="also send metrics to Weights & Biases")
    train.set_defaults(run=run_train)

    sweep = commands.add_parser(
        "sweep",
        help="train many variants of one configuration, here or on SLURM",
    )
    sweep.add_argument("file", type=Path, help="TOML: base configuration, grid or list of changes")
    sweep.add_argument("--dry-run", action="store_true", help="print the command lines, start nothing")
    sweep.add_argument("--parallel", type=int, default=1, metavar="N", help="so many at once (default 1)")
    job_options(sweep)
    sweep.set_defaults(run=run_sweep)

    export = commands.add_parser("export", help="a trained run becomes a bundle for the live decoder")
    export.add_argument("--run", dest="source", type=Path, required=True, help="what `offline train` wrote")
    export.add_argument("--data", type=Path, required=True, help="directory of the study")
    export.add_argument("--subject", help="whose decoder (default: the first)")
    export.add_argument("--out", type=Path, required=True, help="the new bundle")
    export.add_argument(
        "--engine", action="append", default=[], metavar="NAME", help="make what it needs: inductor, tensorrt"
    )
    text = export.add_argument_group("a run of text")
    text.add_argument("--lexicon", default="", help="the words that may be said, with their pronunciations")
    text.add_argument("--lm", default="", help="ARPA file, or train: estimated from the training sentences")
    text.add_argument("--day", default="", help="whose day layer is used (default: the last trained on)")
    text.add_argument("--hop-frames", type=int, default=1, help="output frames per step (default 1)")
    text.add_argument(
        "--adapt-s", type=float, default=0.0, help="a live scaler for counts, seconds; 0 (default): none"
    )
    export.set_defaults(run=run_export)


def run_train(options: argparse.Namespace) -> int:
    if options.model not in ("encoder", "ridge"):
        raise ConfigError(
            f"there is no model {options.model!r}", hint=closest(options.model, ("encoder", "ridge"))
        )
    if options.study == "cocktail":
        return _cocktail(options)
    from offline.contrastive.config import recipe_of
    from offline.loop.distributed import World, joined

    recipe = recipe_of(options.config)
    if recipe == "crops" and options.study != "simulated":
        raise ConfigError(
            f"{options.config} is a recipe for continuous recordings, and study {options.study} is trained "
            "on windows",
            hint="prepare it, and give --config reference or windows-small",
        )
    if recipe != "text":
        _refuse_trials(options)
    run = {"crops": _crops, "windows": _windows, "text": _text}[recipe]
    with joined(World.from_env(options.device)) as world:
        run(options, world)
    return 0


def _refuse_trials(options: argparse.Namespace) -> None:
    from offline.intracortical.store import is_trials

    if is_trials(options.data):
        raise ConfigError(
            f"{options.data} is a study of trials, and {options.config} is a recipe for recordings",
            hint="give --config text-transformer, text-gru or text-small",
        )


def _cocktail(options: argparse.Namespace) -> int:
    if options.model != "ridge":
        raise ConfigError(
            "the cocktail study has two minutes of training data",
            hint="only --model ridge can be trained on it",
        )
    from offline.cocktail import train_cocktail

    bundle = train_cocktail(options.data, options.hold_out, options.out)
    say(f"wrote the bundle {bundle}, trial {options.hold_out} held out")
    return 0


def _crops(options: argparse.Namespace, world: Any) -> None:
    from offline.config import linear, load_config
    from offline.data import prepare
    from offline.overrides import override
    from offline.train import train
    from rtdecode.config import to_json

    config = override(load_config(options.config), options.settings)
    if options.model == "ridge":
        config = linear(config)
    sinks = _sinks(options, to_json(config)) if world.first else []
    with _bar(world) as bar:
        prepared = prepare(simulated(options.data), config)
        train(config, prepared, options.out, resume=options.resume, progress=bar, sinks=sinks, world=world)
    if world.first:
        say(
            f"wrote {options.out}; next comes "
            f"`offline export --run {options.out} --data {options.data} --out BUNDLE`"
        )


def _windows(options: argparse.Namespace, world: Any) -> None:
    from offline.contrastive.config import load_contrastive_config
    from offline.contrastive.train import train
    from offline.contrastive.window_features import open_features
    from offline.overrides import override
    from offline.prepare.store import open_prepared
    from offline.studies import load_study
    from rtdecode.config import to_json

    if options.model == "ridge":
        raise ConfigError("ridge is a model of the recipe for continuous recordings, e.g. --config demo")
    config = override(load_contrastive_config(options.config), options.settings)
    prepared = open_prepared(options.data)
    study = load_study(prepared.name, options.sounds) if options.sounds else None
    features = open_features(options.data, config.speech, study, device=str(world.device))
    sinks = _sinks(options, to_json(config)) if world.first else []
    with _bar(world) as bar:
        train(
            config, prepared, features, options.out,
            resume=options.resume, sinks=sinks, progress=bar, world=world,
        )  # fmt: skip
    if world.first:
        say(f"wrote {options.out}; next comes `offline evaluate --run {options.out} --data {options.data}`")


def _text(options: argparse.Namespace, world: Any) -> None:
    from offline.intracortical.store import open_trials
    from offline.overrides import override
    from offline.text.config import load_text_config
    from offline.text.train import train
    from rtdecode.config import to_json

    if options.model == "ridge":
        raise ConfigError("ridge is a model of the recipe for continuous recordings, e.g. --config demo")
    config = override(load_text_config(options.config), options.settings)
    study = open_trials(options.data)
    sinks = _sinks(options, to_json(config)) if world.first else []
    with _bar(world) as bar:
        train(config, study, options.out, resume=options.resume, sinks=sinks, progress=bar, world=world)
    if world.first:
        say(f"wrote {options.out}; next comes `offline evaluate --run {options.out} --data {options.data}`")


def _sinks(options: argparse.Namespace, run: dict[str, Any]) -> list[Any]:
    from offline.loop.metrics import open_sinks

    return open_sinks(options.out, {"config": run}, tensorboard=options.tensorboard, wandb=options.wandb)


def _bar(world: Any) -> Any:
    """Where progress is shown: by the first of several processes alone."""
    from offline.progress import TrainingBar

    return TrainingBar() if world.first else nullcontext()


def run_sweep(options: argparse.Namespace) -> int:
    from offline.jobs.results import check
    from offline.jobs.sweep import load_sweep, run_sweep

    sweep = load_sweep(options.file)
    if options.dry_run:
        print("\n".join(sweep.lines()))
        return 0
    slurm = slurm_options(options)
    outcomes = run_sweep(sweep, options.where, parallel=options.parallel, slurm=slurm, progress=say)
    print(sweep.table)
    check(outcomes)
    return 0


def run_export(options: argparse.Namespace) -> int:
    from offline.loop.checkpointing import RUN, read_run
    from rtdecode.engines.prepare import prepare, require_known

    for engine in options.engine:
        require_known(engine)
    if not (options.source / RUN).is_file():
        raise ConfigError(
            f"{options.source} is no run: it has no {RUN}", hint="--run is the --out of `offline train`"
        )
    recipe = read_run(options.source).get("recipe")
    if recipe == "text":
        bundle = _export_text(options)
    elif recipe == "windows":
        bundle = _export_windows(options)
    else:
        from offline.export import export

        bundle = export(options.source, simulated(options.data), options.out, subject=options.subject)
    say(f"wrote the bundle {bundle.path}")
    for engine in options.engine:
        say(prepare(bundle, engine))
    return 0


def _export_windows(options: argparse.Namespace) -> Bundle:
    from offline.contrastive.export import export_windows
    from offline.prepare.store import open_prepared

    return export_windows(options.source, open_prepared(options.data), options.out, subject=options.subject)


def _export_text(options: argparse.Namespace) -> Bundle:
    from offline.intracortical.store import open_trials
    from offline.text.export import ExportSpec, export_text

    spec = ExportSpec(options.day, options.lexicon, options.lm, options.hop_frames, options.adapt_s)
    return export_text(options.source, open_trials(options.data), options.out, spec)
