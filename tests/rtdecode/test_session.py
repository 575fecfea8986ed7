"""The session log: what was flushed reads back, whatever byte its writer died at, and nothing else does.

Why it matters: the log is the only witness of an experiment that cannot be repeated.
"""

import contextlib
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.cli import main
from rtdecode.commands.review import run_review, summary
from rtdecode.errors import RecordingError, RtdecodeError
from rtdecode.recordings import read
from rtdecode.session.manifest import create, load, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.types import StreamInfo

LABELS = ("Fz", "C<z", "Pz & co")
INFO = StreamInfo("EEG", "EEG", LABELS, ("microvolts",) * 3, 128.0, "id-1", "uid-1", "lab")
FILES = ("samples.xdf", "events.jsonl")


def decision(index: int, run: int = 1) -> dict[str, Any]:
    hit = {"rank": 1, "id": "c1", "text": "the fox", "source": "s", "start": 0.0, "score": 0.5, "prob": 0.4}
    retrieved = {"chance": 0.1, "candidates": 10, "window_s": 1.0, "margin": 0.2, "hits": [hit]}
    text = {"committed": "a ", "committed_chars": 2, "delta": "a ", "tentative": "b"}
    where = {"index": index, "run": run, "sample": 10 * index, "t": 1.0 + index}
    return {"kind": "decision", **where, "retrieved": retrieved, "text": text, "warnings": []}


def event(text: str, level: str = "warn") -> dict[str, Any]:
    return {"kind": "event", "t": 1.5, "level": level, "text": text}


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def block(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)


def stamps(first: float, rows: int) -> np.ndarray:
    return first + np.arange(rows) / 128 + np.random.default_rng(rows).normal(size=rows) * 1e-4


def new_log(path: Path) -> LogWriter:
    create(path, manifest(None, {"stream": "EEG"}))
    return LogWriter(path)


def small_log(path: Path) -> list[tuple[int, int, int]]:
    """Two connections, three runs; (bytes of samples, bytes of events, samples) after each flush."""
    writer = new_log(path)
    marks = []

    def flush() -> None:
        writer.flush()
        sizes = [(path / name).stat().st_size for name in FILES]
        marks.append((sizes[0], sizes[1], sum(s.samples for s in SessionLog(path).streams.values())))

    flush()
    writer.stream(INFO, [0, 1, 2])
    writer.run(1, 0)
    writer.samples(block(5, 1), stamps(100.0, 5))
    writer.line(line(decision(0)))
    flush()
    writer.samples(block(4, 2), stamps(100.1, 4))
    writer.clock(100.2, 0.25)
    writer.run(2, 7)
    writer.line(line(event("a gap")))
    flush()
    writer.stream(INFO)
    writer.run(3, 0)
    writer.samples(block(3, 3), stamps(200.0, 3))
    flush()
    writer.close()
    return marks


def test_everything_reads_back(tmp_path: Path) -> None:
    small_log(tmp_path / "log")
    log = SessionLog(tmp_path / "log")
    assert log.cut == ()
    assert log.closed
    assert log.streams[1].info == INFO
    assert log.streams[1].offsets == ((100.2, 0.25),)
    assert all(stream.closed for stream in log.streams.values())
    found = list(log.chunks())
    assert [(chunk.stream, len(chunk.stamps)) for chunk in found] == [(1, 5), (1, 4), (2, 3)]
    for chunk, seed, first in zip(found, (1, 2, 3), (100.0, 100.1, 200.0), strict=True):
        np.testing.assert_array_equal(chunk.data, block(len(chunk.stamps), seed))
        np.testing.assert_array_equal(chunk.stamps, stamps(first, len(chunk.stamps)))
    runs = [(run.run, run.stream, run.start, run.stop) for run in log.runs()]
    assert runs == [(1, 1, 0, 7), (2, 1, 7, 9), (3, 2, 0, 3)]
    assert log.runs()[1].t == stamps(100.1, 4)[2]
    assert [value["kind"] for value in log.lines()] == [
        "connection",
        "run",
        "decision",
        "run",
        "event",
        "connection",
        "run",
        "end",
    ]


def test_other_tools_read_the_samples(tmp_path: Path) -> None:
    small_log(tmp_path / "log")
    streams, _ = pyxdf.load_xdf(
        str(tmp_path / "log/samples.xdf"), synchronize_clocks=False, dejitter_timestamps=False
    )
    assert [stream["info"]["name"][0] for stream in streams] == ["EEG", "EEG"]
    np.testing.assert_array_equal(streams[0]["time_series"], np.vstack([block(5, 1), block(4, 2)]))
    np.testing.assert_array_equal(streams[0]["time_stamps"][:5], stamps(100.0, 5))
    channels = streams[0]["info"]["desc"][0]["channels"][0]["channel"]
    assert [channel["label"][0] for channel in channels] == list(LABELS)
    assert streams[0]["clock_values"] == [0.25]


