"""The screen as a user has it: a real process in a real pseudo-terminal, decoding a real stream.

Why it matters: a killed terminal must not leave a decoder behind that holds the amplifier's stream.
"""

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import psutil
import pytest

from rtdecode.session.reader import SessionLog
from tests.bundles import make_bundle
from tests.processes import LSL_CONFIG, ROOT, left_after, outlet, unique_name

pytestmark = pytest.mark.live
DEADLINE_S = 30.0
FROZEN = 48  # decisions: twelve seconds, and more than a pipe takes


class Terminal:
    """A child process in a pseudo-terminal of 120 x 36."""

    def __init__(self, arguments: list[str], folder: Path):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        config = folder / "lsl_api.cfg"
        config.write_text(LSL_CONFIG)
        env = {**os.environ, "LSLAPICFG": str(config), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        for name in ("COLUMNS", "LINES"):  # of whoever runs the tests: they would overrule the terminal's own
            env.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rtdecode", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=folder,
            env=env,
        )
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def read_until(self, *words: str) -> None:
        """Read what is drawn from now on until all of `words` were, in any order; AssertionError after the
        deadline. What may come in one piece is waited for in one call: it is not drawn again."""
        start, deadline = len(self.seen), time.monotonic() + DEADLINE_S
        while missing := [each for each in words if each not in self.seen[start:]]:
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{missing} not drawn; last: {self.seen[-300:]!r}"
            self.seen += os.read(self.master, 65536).decode(errors="replace")

    def drain_until_end(self) -> int:
        """Read on so that the child is never held up, until it ends; its exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the screen did not end"
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        return self.process.wait(DEADLINE_S)


def screen(folder: Path, *arguments: str) -> Terminal:
    return Terminal(["live", *arguments], folder)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("screen") / "tiny").path


@pytest.mark.parametrize("end", ["quit", "kill"])
def test_no_process_stays_behind(bundle: Path, tmp_path: Path, end: str) -> None:
    name = unique_name()
    with outlet(tmp_path, name), screen(tmp_path, "--bundle", str(bundle), "--stream", name) as terminal:
        terminal.read_until("LIVE")
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        assert any("spawn_main" in " ".join(child.cmdline()) for child in children)
        if end == "quit":
            os.write(terminal.master, b"q")
            assert terminal.drain_until_end() == 0
        else:
            terminal.process.send_signal(signal.SIGKILL)
        assert left_after(children) == []


def test_a_frozen_and_resized_screen_holds_nobody_up(bundle: Path, tmp_path: Path) -> None:
    """Stopped like a terminal nobody scrolls, then resized without pause: every hop is decided and logged."""
    name, log = unique_name(), tmp_path / "log"
    arguments = ("--bundle", str(bundle), "--stream", name, "--record", str(log))
    with outlet(tmp_path, name), screen(tmp_path, *arguments) as terminal:
        terminal.read_until("LIVE")
        before = logged(log, 1)
        threads = psutil.Process(terminal.process.pid).num_threads()
        terminal.process.send_signal(signal.SIGSTOP)
        assert logged(log, before + FROZEN) >= before + FROZEN
        terminal.process.send_signal(signal.SIGCONT)
        for k in range(40):
            size = struct.pack("HHHH", *((24, 80), (60, 200), (15, 60), (36, 120))[k % 4], 0, 0)
            fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, size)
            terminal.read_until("\x1b[")
        # a second pair of terminal threads would outlive the screen now and then
        assert psutil.Process(terminal.process.pid).num_threads() == threads
        os.write(terminal.master, b"q")
        terminal.read_until("Stop recording and leave?")
        os.write(terminal.master, b"y")
        assert terminal.drain_until_end() == 0
    decisions = list(SessionLog(log).lines("decision"))
    assert [line["index"] for line in decisions] == list(range(len(decisions)))
    assert {line["run"] for line in decisions} == {1}
    health = list(SessionLog(log).lines("health"))
    assert health and health[-1]["skipped"] == health[-1]["lost"] == 0


def logged(log: Path, decisions: int) -> int:
    """Decisions in the log, once it holds so many."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = (log / "events.jsonl").read_text() if (log / "events.jsonl").is_file() else ""
        if (count := found.count('"kind": "decision"')) >= decisions:
            return count
        assert time.monotonic() < deadline, f"{count} of {decisions} decisions were logged"
        select.select([], [], [], 0.05)


def test_a_stream_that_does_not_fit_ends_in_one_sentence(bundle: Path, tmp_path: Path) -> None:
    name = unique_name()
    arguments = ("--bundle", str(bundle), "--stream", name)
    with outlet(tmp_path, name, sfreq=100.0), screen(tmp_path, *arguments) as terminal:
        assert terminal.drain_until_end() == 2
    last = terminal.seen.split("\x1b[?1049l")[-1]
    assert "rate is 100 Hz, the bundle needs 128 Hz" in last
    assert "Traceback" not in terminal.seen


def test_without_a_terminal_the_way_out_is_named(bundle: Path) -> None:
    command = [sys.executable, "-m", "rtdecode", "live", "--bundle", str(bundle), "--stream", "x"]
    found = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT, timeout=60
    )
    assert found.returncode == 2
    assert "--headless" in found.stderr
