"""Recording beside live decoding, in real processes: what the log holds when things die.

Why it matters: a recorder that can hold up the decoder, or lose what it had, is worse than none.
"""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engines import open_session
from rtdecode.live.redecode import compare, redecode
from rtdecode.session.reader import SessionLog
from tests.bundles import LABELS, make_bundle, planted
from tests.processes import PROMPT_S, Running, left_after, outlet, running, unique_name

pytestmark = pytest.mark.live


def arguments(command: str, **options: Any) -> list[str]:
    """`rtdecode COMMAND --name value …`; True stands for a bare option."""
    said = ["-m", "rtdecode", command]
    for name, value in options.items():
        said += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return said


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("record") / "tiny")


@contextmanager
def recording(folder: Path, bundle: Bundle, name: str, **options: Any) -> Iterator[Running]:
    plan = {"bundle": bundle.path, "record": folder / "log", "stream": name, "wait": 20, "headless": True}
    with running(arguments("live", **plan, **options), folder) as child:
        yield child


def wait_until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """What `condition` returns once it is true; asked again and again until a deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.01)
    return found


def recorder_of(child: Running, folder: Path) -> psutil.Process:
    """The process that has the log open."""

    def find() -> psutil.Process | None:
        for process in psutil.Process(child.process.pid).children(recursive=True):
            try:
                if any(file.path == str(folder / "log/samples.xdf") for file in process.open_files()):
                    return process
            except psutil.Error:
                continue
        return None

    return wait_until(find)


def test_a_session_with_a_restart_is_recorded_and_decodes_again(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with recording(tmp_path, bundle, name) as c:
        with outlet(tmp_path, name, speed=4.0, seconds=8, gap=[512, 1.0]) as first:
            c.wait_for(lambda c: len(c.out) > 20)
            first.process.kill()
        c.wait_for(lambda c: c.said("stream lost"))
        said = len(c.out)
        with outlet(tmp_path, name, speed=4.0, seconds=8, labels=LABELS[::-1]):
            c.wait_for(lambda c: len(c.out) > said + 10, 30)
            children = psutil.Process(c.process.pid).children(recursive=True)
            c.process.send_signal(signal.SIGTERM)
            assert c.end(PROMPT_S) == 0, c.err
    alive = left_after(children)
    assert alive == []

    log = SessionLog(tmp_path / "log")
    assert log.cut == ()
    assert log.closed
    assert [stream.info.labels for stream in log.streams.values()] == [LABELS, LABELS[::-1]]
    assert [run.run for run in log.runs()] == [1, 2, 3]
    assert log.runs()[1].start == 512
    whole = np.vstack([chunk.data for chunk in log.chunks() if chunk.stream == 1])
    np.testing.assert_array_equal(whole, planted(8.0)[: len(whole)])
    logged = list(log.lines("decision"))
    printed = c.decisions()
    assert [line | {"kind": "decision"} for line in printed] == logged[: len(printed)]
    found = compare(logged, redecode(log, bundle, open_session(bundle)))
    assert found.same, found.first
    assert found.logged > 30
    assert {line["state"] for line in log.lines("state")} >= {"filling", "live", "lost"}
    assert log.manifest.bundle is not None
    assert log.manifest.bundle.name == "tiny"
    assert log.unrecorded() == 0


def test_the_disk_is_full(bundle: Bundle, tmp_path: Path) -> None:
    name, every = unique_name(), {"policy": "every"}
    with outlet(tmp_path, name, loop=True, speed=10.0), recording(tmp_path, bundle, name, **every) as c:
        recorder = recorder_of(c, tmp_path)
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (60_000, 60_000))
        c.wait_for(
            lambda c: c.said("error: recording failed: disk full; what was recorded until now is kept")
        )
        said = len(c.out)
        c.wait_for(lambda c: len(c.out) > said + 60)
        c.process.send_signal(signal.SIGTERM)
        assert c.end(PROMPT_S) == 0, c.err
    assert [line["index"] for line in c.decisions()] == list(range(len(c.out)))  # unaffected
    assert c.said(f"error: the recording {tmp_path / 'log'} is not whole: disk full") == 1  # once more, last
    log = SessionLog(tmp_path / "log")
    assert log.cut == ()
    assert not log.closed
    kept = sum(stream.samples for stream in log.streams.values())
    assert kept > 100
    whole = np.vstack([chunk.data for chunk in log.chunks()])
    np.testing.assert_array_equal(whole, planted(20.0)[:kept])


def test_the_recorder_is_killed(bundle: Bundle, tmp_path: Path) -> None:
    name, every = unique_name(), {"policy": "every"}
    with outlet(tmp_path, name, loop=True, speed=10.0), recording(tmp_path, bundle, name, **every) as c:
        recorder = recorder_of(c, tmp_path)
        events = tmp_path / "log/events.jsonl"
        wait_until(lambda: events.exists() and events.read_bytes().count(b'"decision"') > 10)
        recorder.kill()
        c.wait_for(lambda c: c.said("error: recording stopped: the recorder has not answered"))
        c.process.send_signal(signal.SIGTERM)
        assert c.end(PROMPT_S) == 0, c.err
    assert c.said("is not whole: the recorder ended with code -9")
    assert [line["index"] for line in c.decisions()] == list(range(len(c.out)))
    log = SessionLog(tmp_path / "log")
    logged = list(log.lines("decision"))
    assert len(logged) > 10
    assert compare(logged, redecode(log, bundle, open_session(bundle))).same  # samples are flushed first


def test_everything_else_is_killed(bundle: Bundle, tmp_path: Path) -> None:
    """The parent dies without a word: core and recorder end by themselves, and the log is closed."""
    name = unique_name()
    with outlet(tmp_path, name, loop=True, speed=4.0), recording(tmp_path, bundle, name) as c:
        c.wait_for(lambda c: len(c.out) > 3)
        children = psutil.Process(c.process.pid).children(recursive=True)
        os.kill(c.process.pid, signal.SIGKILL)
        alive = left_after(children)
        assert alive == []
    log = SessionLog(tmp_path / "log")
    assert log.closed
    assert log.cut == ()
    assert compare(log.lines("decision"), redecode(log, bundle, open_session(bundle))).same


def test_a_log_that_met_no_stream_is_taken_away(bundle: Bundle, tmp_path: Path) -> None:
    said = arguments("record", out=tmp_path / "log", stream=unique_name(), wait=0.5)
    with running(said, tmp_path) as c:
        assert c.end(30) == 2
    assert c.said("there is no stream named") == 1
    assert not (tmp_path / "log").exists()


def test_what_lies_there_is_not_written_over(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log/mine.txt").write_text("precious")
    with recording(tmp_path, bundle, unique_name()) as c:
        assert c.end(30) == 2
    assert c.said("is not empty: a session log is never written over") == 1
    assert [file.name for file in (tmp_path / "log").iterdir()] == ["mine.txt"]


def test_recording_without_decoding(tmp_path: Path) -> None:
    name = unique_name()
    with (
        outlet(tmp_path, name, speed=4.0, seconds=20, gap=[300, 2.0], dtype="float64"),
        running(arguments("record", out=tmp_path / "log", stream=name, wait=20), tmp_path) as c,
    ):
        c.wait_for(lambda c: c.said("run 2 begins"))
        c.process.send_signal(signal.SIGINT)
        assert c.end(PROMPT_S) == 0, c.err
    log = SessionLog(tmp_path / "log")
    assert log.closed
    assert [(run.run, run.start) for run in log.runs()] == [(1, 0), (2, 300)]
    whole = np.vstack([chunk.data for chunk in log.chunks()])
    assert whole.dtype == np.float64
    assert len(whole) >= 300
    np.testing.assert_array_equal(whole, planted(20.0)[: len(whole)])
