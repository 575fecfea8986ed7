"""Is this machine fit to decode? Every check says what it found and, where something is amiss, what to do.

Looks at versions, at liblsl and its configuration, finds its own streams through the real network stack
and times them. Returns findings; printing is the command's business.
"""

import configparser
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from rtdecode import kernels
from rtdecode.errors import RtdecodeError

OUTLETS = 5
LOOPBACK_MS = 5.0  # p99 above this is worth a word: a quiet machine needs 0.2-0.5
STALLED, STALL_S = 0.05, 0.01  # of the time, and at once, that others may take the processor
SHARED_MB = 64
CORE = ("numpy", "scipy", "onnxruntime", "orjson", "pylsl", "pyxdf", "safetensors", "textual")
EXTRAS = (
    ("mne", "mne", "reads FIF, EDF, BDF, BrainVision, CTF and KIT"),
    ("torch", "offline", "trains, exports, and runs --engine torch"),
    ("mne_realtime", "fieldtrip", "reads a FieldTrip buffer"),
)
LEAST_PYLSL = (1, 18)


@dataclass(frozen=True)
class Finding:
    """level: ok, warn, fail, or absent (not here, and need not be); what: the subject; said: the fact;
    remedy: what to do where something is amiss."""

    level: str
    what: str
    said: str
    remedy: str = ""


