"""A glance at a log tells what reading all of it tells, wherever the log was cut or damaged.

Why it matters: an hour's log opens by glances; a glance that saw something else than what was logged would
put wrong ranks and words on a timeline that is believed.
"""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.commands.review_story import OpenLog
from rtdecode.live.output import DecisionText
from rtdecode.report.facts import gather
from rtdecode.session.index import Glance, Row, row_of
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog, _parsed
from rtdecode.session.samples import SamplesFile
from rtdecode.session.writer import EVENTS, SAMPLES, LogWriter
from rtdecode.types import (
    Corrected,
    Decision,
    Hit,
    Hypothesis,
    Retrieved,
    SpokenWord,
    StreamInfo,
    TextPace,
)
from tests.bundles import make_bundle
from tests.session_logs import write_session

NASTY = 'a "quoted" \\ text, "text": {"committed": "]}, {"rank": 2} 日本語\n\u2028'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("index") / "tiny")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    return write_session(tmp_path_factory.mktemp("index") / "log", bundle)


def hit(rank: int, text: str = "he said", ident: str = "") -> Hit:
    return Hit(rank, ident or f"c{rank}", text, "book", 1.5 * rank, 0.1 / rank, 0.3 / rank)


WORDS = (SpokenWord("said", -1.0, -0.5, 0.875, 0.25), SpokenWord("[a]", -0.5, 0.0, 1.0, 1e-5))


def hypothesis(**changes: Any) -> Hypothesis:
    return replace(Hypothesis("he said", "dra", "said ", pace=TextPace(0.5, 0.75, 0.125, 2.0)), **changes)


def decision(hits: int | None, text: Hypothesis | None = None, warnings: tuple[str, ...] = ()) -> Decision:
    ranking = None if hits is None else Retrieved(tuple(map(hit, range(1, hits + 1))), 50, 3.0)
    return Decision(3, 2, 2**40, 5.25e-7, ranking, text, {}, warnings)


USUAL = {
    "ten": decision(10),
    "one": decision(1, hypothesis()),
    "none": decision(0, hypothesis(delta="", tentative="", pace=None)),
    "two": decision(2, hypothesis(ended="silence"), ("late",)),
    "words": decision(10, hypothesis(words=WORDS[:1])),
    "words and brackets": decision(10, hypothesis(words=WORDS, corrected=(Corrected("a", "b"),))),
    "text alone": decision(None, hypothesis()),
    "nothing": decision(None, None, ("a warning [b]",)),
    "nasty": Decision(
        1, 1, 5, 2.0, Retrieved((hit(1, NASTY, NASTY), hit(2, NASTY), hit(3, NASTY)), 50, 3.0),
        hypothesis(committed=NASTY, delta=NASTY, tentative=NASTY), {}, (NASTY,),
    ),
}  # fmt: skip


def said(row: Row) -> tuple[object, ...]:
    """What a glance and JSON must agree about."""
    known = tuple((i, p if k < 2 else None) for k, (i, p) in enumerate(row.hits))
    return (*row._replace(hits=(), stage_ms=None), known)


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("offset", [None, 0.25])
def test_what_the_decoder_writes_is_seen(name: str, offset: float | None) -> None:
    line = DecisionText().encode(USUAL[name], {"infer": 2.5, "total": 3.25}, offset) + b"\n"
    row = Glance()(line, 77)
    assert row is not None or name == "nasty", "such a line must not need JSON"
    if row is not None:
        assert said(row) == said(row_of(json.loads(line), 77))
        assert all(math.isnan(p) for _, p in row.hits[2:])


def test_every_decision_of_a_log_is_seen_as_json_reads_it(log: Path) -> None:
    glance, seen = Glance(), 0
    for line in (log / EVENTS).read_bytes().splitlines(keepends=True):
        row, value = glance(line), _parsed(line)
        assert value is not None
        if row is not None:
            assert value["kind"] == "decision" and said(row) == said(row_of(value))
            seen += 1
    assert seen > 100


def twice(line: bytes) -> bool:
    """Whether an object has a key twice, of which JSON takes the last: two hits that became one."""
    found = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len({key for key, _ in pairs}) < len(pairs))
        return dict(pairs)

    json.loads(line, object_pairs_hook=look)
    return any(found)


def test_a_damaged_line_is_never_seen_differently() -> None:
    """One byte or a stretch is changed: what JSON still reads as a decision, the glance sees the same."""
    rng, glance = random.Random(1), Glance()
    lines = [DecisionText().encode(d, {"total": 3.25}, 0.25) + b"\n" for d in USUAL.values()]
    believed = 0
    for _ in range(4000):
        line = bytearray(rng.choice(lines))
        at = rng.randrange(len(line) - 1)
        if rng.random() < 0.5:
            line[at] = rng.choice(b'0123456789"{}[],:. -eE\\abcnulltrue\x00\xff')
        else:
            del line[at : at + rng.choice((1, 2, 40, 400))]
        row, value = glance(bytes(line)), _parsed(bytes(line))
        if row is not None and value is not None and value["kind"] == "decision" and not twice(bytes(line)):
            believed += 1
            assert said(row) == said(row_of(value)), bytes(line)
    assert believed > 500


def test_a_hurried_session_is_the_same_session(log: Path) -> None:
    slow, fast = gather(SessionLog(log)), gather(SessionLog(log, hurry=True))
    assert (fast.clock, fast.length_s, fast.events, fast.states) == (
        slow.clock, slow.length_s, slow.events, slow.states,
    )  # fmt: skip
    assert fast.runs == slow.runs and fast.health == slow.health and len(slow.decisions) > 100
    for a, b in zip(slow.decisions, fast.decisions, strict=True):
        assert (a.t, a.index, a.words, a.delta, a.ended, a.corrected, a.warnings, a.first, a.at) == (
            b.t, b.index, b.words, b.delta, b.ended, b.corrected, b.warnings, b.first, b.at,
        )  # fmt: skip
        assert [i for i, _ in a.hits] == [i for i, _ in b.hits] and a.hits[:2] == b.hits[:2]


