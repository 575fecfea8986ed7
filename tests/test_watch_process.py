"""A session watched from other terminals, as users have it: real processes, stream and terminal.

Why it matters: who looks must neither decode a second time nor hold up, change or end what they look at.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.bundles import make_bundle
from tests.processes import Running, left_after, live, outlet, running, unique_name
from tests.test_screen_process import Terminal, screen

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("watch") / "tiny").path


@contextmanager
def session(folder: Path, bundle: Path) -> Iterator[tuple[Running, str]]:
    """A published session, and where it is."""
    name = unique_name()
    with (
        outlet(folder, name, loop=True) as stream,
        live(folder, bundle, name, "--watch", "127.0.0.1:0") as decoder,
    ):
        assert stream
        decoder.wait_for(lambda c: c.said("rtdecode watch"))
        found = re.search(r"rtdecode watch (127\.0\.0\.1:\d+)", "\n".join(decoder.err))
        assert found
        yield decoder, found[1]


def watching(folder: Path, *arguments: str) -> Terminal:
    return Terminal(["watch", *arguments], folder)


def test_two_terminals_watch_one_leaves_and_the_session_ends_last(bundle: Path, tmp_path: Path) -> None:
    with session(tmp_path, bundle) as (decoder, where):
        decoder.wait_for(lambda c: c.out)
        with watching(tmp_path, where) as one, watching(tmp_path, where, "--fps", "2") as two:
            one.read_until("LIVE")
            two.read_until("LIVE")
            parts = psutil.Process(decoder.process.pid).children(recursive=True)
            assert not [c for t in (one, two) for c in psutil.Process(t.process.pid).children(recursive=True)]
            one.process.send_signal(signal.SIGSTOP)  # a terminal nobody scrolls
            os.write(two.master, b"q")
            assert two.drain_until_end() == 0
            before = len(decoder.out)
            decoder.wait_for(lambda c: len(c.out) >= before + 8)
            one.process.send_signal(signal.SIGCONT)
            decoder.process.send_signal(signal.SIGINT)
            assert decoder.end() == 0
            one.read_until("the session ended")
            assert "LOST" in one.seen
            os.write(one.master, b"q")
            assert one.drain_until_end() == 0
        assert left_after(parts) == []


def test_several_decoders_are_watched_on_one_screen(bundle: Path, tmp_path: Path) -> None:
    left, right = unique_name(), unique_name()
    command = ["-m", "rtdecode", "live", "--headless", "--bundle", str(bundle), "--wait", "15"]
    command += ["--streams", f"{left},{right}", "--watch", "127.0.0.1:0"]
    with (
        outlet(tmp_path, left, source_id="l", loop=True),
        outlet(tmp_path, right, source_id="r", loop=True) as dying,
        running(command, tmp_path) as decoders,
    ):
        decoders.wait_for(lambda c: c.said("rtdecode watch") and c.said("live, run 1") == 2)
        found = re.search(r"rtdecode watch ((?:127\.0\.0\.1:\d+ ?){2})", "\n".join(decoders.err))
        assert found
        with watching(tmp_path, found[1].split()[1]) as second:  # in the order in which they were named
            second.read_until(right, "LIVE")
            assert left not in second.seen
            os.write(second.master, b"q")
            assert second.drain_until_end() == 0
        with watching(tmp_path, *found[1].split()) as terminal:
            terminal.read_until(left, right, "LIVE")
            dying.process.kill()
            terminal.read_until("LOST")  # in the strip: the other one is shown
            os.write(terminal.master, b"n")
            terminal.read_until("LOST")
            os.write(terminal.master, b"q")
            assert terminal.drain_until_end() == 0
        parts = psutil.Process(decoders.process.pid).children(recursive=True)
        spawned = [p for p in parts if "spawn_main" in " ".join(p.cmdline())]
        assert len(spawned) == 3  # two cores, and one process that publishes both
        decoders.process.send_signal(signal.SIGINT)
        assert decoders.end() == 0
    assert left_after(parts) == []


def test_a_killed_session_leaves_no_publisher(bundle: Path, tmp_path: Path) -> None:
    with session(tmp_path, bundle) as (decoder, _):
        parts = psutil.Process(decoder.process.pid).children(recursive=True)
        decoder.process.kill()
        assert left_after(parts) == []


def test_a_wrong_token_ends_in_one_sentence(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTDECODE_TOKEN", "the session's")
    with session(tmp_path, bundle) as (_, where):
        monkeypatch.setenv("RTDECODE_TOKEN", "mine")
        with watching(tmp_path, where) as terminal:
            assert terminal.drain_until_end() == 2
    last = terminal.seen.split("\x1b[?1049l")[-1]
    assert "error: the token is not the one" in last and "Traceback" not in terminal.seen


def test_a_screen_says_where_to_watch_it(bundle: Path, tmp_path: Path) -> None:
    name = unique_name()
    arguments = ("--bundle", str(bundle), "--stream", name, "--watch", "127.0.0.1:0")
    with outlet(tmp_path, name, loop=True), screen(tmp_path, *arguments) as terminal:
        # the address stands on the screen as well, not only under it
        terminal.read_until("\x1b[?1049h")
        terminal.read_until("rtdecode watch 127", "LIVE")
        where = re.search(r"rtdecode watch (\S+)", terminal.seen)
        assert where
        with watching(tmp_path, where[1]) as other:
            other.read_until("LIVE")
        os.write(terminal.master, b"q")
        assert terminal.drain_until_end() == 0
