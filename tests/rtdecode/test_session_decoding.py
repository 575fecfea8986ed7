"""A session log decodes again to the same decisions, offline byte by byte and as a stream at any speed.

Why it matters: a result that cannot be repeated from its own log is an anecdote.
"""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.commands.review import run_review
from rtdecode.config import to_json
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.errors import RecordingError
from rtdecode.live.clock import Gap
from rtdecode.live.config import CoreConfig
from rtdecode.live.decoding import Decoding
from rtdecode.live.output import decision_line
from rtdecode.live.redecode import compare, printed, redecode
from rtdecode.recordings import read
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.types import Chunk, Decision, StreamInfo
from tests.bundles import LABELS, SFREQ, make_bundle, planted
from tests.processes import running, unique_name

UNITS = ("microvolts",) * len(LABELS)
REPLAYED = ("index", "run", "sample", "retrieved", "text", "warnings")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("session") / "tiny")


class Writing:
    """A core without LSL: what it would tell the recorder, straight into a log."""

    def __init__(self, writer: LogWriter):
        self.writer = writer
        self.decoding: Decoding | None = None

    def decided(self, decision: Decision, began: float) -> None:
        line = {"kind": "decision", **decision_line(decision, {"infer": 1.0}, 0.0)}
        self.writer.line(json.dumps(line).encode() + b"\n")

    def broke(self, gap: Gap, lost: int) -> None:
        assert self.decoding
        self.writer.run(self.decoding.run, self.decoding.total)

    def stepped(self, seconds: float) -> None: ...

    def restarted(self, why: str) -> None: ...

    def failed(self, why: str) -> None: ...

    def noted(self, level: str, text: str) -> None: ...


def write_log(path: Path, bundle: Bundle, nan: bool = False, jitter_s: float = 0.0) -> None:
    """Three runs of 2 s: a gap of 0.3 s, then a restart with the channels turned round."""
    create(path, manifest(bundle.path, to_json(CoreConfig(str(bundle.path), "EEG"))))
    writer = LogWriter(path)
    writing = Writing(writer)
    rng = np.random.default_rng(3)
    length = round(2 * SFREQ)
    data = planted(6.0)
    t = 1000 + np.arange(len(data)) / SFREQ
    t[length:] += 0.3
    t[2 * length :] += 0.7
    t += rng.normal(size=len(t)) * jitter_s
    if nan:
        data = data.copy()
        data[20:29, 2] = np.nan
        data[length + 40 : length + 60] = np.nan
    for first, stop, turned in ((0, 2 * length, False), (2 * length, 3 * length, True)):
        order = slice(None, None, -1) if turned else slice(None)
        info = StreamInfo("EEG", "EEG", LABELS[order], UNITS, SFREQ, "amp", f"uid-{turned}")
        channels = bundle.spec.stream.bind(info)
        writer.stream(info)
        if writing.decoding is None:
            writing.decoding = Decoding(bundle, open_session(bundle), channels, info, writing)
        else:
            writing.decoding.rebind(channels, info)
        writer.run(writing.decoding.run, 0)
        at = first
        while at < stop:
            piece = slice(at, min(stop, at + int(rng.integers(1, 40))))
            at = piece.stop
            chunk = np.ascontiguousarray(data[piece][:, order])
            writer.samples(chunk, t[piece])
            writing.decoding.push(chunk, t[piece])
    writer.close()


@pytest.mark.parametrize(("nan", "jitter_s"), [(False, 0.0), (True, 2e-3)])
def test_decoding_a_log_again_gives_the_same_bytes(
    bundle: Bundle, tmp_path: Path, nan: bool, jitter_s: float
) -> None:
    write_log(tmp_path / "log", bundle, nan, jitter_s)
    log = SessionLog(tmp_path / "log")
    logged = list(log.lines("decision"))
    assert {line["run"] for line in logged} == {1, 2, 3}
    again = list(redecode(log, bundle, open_session(bundle)))
    assert [printed(line) for line in again] == [printed(line) for line in logged]
    assert compare(logged, again).same
    assert any(line["warnings"] for line in logged) == nan


