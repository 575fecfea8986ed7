"""`offline sweep FILE.toml`: one configuration, many variants of it, each a training run with a name.

    [sweep]
    command = "train"                     # what is run
    config = "windows-small"              # a preset or a TOML file
    out = "runs/{name}"
    arguments = ["--data", "prepared"]    # the same for every run
    set = ["loop.max_epochs=10"]          # the same for every run

    [grid]                                # every combination of these values
    "loop.lr" = [1e-3, 3e-4]
    "loss.symmetric" = [true, false]

    [[runs]]                              # and these
    name = "no-dropout"
    set = ["model.dropout=0"]

Everything is checked before anything starts. Paths are as for the command itself: from where one is. Knows
nothing of training; the table of results is `offline.jobs.table`'s.
"""

import hashlib
import itertools
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from offline.jobs.job import Job, Outcome, Progress, SlurmOptions
from offline.jobs.submit import run_jobs
from offline.jobs.table import Row, row_of, write_table
from offline.overrides import override
from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError, closest

COMMANDS = ("train",)
SECTIONS = ("sweep", "grid", "runs")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=,-]*")
LONGEST_NAME = 64


@dataclass(frozen=True)
class Common:
    """The [sweep] section."""

    config: str
    out: str
    command: str = "train"
    arguments: tuple[str, ...] = ()
    set: tuple[str, ...] = ()


@dataclass(frozen=True)
class Named:
    """One [[runs]] section."""

    name: str
    set: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """settings: overrides "a.b=c" of this run, after the common ones; config: with all of them applied."""

    name: str
    settings: tuple[str, ...]
    out: Path
    config: Any
    job: Job


@dataclass(frozen=True)
class Sweep:
    """varied: the keys that differ between runs;  folder: for the table, results and logs"""

    runs: tuple[Run, ...]
    varied: tuple[str, ...]
    folder: Path

    @property
    def table(self) -> Path:
        return self.folder / "table.csv"

    def lines(self) -> list[str]:
        """The command line of every run, as one would type it."""
        return [shlex.join([sys.executable, *run.job.arguments]) for run in self.runs]


def load_sweep(path: str | Path) -> Sweep:
    """The runs of a sweep file, or of a shipped one by its bare name. Raises ConfigError, naming the closest,
    for an unknown section, key, command, preset or setting, a value that does not fit, two runs of one name
    or in one place.
    """
    shipped = resources.files("offline.presets") / "sweeps" / f"{path}.toml"
    path = Path(path)
    try:
        data = tomllib.loads((shipped if shipped.is_file() else path).read_text("utf-8"))
    except OSError as problem:
        raise ConfigError(f"cannot read the sweep {path}: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not TOML: {problem}") from problem
    for section in data:
        if section not in SECTIONS:
            raise ConfigError(f"{path} has an unknown section [{section}]", hint=closest(section, SECTIONS))
    if "sweep" not in data:
        raise ConfigError(f"{path} lacks the section [sweep]", hint="it names config and out")
    common = from_json(Common, data["sweep"], f"{path}: sweep")
    if common.command not in COMMANDS:
        raise ConfigError(
            f"{path}: a sweep cannot run {common.command!r}", hint=closest(common.command, COMMANDS)
        )
    if "{name}" not in common.out:
        raise ConfigError(
            f"{path}: every run would go to {common.out}", hint="write {name} where its name goes"
        )
    variants = [*_grid(data.get("grid", {}), path), *_named(data.get("runs", []), path)]
    if not variants:
        raise ConfigError(f"{path} has no runs", hint="give [grid] values or [[runs]]")
    base = _base(common.config)
    runs = tuple(_run(name, settings, common, base, path) for name, settings in variants)
    for name in (run.name for run in runs):
        if sum(run.name == name for run in runs) > 1:
            raise ConfigError(f"{path}: two runs are called {name!r}", hint="name them under [[runs]]")
    varied = dict.fromkeys(setting.partition("=")[0].strip() for _, s in variants for setting in s)
    folder = Path(common.out.partition("{name}")[0] + f"{path.stem}.sweep")
    return Sweep(runs, tuple(varied), folder)


