"""The command line's manners: output that cannot be written, a terminal without our signs, wrong counts."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from rtdecode.cli import main
from tests.bundles import make_bundle


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


@pytest.mark.parametrize("option", ["--decisions", "--threads"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_counts_begin_at_one(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--stream", "EEG", "--bundle", "B", "--headless", option, value]) == 2
    assert f"argument {option}: must be 1 or more, got {value}" in capsys.readouterr().err
