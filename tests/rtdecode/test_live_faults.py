"""Faults that only liblsl and real processes can show: overflow, markers, signals while it starts."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtdecode.bundle import Bundle
from rtdecode.sources.markers import LONGEST
from tests.bundles import make_bundle
from tests.processes import PROMPT_S, left_after, live, outlet, running, unique_name

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("faults") / "tiny")


def script(folder: Path, text: str) -> list[str]:
    with running(["-c", text, unique_name()], folder) as c:
        assert c.end(60) == 0, c.err
    return c.out


_HEAD = """
import sys, time
import numpy as np, pylsl
from rtdecode.sources.lsl import LslSource, Wanted, quiet, resolve, select
quiet()
name = sys.argv[1]
def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""

_OVERFLOW = (
    _HEAD
    + """
from rtdecode.live.clock import StampLine
outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, 250, "float32", name))
source = LslSource(select(resolve(1.0), Wanted(name)), buffer_s=1)
until(outlet.have_consumers)
stamps = 10 + np.arange(1500) / 250
line, index = StampLine(250.0), 0
def pull(stop):
    global index
    found = []
    def take():
        global index
        data, t = source.pull(1, 0.05)
        while len(t):
            whole, gap = line.check(t)
            t = t[len(whole):]
            if gap:
                found.append(round(gap.seconds * 250))
                line.reset()
        if len(data):
            index = int(data[-1, 0])
        return index == stop
    until(take)
    return found
samples = np.repeat(np.arange(1500, dtype=np.float32)[:, None], 2, axis=1)
for at in range(0, 750, 50):
    outlet.push_chunk(samples[at:at + 50], stamps[at:at + 50])
    assert pull(at + 49) == []
outlet.push_chunk(samples[750:], stamps[750:])  # 3 s while nobody pulls, 1 s is kept
until(lambda: source.waiting() >= 250)
outlet.push_chunk(samples[:1], stamps[-1:] + 1 / 250)
lost = pull(0)
print(sum(lost), flush=True)
source.close()
"""
)


def test_a_stall_loses_the_oldest_samples_and_the_stamps_say_so(tmp_path: Path) -> None:
    (lost,) = script(tmp_path, _OVERFLOW)
    assert 450 <= int(lost) <= 501


_MARKERS = (
    _HEAD
    + """
from rtdecode.sources.markers import Marks
text = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", name))
count = pylsl.StreamOutlet(pylsl.StreamInfo(name + "-n", "Markers", 1, 0, "int32", name + "-n"))
marks, numbers, absent = Marks(name), Marks(name + "-n"), Marks(name + "-none")
until(lambda: text.have_consumers() and count.have_consumers())
for value in ("word onset", b"caf\\xe9", "x" * (1 << 20), "a\\x1b[2Jb"):
    text.push_sample([value])
count.push_sample([7])
found = []
until(lambda: (found.extend(mark.text for mark in marks.take()[0]), len(found) == 4)[1])
number = []
until(lambda: (number.extend(mark.text for mark in numbers.take()[0]), number)[1])
until(lambda: absent.state)
for line in (*found, *number, marks.state.replace(name, "M"), absent.state.replace(name, "M")):
    print(ascii(line), flush=True)
import os
os._exit(0)
"""
)


def test_markers_of_every_kind_arrive(tmp_path: Path) -> None:
    out = script(tmp_path, _MARKERS)
    assert out[0] == "'word onset'"
    assert out[1] == r"'caf\ufffd'"
    assert out[2].endswith("(1048576 bytes)'")
    assert len(out[2]) < LONGEST + 50
    assert out[3] == "'a [2Jb'"
    assert out[4] == "'7'"
    assert out[5] == "'markers from M'"
    assert "there is no stream named" in out[6]


def test_another_stream_of_the_name_never_replaces_the_first(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with (
        outlet(tmp_path, name, source_id="first") as first,
        live(tmp_path, bundle.path, name, "--wait", "15") as c,
    ):
        c.wait_for(lambda c: c.out)
        with outlet(tmp_path, name, source_id="second"):
            first.process.kill()
            c.wait_for(lambda c: c.said("source_id first is not back; there is only"))
            assert not c.said("run 2")
            with outlet(tmp_path, name, source_id="first"):
                c.wait_for(lambda c: c.said("live, run 2"))
        c.process.send_signal(signal.SIGINT)
        assert c.end(PROMPT_S) == 0
    assert not c.said("matched by name")


@pytest.mark.parametrize("moment", ["core", "looking"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_loads_or_looks(
    bundle: Bundle, tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    def begun(c: Any) -> bool:
        if moment == "looking":
            return bool(c.said("] connecting"))
        return bool(psutil.Process(c.process.pid).children())

    with live(tmp_path, bundle.path, unique_name(), "--wait", "30") as c:
        deadline = time.monotonic() + 20
        while not begun(c):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        children = psutil.Process(c.process.pid).children(recursive=True)
        c.process.send_signal(number)
        assert c.end(PROMPT_S) in (0, 130)
        assert left_after(children) == []
    assert not c.said("Traceback")


def test_whoever_starts_a_core_holds_nothing_of_liblsl() -> None:
    check = (
        "import sys, rtdecode.live.supervisor, rtdecode.tui.app, rtdecode.commands.live\n"
        "sys.exit(any(name in sys.modules for name in ('pylsl', 'onnxruntime')))"
    )
    subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[2], check=True)