@pytest.mark.parametrize("name", FILES)
def test_killed_at_any_byte(tmp_path: Path, name: str) -> None:
    """Cut either file at every byte: whatever was flushed before is there, unchanged, and the cut is said."""
    path = tmp_path / "log"
    marks = small_log(path)
    whole = SessionLog(path)
    all_lines, all_chunks = list(whole.lines()), list(whole.chunks())
    content = (path / name).read_bytes()
    column = FILES.index(name)
    for size in range(len(content) + 1):
        (path / name).write_bytes(content[:size])
        log = SessionLog(path)
        flushed = [mark for mark in marks if mark[column] <= size]
        if name == "samples.xdf":
            found = list(log.chunks())
            assert sum(len(chunk.stamps) for chunk in found) >= (flushed[-1][2] if flushed else 0)
            for chunk, expected in zip(found, all_chunks, strict=False):
                np.testing.assert_array_equal(chunk.data, expected.data)
                np.testing.assert_array_equal(chunk.stamps, expected.stamps)
        else:
            lines = list(log.lines())
            assert lines == all_lines[: len(lines)]
            assert len(lines) == content[:size].count(b"\n")
        whole_end = size in (0, len(content)) or content[size - 1 : size] == b"\n"
        if name == "events.jsonl":
            assert bool(log.cut) == (not whole_end)
        if log.cut:
            assert name in log.cut[0]
            assert "cut off or damaged" in log.cut[0]
        list(summary(log))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from((*FILES, "session.json")),
    st.lists(
        st.tuples(st.integers(0, 9999), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=4
    ),
)
def test_damage_never_crashes_the_reader(
    tmp_path: Path, name: str, damages: list[tuple[int, int, bytes]]
) -> None:
    """Bytes changed, inserted or removed anywhere: a log that reads in part, or one sentence."""
    path, kept = tmp_path / "log", tmp_path / "kept"
    if not kept.exists():
        small_log(kept)
        path.mkdir()
    for file in kept.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    content = bytearray((path / name).read_bytes())
    for place, drop, put in damages:
        at = place * len(content) // 9999
        content[at : at + drop] = put
    (path / name).write_bytes(bytes(content))
    with contextlib.suppress(RecordingError):
        log = SessionLog(path)
        list(summary(log))
        list(log.chunks())
        read(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["kind", "run", "stream", "sample", "t", "hits", "retrieved", "index"]),
                    st.one_of(inner, st.sampled_from(["decision", "run", "event", "unrecorded", "state"])),
                    max_size=6,
                ),
            ),
            max_leaves=12,
        ),
        max_size=4,
    )
)
def test_any_json_is_read_or_left_out(tmp_path: Path, values: list[Any]) -> None:
    path = tmp_path / "log"
    if not path.exists():
        small_log(path)
    content = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    (path / "events.jsonl").write_bytes(content)
    log = SessionLog(path)
    list(summary(log))
    read(path)


def test_deep_json_and_long_lines_are_left_out(tmp_path: Path) -> None:
    small_log(tmp_path / "log")
    file = tmp_path / "log/events.jsonl"
    for bad in (b"[" * 200_000 + b"\n", b'"' + b"x" * (5 << 20) + b'"\n', b"\0" * 4096):
        file.write_bytes(line(event("before")) + bad)
        log = SessionLog(tmp_path / "log")
        assert [value["text"] for value in log.lines()] == ["before"]
        assert f"{len(bad)} bytes from line 2 on" in log.cut[0]


def test_an_xml_bomb_is_not_opened(tmp_path: Path) -> None:
    from rtdecode.xdf_writer import STREAM_HEADER, chunk, file_header

    small_log(tmp_path / "log")
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><info>&b;</info>'
    file = tmp_path / "log/samples.xdf"
    file.write_bytes(file_header() + chunk(STREAM_HEADER, b"\1\0\0\0" + bomb))
    log = SessionLog(tmp_path / "log")
    assert log.streams == {}
    assert log.cut


def test_a_log_of_a_newer_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_log(tmp_path / "log")
    file = tmp_path / "log/session.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 2, "new": {}}))
    with pytest.raises(RtdecodeError, match=r"schema 2, this version reads up to 1 \(update rtdecode\)"):
        SessionLog(tmp_path / "log")
    assert main(["replay", str(tmp_path / "log")]) == 2
    said = capsys.readouterr().err
    assert "schema 2" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("spoil", ["empty", "missing", "samples", "not-json"])
