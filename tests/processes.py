"""Processes for the live tests: LSL kept to this machine, waited for by condition, never by sleep."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
PROMPT_S = 10.0
"""For what is promised within two seconds, while other tests use the cores, too. What it must not wait for
takes longer."""
LSL_CONFIG = "[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n"


def unique_name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


class Running:
    """A process whose lines on stdout and stderr are collected while it runs."""

    def __init__(self, arguments: list[str], folder: Path):
        config = folder / "lsl_api.cfg"
        config.write_text(LSL_CONFIG)
        env = {**os.environ, "LSLAPICFG": str(config), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=env,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._collect, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _collect(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait_for(self, condition: Callable[["Running"], Any], timeout_s: float = 20.0) -> float:
        """Seconds until `condition(self)` held; AssertionError with what was said when it never did."""
        start = time.monotonic()
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self), timeout_s)
        assert held, f"waited {timeout_s} s; stdout {self.out[-2:]}, stderr {self.err[-12:]}"
        return time.monotonic() - start

    def said(self, words: str) -> int:
        """How many lines of stderr hold these words."""
        return sum(words in line for line in self.err)

    def decisions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.out)]

    def end(self, timeout_s: float = 30.0) -> int:
        """Wait for the end; its exit code."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code


def left_after(processes: list[psutil.Process], timeout_s: float = PROMPT_S) -> list[psutil.Process]:
    """Those that still run after `timeout_s`. An orphan that ended stays a zombie until its adopter looks."""
    _, left = psutil.wait_procs(processes, timeout=timeout_s)
    found = []
    for process in left:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@contextmanager
def running(arguments: list[str], folder: Path) -> Iterator[Running]:
    child = Running(arguments, folder)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.process.kill()
        child.process.wait()


@contextmanager
def outlet(folder: Path, name: str, **plan: Any) -> Iterator[Running]:
    """tests.outlet with this plan, visible when the block begins."""
    with running(["-m", "tests.outlet", json.dumps({"name": name, **plan})], folder) as child:
        child.wait_for(lambda c: c.out)
        yield child


@contextmanager
def live(folder: Path, bundle: Path, name: str, *options: str) -> Iterator[Running]:
    """`rtdecode live --headless` on the stream `name`. Every hop is ranked: on a machine that is held up for
    a moment the default would leave some out."""
    command = ["-m", "rtdecode", "live", "--headless", "--bundle", str(bundle), "--stream", name]
    with running([*command, "--policy", "every", *options], folder) as child:
        yield child
