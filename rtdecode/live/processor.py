"""A processor that the core keeps to, and our other processes keep off. On Linux; elsewhere nothing changes.

Whoever sleeps and wakes (a screen, fifteen times a second) is owed the processor by the scheduler, and takes
it from a core in the middle of a decision, however long a turn it asked for: one decision in a hundred then
came a millisecond late. Where there are two processors, ours need not meet. Other programs may still run
there: the scheduler moves them away when another processor is free.

A processor is claimed by binding an abstract socket's name: for the whole machine, without a file, and given
back by the kernel however its holder ends. Nothing listens there.
"""

import contextlib
import dataclasses
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rtdecode.errors import ConfigError
from rtdecode.live.config import CoreConfig

AUTO, ANY = "auto", "any"
_NAME = "\0rtdecode-processor-{}"
_OURS: set[str] = set()  # processors that this process has claimed


@contextlib.contextmanager
def reserved(config: CoreConfig) -> Iterator[CoreConfig]:
    """For as long as it lasts: the same configuration with its processor found and claimed.

    "auto" becomes the fastest that no other core has, of equal ones the last, or "any" where there is none to
    spare: at least one stays for everything else. This thread, and what it starts, keep off it; the core
    moves there by itself (`keep_to`). ConfigError for one that is asked for by number and cannot be had.
    Within another `reserved`, what that one gave is passed on.
    """
    if config.processor in _OURS:
        yield config
        return
    claim = _claimed(config)
    if claim is None:
        yield dataclasses.replace(config, processor=ANY)
        return
    number, held = claim
    with held, _ours(str(number)):
        before, place = os.sched_getaffinity(0), str(number)
        try:
            os.sched_setaffinity(0, before - {number})
        except OSError as problem:  # as in a sandbox
            if config.processor != AUTO:
                raise ConfigError(
                    f"the system keeps nobody off processor {number}: {problem.strerror}", hint="leave it out"
                ) from problem
            place = ANY
        try:
            yield dataclasses.replace(config, processor=place)
        finally:
            with contextlib.suppress(OSError):  # taken from us since
                os.sched_setaffinity(0, before)


@contextlib.contextmanager
def each_reserved(configs: Sequence[CoreConfig]) -> Iterator[list[CoreConfig]]:
    """`reserved` for each of several, or for none: the rest of them must not share what is left over.

    ConfigError where one number is asked for by all of them.
    """
    asked = {config.processor for config in configs} - {AUTO, ANY}
    if asked and len(configs) > 1:
        raise ConfigError(
            f"processor {asked.pop()} is one, and there are {len(configs)} decoders",
            hint="--processor auto gives each its own where there are enough",
        )
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(reserved(config)) for config in configs]
        if any(config.processor == ANY for config in found):
            stack.close()
            found = [dataclasses.replace(config, processor=ANY) for config in configs]
        yield found


@contextlib.contextmanager
def _ours(place: str) -> Iterator[None]:
    _OURS.add(place)
    try:
        yield
    finally:
        _OURS.discard(place)


def keep_to(processor: str) -> None:
    """This process, before it starts any thread, on the processor of that number; "any", "auto": as it is."""
    if processor not in (AUTO, ANY):
        with contextlib.suppress(OSError):  # taken from us since: anywhere is better than nowhere
            os.sched_setaffinity(0, {int(processor)})


def parse(text: str) -> str:
    """What the user asked for: "auto", "any" or a number. ConfigError for anything else."""
    if text in (AUTO, ANY) or (text.isascii() and text.isdigit() and len(text) < 6):
        return text
    raise ConfigError(f"{text!r} is no processor", hint="valid: auto, any, or a number as in `lscpu -e`")


def _claimed(config: CoreConfig) -> tuple[int, socket.socket] | None:
    asked, linux = config.processor, sys.platform == "linux"
    if asked == ANY or (asked == AUTO and (not linux or config.threads > 1)):
        return None
    if not linux:
        raise ConfigError(f"--processor {asked} works on Linux, this is {sys.platform}", hint="leave it out")
    if asked != AUTO and config.threads > 1:
        raise ConfigError(
            f"--processor {asked} is one, and --threads {config.threads} would share it", hint="leave one out"
        )
    allowed = sorted(os.sched_getaffinity(0))
    if asked == AUTO:
        for number in sorted(allowed, key=_speed, reverse=True)[:-1]:
            if held := _bind(number):
                return number, held
        return None
    number = int(asked)
    if number not in allowed or len(allowed) < 2:
        listed = ", ".join(map(str, allowed))
        raise ConfigError(
            f"processor {number} cannot be kept for the decoder: this process may use {listed}",
            hint="one must be left for everything else",
        )
    held = _bind(number)
    if held is None:
        raise ConfigError(
            f"another decoder keeps to processor {number} already", hint="--processor auto takes a free one"
        )
    return number, held


def _speed(number: int, system: Path = Path("/sys/devices/system/cpu")) -> tuple[int, int, int]:
    """Sorts processors: many machines have slow ones beside fast ones, and list them last."""
    found = []
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        try:
            found.append(int((system / f"cpu{number}" / name).read_text()))
        except (OSError, ValueError):  # this system does not say
            found.append(0)
    return found[0], found[1], number


def _bind(number: int) -> socket.socket | None:
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        held = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        held.bind(_NAME.format(number))
        stack.pop_all()
        return held
    return None
