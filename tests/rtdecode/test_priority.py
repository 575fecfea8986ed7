"""The core's turn at the processor, asked of the real kernel in processes of their own.

Why it matters: a screen beside the core took several milliseconds from one decision in a hundred; and a lab
that asks for real-time priority must hear it when the system does not give it.
"""

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="scheduling as Linux does it")

READ_BACK = """
import ctypes, os
from rtdecode.live import priority
{}
found = priority._Attributes()
number = {{314: 315, 274: 275}}[priority._SET_ATTR[os.uname().machine]]
priority._libc().syscall(number, 0, ctypes.byref(found), ctypes.sizeof(found), 0)
locked = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmLck")][0]
print(found.policy, found.nice, found.runtime, found.priority, locked)
"""


def said_by(script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30, check=False)


def test_short_turns_are_taken_and_nothing_else_changes() -> None:
    before = said_by(READ_BACK.format("")).stdout.split()
    after = said_by(READ_BACK.format("assert priority.short_turns()")).stdout.split()
    if before[2] == "0":
        pytest.skip("this kernel knows no turns of one's own (Linux 6.12 and later do)")
    assert int(after[2]) == 100_000 < int(before[2])
    assert after[1] == before[1] and after[3:] == before[3:]


def test_a_core_of_a_process_that_gives_way_does_not() -> None:
    done = said_by(
        READ_BACK.format(
            "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)); priority.short_turns()"
        )
    )
    assert int(done.stdout.split()[0]) == os.SCHED_OTHER


def test_who_only_shows_takes_long_turns_and_interrupts_nobody() -> None:
    found = said_by(READ_BACK.format("assert priority.give_way()")).stdout.split()
    assert int(found[0]) == os.SCHED_BATCH
    if found[2] != "0":
        assert int(found[2]) == 100_000_000


def test_realtime_is_what_the_kernel_then_says() -> None:
    done = said_by(READ_BACK.format("priority.realtime()"))
    if "refuses" in done.stderr:
        pytest.skip(f"not allowed here: {done.stderr.splitlines()[-1]}")
    policy, _, _, level, locked = done.stdout.split()
    assert (int(policy), int(level)) == (os.SCHED_FIFO, 10) and int(locked) > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without rights")
def test_realtime_refused_is_said_with_the_limit_and_the_remedy() -> None:
    script = """
import os, resource
from rtdecode.live import priority
from rtdecode.errors import ConfigError
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
os.setuid(65534)
try:
    priority.realtime()
except ConfigError as problem:
    print(problem, "|", problem.hint, "|", os.sched_getscheduler(0) != os.SCHED_FIFO)
"""
    said, hint, ordinary = said_by(script).stdout.strip().split(" | ")
    assert "refuses real-time priority 10" in said and "its limit is 0" in said
    assert "rtprio" in hint and ordinary == "True"
