"""Where jobs run: this machine or a SLURM cluster, both through submitit.

A place takes jobs and says which are over; what came of them is in files (`offline.jobs.results`). submitit's
own way to ask SLURM needs its accounting database, which small clusters lack: the queue is asked instead.
"""

import logging
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from offline.jobs.job import Job, SlurmOptions
from offline.jobs.work import work
from rtdecode.errors import ConfigError, closest

log = logging.getLogger(__name__)

Where = Literal["local", "slurm", "auto"]
WHERE: tuple[Where, ...] = ("local", "slurm", "auto")
FOREVER_MIN = 5_000_000
ANSWER_S = 30.0
KILL_AFTER_S = 5.0
OVER = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REVOKED", "TIMEOUT",
}  # fmt: skip
NEVER = {
    "AccountNotAllowed", "BadConstraints", "InvalidAccount", "InvalidQOS", "PartitionNodeLimit",
    "PartitionTimeLimit", "QOSNotAllowed",
}  # fmt: skip
"""Why sbatch takes a job that then waits for ever."""


class Place(Protocol):
    """early: results count before the place says that a job is over; grace_s: how long after it they may
    still appear (a file system of several machines); poll_s: how often to ask."""

    name: str
    early: bool
    grace_s: float
    poll_s: float

    def submit(self, job: Job, cwd: str) -> str: ...

    def over(self, numbers: Sequence[str]) -> dict[str, str]:
        """Which of these are over, and in which words."""
        ...

    def cancel(self, numbers: Sequence[str]) -> None: ...

    def log(self, number: str) -> Path:
        """What the worker said before its command did."""
        ...


def choose(where: str) -> Literal["local", "slurm"]:
    """ "auto": SLURM where there is an sbatch and the cluster answers, else this machine.

    Raises ConfigError for "slurm" without one, or another word.
    """
    if where not in WHERE:
        raise ConfigError(f"jobs cannot run on {where!r}", hint=closest(where, WHERE))
    if where == "local":
        return "local"
    problem = _no_slurm()
    if not problem:
        return "slurm"
    if where == "slurm":
        raise ConfigError(f"there is no SLURM to run jobs on: {problem}", hint="run them locally")
    return "local"


def _no_slurm() -> str:
    for name in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(name) is None:
            return f"no {name} on the path"
    try:
        found = subprocess.run(
            ["sinfo", "--noheader"], capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"sinfo does not answer ({error})"
    return "" if found.returncode == 0 else _last(found.stderr) or f"sinfo ends with {found.returncode}"


class Local:
    """Processes of this machine. They see the GPUs that we see."""

    name, early, grace_s, poll_s = "this machine", False, 0.0, 0.1

    def __init__(self, folder: Path):
        from submitit import LocalExecutor

        self.folder = folder
        self.executor = LocalExecutor(folder / "submitit")
        self.executor.update_parameters(timeout_min=FOREVER_MIN)
        self.jobs: dict[str, Any] = {}

    def submit(self, job: Job, cwd: str) -> str:
        # submitit hides every GPU from a local job that has not asked for some
        gpus = {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES")}
        started = self.executor.submit(
            work, str(self.folder), job.name, job.arguments, job.key, cwd, gpus, None
        )
        self.jobs[started.job_id] = started
        return started.job_id

    def over(self, numbers: Sequence[str]) -> dict[str, str]:
        return {number: "the worker was killed" for number in numbers if self.jobs[number].done()}

    def cancel(self, numbers: Sequence[str]) -> None:
        """Until they are gone: a worker that is just starting may miss the first word."""
        until = time.monotonic() + KILL_AFTER_S
        left = list(numbers)
        while left := [number for number in left if not self.jobs[number].done()]:
            # The controller hands SIGTERM on; killed itself, its worker hears of it from the kernel.
            word = signal.SIGTERM if time.monotonic() < until else signal.SIGKILL
            for number in left:
                with suppress(ProcessLookupError):
                    os.kill(int(number), word)
            time.sleep(self.poll_s)

    def log(self, number: str) -> Path:
        return Path(self.jobs[number].paths.stderr)


class Slurm:
    """A cluster's queue. The folder must be one that all its nodes see."""

    name, early, grace_s, poll_s = "SLURM", True, 20.0, 2.0

    def __init__(self, folder: Path, options: SlurmOptions):
        from submitit import SlurmExecutor

        self.folder, self.options = folder, options
        self.executor = SlurmExecutor(folder / "submitit")
        asked: dict[str, Any] = {"cpus_per_task": options.cpus}
        # None: submitit's own default is five minutes
        asked["time"] = math.ceil(options.minutes) if options.minutes else None
        asked |= {"partition": options.partition} if options.partition else {}
        asked |= {"account": options.account} if options.account else {}
        asked |= {"gpus_per_node": options.gpus} if options.gpus else {}
        asked |= {"mem": f"{round(1024 * options.mem_gb)}MB"} if options.mem_gb else {}
        self.executor.update_parameters(**asked)
        self.logs: dict[str, Path] = {}
        self._silent = False

    def submit(self, job: Job, cwd: str) -> str:
        self.executor.update_parameters(job_name=job.name)
        call: tuple[Any, ...] = (str(self.folder), job.name, job.arguments, job.key, cwd, {})
        try:
            started: Any = self.executor.submit(work, *call, self.options.limit_s)
        except (RuntimeError, subprocess.CalledProcessError) as problem:
            raise ConfigError(f"sbatch refuses {job.name}: {_last(str(problem))}") from problem
        self.logs[started.job_id] = Path(started.paths.stderr)
        return started.job_id

    def over(self, numbers: Sequence[str]) -> dict[str, str]:
        command = ["squeue", "--noheader", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%r"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=True)
        except (OSError, subprocess.SubprocessError) as problem:
            if not self._silent:  # the jobs go on without it: say so once, and ask again
                log.warning("squeue does not answer (%s)", problem)
            self._silent = True
            return {}
        self._silent = False
        states = {
            number: (state, reason)
            for number, state, reason in (line.strip().split("|", 2) for line in found.stdout.splitlines())
        }
        over = {}
        for number in numbers:
            state, reason = states.get(number, ("", ""))
            if not state:  # it ended some minutes ago
                over[number] = "SLURM knows nothing of it any more"
            elif state in OVER:
                over[number] = f"SLURM says {state}"
            elif state == "PENDING" and reason in NEVER:
                self.cancel([number])
                over[number] = f"SLURM never starts it: {reason}"
        return over

    def cancel(self, numbers: Sequence[str]) -> None:
        if numbers:
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(["scancel", *numbers], capture_output=True, timeout=ANSWER_S, check=False)

    def log(self, number: str) -> Path:
        return self.logs[number]


def _last(text: str) -> str:
    lines: Iterable[str] = (line.strip() for line in text.splitlines())
    return next((line for line in reversed([*lines]) if line), "")


def open_place(where: str, folder: Path, slurm: SlurmOptions) -> Place:
    """Raises as `choose`; ModuleNotFoundError without submitit."""
    places: dict[str, Callable[[], Place]] = {
        "local": lambda: Local(folder),
        "slurm": lambda: Slurm(folder, slurm),
    }
    return places[choose(where)]()
