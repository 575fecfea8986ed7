"""`rtdecode calibrate` hands over to the offline side, and says what is missing where it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtdecode.commands import calibrate
from rtdecode.errors import MissingExtra, RecordingError

GIVEN = {"run": Path("run"), "data": Path("study"), "subject": "-me", "out": Path("new run")}


def test_it_hands_over_with_an_argument_list(tmp_path, monkeypatch):
    seen = {}

    def run(command, check):
        seen["command"] = command
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(calibrate.subprocess, "run", run)
    monkeypatch.setattr(calibrate, "find_spec", lambda name: object())
    recording = tmp_path / "a b.xdf"
    recording.touch()
    assert calibrate.run_calibrate(recording=recording, minutes=3.0, **GIVEN) == 2
    assert seen["command"][:4] == [sys.executable, "-m", "offline", "calibrate"]
    assert seen["command"][4:] == [
        "--run=run", "--data=study", "--subject=-me", "--out=new run", f"--recording={recording}",
        "--minutes=3.0",
    ]  # fmt: skip


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(RecordingError, match="no recording"):
        calibrate.run_calibrate(recording=tmp_path / "none.xdf", **GIVEN)
    monkeypatch.setattr(calibrate, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"torch.*rtdecode\[offline\]"):
        calibrate.run_calibrate(recording=tmp_path, **GIVEN)


def test_the_command_does_not_import_the_offline_side():
    said = (
        "import rtdecode.commands.calibrate, sys;"
        "print([m for m in sys.modules if m.startswith(('offline', 'torch'))])"
    )
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
