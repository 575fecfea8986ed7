"""What is run and what came of it: frozen words between the parts of `offline.jobs`. Knows no scheduler."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rtdecode.errors import ConfigError

Status = Literal["done", "failed", "lost"]


@dataclass(frozen=True)
class Job:
    """One command line of this project, run by the same interpreter.

    name       unique among the jobs of a folder
    arguments  what follows `python`: ("-m", "offline", "prepare", ...)
    key        identity of what the arguments do not show, a configuration file's content, say: a finished job
               whose key has changed is run again
    """

    name: str
    arguments: tuple[str, ...]
    key: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    status   "done": exit code 0; "failed": another one; "lost": the worker went without one (killed, node
             down, out of time)
    code     the exit code, below 0 for a signal; None when lost
    seconds  that the command ran; 0 when lost
    error    the last line of its stderr, or why it was lost; "" when done
    log      where its stderr is
    before   it was done by an earlier call, and was not run
    """

    name: str
    status: Status
    code: int | None
    seconds: float
    error: str
    log: Path
    before: bool = False


@dataclass(frozen=True)
class SlurmOptions:
    """What a job asks of the cluster; "" and 0 leave it to the cluster.

    minutes  the command is stopped a little earlier, so that it can be said that it was
    """

    partition: str = ""
    account: str = ""
    gpus: int = 0
    cpus: int = 1
    mem_gb: float = 0.0
    minutes: int = 0

    def __post_init__(self) -> None:
        if self.cpus < 1 or self.minutes < 0 or self.gpus < 0 or self.mem_gb < 0:
            raise ConfigError(
                f"a job of {self.cpus} CPUs, {self.gpus} GPUs, {self.mem_gb:g} GB and {self.minutes} minutes",
                hint="at least one CPU, nothing below 0",
            )

    @property
    def limit_s(self) -> float | None:
        """Seconds until we stop the command ourselves; None: never."""
        return max(60.0 * self.minutes - 30.0, 30.0 * self.minutes) if self.minutes else None


@dataclass(frozen=True)
class Progress:
    """Where a call stands: how many jobs of `total` are done, failed (or lost), running (or queued by SLURM).
    last: what has just ended."""

    where: str
    total: int
    done: int
    failed: int
    running: int
    last: Outcome | None = None

    def __str__(self) -> str:
        words = f"{self.done} of {self.total} jobs done, {self.failed} failed, {self.running} on {self.where}"
        if self.last is None or self.last.before:
            return words
        said = f": {self.last.error}" if self.last.error else f" in {self.last.seconds:.0f} s"
        return f"{self.last.name} {self.last.status}{said} ({words})"