def test_lines_of_some_kinds_are_those_of_all(log: Path) -> None:
    opened = SessionLog(log)
    every = list(opened.lines())
    assert [line["kind"] for line in every] == [
        json.loads(line)["kind"] for line in (log / EVENTS).read_bytes().splitlines()
    ]
    for kinds in (("run",), ("event", "state"), ("state", "event"), ("decision", "end"), ("never",)):
        assert list(opened.lines(*kinds)) == [line for line in every if line["kind"] in kinds]
        assert opened.count(kinds[0]) == sum(line["kind"] == kinds[0] for line in every)


def test_entries_keep_the_order_of_the_log(log: Path) -> None:
    every = list(SessionLog(log).lines())
    for hurry in (False, True):
        found = list(SessionLog(log, hurry=hurry).entries())
        kinds = ["decision" if isinstance(entry, Row) else entry["kind"] for entry in found]
        assert kinds == [line["kind"] for line in every]


def test_damage_inside_a_line_is_found_when_it_is_looked_at(tmp_path: Path, bundle: Bundle) -> None:
    log = write_session(tmp_path / "log", bundle)
    lines = (log / EVENTS).read_bytes().splitlines(keepends=True)
    k = next(i for i, line in enumerate(lines) if line.startswith(b'{"kind": "decision"') and i > 40)
    at = lines[k].rindex(b'"score"')
    lines[k] = lines[k][:at] + b"X" + lines[k][at + 1 :]
    (log / EVENTS).write_bytes(b"".join(lines))
    assert SessionLog(log).cut, "who reads all of it stops there"
    opened = OpenLog(log)
    shown = [opened.decision(i) for i in range(len(opened.decisions))]
    assert [d.damaged for d in shown].count(True) == 1
    assert not opened.decision(0).damaged


def test_a_cut_log_opens_in_a_hurry_up_to_the_cut(tmp_path: Path, bundle: Bundle) -> None:
    log = write_session(tmp_path / "log", bundle)
    whole = (log / EVENTS).read_bytes()
    (log / EVENTS).write_bytes(whole[: len(whole) * 2 // 3])
    slow, fast = SessionLog(log), SessionLog(log, hurry=True)
    assert slow.cut == fast.cut != ()
    assert slow.count("decision") == fast.count("decision") > 30


# -- samples -----------------------------------------------------------------------------------------------

SIZES = (1, 5, 5, 5, 300, 5, 7, 5, 70000 // 64, 5, 5)


def write_samples(path: Path) -> np.ndarray:
    """A log of two connections in chunks of all sizes; the samples of the first."""
    create(path, manifest(None, {}))
    writer = LogWriter(path)
    rng = np.random.default_rng(3)
    data = rng.normal(size=(sum(SIZES), 3)).astype(np.float32)
    for stream in range(2):
        writer.stream(StreamInfo("s", "EEG", ("a", "b", "c"), ("uV",) * 3, 100.0))
        at = 0
        for size in SIZES:
            writer.samples(data[at : at + size] + stream, 10.0 + np.arange(at, at + size) / 100)
            at += size
        writer.clock(1.0, 0.5)
    writer.close()
    return data


def test_any_stretch_of_samples_is_read_where_it_lies(tmp_path: Path) -> None:
    data = write_samples(tmp_path / "log")
    log = SessionLog(tmp_path / "log")
    assert [log.streams[k].samples for k in (1, 2)] == [len(data)] * 2
    rng = random.Random(2)
    for _ in range(200):
        start = rng.randrange(-3, len(data) + 3)
        stop = start + rng.choice((0, 1, 4, 300, 5000))
        for stream in (1, 2):
            chunk = log.samples(stream, start, stop)
            expected = data[max(0, start) : max(0, stop)] + (stream - 1)
            np.testing.assert_array_equal(chunk.data, expected)
            assert len(chunk.stamps) == len(expected)
    assert log.samples(1, 7, 8).stamps[0] == pytest.approx(10.07)


def test_the_index_of_a_cut_file_ends_where_it_is_cut(tmp_path: Path) -> None:
    """Chunks that begin alike are taken without a second look; one that is cut is not among them."""
    write_samples(tmp_path / "log")
    file = tmp_path / "log" / SAMPLES
    whole = file.read_bytes()
    counts = []
    for size in range(len(whole) - 2000, len(whole), 37):
        file.write_bytes(whole[:size])
        log = SessionLog(tmp_path / "log")
        assert sum(stream.samples for stream in log.streams.values()) == sum(
            len(chunk.stamps) for chunk in log.chunks()
        )
        counts.append(sum(stream.samples for stream in log.streams.values()))
    assert counts == sorted(counts) and counts[0] < counts[-1]


@pytest.mark.parametrize("offset", [-3, *range(7)])
def test_a_chunk_that_only_begins_alike_is_looked_at(tmp_path: Path, offset: int) -> None:
    """Length, stream, count and the first stamp's length of a late chunk, one byte of each changed."""
    write_samples(tmp_path / "log")
    file = tmp_path / "log" / SAMPLES
    found = SamplesFile(file)
    start, _ = found._spans[7]  # of a size that came before
    before = sum(SIZES[:7])
    content = bytearray(file.read_bytes())
    content[start + offset] ^= 0x41
    file.write_bytes(content)
    log = SessionLog(tmp_path / "log")
    assert log.cut and sum(stream.samples for stream in log.streams.values()) == before
