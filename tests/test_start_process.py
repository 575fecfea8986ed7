"""The start screen as a user has it: from it to a live decoder and back, and nothing stays behind."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.bundles import make_bundle
from tests.processes import ROOT, left_after, outlet, unique_name
from tests.test_screen_process import DEADLINE_S, Terminal

pytestmark = pytest.mark.live


@contextmanager
def start(folder: Path) -> Iterator[Terminal]:
    terminal = Terminal([], folder)
    try:
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)


def read_until_match(terminal: Terminal, pattern: str) -> None:
    """As `read_until`, for what is drawn in several pieces."""
    start, deadline = len(terminal.seen), time.monotonic() + DEADLINE_S
    while not re.search(pattern, terminal.seen[start:], re.DOTALL):
        ready, _, _ = select.select([terminal.master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{pattern!r} was not drawn; last: {terminal.seen[-300:]!r}"
        terminal.seen += os.read(terminal.master, 65536).decode(errors="replace")


def test_from_the_start_to_live_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("RTDECODE_BUNDLES", raising=False)
    make_bundle(tmp_path / "bundles" / "tiny")
    name = unique_name()
    with outlet(tmp_path, name, loop=True), start(tmp_path) as terminal:
        terminal.read_until("1 bundle")
        # other streams of this machine may be listed, too: the filter leaves ours
        os.write(terminal.master, b"/")
        terminal.read_until("filter the streams")
        os.write(terminal.master, name.encode() + b"\r")
        read_until_match(terminal, f"{name} → tiny.*?✓ fits")
        os.write(terminal.master, b"\r")
        terminal.read_until("● LIVE")
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        cores = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        assert cores
        os.write(terminal.master, b"q")
        read_until_match(terminal, f"○ START.*{name}")  # what was found before is there at once
        assert left_after(cores) == []
        os.write(terminal.master, b"q")
        assert terminal.drain_until_end() == 0
        assert left_after(children) == []
    assert "Traceback" not in terminal.seen


def test_without_a_terminal_the_way_out_is_named(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "rtdecode"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert found.returncode == 2
    assert "no terminal for the start screen" in found.stderr and "--help" in found.stderr
    assert not found.stdout
