"""A recording decoded as if it were live: real processes, a real terminal, the shipped demo.

Why it matters: what a replay shows is believed of the live decoder. So it must decide what an offline
evaluation of the same samples decides, at any speed, and nothing across a jump.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtdecode.bundle import load_bundle
from rtdecode.cli import main
from rtdecode.commands.player import Player
from rtdecode.commands.replay_screen import ReplayCore
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.live.config import CoreConfig
from rtdecode.recordings import Recording, decode, read
from rtdecode.snapshot import State
from rtdecode.types import Decision
from tests.processes import LSL_CONFIG, ROOT, left_after, running, unique_name
from tests.test_live_equals_offline import assert_same
from tests.test_screen_process import Terminal

pytestmark = pytest.mark.live
FILE, BUNDLE = ROOT / "recordings" / "demo.xdf", ROOT / "recordings" / "demo"
ARGUMENTS = ["replay", str(FILE), "--bundle", str(BUNDLE)]


def offline(at_s: float) -> list[Decision]:
    """Decisions of the demo from this second on, without a stream."""
    whole, bundle = read(FILE), load_bundle(BUNDLE)
    rest = Recording(
        whole.data[round(at_s * whole.sfreq) :],
        whole.sfreq,
        whole.labels,
        whole.units,
        whole.stype,
        whole.name,
    )
    return decode(Engine(bundle, bundle.spec.stream.bind(rest.info), open_session(bundle)), rest)


def screen(folder: Path, *options: str) -> Terminal:
    return Terminal([*ARGUMENTS, *options], folder)


def children(terminal: Terminal) -> list[psutil.Process]:
    found = psutil.Process(terminal.process.pid).children(recursive=True)
    assert any("--control" in child.cmdline() for child in found)
    return found


def test_headless_it_decides_as_offline_and_ends_with_the_file(tmp_path: Path) -> None:
    options = ["--headless", "--speed", "max", "--at", "78"]
    with running(["-m", "rtdecode", *ARGUMENTS, *options], tmp_path) as replay:
        assert replay.end(60) == 0, replay.err
    assert_same(replay.decisions(), offline(78.0))
    assert replay.said("since 78.0 s: top-1")
    assert replay.said("chance")


@pytest.mark.skipif(sys.platform != "linux", reason="processors are kept on Linux only")
def test_who_plays_the_file_keeps_off_the_processor_of_who_decodes_it(tmp_path: Path) -> None:
    with running(["-m", "rtdecode", *ARGUMENTS, "--headless"], tmp_path) as replay:
        replay.wait_for(lambda replay: len(replay.out) > 2)
        started = psutil.Process(replay.process.pid).children(recursive=True)
        player = next(child for child in started if "--control" in child.cmdline())
        free = set(player.cpu_affinity())
        kept = [set(child.cpu_affinity()) for child in started if child != player]
        # unless another decoder has it: then ours may run anywhere, and so may its player
        assert any(free.isdisjoint(core) for core in kept) or all(free == core for core in kept)


def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.xdf"
    broken.write_bytes(b"XDF:nonsense")
    for options, words in (
        (["replay", str(tmp_path / "none.xdf"), "--bundle", str(BUNDLE)], "there is no recording"),
        (["replay", str(broken), "--bundle", str(BUNDLE)], "broken.xdf"),
        ([*ARGUMENTS, "--at", "91"], "the recording lasts 90.0 s"),
        (["replay", str(FILE), "--headless"], "--bundle"),
    ):
        assert main(options) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1


def test_seek_speed_pause_and_end_on_a_terminal(tmp_path: Path) -> None:
    with screen(tmp_path, "--at", "30", "--speed", "4") as terminal:
        terminal.read_until("REPLAY ×4", "since 00:30")
        started = children(terminal)
        os.write(terminal.master, b"p")
        terminal.read_until("REPLAY PAUSED ×4")
        os.write(terminal.master, b"p>")
        terminal.read_until("REPLAY ×8")
        os.write(terminal.master, b"g")
        terminal.read_until(" leave")
        os.write(terminal.master, b"70\r")
        # scores of what was heard after the jump only
        terminal.read_until("playing from there", "run 2 begins", "since 01:10", "REPLAY ENDED")
        os.write(terminal.master, b"\x1b[D")  # left: a second back, after the end
        terminal.read_until("run 3 begins")
        os.write(terminal.master, b"q")
        assert terminal.drain_until_end() == 0
        assert left_after(started) == []
    assert "Traceback" not in terminal.seen
    assert "stream lost" not in terminal.seen  # it was moved, nothing went wrong


def test_whoever_pauses_is_not_alarmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lsl = tmp_path / "lsl_api.cfg"
    lsl.write_text(LSL_CONFIG)
    monkeypatch.setenv("LSLAPICFG", str(lsl))
    name, lines = unique_name(), list[dict[str, Any]]()
    config = CoreConfig(str(BUNDLE), name, wait_s=15.0, policy="every", played=True)
    with (
        Player(FILE, name, select=None, speed="4", loop=False, at_s=30.0) as player,
        ReplayCore(config, player) as core,
    ):

        def until(kind: str, key: str, words: str) -> dict[str, Any]:
            deadline = time.monotonic() + 30.0
            while not (found := [x for x in lines if x["kind"] == kind and words in x.get(key, "")]):
                assert time.monotonic() < deadline, f"no {kind} says {words!r}; last: {lines[-3:]}"
                lines.extend(core.messages(0.1))
            return found[0]

        until("decision", "kind", "decision")
        player.tell("pause", to=True)
        until("state", "state", "lost")
        while (picture := core.latest()) is None or picture.state is not State.LOST:
            lines.extend(core.messages(0.1))
            assert core.alive
        assert picture.retry is None  # nobody looks for what is paused
        player.tell("pause", to=False)
        assert until("event", "text", "playing again after")["level"] == "info"
        player.tell("seek", to=60.0)
        assert until("event", "text", "another place")["level"] == "info"
        assert until("event", "text", "run 2 begins")["level"] == "info"
        while (picture := core.latest()) is None or picture.run < 2:
            lines.extend(core.messages(0.1))
            assert core.alive
        assert picture.health.restarts == 0  # a jump is no start of a sender
    assert {line["level"] for line in lines if line["kind"] == "event"} == {"info"}


def test_a_killed_screen_leaves_nobody_behind(tmp_path: Path) -> None:
    with screen(tmp_path) as terminal:
        terminal.read_until("REPLAY")
        started = children(terminal)
        terminal.process.send_signal(signal.SIGKILL)
        assert left_after(started) == []
