"""The newcomer's path: the commands of docs/start.md, as they stand there, lead to a recording decoded live.

Why it matters: what a page promises and nobody runs is soon wrong. Only the folder of recordings is replaced,
and what sets a fresh machine up is left out: here it is set up.
"""

import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from rtdecode.bench.terminal import Terminal, until
from rtdecode.session.reader import SessionLog
from tests.processes import LSL_CONFIG, ROOT

pytestmark = pytest.mark.live
FOLDER = "eeg-cocktail-party"
SET_UP = ("git", "cd", "python3", ".", "pip")


def commands() -> list[str]:
    page = (ROOT / "docs" / "start.md").read_text("utf-8")
    block = re.search(r"<!-- ten commands -->\n```\n(.*?)```", page, re.DOTALL)
    assert block, "docs/start.md has lost the block of ten commands"
    return block[1].splitlines()


def ours() -> list[str]:
    return [line for line in commands() if line.split()[0] not in SET_UP]


def test_there_are_ten_and_the_live_decoder_is_among_the_first_nine() -> None:
    lines = commands()
    assert len(lines) == 10
    assert any(line.startswith("rtdecode live") for line in lines[:9])
    assert [line.split()[0] for line in lines[:5]] == list(SET_UP)
    assert {line.split()[0] for line in ours()} == {"rtdecode", "offline"}


def test_the_ten_commands_decode_a_recording_live(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = data_dir / FOLDER
    if not recordings.is_dir():
        pytest.skip(f"no {FOLDER} in {data_dir}")
    config = tmp_path / "lsl_api.cfg"  # a network of its own: others may call their stream EEG, too
    config.write_text(f"{LSL_CONFIG}[lab]\nSessionID = {uuid.uuid4().hex}\n")
    monkeypatch.setenv("LSLAPICFG", str(config))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    beside: list[subprocess.Popen[bytes]] = []
    try:
        for line in ours():
            words = shlex.split(line.replace(FOLDER, str(recordings)).removesuffix("&"))
            argv = [sys.executable, "-m", *words]
            if line.endswith("&"):
                beside.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
            elif words[:2] == ["rtdecode", "live"]:
                _live(words[1:])
            else:
                ran = subprocess.run(argv, capture_output=True, text=True, check=False)
                assert ran.returncode == 0, f"{line}: {ran.stderr}"
                if words[:2] == ["offline", "evaluate"]:
                    assert "chance 12.5%" in ran.stdout
    finally:
        for process in beside:
            process.kill()
            process.wait()
    log = SessionLog("session")
    assert log.closed and not log.cut
    hits = [line["retrieved"]["hits"] for line in log.lines("decision") if line["retrieved"]]
    assert hits and all(len(ranked) == 10 for ranked in hits)
    page = Path("session.html").read_text("utf-8")
    assert "cocktail" in page


def _live(words: list[str]) -> None:
    """The screen, until it ranked for a moment; then q."""
    with Terminal(words) as screen:
        until(lambda: not screen.alive or "talker" in screen.text())
        assert screen.alive, screen.text()[-500:]
        assert screen.leave() == 0
