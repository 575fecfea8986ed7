"""Behind the start screen: what the network says look after look, what is started, and where errors go."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtdecode.commands import start
from rtdecode.commands.start import Ears, Looker, config_of
from rtdecode.errors import RecordingError, StreamError
from rtdecode.found import Disk, Findings, FoundStream
from rtdecode.sources import lsl
from rtdecode.tui.start_choice import Live, Replay, Review
from rtdecode.types import StreamInfo
from tests.bundles import make_bundle


class Network:
    """In place of liblsl. up: the streams that answer now;  silent: those that do not describe themselves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.up: list[StreamInfo] = []
        self.silent: set[str] = set()
        self.asked: list[str] = []
        monkeypatch.setattr(lsl, "resolve", lambda: [lsl.Found(info, None) for info in self.up])
        monkeypatch.setattr(lsl, "describe", self.describe)

    def describe(self, found: lsl.Found, timeout_s: float) -> StreamInfo:
        self.asked.append(found.info.uid)
        if found.info.uid in self.silent:
            raise StreamError("does not answer")
        return found.info


def stream(name: str, uid: str, **more: object) -> StreamInfo:
    return StreamInfo(name, "EEG", ("Fz",), ("uV",), 250.0, f"id-{name}", uid, **more)  # type: ignore[arg-type]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


def test_a_stream_is_described_once_and_asked_again_only_while_it_is_silent(network: Network) -> None:
    network.up, network.silent = [stream("a", "1"), stream("b", "2")], {"2"}
    ears = Ears()
    assert [(s.info.name, s.described) for s in ears.hear()] == [("a", True), ("b", False)]
    network.silent = set()
    assert all(s.described for s in ears.hear())
    ears.hear()
    assert network.asked == ["1", "2", "2"]


def test_a_look_may_miss_a_stream_but_one_that_is_gone_goes(network: Network) -> None:
    network.up = [stream("a", "1")]
    ears = Ears()
    ears.hear()
    network.up = []
    assert [len(ears.hear()) for _ in range(start.KEPT + 1)] == [1] * start.KEPT + [0]


def test_a_sender_that_came_back_is_shown_once(network: Network) -> None:
    ears = Ears()
    network.up = [stream("a", "1")]
    before = ears.hear()
    network.up = [stream("a", "2")]
    after = ears.hear()
    assert [s.info.uid for s in after] == ["2"] and after[0].key == before[0].key


def test_words_and_events_come_last(network: Network) -> None:
    network.up = [stream("a", "1", dtype="string"), stream("b", "2")]
    assert [s.info.name for s in Ears().hear()] == ["b", "a"]


def test_a_network_that_cannot_be_used_is_said_and_the_disk_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    def broken() -> list[lsl.Found]:
        raise RuntimeError("no socket\nat all")

    monkeypatch.setattr(lsl, "resolve", broken)
    looker = Looker()
    looker._network()
    looker._folders()
    found = looker.latest()
    assert found.trouble == "LSL cannot be used: no socket" and found.streams == ()
    assert isinstance(found.disk, Disk)


def test_a_bundle_is_hashed_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_bundle(tmp_path / "b").path
    checks: list[Path] = []
    check = start.check_bundle
    monkeypatch.setattr(start, "check_bundle", lambda p: (checks.append(p), check(p))[1])
    monkeypatch.chdir(tmp_path)
    looker = Looker()
    looker._folders()
    looker._folders()
    assert len(checks) == 1
    (path / "golden.npz").write_bytes(b"changed")
    assert not looker._known(Path("b")).checked
    looker._folders()
    disk = looker.latest().disk
    assert disk and disk.bundles[0].problem and len(checks) == 2


def test_live_is_started_as_the_command_would() -> None:
    known = config_of(Live(FoundStream(stream("amp", "1")), Path("b"), "microvolts"))
    assert (known.stream, known.stype, known.source_id) == ("amp", "EEG", "id-amp")
    assert (known.bundle, known.assume_unit, known.wait_s) == ("b", "microvolts", None)
    hashed = StreamInfo("amp", "", ("Fz",), ("uV",), 250.0, "-1234567890123456789", "1")
    other = config_of(Live(FoundStream(hashed), Path("b")))
    assert other.source_id is None and other.stype is None  # pylsl's own id is new at each start


def test_choices_become_commands_and_errors_become_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start screen after the other: each sees what became of the choice before."""
    choices = [Replay(Path("a.xdf"), Path("b")), Review(Path("-log")), Review(Path("bad")), None]
    notices: list[str] = []

    class Screen:
        return_code = 0

        def __init__(self, latest: object, memory: object, notice: str):
            notices.append(notice)

        def set_keymap(self, keys: object) -> None: ...

        def run(self) -> object:
            return choices[len(notices) - 1]

    commands: list[list[str]] = []

    def hand_over(argv: list[str]) -> int:
        commands.append(argv)
        if argv[1] == "bad":
            raise RecordingError("the log is damaged", hint="restore it")
        return 0 if argv[0] == "replay" else 1

    monkeypatch.setattr(start, "StartApp", Screen)
    monkeypatch.setattr(Looker, "_network", lambda self: None)
    monkeypatch.setattr(Looker, "_folders", lambda self: None)
    for stdio in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stdio, "isatty", lambda: True, raising=False)
    assert start.run_start(hand_over) == 0
    assert commands == [["replay", "a.xdf", "--bundle", "b"], ["review", "./-log"], ["review", "bad"]]
    assert notices[:2] == ["", ""] and "exit code 1" in notices[2]
    assert notices[3] == "the log is damaged (restore it)"


def test_nothing_found_is_nothing() -> None:
    assert Looker().latest() == Findings()


def test_the_first_picture_waits_for_no_decoder() -> None:
    heavy = ("torch", "scipy", "pylsl", "onnxruntime", "mne", "rtdecode.bundle", "rtdecode.recordings")
    code = f"import sys, rtdecode.commands.start; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
