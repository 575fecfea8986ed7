"""The command line's manners: output that cannot be written, a terminal without our signs, wrong counts."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from rtdecode.cli import main
from rtdecode.commands.live import summary
from rtdecode.histogram import Histogram
from rtdecode.snapshot import Health, Quantiles, Snapshot, State
from tests.bundles import make_bundle

SCREENS = (
    "live --stream EEG --bundle B",
    "live --streams A,B --bundle B",
    "",
    "check --stream EEG --bundle B",
    "replay F --bundle B",
    "review L",
    "watch 127.0.0.1:1",
    "watch --log L",
    "bundle B",
)


def said(*argv: str, stdout: int | IO[bytes], **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | variables
    command = [sys.executable, "-m", "rtdecode", *argv]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=environment, timeout=60)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_sentence(unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        done = said("completion", "bash", stdout=full, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: cannot write: No space left on device (make room")
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_left_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = said("completion", "bash", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_our_signs_gets_their_numbers(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny").path
    done = said("bundle", str(bundle), stdout=subprocess.PIPE, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2713 yes" in done.stdout


@pytest.mark.parametrize("command", SCREENS)
def test_no_screen_where_its_signs_cannot_be_written(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "B")
    monkeypatch.chdir(tmp_path)
    for stdio in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stdio}.isatty", lambda: True, raising=False)
    for stdio in ("__stderr__", "__stdout__"):
        monkeypatch.setattr(sys, stdio, io.TextIOWrapper(io.BytesIO(), "latin-1"))
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    for what in ("subprocess.Popen", "textual.app.App.run", "rtdecode.live.supervisor.Supervisor.start"):
        monkeypatch.setattr(what, lambda *_, **__: pytest.fail("something was started"))
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error == (
        "error: the terminal's encoding is iso8859-1, the screens need utf-8 (`export LC_ALL=C.UTF-8`)\n"
    )
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")  # which no locale changes
    assert main(command.split()) == 2
    assert "(`unset PYTHONIOENCODING`)" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_of_plain_ascii_is_told_so(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny").path
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "TERM": "xterm"}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | plain
    ours, its = os.openpty()
    command = [sys.executable, "-m", "rtdecode", "bundle", str(bundle)]
    with open(ours, "rb", buffering=0) as screen:
        done = subprocess.run(command, stdin=its, stdout=its, stderr=its, env=environment, timeout=60)
        drawn = screen.read(4096)
        os.close(its)
    assert done.returncode == 2
    assert drawn.startswith(b"error: the terminal's encoding is ascii, the screens need utf-8 (")
    assert drawn.count(b"\n") == 1


def test_a_unit_nobody_knows_is_refused_at_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("live --headless", "replay F", "check --headless", "streams"):
        assert main([*command.split(), "--bundle", "B", "--assume-unit", "furlong"]) == 2
        assert capsys.readouterr().err.startswith("error: there is no unit 'furlong' (known: volts, ")


def test_one_decision_is_one_and_its_delay_is_told() -> None:
    times = Histogram()
    assert summary(0, Snapshot(State.LIVE), times) == "0 decisions, runs 0, samples lost 0"
    times.add(2.0)
    told = summary(1, Snapshot(State.LIVE), times)  # a picture from before the decision
    assert told.startswith("1 decision, readable to published p50 1.98 ms p99 1.98 ms, runs ")
    newer = Snapshot(State.LIVE, health=Health(stages={"total": Quantiles(3.0, 4.0, 3.0)}))
    assert "2 decisions, readable to published p50 3.00 ms p99 4.00 ms, " in summary(2, newer, times)


@pytest.mark.parametrize("option", ["--decisions", "--threads"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_counts_begin_at_one(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--stream", "EEG", "--bundle", "B", "--headless", option, value]) == 2
    assert f"argument {option}: must be 1 or more, got {value}" in capsys.readouterr().err
