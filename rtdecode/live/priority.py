"""How soon the core gets a processor once its samples are there. Linux only; elsewhere nothing changes.

Two steps. Always: short turns, which let the scheduler of Linux 6.12 and later put the core before whoever is
in the middle of a longer one; it needs no right and takes no share from others. On request: real-time
priority and memory that is never swapped out, as BRAND runs its nodes; the system must allow the user both.
"""

import ctypes
import os
import platform
import sys

from rtdecode.errors import ConfigError

TURN_NS = 100_000  # the shortest that Linux takes
PRIORITY = 10  # of 1..99: above all that is ordinary, below the kernel's own threads
_SET_ATTR = {"x86_64": 314, "aarch64": 274}  # number of the call sched_setattr, which libc does not export
_LOCK_ALL = 1 | 2 | 4  # MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: pages stay once they were touched
_LIMITS = "put `@lab - rtprio 20`, `@lab - memlock unlimited` into /etc/security/limits.conf and log in again"


class _Attributes(ctypes.Structure):
    """struct sched_attr of sched_setattr(2), first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def short_turns() -> bool:
    """Ask for turns of TURN_NS for this thread and those it starts. Whether the system took it.

    What was started by a process that gives way (SCHED_BATCH, as Supervisor's does) does so no longer.
    """
    call = _SET_ATTR.get(platform.machine())
    if (
        sys.platform != "linux"
        or call is None
        or os.sched_getscheduler(0) not in (os.SCHED_OTHER, os.SCHED_BATCH)
    ):
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _Attributes(ctypes.sizeof(_Attributes), 0, 0, nice, 0, TURN_NS, 0, 0)
    return bool(_libc().syscall(call, 0, ctypes.byref(wanted), 0) == 0)


def realtime() -> None:
    """Real-time priority and locked memory for this process. ConfigError where the system refuses.

    Call it first: threads that were started before keep the priority they have.
    """
    if sys.platform != "linux":
        raise ConfigError(f"--realtime works on Linux, this is {platform.system()}", hint="leave it out")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as problem:
        why = f"{problem.strerror}, {_allowed('RLIMIT_RTPRIO')}"
        said = f"the system refuses real-time priority {PRIORITY}: {why}"
        raise ConfigError(said, hint=_LIMITS) from problem
    if _libc().mlockall(_LOCK_ALL):
        why = f"{os.strerror(ctypes.get_errno())}, {_allowed('RLIMIT_MEMLOCK')}"
        raise ConfigError(f"the system refuses to lock memory: {why}", hint=_LIMITS)


def _allowed(name: str) -> str:
    import resource

    limit = resource.getrlimit(getattr(resource, name))[0]
    return f"its limit is {'none' if limit == resource.RLIM_INFINITY else limit}"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