def test_what_is_no_log_is_refused(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "log"
    small_log(path)
    if spoil == "empty":
        path = tmp_path
    elif spoil == "samples":
        (path / "samples.xdf").unlink()
    elif spoil == "missing":
        (path / "session.json").unlink()
    else:
        (path / "session.json").write_text("{")
    with pytest.raises(RecordingError):
        SessionLog(path)


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    small_log(tmp_path / "log")
    with pytest.raises(RecordingError, match="not empty"):
        create(tmp_path / "log", manifest(None, {}))
    with pytest.raises(RecordingError, match="cannot record into"):
        create(Path("/proc/nowhere/log"), manifest(None, {}))


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from rtdecode.session.manifest import create, manifest
from rtdecode.session.writer import LogWriter
from tests.rtdecode.test_session import INFO
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
create(path, manifest(None, {}))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
writer = LogWriter(path)
writer.stream(INFO)
for number in range(1000):
    writer.samples(np.full((100, 3), number, np.float32), np.arange(100) / 128 + number)
    try:
        writer.flush()
    except OSError as problem:
        print(number, problem.errno)
        break
"""


def test_a_full_disk_leaves_whole_flushes(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    found = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    flushed = int(found.stdout.split()[0])
    assert flushed > 2
    log = SessionLog(tmp_path / "log")
    assert log.cut == ()
    assert [int(chunk.data[0, 0]) for chunk in log.chunks()] == list(range(flushed))


def test_a_log_is_a_recording(tmp_path: Path) -> None:
    """Permuted connections join, runs are segments, and a break that the stamps hide is made to show."""
    writer = new_log(tmp_path / "log")
    writer.stream(INFO)
    writer.run(1, 0)
    first, second = block(40, 1), block(40, 2)
    first[3, 1] = np.nan
    writer.samples(first, 100 + np.arange(40) / 128)
    writer.run(2, 30)
    turned = StreamInfo("EEG", "EEG", LABELS[::-1], ("microvolts",) * 3, 128.0, "id-1", "uid-2", "lab")
    writer.stream(turned)
    writer.run(3, 0)
    writer.samples(second[:, ::-1], 50 + np.arange(40) / 128)
    writer.close()
    found = read(tmp_path / "log")
    np.testing.assert_array_equal(found.data, np.vstack([first, second]))
    assert found.segments == ((0, 30), (30, 40), (40, 80))
    assert found.labels == LABELS
    steps = np.diff(found.times) - 1 / 128
    np.testing.assert_allclose(steps[[29, 39]], 1.0)
    assert np.abs(np.delete(steps, [29, 39])).max() < 1e-9
    assert any("not numbers" in note for note in found.notes)
    assert any("2 runs were moved in time" in note for note in found.notes)


def test_two_different_streams_must_be_chosen(tmp_path: Path) -> None:
    writer = new_log(tmp_path / "log")
    for name, labels in (("EEG", LABELS), ("other", LABELS[:2])):
        writer.stream(StreamInfo(name, "EEG", labels, ("",) * len(labels), 128.0))
        writer.samples(block(4, 1)[:, : len(labels)], stamps(1.0, 4))
    writer.close()
    with pytest.raises(RecordingError, match="2 different streams"):
        read(tmp_path / "log")
    assert read(tmp_path / "log", "other").labels == LABELS[:2]


def test_wide_samples_stay_wide(tmp_path: Path) -> None:
    writer = new_log(tmp_path / "log")
    writer.stream(INFO)
    data = 1e9 + np.random.default_rng(0).normal(size=(7, 3))
    writer.samples(data, stamps(1.0, 7))
    writer.close()
    found = read(tmp_path / "log")
    assert found.data.dtype == np.float64
    np.testing.assert_array_equal(found.data, data)


def test_review_says_what_matters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_log(tmp_path / "log")
    assert run_review(tmp_path / "log") == 0
    said = capsys.readouterr().out
    for words in ("3 channels, 128 Hz", "runs: 3", "decisions: 1", "chance 10 %", "the fox", "warn: a gap"):
        assert words in said
    assert run_review(tmp_path / "log", decisions=True) == 0
    (shown,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert shown == {key: value for key, value in decision(0).items() if key != "kind"}
    with pytest.raises(RecordingError, match="without a bundle"):
        run_review(tmp_path / "log", redecode=True)


def test_what_is_no_session_log_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.xdf").write_bytes(b"x")
    for path, message, hint in (
        (tmp_path / "none", "is not a session log: it does not exist", ""),
        (tmp_path / "a.xdf", "is a file, a session log is a folder", "rtdecode replay"),
        (tmp_path, "is not a session log: it has no session.json", "rtdecode review DIR"),
    ):
        with pytest.raises(RecordingError) as problem:
            load(path)
        assert message in problem.value.message and hint in (problem.value.hint or "")
