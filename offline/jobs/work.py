"""What a worker does: run one command, keep its words, leave a result. Sent by submitit, run elsewhere.

A worker that is told to stop takes its command with it and leaves no result: whoever waits then asks the
scheduler what happened. Imports little, since every worker starts anew.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from offline.jobs.job import Job
from offline.jobs.results import Result, last_line, log_path, read_result, write_result

GRACE_S = 0.5  # submitit's local controller kills a worker a second after it has asked it to stop
PR_SET_PDEATHSIG = 1


def work(
    folder: str,
    name: str,
    arguments: tuple[str, ...],
    key: str,
    cwd: str,
    environment: Mapping[str, str | None],
    limit_s: float | None,
) -> None:
    """Run the job in `cwd`, stopped after limit_s seconds.

    environment  variables to set, or (None) to remove, before
    Two workers of one job, left over by a killed submitter, do not run at once: the second finds the first
    one's result.
    """
    job, where = Job(name, arguments, key), Path(folder)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    if os.environ.get("SUBMITIT_EXECUTOR") == "local":
        with_parent(signal.SIGTERM)()
    error = log_path(where, name)
    error.parent.mkdir(parents=True, exist_ok=True)
    with _alone(error.with_suffix(".lock")):
        done = read_result(where, job, cwd)
        if done is not None and done.code == 0:
            return
        began = time.monotonic()
        code = _run(where, job, cwd, environment, limit_s)
        seconds = time.monotonic() - began
        if code is None:
            said, code = f"stopped after {seconds / 60:.1f} minutes: out of time", -signal.SIGKILL
        elif code < 0:
            said = f"ended by {signal.Signals(-code).name}; {last_line(error)}".rstrip("; ")
        else:
            said = (last_line(error) or f"exit code {code}") if code else ""
        write_result(where, Result(name, arguments, key, cwd, code, round(seconds, 3), said))


def _run(
    where: Path, job: Job, cwd: str, environment: Mapping[str, str | None], limit_s: float | None
) -> int | None:
    """The command's exit code; None when it had to be stopped."""
    merged = {**os.environ, **environment}
    with log_path(where, job.name, "out").open("wb") as out, log_path(where, job.name).open("wb") as err:
        child = subprocess.Popen(
            [sys.executable, *job.arguments],
            cwd=cwd,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # so that all it starts can be ended with it
            preexec_fn=with_parent(signal.SIGKILL),
        )
        try:
            code = child.wait(limit_s)
            if code == -signal.SIGTERM:
                time.sleep(GRACE_S)  # where a scheduler stops us both, its word to us comes now
            return code
        except subprocess.TimeoutExpired:
            return None
        finally:
            if child.poll() is None:
                _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise SystemExit(128 + number)


def with_parent(number: signal.Signals) -> Callable[[], None]:
    """A call that has the kernel send us `number` when our parent dies, where it can (Linux)."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def ask() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other worker is at this job. Where the file system knows no locks, nobody waits."""
    with path.open("wb") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