def run_sweep(
    sweep: Sweep,
    where: str = "auto",
    *,
    parallel: int = 1,
    slurm: SlurmOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """Every run that is not done yet; interrupted ones go on from their last checkpoint. The table is there
    from the start and written anew whenever a run ends. Raises as `offline.jobs.submit.run_jobs`.
    """
    write_table(sweep.table, sweep.varied, rows(sweep))

    def report(now: Progress) -> None:
        if now.last is not None:
            write_table(sweep.table, sweep.varied, rows(sweep))
        if progress:
            progress(now)

    jobs = [run.job for run in sweep.runs]
    outcomes = run_jobs(jobs, where, folder=sweep.folder, parallel=parallel, slurm=slurm, progress=report)
    write_table(sweep.table, sweep.varied, rows(sweep, outcomes))
    return outcomes


def rows(sweep: Sweep, outcomes: Sequence[Outcome] = ()) -> list[Row]:
    """One row a run, as far as it has come. outcomes: what is known beyond the files."""
    ended = {one.name: one for one in outcomes}
    return [
        row_of(run.job, run.out, run.config, sweep.varied, sweep.folder, ended.get(run.name))
        for run in sweep.runs
    ]


def _base(config: str) -> Any:
    """The common configuration, of any recipe. Imported late: each brings its own dependencies."""
    from offline.contrastive.config import load_contrastive_config, recipe_of

    recipe = recipe_of(config)
    if recipe == "windows":
        return load_contrastive_config(config)
    if recipe == "text":
        from offline.text.config import load_text_config

        return load_text_config(config)
    from offline.config import load_config

    return load_config(config)


def _run(name: str, settings: tuple[str, ...], common: Common, base: Any, path: Path) -> Run:
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{path}: a run cannot be called {name!r}", hint="letters, digits and any of . _ + = , -"
        )
    every = (*common.set, *settings)
    try:
        config = override(base, every)
    except ConfigError as problem:
        raise ConfigError(f"{path}, run {name}: {problem.message}", hint=problem.hint) from problem
    out = common.out.replace("{name}", name)
    chosen = [word for setting in every for word in ("--set", setting)]
    fixed = ("-m", "offline", common.command, "--config", common.config, "--out", out, "--resume")
    # A preset or file may be edited between two calls: then this is another run.
    key = hashlib.sha256(json.dumps(to_json(config), sort_keys=True).encode()).hexdigest()[:16]
    return Run(name, settings, Path(out), config, Job(name, (*fixed, *chosen, *common.arguments), key))


def _named(data: Any, path: Path) -> list[tuple[str, tuple[str, ...]]]:
    if not isinstance(data, list):
        raise ConfigError(f"{path}: runs should be a list", hint="write [[runs]]")
    named = [from_json(Named, entry, f"{path}: runs") for entry in data]
    return [(run.name, run.set) for run in named]


def _grid(data: Any, path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Every combination, the first key the slowest; names do not depend on the order of the keys."""
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: grid should be a section of lists")
    flat = dict(_flat(data))
    for key, values in flat.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{path}: grid {key} should be a list of values, got {values!r}")
    if not flat:
        return []
    short = _short_names(flat)
    variants = []
    for values in itertools.product(*flat.values()):
        texts = dict(zip(flat, map(_text, values), strict=True))
        name = "_".join(f"{short[key]}-{texts[key]}" for key in sorted(texts))
        name = re.sub(r"[^A-Za-z0-9._+=,-]+", "-", name)
        settings = tuple(f"{key}={text}" for key, text in texts.items())
        if len(name) > LONGEST_NAME:
            digest = hashlib.sha256("\n".join(sorted(settings)).encode()).hexdigest()[:8]
            name = f"{name[: LONGEST_NAME - 9]}-{digest}"
        variants.append((name, settings))
    return variants


def _flat(data: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """ "loop.lr" may be written as one key in quotes or as a table in a table."""
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _short_names(keys: Iterable[str]) -> dict[str, str]:
    """The last word of each key, or all of it where two end alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return {
        key: word if last.count(word) == 1 else key.replace(".", "-")
        for key, word in zip(keys, last, strict=True)
    }


def _text(value: Any) -> str:
    """A TOML value as `--set` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value)
