"""`rtdecode calibrate`: the decoder of a new listener from minutes of known stimulus.

The fitting is training, which the live decoder never does itself: this hands over to `offline calibrate` in a
process of its own, where torch is installed. A bundle is folded for one listener and cannot be calibrated;
the run that it was exported from can.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from rtdecode.errors import MissingExtra, RecordingError


def run_calibrate(
    *,
    recording: Path,
    run: Path,
    data: Path,
    subject: str,
    out: Path,
    events: Path | None = None,
    minutes: float | None = None,
    bundle: Path | None = None,
) -> int:
    """Calibrate and return the exit code of `offline calibrate`.

    recording  a file, or a session log's folder;  events: what was heard in it; None: its own markers
    run        directory that `offline train` wrote;  data: the study whose sounds were heard
    out        the new run's directory;  bundle: also make a bundle of the subject there
    MissingExtra without torch, RecordingError when there is no such recording.
    """
    if find_spec("torch") is None:
        raise MissingExtra("torch, which calibration needs,", "offline")
    if not recording.exists():
        raise RecordingError(f"there is no recording {recording}")
    command = [sys.executable, "-m", "offline", "calibrate"]
    # NAME=VALUE: a value that begins with a dash is still a value
    given = {
        "run": run,
        "data": data,
        "subject": subject,
        "out": out,
        "recording": recording,
        "events": events,
        "minutes": minutes,
        "bundle": bundle,
    }
    command += [f"--{name}={value}" for name, value in given.items() if value is not None]
    return subprocess.run(command, check=False).returncode
