"""What several commands of `offline` share: how they speak, and the progress of work that is counted.

Knows no command.
"""

import argparse
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

STUDIES = (
    "simulated",
    "cocktail",
    "gwilliams2022",
    "schoffelen2019",
    "broderick2019",
    "brennan2019",
    "willett2023",
    "card2024",
    "local",
)


def say(line: object) -> None:
    """To people."""
    print(line, file=sys.stderr, flush=True)


def study_options(parser: argparse.ArgumentParser, data: str = "directory of the study") -> None:
    parser.add_argument(
        "--study", default="simulated", help=f"one of: {', '.join(STUDIES)} (default simulated)"
    )
    parser.add_argument("--data", type=Path, required=True, help=data)


def simulated(root: Path) -> Any:
    from offline.studies.simulated import load

    return load(root)


def job_options(parser: argparse.ArgumentParser) -> None:
    """Where jobs run, and what a cluster is asked for."""
    parser.add_argument(
        "--where", default="auto", help="auto (default: SLURM where it answers), local, slurm"
    )
    group = parser.add_argument_group("on SLURM")
    group.add_argument("--partition", default="")
    group.add_argument("--account", default="")
    group.add_argument("--gpus", type=int, default=0)
    group.add_argument("--cpus", type=int, default=1)
    group.add_argument("--mem-gb", type=float, default=0.0, help="0 (default): the cluster's own")
    group.add_argument("--time-min", type=int, default=0, help="0 (default): the cluster's own")


def slurm_options(options: argparse.Namespace) -> Any:
    from offline.jobs.job import SlurmOptions

    return SlurmOptions(
        partition=options.partition,
        account=options.account,
        gpus=options.gpus,
        cpus=options.cpus,
        mem_gb=options.mem_gb,
        minutes=options.time_min,
    )


class WorkBar:
    """A progress callback (what, done, of how many) for downloads and preparation, and the context in which
    it draws: bars on a terminal, one line per finished thing elsewhere.
    """

    def __init__(self, stream: TextIO | None = None):
        from rich.console import Console
        from rich.progress import Progress

        self._stream = stream = stream or sys.stderr
        self._bar = Progress(console=Console(file=stream), transient=True) if stream.isatty() else None
        self._tasks: dict[str, Any] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bar is None:
            if total and done >= total:
                print(f"{what}: done", file=self._stream, flush=True)
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total or None)
        self._bar.update(self._tasks[what], completed=done, total=total or None)
        if total and done >= total:
            self._bar.remove_task(self._tasks.pop(what))

    def __enter__(self) -> "WorkBar":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
