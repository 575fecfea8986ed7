"""A session log watched while it grows: the same picture, cut ends are waited for, an end is said."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.commands.watch import run_web
from rtdecode.contract import ChannelMap
from rtdecode.errors import RecordingError
from rtdecode.live.display import Display
from rtdecode.remote.address import Address
from rtdecode.remote.log_viewer import SILENT_S, LogViewer
from rtdecode.remote.screen import WatchApp
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import EVENTS, SAMPLES, LogWriter
from rtdecode.snapshot import Snapshot, State
from rtdecode.types import StreamInfo
from tests.bundles import LABELS, SFREQ, make_bundle, planted
from tests.session_logs import write_session

INFO = StreamInfo("EEG", "EEG", LABELS, ("microvolts",) * len(LABELS), SFREQ, "i", "u", "lab")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("logs") / "tiny")


@pytest.fixture(scope="module")
def closed(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session(tmp_path_factory.mktemp("logs") / "closed", bundle)


class Log:
    """A log under way, and a viewer of it whose clock the test turns."""

    def __init__(self, path: Path, about: Path | None):
        self.path, self.now = path, 1000.0
        create(path, manifest(about, {}))
        self.viewer = LogViewer(path, clock=lambda: self.now, wall=lambda: 0.0)
        self.writer = LogWriter(path)

    def say(self, **line: object) -> None:
        self.writer.line(json.dumps(line).encode() + b"\n")

    def samples(self, data: np.ndarray, at: int) -> None:
        self.writer.samples(data, 100 + (at + np.arange(len(data))) / SFREQ)

    def look(self, after_s: float = 0.1, flush: bool = True) -> Snapshot:
        self.now += after_s
        if flush:
            self.writer.flush()
        self.viewer.look()
        found = self.viewer.latest()
        assert found is not None
        return found


def test_a_closed_log_is_shown_with_its_end(closed: Path, bundle: Bundle) -> None:
    viewer = LogViewer(closed)
    viewer.look()
    shown = viewer.latest()
    assert shown is not None
    assert shown.state is State.LOST and "its log is closed" in shown.detail
    last = list(SessionLog(closed).lines("decision"))[-1]
    assert shown.decision is not None and shown.decision.retrieved is not None
    assert [hit.id for hit in shown.decision.retrieved.hits] == [h["id"] for h in last["retrieved"]["hits"]]
    assert shown.decision.index == last["index"] and shown.run == last["run"]
    assert shown.bundle is not None and shown.bundle.unit == bundle.spec.stream.unit
    assert shown.health.lost == 192 and shown.event_count >= 20 and shown.text
    assert 30 <= shown.elapsed_s < 34
    assert [state.glyph for state in shown.channels] != [] and shown.signal.shape[1] == len(LABELS)


def test_it_follows_a_log_that_grows(tmp_path: Path, bundle: Bundle) -> None:
    log = Log(tmp_path / "log", bundle.path)
    assert log.look(flush=False).state is State.CONNECTING
    log.writer.stream(INFO, list(range(len(LABELS))))
    log.say(kind="state", state="filling", run=1, t=1.0)
    log.writer.run(1, 0)
    data = planted(6.0).astype(np.float32)
    log.samples(data[:200], 0)
    assert log.look().state is State.FILLING
    log.say(kind="state", state="live", run=1, t=2.5)
    log.samples(data[200:300], 200)
    first = log.look()
    assert first.state is State.LIVE
    later = log.look(3.0)
    assert later.elapsed_s - first.elapsed_s == pytest.approx(3.0)
    assert later.state is State.LIVE and later.published == log.now
    log.samples(data[300:], 300)
    shown = log.look()
    display = Display(bundle.spec.preprocess, bundle.spec.stream.labels)
    channels = ChannelMap(bundle.spec.stream, INFO)
    display.push(channels.apply(data), data)
    assert shown.signal_sfreq == display.sfreq
    np.testing.assert_array_equal(shown.signal, display.signal())
    log.writer.close()
    assert log.look(flush=False).detail == "the session ended; its log is closed"


def test_cut_ends_are_under_way_until_the_rest_comes(tmp_path: Path, bundle: Bundle) -> None:
    whole = write_session(tmp_path / "whole", bundle, closed=False)
    cut = tmp_path / "cut"
    cut.mkdir()
    shutil.copy(whole / "session.json", cut)
    viewer = LogViewer(cut, wall=lambda: 0.0)
    content = {name: (whole / name).read_bytes() for name in (SAMPLES, EVENTS)}
    seen = []
    for share in np.linspace(0.05, 1.0, 23):
        for name, data in content.items():
            (cut / name).write_bytes(data[: round(share * len(data))])
        viewer.look()
        shown = viewer.latest()
        assert shown is not None
        seen.append(shown.event_count)
    assert seen == sorted(seen) and seen[-1] > seen[0]
    assert shown.state is State.LIVE
    assert viewer._samples is not None
    counts = {ident: stream.samples for ident, stream in SessionLog(whole).streams.items()}
    assert viewer._samples.counts == counts
    assert viewer._lines.damaged == 0


def test_a_line_of_somebody_else_is_passed_over(tmp_path: Path, bundle: Bundle) -> None:
    log = Log(tmp_path / "log", bundle.path)
    log.writer.stream(INFO, None)
    for line in (b"no json\n", b'{"kind": "decision"}\n', b'{"kind": "state", "state": "odd", "t": 1}\n'):
        log.writer.line(line)
    log.say(kind="event", t=1.5, level="info", text="[b]still here[/b]")
    assert log.look().events[-1].text == "[b]still here[/b]"
    assert log.viewer._lines.damaged == 2


def test_a_log_that_nobody_writes_any_more_is_lost(tmp_path: Path, bundle: Bundle) -> None:
    log = Log(tmp_path / "log", bundle.path)
    log.writer.stream(INFO, None)
    log.say(kind="state", state="live", run=1, t=1.0)
    log.look()
    log.say(kind="state", state="live", run=1, t=1.1)
    assert log.look().state is State.LIVE
    assert log.look(SILENT_S - 1).state is State.LIVE
    shown = log.look(2.0)
    assert shown.state is State.LOST and "nothing was written for 13 s" in shown.detail
    log.say(kind="health", state="live", t=14.5, late=3)
    shown = log.look()
    assert shown.state is State.LIVE and shown.health.late == 3


def test_a_recording_without_a_decoder_shows_its_signal(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", None)
    log.writer.stream(INFO, None)
    log.samples(planted(3.0).astype(np.float32), 0)
    log.look()
    shown = log.look()
    assert shown.signal.shape[1] == len(LABELS) and shown.bundle is None
    assert shown.state is State.LIVE


def test_a_bundle_that_is_gone_is_named(tmp_path: Path, bundle: Bundle) -> None:
    own = tmp_path / "own"
    shutil.copytree(bundle.path, own)
    path = write_session(tmp_path / "log", make_bundle(own.with_name("again")))
    shutil.rmtree(own.with_name("again"))
    viewer = LogViewer(path)
    viewer.look()
    shown = viewer.latest()
    assert shown is not None and shown.bundle is not None
    assert shown.bundle.name and shown.bundle.has_retrieval and shown.bundle.candidates > 0


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no session\.json"):
        LogViewer(tmp_path)
    pytest.importorskip("textual_serve")
    with pytest.raises(RecordingError, match=r"no session\.json"):
        run_web(tmp_path, Address("127.0.0.1", 0), fps=5.0)


def test_a_log_of_hours_shows_its_last_seconds(tmp_path: Path, bundle: Bundle) -> None:
    log = Log(tmp_path / "log", bundle.path)
    log.writer.stream(INFO, None)
    data = planted(60.0).astype(np.float32)
    for at in range(0, len(data), 64):
        log.samples(data[at : at + 64], at)
    shown = log.look()
    assert len(shown.signal) == round(10 * shown.signal_sfreq)


async def test_the_screen_shows_it(closed: Path) -> None:
    viewer = LogViewer(closed)
    viewer.look()
    app = WatchApp(viewer)
    app._server = os.getppid()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        viewer.look()  # a picture made before the screen began may be too old for it on a busy machine
        app.update(True)
        assert "LOST" in app.panels["header"].text
        assert "⣀" in app.panels["signals"].text or "⠉" in app.panels["signals"].text
        await pilot.press("q")
