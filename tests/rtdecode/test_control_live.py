"""Keys of a real screen on a real stream: marks and a recording begun while decoding, and the log they leave.

Why it matters: a recording that is begun late must hold every sample from then on, and say what it does not.
"""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from rtdecode.commands.review import run_review
from rtdecode.session.reader import SessionLog
from tests.bundles import make_bundle
from tests.processes import outlet, unique_name
from tests.test_screen_process import Terminal, screen

pytestmark = pytest.mark.live
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("control") / "tiny").path


def wait_for(terminal: Terminal, condition: Callable[[], Any]) -> Any:
    """What `condition` says once it holds, while the screen's drawings are read on."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never held; last drawn: {terminal.seen[-300:]!r}"
        if select.select([terminal.master], [], [], 0.05)[0]:
            terminal.seen += os.read(terminal.master, 65536).decode(errors="replace")
    return found


def logs(folder: Path) -> list[Path]:
    return sorted((folder / "taken").glob("*/events.jsonl"))


def lines(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # still being written
            return


def test_marks_and_two_recordings_while_a_stream_runs(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = unique_name()
    arguments = ("--bundle", str(bundle), "--stream", name, "--sessions", "taken")
    with outlet(tmp_path, name, seconds=60.0), screen(tmp_path, *arguments) as terminal:

        def logged(number: int, kind: str, least: int = 1) -> Callable[[], Any]:
            def held() -> Any:
                found = logs(tmp_path)[number:]
                return found and sum(line["kind"] == kind for line in lines(found[0])) >= least

            return held

        terminal.read_until("LIVE")
        os.write(terminal.master, b"r")
        wait_for(terminal, logged(0, "decision", 6))
        os.write(terminal.master, b"m")
        terminal.read_until("● mark")
        os.write(terminal.master, b"M")
        terminal.read_until("pressed")
        os.write(terminal.master, b"block [/b]\r")
        wait_for(terminal, lambda: any(line.get("mark") == 2 for line in lines(logs(tmp_path)[0])))
        os.write(terminal.master, b"R")
        wait_for(terminal, logged(0, "connection", 2))
        decided = sum(line["kind"] == "decision" for line in lines(logs(tmp_path)[0]))
        wait_for(terminal, logged(0, "decision", decided + 6))
        os.write(terminal.master, b"r")
        wait_for(terminal, logged(0, "end"))
        os.write(terminal.master, b"r")
        wait_for(terminal, logged(1, "decision", 2))
        os.write(terminal.master, b"q")
        terminal.read_until("Stop recording and leave?")
        os.write(terminal.master, b"y")
        assert terminal.drain_until_end() == 0

    first, second = (SessionLog(path.parent) for path in logs(tmp_path))
    for log in (first, second):
        assert log.closed and log.cut == () and log.unrecorded() == 0
        assert next(log.lines("state"))["state"] == "live"
        for stream in log.streams:
            stamps = np.concatenate([chunk.stamps for chunk in log.chunks() if chunk.stream == stream])
            np.testing.assert_allclose(np.diff(stamps), 1 / 128, atol=1e-6)  # not one sample is missing
    joined, fresh = first.runs()
    assert (joined.run, joined.stream, fresh.run, fresh.stream) == (1, 1, 2, 2)
    assert joined.before > 0 and fresh.before == 0
    (later,) = second.runs()
    assert later.run == 2 and later.before > fresh.stop - fresh.start

    # what the screen drew last was told while it left, and is in the log that was still open
    told = [ms for log in (first, second) for line in log.lines("drawn") for ms in line["ms"]]
    assert told and min(told) > 0
    (telemetry,) = second.lines("telemetry")
    screen_ms = telemetry["histograms"]["screen"]
    assert screen_ms["count"] >= len(told) and screen_ms["max"] > max(told) - 0.01
    assert screen_ms["count"] == sum(count for _, count in screen_ms["buckets"])

    marks = [line for line in first.lines("event") if line["level"] == "mark"]
    assert [(mark["mark"], mark["label"]) for mark in marks] == [(1, ""), (2, "block [/b]")]
    # on one machine the stream's clock is the marks' clock: they lie within what was recorded
    assert joined.t is not None and fresh.t is not None
    assert joined.t < marks[0]["t_local"] < marks[1]["t_local"] < fresh.t

    assert run_review(first.path) == 0
    assert f"joined {joined.before / 128:.1f} s after it began" in capsys.readouterr().out
    assert run_review(first.path, redecode=True) == 0
    said = capsys.readouterr().out
    count = sum(line["run"] == 2 for line in first.lines("decision"))
    assert f"{count} of {count} decisions are the same again" in said
    assert "joined in the middle" in said
    assert run_review(second.path, redecode=True) == 0
    assert "nothing to compare: every decision" in capsys.readouterr().out


def test_a_recording_that_is_not_whole_is_told_once_the_screen_is_gone(bundle: Path, tmp_path: Path) -> None:
    name = unique_name()
    arguments = ("--bundle", str(bundle), "--stream", name, "--sessions", "taken")
    with outlet(tmp_path, name, seconds=60.0), screen(tmp_path, *arguments) as terminal:
        terminal.read_until("LIVE")
        os.write(terminal.master, b"r")
        (events,) = wait_for(terminal, lambda: logs(tmp_path))
        wait_for(terminal, lambda: any(line["kind"] == "decision" for line in lines(events)))
        (recorder,) = (
            child.pid
            for child in psutil.Process(terminal.process.pid).children(recursive=True)
            if any(file.path == str(events) for file in child.open_files())
        )
        os.kill(recorder, signal.SIGSTOP)  # it answers no more, and keeps the lock of its log
        os.write(terminal.master, b"q")
        terminal.read_until("Stop recording and leave?")
        os.write(terminal.master, b"y")
        terminal.read_until("is not whole: the recorder hung and was ended")
        assert terminal.drain_until_end() == 0
