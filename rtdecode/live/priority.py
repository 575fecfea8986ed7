"""How soon the core gets a processor once its samples are there. Linux only; elsewhere nothing changes.

The scheduler of Linux 6.12 and later lets a process that asks for short turns go before one in the middle of
a longer one; nobody needs a right for that, and nobody's share changes. So the core takes short turns, and
what only shows or writes takes long ones: amplifier, core and everything else go before it. On request the
core has real-time priority and memory that is never swapped out, as BRAND runs its nodes; the system must
allow both.
"""

import ctypes
import os
import platform
import sys

from rtdecode.errors import ConfigError

SHORT_NS, LONG_NS = 100_000, 100_000_000  # the shortest and the longest that Linux takes
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
    """Go first: short turns for this thread and those it starts. Whether the system took it.

    What was started by a process that gives way does so no longer.
    """
    return sys.platform == "linux" and _turns(os.SCHED_OTHER, SHORT_NS)


def give_way() -> bool:
    """Go last: long turns, and never interrupting who is at work. Whether the system took it.

    Who reads must not push aside who writes: a wake-up by the pipe cost every decision 0.25 ms where both ran
    on one core, and a screen that draws cost one in a hundred several.
    """
    return sys.platform == "linux" and _turns(os.SCHED_BATCH, LONG_NS)


def _turns(policy: int, length_ns: int) -> bool:
    call = _SET_ATTR.get(platform.machine())
    if call is None or os.sched_getscheduler(0) not in (os.SCHED_OTHER, os.SCHED_BATCH):
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _Attributes(ctypes.sizeof(_Attributes), policy, 0, nice, 0, length_ns, 0, 0)
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