@pytest.mark.parametrize("skipped", [0, 2])
def test_hops_that_fill_the_first_window_are_not_late(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skipped: int
) -> None:
    """A hop that is late searches its text narrowly in the end: decoded again, only those are that were."""
    write_log(tmp_path / "log", bundle)
    file = tmp_path / "log/events.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    decisions = [line for line in lines if '"kind": "decision"' in line]
    late = {(line["run"], line["sample"]) for line in map(json.loads, decisions[:skipped])}
    file.write_text("".join(line for line in lines if line not in decisions[:skipped]))
    ranked: dict[tuple[int, int], bool] = {}
    push = Engine.push

    def spied(engine: Engine, chunk: Chunk, rank: bool = True) -> list[Decision]:
        ranked[engine.run, chunk.first + engine.samples_to_next_hop()] = rank
        return push(engine, chunk, rank)

    monkeypatch.setattr(Engine, "push", spied)
    list(redecode(SessionLog(tmp_path / "log"), bundle, open_session(bundle)))
    assert len(ranked) > 20
    assert {hop for hop, was in ranked.items() if not was} == late


def test_a_log_that_was_changed_is_found_out(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(tmp_path / "log", bundle)
    assert run_review(tmp_path / "log", redecode=True) == 0
    assert "same again, byte by byte" in capsys.readouterr().out
    file = tmp_path / "log/events.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"index": 2' in line)
    changed = json.loads(lines[at])
    changed["retrieved"]["hits"][0]["score"] += 1e-9
    lines[at] = json.dumps(changed) + "\n"
    file.write_text("".join(lines))
    assert run_review(tmp_path / "log", redecode=True) == 1
    said = capsys.readouterr().out
    assert "first difference: decision 2 of run 1: retrieved was" in said


def test_samples_that_were_not_recorded_cost_the_rest_of_their_run(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0
    keep = LogWriter.samples

    def samples(self: LogWriter, data: np.ndarray, stamps: np.ndarray) -> None:
        nonlocal seen
        seen += len(stamps)
        if 230 < seen < 280:  # the end of the first run and the begin of the second
            self.lost(len(stamps), 1)
        else:
            keep(self, data, stamps)

    monkeypatch.setattr(LogWriter, "samples", samples)
    write_log(tmp_path / "log", bundle)
    log = SessionLog(tmp_path / "log")
    assert log.unrecorded() > 0
    logged = list(log.lines("decision"))
    found = compare(logged, redecode(log, bundle, open_session(bundle)))
    assert found.first == "decision 1 of run 1 is missing"
    third = [line for line in logged if line["run"] == 3]
    assert compare(third, redecode(log, bundle, open_session(bundle))).same
    assert len(third) == 3


def test_another_bundle_is_not_compared(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(tmp_path / "log", bundle)
    other = make_bundle(tmp_path / "other", text=False)
    assert run_review(tmp_path / "log", redecode=True, bundle=other.path) == 0
    assert "nothing to compare" in capsys.readouterr().out


def test_the_recording_of_a_log_keeps_its_runs(bundle: Bundle, tmp_path: Path) -> None:
    write_log(tmp_path / "log", bundle)
    found = read(tmp_path / "log")
    length = round(2 * SFREQ)
    assert found.segments == ((0, length), (length, 2 * length), (2 * length, 3 * length))
    np.testing.assert_array_equal(found.data, planted(6.0))
    # a break of 0.3 s is one for the decoder's own check, but only just: a replay may not depend on that
    steps = np.diff(found.times)[[length - 1, 2 * length - 1]] - 1 / SFREQ
    np.testing.assert_allclose(steps, [1.0, 0.7])


def test_the_marks_of_a_log_stand_at_their_samples(bundle: Bundle, tmp_path: Path) -> None:
    """A replayed session then has its truth; a mark without a known moment has no place among samples."""
    create(tmp_path / "log", manifest(bundle.path, {}))
    writer = LogWriter(tmp_path / "log")
    writer.stream(
        StreamInfo("EEG", "EEG", LABELS, UNITS, SFREQ, "id", "uid", "host"), list(range(len(LABELS)))
    )
    stamps, offset_s, data = 50.0 + np.arange(512) / SFREQ, 7.0, planted(4.0)
    stamps[256:] += 2.0  # the second half is another run
    for run, start, stop in ((1, 0, 256), (2, 256, 512)):
        writer.run(run, start)
        writer.samples(data[start:stop], stamps[start:stop])
        writer.clock(50.0 + offset_s, offset_s)
    marks = [
        (stamps[100] + offset_s, "a"),
        (stamps[300] + offset_s, "b"),
        (stamps[400] + offset_s, "first label"),
    ]
    lines: list[dict[str, Any]] = [{"text": text, "t_local": local} for local, text in marks]
    lines += [{"text": "mark 3 corrected", "label": "corrected", "t_local": marks[2][0]}, {"text": "when?"}]
    lines += [{"text": "long ago", "t_local": 1.0}, {"text": "odd", "t_local": "soon"}]
    for line in lines:
        writer.line(json.dumps({"kind": "event", "level": "mark", "t": 1.0, **line}).encode() + b"\n")
    writer.close()
    found = read(tmp_path / "log")
    marked = [(marker.text, marker.t) for marker in found.markers if not marker.text.startswith("run ")]
    assert [text for text, _ in marked] == ["a", "b", "corrected"]
    at = found.times[[100, 300, 400]] - found.times[0]
    np.testing.assert_allclose([t for _, t in marked], at, atol=1e-6)


@pytest.mark.live
def test_replaying_a_log_at_any_speed_gives_the_same_decisions(bundle: Bundle, tmp_path: Path) -> None:
    write_log(tmp_path / "log", bundle, nan=True)
    expected = list(SessionLog(tmp_path / "log").lines("decision"))
    found: dict[str, list[dict[str, Any]]] = {}

    def replay(speed: str) -> None:
        name, folder = unique_name(), tmp_path / f"at-{speed}"
        folder.mkdir()
        player = ["-m", "rtdecode", "replay", str(tmp_path / "log"), "--stream", name, "--speed", speed]
        decoder = ["-m", "rtdecode", "live", "--headless", "--bundle", str(bundle.path), "--stream", name]
        # a machine that is held up may be late: every hop is ranked nevertheless
        options = ["--decisions", str(len(expected)), "--wait", "30", "--policy", "every"]
        with running(player, folder) as source, running([*decoder, *options], folder) as c:
            code = c.end(90)
            assert code == 0, (c.err, source.err)
        found[speed] = c.decisions()

    speeds = ["0.5", "1", "4", "max"]
    threads = [threading.Thread(target=replay, args=(speed,)) for speed in speeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(found) == sorted(speeds)
    for lines in found.values():
        assert [printed(line, REPLAYED) for line in lines] == [printed(line, REPLAYED) for line in expected]
        # times are the log's but for the anchor of the replay, and where runs were moved apart
        for run in (1, 2, 3):
            shift = [a["t"] - b["t"] for a, b in zip(lines, expected, strict=True) if b["run"] == run]
            assert np.ptp(shift) < 1e-6


def test_a_log_too_short_for_one_decision_says_so(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "log"
    create(path, manifest(bundle.path, to_json(CoreConfig(str(bundle.path), "EEG"))))
    writer = LogWriter(path)
    writer.stream(StreamInfo("EEG", "EEG", LABELS, UNITS, SFREQ, "amp", "uid"))
    writer.run(1, 0)
    writer.samples(planted(1.0)[: round(0.2 * SFREQ)], 1000 + np.arange(round(0.2 * SFREQ)) / SFREQ)
    writer.close()
    with pytest.raises(RecordingError, match=r"stretch of .* is 0\.2 s, .* needs \d\.\d s"):
        list(redecode(SessionLog(path), bundle, open_session(bundle)))
