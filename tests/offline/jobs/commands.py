"""Small commands for jobs, each a `python -c` with what it needs."""

from pathlib import Path

import psutil

from offline.jobs.job import Job


def succeed(name: str, count: Path) -> Job:
    """Leaves one line in `count` every time that it runs."""
    code = f"open({str(count)!r}, 'a').write('ran\\n'); print('result of', {name!r})"
    return Job(name, ("-c", code))


def fail(name: str, words: str) -> Job:
    return Job(name, ("-c", f"import sys; print('first', file=sys.stderr); sys.exit('error: ' + {words!r})"))


def kill_worker(name: str, pid: Path) -> Job:
    """Kills the worker that it runs under, and would go on for ever."""
    code = (
        f"import os, signal, sys; open({str(pid)!r}, 'w').write(str(os.getpid()));"
        "print('half way', file=sys.stderr, flush=True);"
        "os.kill(os.getppid(), signal.SIGKILL); signal.pause()"
    )
    return Job(name, ("-c", code))


def endless(name: str, pid: Path, started: Path) -> Job:
    """Opens the pipe `started` when it runs, then goes on for ever."""
    code = (
        f"import os, signal; open({str(pid)!r}, 'w').write(str(os.getpid()));"
        f"open({str(started)!r}, 'w').close(); signal.pause()"
    )
    return Job(name, ("-c", code))


def after(name: str, started: Path) -> Job:
    """Ends when another has opened the pipe."""
    return Job(name, ("-c", f"open({str(started)!r}).read()"))


def gone(pid: Path, timeout_s: float = 20.0) -> bool:
    """Whether the process named in `pid` ends in time; a zombie nobody has looked at has ended."""
    try:
        process = psutil.Process(int(pid.read_text()))
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True