def examine(seconds: float = 2.0) -> Iterator[Finding]:
    """Every finding, as it is made; a check that breaks is a finding too. seconds: of the loopback test."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        machine,
        interruptions,
        packages,
        extras,
        engines,
        liblsl,
        configuration,
        discovery,
        lambda: loopback(seconds),
    )
    for check in checks:
        try:
            yield from check()
        except Exception as problem:
            name = getattr(check, "__name__", "loopback").replace("<lambda>", "loopback")
            yield Finding(
                "fail", name, f"{type(problem).__name__}: {problem}", "report it, with this output, as a bug"
            )


def machine() -> Iterator[Finding]:
    where = f"{platform.system()} {platform.machine()}"
    yield Finding("ok", "python", f"{platform.python_version()}, {where}, {sys.executable}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        yield Finding("warn", "processor", "1 core", "give it two: the screen and the decoder want one each")
    else:
        yield Finding("ok", "processor", f"{cores} cores")
    if Path("/dev/shm").is_dir():  # noqa: S108  # shared memory lives there
        free = shutil.disk_usage("/dev/shm").free / 1e6  # noqa: S108
        if free < SHARED_MB:
            yield Finding(
                "warn",
                "shared memory",
                f"{free:.0f} MB free in /dev/shm",
                f"needs {SHARED_MB} MB: in a container start with --shm-size=256m",
            )
        else:
            yield Finding("ok", "shared memory", f"{free:.0f} MB free")


def interruptions() -> Iterator[Finding]:
    """Whether a program that wants nothing else may go on."""
    from rtdecode.bench.stalls import stalls

    found = stalls()
    if found.share > STALLED or found.longest_s > STALL_S:
        remedy = (
            "decisions come that much later: close what else runs; give a virtual machine its own processors"
        )
        yield Finding("warn", "interruptions", f"a loop was {found}", remedy)
    else:
        yield Finding("ok", "interruptions", f"a loop was {found}")


def packages() -> Iterator[Finding]:
    for name in CORE:
        version = _version(name)
        if version is None:
            yield Finding("fail", name, "not installed", "pip install rtdecode")
        elif name == "pylsl" and _numbers(version) < LEAST_PYLSL:
            yield Finding(
                "fail", name, version, "pip install 'pylsl>=1.18': older ones wait for whole chunks"
            )
        else:
            yield Finding("ok", name, version)
    if kernels.available():
        used = "" if kernels.kernels() else ", not used: RTDECODE_KERNELS=python"
        yield Finding("ok", "kernels", f"compiled{used}")
    else:
        yield Finding(
            "warn",
            "kernels",
            "not compiled: decisions are the same, each comes 0.1 to 0.3 ms later",
            "install a C compiler, then rtdecode again: pip says why it fails with `pip install -v`",
        )


def extras() -> Iterator[Finding]:
    for module, extra, use in EXTRAS:
        version = _version(module.replace("_", "-"))
        if version is None:
            yield Finding("warn", module, f"not installed; {use}", f"pip install 'rtdecode[{extra}]'")
        else:
            yield Finding("ok", module, version)
    if find_spec("mne_lsl"):
        yield Finding(
            "ok", "mne-lsl", "installed: a second liblsl, never loaded beside pylsl's by the decoder"
        )


def engines() -> Iterator[Finding]:
    """Every engine there is. Only the default must be here; what another lacks is said, and how to get it."""
    from rtdecode.engines import EVERY
    from rtdecode.engines.select import GPU, NEEDS, driver, missing

    for name in EVERY:
        need, what, why = NEEDS[name], f"engine {name}", missing(name)
        if why and name == "onnx":
            yield Finding("fail", what, "onnxruntime is not installed", "pip install rtdecode")
        elif why:
            yield Finding("absent", what, f"{need.about}; not here: {why}")
        else:
            module = next(module for module in need.modules if find_spec(module))
            said = f"{module} {_version(module.replace('_', '-')) or 'found'}: {need.about}"
            if name == "inductor" and not shutil.which(os.environ.get("CXX") or "g++"):
                said += ", and there is none here"
            yield Finding("ok", what, f"{said}, driver {driver()}" if name in GPU else said)


def liblsl() -> Iterator[Finding]:
    import pylsl
    from pylsl import lib

    number = pylsl.library_version()
    path = getattr(getattr(lib, "lib", None), "_name", "?")
    build = ""
    if hasattr(pylsl, "library_info"):
        build = f", {pylsl.library_info()}"
    said = f"{number // 100}.{number % 100:02d}, {path}{build}"
    if number < 116:
        yield Finding("warn", "liblsl", said, "pip install --upgrade pylsl brings a current one")
    else:
        yield Finding("ok", "liblsl", said)
    apart = abs(pylsl.local_clock() - time.monotonic())
    if apart > 1.0:
        yield Finding("ok", "clock", "liblsl's and Python's monotonic clocks count from different moments")
    elif apart > 1e-3:
        yield Finding(
            "warn", "clock", f"liblsl's and Python's differ by {1e3 * apart:.1f} ms", "is the machine busy?"
        )
    else:
        yield Finding("ok", "clock", "liblsl's is Python's monotonic clock")


def config_file() -> Path | None:
    """The file liblsl reads, in its own order; None: its defaults."""
    named = os.environ.get("LSLAPICFG", "")
    places = (Path("lsl_api.cfg"), Path.home() / "lsl_api/lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    for place in (*([Path(named)] if named else []), *places):
        if place.is_file():
            return place
    return None


def configuration() -> Iterator[Finding]:
    named, file = os.environ.get("LSLAPICFG", ""), config_file()
    if named and not Path(named).is_file():
        yield Finding(
            "warn", "LSL configuration", f"LSLAPICFG names {named}, which is no file", "unset LSLAPICFG"
        )
    if file is None:
        yield Finding("ok", "LSL configuration", "no file; liblsl's own: scope site, no known peers")
        return
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read(file)
        scope = parser.get("multicast", "ResolveScope", fallback="site").strip()
        peers = parser.get("lab", "KnownPeers", fallback="{}").strip("{} ")
    except configparser.Error as problem:
        yield Finding("fail", "LSL configuration", f"{file}: {str(problem).splitlines()[0]}", "mend the file")
        return
    said = f"{file.resolve()}: scope {scope}, known peers {peers or 'none'}"
    if scope == "machine":
        yield Finding(
            "warn", "LSL configuration", said, "streams of other machines are not seen: scope link or site"
        )
    else:
        yield Finding("ok", "LSL configuration", said)


def _outlets(said: Connection, prefix: str) -> None:
    import pylsl

    from rtdecode.sources.lsl import quiet

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet()
    names = [f"{prefix}-{i}" for i in range(OUTLETS)]
    kept = [pylsl.StreamOutlet(pylsl.StreamInfo(n, "test", 1, 10.0, pylsl.cf_float32, n)) for n in names]
    said.send(len(kept))
    while os.getppid() != 1:
        time.sleep(0.1)
    os._exit(0)


def discovery() -> Iterator[Finding]:
    """Five outlets of another process must be found, as a recording room has them."""
    from rtdecode.sources.lsl import quiet, resolve

    quiet()
    prefix = f"rtdecode-doctor-{os.getpid()}"
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=_outlets, args=(said, prefix), daemon=True)
    process.start()
    said.close()
    try:
        if not heard.poll(20.0):
            yield Finding(
                "fail",
                "discovery",
                "the test's own outlets did not open",
                "run it again: the machine may be too busy to start a process",
            )
            return
        began, found = time.monotonic(), 0
        while found < OUTLETS and time.monotonic() - began < 4.0:
            found = len({f.info.name for f in resolve(1.0) if f.info.name.startswith(prefix)})
        took = time.monotonic() - began
    finally:
        process.kill()
        process.join()
        heard.close()
    if found < OUTLETS:
        yield Finding(
            "fail",
            "discovery",
            f"{found} of {OUTLETS} own streams found in {took:.0f} s",
            "allow UDP 16571-16604 and multicast for this machine; in a container use the host's network or "
            "set KnownPeers = {localhost} under [lab] in lsl_api.cfg",
        )
    else:
        yield Finding("ok", "discovery", f"{OUTLETS} of {OUTLETS} own streams found in {took:.1f} s")


def loopback(seconds: float = 2.0) -> Iterator[Finding]:
    """Delay of samples through liblsl within this machine: 64 channels at 1 kHz."""
    from rtdecode.bench.measure import Cell, consumer, reading

    try:
        times = consumer(Cell(64, 1000.0, seconds), reading)
    except RtdecodeError as problem:
        yield Finding("fail", "loopback", str(problem), "allow TCP 16572-16604 within this machine")
        return
    said = f"p50 {times.p50:.2f} ms, p99 {times.p99:.2f} ms, {times.lost} samples lost, 64 channels at 1 kHz"
    if times.lost:
        yield Finding("fail", "loopback", said, "something holds the processor for seconds: end it")
    elif times.p99 > LOOPBACK_MS:
        yield Finding("warn", "loopback", said, "the machine is busy or saving power: close what else runs")
    else:
        yield Finding("ok", "loopback", said)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split(".")[:2]:
        digits = "".join(c for c in part if c.isdigit())
        numbers.append(int(digits) if digits else 0)
    return tuple(numbers)
