"""The bench's own parts, one short measurement, and what a picture costs and carries."""

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from rtdecode.bench.bundle import HOP_S, make_bench_bundle
from rtdecode.bench.measure import Cell, _lost, decoder, times_of
from rtdecode.bench.push_log import PushLog
from rtdecode.bench.run import Report, Row, parse_grid
from rtdecode.bench.sender import Plan, sending
from rtdecode.bench.stalls import Stalls, stalls, together
from rtdecode.commands.bench import text
from rtdecode.engines import open_session
from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.live.display import Display
from rtdecode.live.output import DecisionText, decision_line
from rtdecode.live.signal_memory import SPARE, SignalMemory
from rtdecode.preprocess import PreprocessSpec
from rtdecode.snapshot import ChannelState, Decoder, Encoder, Event, Snapshot, State, decode, encode
from rtdecode.types import Decision, Hit, Hypothesis, Retrieved
from tests.processes import LSL_CONFIG, unique_name


@pytest.fixture
def this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LSL of processes started from here sees this machine only."""
    config = tmp_path / "lsl_api.cfg"
    config.write_text(LSL_CONFIG)
    monkeypatch.setenv("LSLAPICFG", str(config))


def test_the_bundle_runs_and_its_network_is_valid(tmp_path: Path) -> None:
    bundle = make_bench_bundle(tmp_path / "b", 12, 1000.0)
    onnx.checker.check_model(onnx.load(bundle.path / "model.onnx"))
    frames = open_session(bundle).run(bundle.golden["x"][0])  # compared with its golden output on the way
    assert frames.estimate is not None and frames.estimate.shape == (25, 16)
    assert bundle.spec.hop_s == HOP_S


@pytest.mark.parametrize("grid", ["", "64", "64x", "ax1000", "0x1000", "64x1000,", "64x1e9", "20000x1000"])
def test_a_grid_that_is_none_is_refused(grid: str) -> None:
    with pytest.raises(ConfigError, match="--grid"):
        parse_grid(grid)


def test_a_grid() -> None:
    assert parse_grid("64x1000, 256X30000") == ((64, 1000.0), (256, 30000.0))


def test_lost_samples_are_counted_by_run() -> None:
    index, sample, run = (
        np.array([10, 30, 50, 100, 125]),
        np.array([10, 30, 50, 5, 25]),
        np.array([1, 1, 1, 2, 2]),
    )
    assert _lost(index, sample, run) == 5
    assert _lost(index[:3], sample[:3], run[:3]) == 0


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(RtdecodeError, match="nothing was measured"):
        times_of(np.zeros(0))


@pytest.mark.live
def test_the_whole_core_is_measured(tmp_path: Path, this_machine: None) -> None:
    make_bench_bundle(tmp_path / "b", 16, 1000.0)
    times = decoder(Cell(16, 1000.0, 2.0), tmp_path / "b")
    assert times.lost == 0
    assert times.n + times.more["skipped"] > 80  # of 100 hops, the rest at both ends
    assert 0 < times.p50 < times.more["decode_p50"]
    assert times.more["inside_p50"] > 0


@pytest.mark.live
def test_the_sender_counts_and_keeps_a_log(this_machine: None) -> None:
    import pylsl

    name, log = unique_name(), PushLog(10, 300)
    try:
        with sending(Plan(name, log.name, 4, 1000.0, 1.0, 10)):
            (found,) = pylsl.resolve_byprop("name", name, timeout=10)
            inlet = pylsl.StreamInlet(found, recover=False)
            data, stamps = inlet.pull_chunk(timeout=20.0, max_samples=1000, min_samples=1000, as_numpy=True)
            pushed = log.times(np.arange(1000))
            start = log.start
    finally:
        log.close()
    assert data[:, 0].tolist() == list(range(1000))
    np.testing.assert_allclose(stamps, start + np.arange(1000) / 1000, atol=1e-6)
    assert (np.diff(pushed) >= 0).all() and pushed[0] > 0


def test_what_the_machine_takes_away_is_counted() -> None:
    def clock(*steps: float) -> Callable[[], float]:
        times = iter(np.cumsum([0.0, *steps]).tolist())
        return lambda: next(times)

    quiet = stalls(0.5, clock(*[1e-4] * 6000))
    assert (quiet.share, quiet.longest_s) == (0.0, 0.0)
    held = stalls(0.5, clock(0.1, 0.02, *[1e-4] * 1000, 0.05, *[1e-4] * 3000))
    assert held.share == pytest.approx(0.17 / 0.5, abs=1e-3)
    assert held.longest_s == pytest.approx(0.1)
    until_after_the_end = stalls(0.5, clock(0.1, 0.9))
    assert until_after_the_end.share == pytest.approx(1.0)
    assert until_after_the_end.longest_s == pytest.approx(0.9)
    both = together([quiet, held])
    assert (both.share, both.longest_s) == (held.share / 2, held.longest_s)


def test_the_report_says_what_was_missed() -> None:
    row = Row("64 x 1000 Hz", "ours", 0.2, 0.3, 0.4, 1.0, 0.1, 0)
    bars = (("extra p50", 0.3, 0.25, False), ("lost", 0, 0, True))
    report = Report((row,), bars, ("n",), (1.0, 2.0), 2, Stalls(0.012, 0.0034))
    lines = text(report)
    assert any("held up 1.2 % of the time, 3.4 ms at the longest" in line for line in lines)
    assert any(line.startswith("MISSED  extra p50") for line in lines)
    assert any("0.30 / 0.40 ms" in line for line in lines)
    flood = replace(row, who="flood", p50=12.0, unit="x")
    assert any("12.0 x" in line for line in text(replace(report, rows=(flood,))))


# --- pictures


def test_unchanged_fields_are_neither_written_nor_read_anew() -> None:
    encoder, decoder_ = Encoder(), Decoder()
    channels = tuple(ChannelState(f"c{i}", "✓", float(i)) for i in range(300))
    one = Snapshot(State.LIVE, channels=channels, published=1.0, events=(Event(0.0, "info", "a"),))
    first = decoder_.decode(encoder.encode(one))
    two = replace(one, published=2.0, state=State.STALE, events=(*one.events, Event(1.0, "warn", "b")))
    data = encoder.encode(two)
    second = decoder_.decode(data)
    assert second.channels is first.channels
    assert data == encode(two)  # and nothing of it depends on the picture before
    assert decode(data).events == second.events == two.events
    assert second.state is State.STALE and second.published == 2.0


def test_the_signal_reaches_a_reader_in_any_pieces() -> None:
    memory = SignalMemory("rtd-" + unique_name()[-12:], 1 << 16)
    reader = SignalMemory(memory._memory.name)
    try:
        assert reader.newest().size == 0
        memory.shape(100, 3)
        rng, written = np.random.default_rng(0), np.zeros((0, 3), np.float32)
        for _ in range(60):
            rows = rng.normal(size=(int(rng.integers(0, 40)), 3)).astype(np.float32)
            memory.write(rows)
            written = np.concatenate([written, rows])
            if len(written):
                assert np.array_equal(reader.newest(), written[-100:])
        memory.write(np.ones((1000, 3), np.float32))
        assert np.array_equal(reader.newest(), np.ones((100, 3)))
        memory.reset()
        assert reader.newest().size == 0
        memory.shape(10**6, 3)  # more than fits
        memory.write(np.ones((5, 3), np.float32))
        assert len(reader.newest()) == 5
        assert SPARE > 1
    finally:
        reader.close()
        memory.close()


def _scribble(name: str) -> None:
    memory = SignalMemory(name)
    memory.shape(50, 4)
    at = 0
    while True:
        memory.write(np.repeat(np.arange(at, at + 3, dtype=np.float32)[:, None], 4, axis=1))
        at = (at + 3) % (1 << 22)


@pytest.mark.live
def test_a_busy_writer_is_read_in_order() -> None:
    memory = SignalMemory("rtd-" + unique_name()[-12:], 1 << 14)
    writer = multiprocessing.get_context("spawn").Process(
        target=_scribble, args=(memory._memory.name,), daemon=True
    )
    writer.start()
    try:
        good = 0
        for _ in range(2_000_000):
            rows = memory.newest()
            if len(rows) == 50:
                assert (np.diff(rows[:, 0]) == 1).all() and (rows == rows[:, :1]).all()
                good += 1
            if good == 200:
                break
        assert good == 200
    finally:
        writer.kill()
        writer.join()
        memory.close()


@pytest.mark.parametrize("sfreq", [250.0, 1000.0, 4096.0, 30000.0])
def test_the_display_does_not_depend_on_pieces(sfreq: float) -> None:
    spec = PreprocessSpec(sfreq, 125.0, 0.5, 40.0, 2, (0.0,) * 3, (1.0,) * 3)
    x = np.random.default_rng(0).normal(size=(round(0.7 * sfreq), 3)).astype(np.float32)
    whole, pieces = (Display(spec, ("a", "b", "c")) for _ in range(2))
    whole.push(x, x)
    at, rng = 0, np.random.default_rng(1)
    while at < len(x):
        step = int(rng.integers(0, 700))
        pieces.push(x[at : at + step], x[at : at + step])
        at += step
    assert len(whole.signal()) > 50
    assert np.array_equal(whole.signal(), pieces.signal())
    assert whole.channels() == pieces.channels()
    assert 60 <= whole.sfreq <= 130


def test_the_quick_text_of_a_decision_is_its_line() -> None:
    hits = tuple(Hit(k, f"s{k}", 'sa"id «é»\n', "src", 1.5 * k, 0.25 / (k + 1), 1e-7 * k) for k in range(10))
    retrieved = Retrieved(hits, 40, 3.0)
    quick = DecisionText()
    for text_, warnings in ((None, ()), (Hypothesis("ab " * 99, "c", "b "), ('ch "1" flat',))):
        for found, offset in ((retrieved, None), (retrieved, 0.25), (None, 1e-9), (retrieved, -3.0)):
            decision = Decision(3, 1, 500, 1234.5678901, found, text_, {"infer": 1.0}, warnings)
            stage_ms = {"wait": 1 / 3, "infer": 2e-7, "total": 12.0}
            line = json.dumps(
                {"kind": "decision", **decision_line(decision, stage_ms, offset)}, ensure_ascii=False
            )
            assert quick.encode(decision, stage_ms, offset).decode() == line
