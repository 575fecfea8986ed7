"""The report of a session: what was planted in a log is in the page, and nothing in a log becomes markup.

Why it matters: the page is what is shown to others and kept; a number in it is believed, and a log holds
whatever a stream's sender chose to call its channels and markers.
"""

import csv
import errno
import json
import os
import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.commands.report import run_report
from rtdecode.report import plots
from rtdecode.report.channels import channel_health
from rtdecode.report.clock import session_clock
from rtdecode.report.export import _apart
from rtdecode.report.facts import Session, gather
from rtdecode.report.html import clean
from rtdecode.report.plots import MOST, thin
from rtdecode.report.style import DARK, LIGHT
from rtdecode.report.truth import BEYOND, find_bundle, tell
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from tests import browser
from tests.bundles import make_bundle
from tests.session_logs import (
    BEGAN,
    FLAT,
    GAP_S,
    GONE,
    HOSTILE,
    LATE_MS,
    RAILED,
    rank_of,
    truth_at,
    write_session,
)

VOID = {"meta", "br", "img", "link", "input", "hr"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("report") / "tiny")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    return write_session(tmp_path_factory.mktemp("report") / "log", bundle)


@pytest.fixture(scope="module")
def session(log: Path) -> Session:
    return gather(SessionLog(log))


@pytest.fixture(scope="module")
def page(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib")
    out = tmp_path_factory.mktemp("report") / "session.html"
    run_report(log, out=out)
    return out


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose words are looked at, not their plots."""
    monkeypatch.setattr(plots, "_svg", lambda *_: "<svg></svg>")


class Document(HTMLParser):
    """Tags with their attributes, tables by caption, and whether every element is closed."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._text = ""
        self._rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td", "caption"):
            self._text = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "caption":
            self.tables[self._text] = self._rows
        elif tag in ("th", "td"):
            self._rows[-1].append(self._text)

    def handle_data(self, data: str) -> None:
        self._text += data
        self.text += data

    def table(self, start: str) -> dict[str, list[str]]:
        """Rows by their first cell."""
        rows = next(rows for caption, rows in self.tables.items() if caption.startswith(start))
        return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def document(page: Path) -> Document:
    return Document(page.read_text("utf-8"))


def test_decisions_find_their_second(session: Session) -> None:
    """Nothing in a log says when the decoder started; the order of its lines does."""
    assert session.clock
    assert abs(session.clock.began - BEGAN) < 0.05
    assert abs(session.clock.began - BEGAN) <= session.clock.within + 0.03
    assert session.decisions[0].t == pytest.approx(2.5, abs=0.05)
    assert session.length_s == pytest.approx(32.5, abs=0.1)


def test_a_clock_that_was_compared_late_and_one_that_never_was() -> None:
    def decision(t: float, **more: float) -> dict:
        return {"kind": "decision", "t": t, **more}

    def event(t: float) -> dict:
        return {"kind": "event", "t": t}

    late = session_clock(
        [event(1.0), decision(101.0), event(1.2), decision(101.5, t_local=301.5), event(1.7)]
    )
    assert late
    assert late.second(late.local(101.0)) == pytest.approx(1.05, abs=0.2)
    never = session_clock([event(1.0), decision(101.0), event(1.1)])
    assert never
    assert never.second(never.local(101.0)) == pytest.approx(1.0, abs=0.11)
    assert session_clock([event(1.0)]) is None


@pytest.mark.parametrize("pace", [0.5, 1.0, 4.0])
def test_a_replay_at_another_speed_is_placed_by_its_pace(pace: float) -> None:
    """Its stamps keep the recording's spacing: compared as they are, every rank would be that of chance."""
    spots = [(s, {"kind": "event", "t": s}) for s in np.arange(0.05, 20, 0.21)]
    spots += [(s, {"kind": "decision", "t": BEGAN + pace * s}) for s in np.arange(2.0, 20, 0.25)]
    found = session_clock(line for _, line in sorted(spots, key=lambda spot: spot[0]))
    assert found
    assert found.steady
    assert found.pace == pytest.approx(pace, rel=0.01)
    assert found.second(found.local(BEGAN + pace * 11.0)) == pytest.approx(11.0, abs=0.1)
    assert found.stamp(11.0) == pytest.approx(BEGAN + pace * 11.0, abs=0.1 * pace)


def test_stamps_that_cannot_be_placed_tell_no_rank(session: Session, bundle: Bundle) -> None:
    spots = [(s, {"kind": "event", "t": s}) for s in np.arange(0.05, 20, 0.21)]
    spots += [(s, {"kind": "decision", "t": BEGAN + 10 * np.sin(s)}) for s in np.arange(2.0, 20, 0.25)]
    found = session_clock(line for _, line in sorted(spots, key=lambda spot: spot[0]))
    assert found
    assert not found.steady
    told = tell(replace(session, clock=found), bundle, "")
    assert told.score is None
    assert told.read is None
    assert "do not keep pace" in told.why


def test_runs_gaps_and_states(session: Session) -> None:
    assert [(run.run, run.samples, run.decisions) for run in session.runs] == [(1, 2048, 58), (2, 1792, 50)]
    assert session.runs[0].gap_s is None
    assert session.runs[1].gap_s == pytest.approx(GAP_S, abs=0.02)
    assert "are missing by their stamps" in session.runs[1].why
    assert [s.state for s in session.states] == ["connecting", "filling", "live", "stale", "filling", "live"]


def test_the_rank_of_the_truth(session: Session, bundle: Bundle) -> None:
    found, why = find_bundle(session, None)
    assert found
    assert why == ""
    told = tell(session, found, why)
    assert told.score
    assert bundle.bank
    count = len(bundle.bank.candidates)
    known = [d for d in session.decisions if truth_at(d.t, count) is not None]
    # the session's second is known to some hundredths: a decision at the edge of a segment may fall on either
    assert abs(told.score.n - len(known)) <= 2
    right = sum(r.rank == rank_of(d.index) for r, d in zip(told.ranked, known, strict=False))
    assert right > 0.9 * len(known)
    assert told.score.top1 == pytest.approx(1 / 3, abs=0.06)
    assert told.score.top10 == pytest.approx(2 / 3, abs=0.08)
    assert told.score.chance1 == pytest.approx(1 / count)
    assert {r.rank for r in told.ranked} >= {1, 2, BEYOND}


def test_another_bundle_tells_no_truth(session: Session, tmp_path: Path) -> None:
    """Ranks by another bank's ids would look like a result."""
    other = make_bundle(tmp_path / "other", text=False)
    assert (
        main(["report", str(session.log.path), "--bundle", str(other.path), "--out", str(tmp_path / "x")])
        == 2
    )
    assert not (tmp_path / "x").exists()
    told = tell(session, None, "gone")
    assert told.ranked == []
    assert "gone" in told.why


def test_channels_that_failed(session: Session) -> None:
    (health,) = channel_health(session)
    assert health.labels[1] == "Cz"
    seconds = health.t
    for (channel, start, stop), glyph in ((FLAT, "▁"), (GONE, "×"), (RAILED, "▲")):
        inside = (seconds >= start - 0.05) & (seconds + 1 <= stop + 0.05)
        assert inside.sum() >= 2
        assert (health.glyphs[inside, channel] == glyph).all()
        outside = (seconds + 1 < start) | (seconds > stop)
        assert (health.glyphs[outside, channel] == "✓").all()
    others = [c for c in range(8) if c not in (FLAT[0], GONE[0], RAILED[0])]
    assert (health.glyphs[:, others] == "✓").all()


def test_a_mark_stands_where_it_was_set_under_its_last_label(bundle: Bundle, tmp_path: Path) -> None:
    log = write_session(tmp_path / "log", bundle, closed=False)
    said = [{"t": 62.0, "text": "mark 1", "t_local": BEGAN + 61.4, "mark": 1}]
    said += [{"t": 65.0, "text": "mark 1 “go”", "t_local": BEGAN + 61.4, "mark": 1}]
    said += [{"t": 66.0, "text": "mark 2", "t_local": BEGAN + 4000.0, "mark": 2}]  # not before it was written
    with (log / "events.jsonl").open("a") as file:
        for line in said:
            file.write(json.dumps({"kind": "event", "level": "mark", **line}) + "\n")
    found = [event for event in gather(SessionLog(log)).marks if event.text.startswith("mark ")]
    assert [event.text for event in found] == ["mark 1 “go”", "mark 2"]
    assert [event.t for event in found] == [pytest.approx(61.4, abs=0.05), 66.0]


def test_the_page_holds_the_numbers(document: Document, session: Session, bundle: Bundle) -> None:
    stages = document.table("Milliseconds per stage")
    infer = [d.stage_ms["infer"] for d in session.decisions]
    wanted = [f"{v:.2f}" for v in (*np.percentile(infer, [50, 90, 99]), max(infer))]
    assert stages["infer"] == [str(len(infer)), *wanted]
    assert stages["total"][-1] == f"{LATE_MS:.2f}"
    counters = document.table("Counters")
    said = {name: row[0] for name, row in counters.items()}
    assert [said[k] for k in ("late", "skipped", "lost", "gaps", "restarts", "backward")] == [
        "7", "3", "192", "1", "2", "4",
    ]  # fmt: skip
    assert bundle.bank
    chance = f"{100 / len(bundle.bank.candidates):.1f} %"
    assert document.table("How often what was heard was found")["first"][1] == chance
    assert document.table("Runs")["2"][-2] == f"{session.runs[1].gap_s:.3f}"
    assert f"1 of them took longer than a hop of {1e3 * bundle.spec.hop_s:g} ms" in document.text


def test_words_carry_confidence_and_delay(document: Document) -> None:
    words = [
        attrs for tag, attrs in document.tags if tag == "span" and "w" in (attrs.get("class") or "").split()
    ]
    assert len(words) == 54
    assert words[0] == {"class": "w c0", "title": "confidence 30 %, delay 0.75 s"}
    assert words[3] == {"class": "w c3", "title": "confidence 99 %, delay 0.75 s"}
    rows = next(rows for caption, rows in document.tables.items() if caption == "Words")
    assert rows[1][2:] == ["w0", "30.0 %", "0.75"]
    assert "Text beside what was heard" in document.tables


def test_nothing_in_a_log_becomes_markup(page: Path, document: Document) -> None:
    html = page.read_text("utf-8")
    assert clean(HOSTILE)[:30] in document.text  # it is there, as text
    tags = {tag for tag, _ in document.tags}
    assert not tags & {"script", "img", "iframe", "object", "link", "form", "image"}
    for tag, attrs in document.tags:
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href", "action"):
                assert (value or "").startswith("#"), (tag, name, value)
    outside = re.sub(r' xmlns(:xlink)?="http://www\.w3\.org/[^"]+"', "", html)
    for found in re.finditer(r"https?://", outside):
        assert outside[found.start() - 20 : found.start()].endswith("img src=")  # of HOSTILE, escaped
    assert "<img" not in outside
    assert re.findall(r"url\((?!#)", html) == []


def test_the_page_is_made_for_everybody(document: Document) -> None:
    tags = [tag for tag, _ in document.tags]
    assert tags.count("h1") == tags.count("main") == tags.count("nav") == 1
    assert next(attrs for tag, attrs in document.tags if tag == "html")["lang"] == "en"
    assert all(attrs.get("scope") for tag, attrs in document.tags if tag == "th")
    ids = [attrs["id"] for _, attrs in document.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    plots = [attrs for tag, attrs in document.tags if tag == "svg"]
    assert len(plots) >= 8
    for attrs in plots:
        assert attrs["role"] == "img"
        assert set((attrs["aria-labelledby"] or "").split()) <= set(ids)
    links = [attrs["href"] for tag, attrs in document.tags if tag == "a"]
    assert {(link or "")[1:] for link in links} <= set(ids)


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(colors: dict[str, str]) -> None:
    def contrast(a: str, b: str) -> float:
        low, high = sorted((_luminance(colors[a]), _luminance(colors[b])))
        return (high + 0.05) / (low + 0.05)

    for ground in ("--paper", "--soft", "--c0", "--c1", "--c2", "--c3"):
        assert contrast("--ink", ground) >= 4.5, ground
    for text in ("--alarm", *(f"--s{n}" for n in range(1, 7))):
        assert contrast(text, "--paper") >= 4.5, text


def test_a_cut_log_says_what_is_missing(log: Path, tmp_path: Path, quick: None) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(log, cut)
    for name in ("events.jsonl", "samples.xdf"):
        with (cut / name).open("rb+") as file:
            file.truncate((cut / name).stat().st_size // 2 + 7)
    assert main(["report", str(cut)]) == 0
    document = Document((tmp_path / "cut.html").read_text("utf-8"))
    for words in ("What is missing", "events.jsonl: ", "samples.xdf: ", "The log has no end"):
        assert words in document.text


def test_no_log_and_an_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    create(tmp_path / "empty", manifest(None, {}))
    LogWriter(tmp_path / "empty").close()
    assert main(["report", str(tmp_path / "empty")]) == 2
    assert "is an empty log" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty"]


def test_only_recorded(log: Path, tmp_path: Path, quick: None) -> None:
    """Without decisions there are still states, channels and events."""
    shutil.copytree(log, tmp_path / "log")
    events = tmp_path / "log" / "events.jsonl"
    lines = [line for line in events.read_text().splitlines() if json.loads(line)["kind"] != "decision"]
    events.write_text("\n".join(lines) + "\n")
    assert main(["report", str(tmp_path / "log")]) == 0
    document = Document((tmp_path / "log.html").read_text("utf-8"))
    assert "The log holds no decision" in document.text
    assert "Runs" in document.tables
    assert "Milliseconds per stage" not in document.tables


def test_lines_of_any_shape(log: Path, tmp_path: Path) -> None:
    """What the log's reader lets through need not be what the decoder writes."""
    shutil.copytree(log, tmp_path / "log")
    base = {"kind": "decision", "index": 1, "run": 1, "sample": 5, "t": float("nan")}
    hit = {"id": "a", "text": "b", "prob": 1e300, "score": 0}
    text = {"committed": "", "delta": "x", "tentative": ""}
    strange = [
        {**base, "stage_ms": [1], "warnings": "no",
         "text": {**text, "words": 3, "ended": 5, "corrected": [1]}},
        {**base, "t": 1e300, "retrieved": {"chance": 0, "candidates": 0, "hits": [hit]}},
        {**base, "t": 1.0, "t_local": "x", "stage_ms": {"total": "long", "infer": 1e308, "heads": -1}},
        {**base, "text": {**text, "words": [1, {"text": "w", "start": 9, "stop": 1}, {"text": 5}]}},
        {"kind": "health", "t": 3.0, "stages": 5, "load": "x", "age": []},
        {"kind": "event", "t": 1e12, "level": "x", "text": "far"},
        {"kind": "event", "t": 1.0, "level": "mark",
         "text": '{"kind":"word","text":5,"stimulus":1,"duration":1}'},
        {"kind": "event", "t": 1.0, "level": "mark",
         "text": '{"kind":"word","text":"x","stimulus":"s","duration":NaN}'},
        {"kind": "event", "t": 1.0, "level": "warn", "text": "run ² begins"},
        {"kind": "connection", "stream": 1, "info": {}, "picks": ["x", 1e9, -4]},
    ]  # fmt: skip
    with (tmp_path / "log" / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in strange)
    assert SessionLog(tmp_path / "log").cut == ()
    assert main(["report", str(tmp_path / "log")]) == 0
    for kind in ("csv", "textgrid", "bids"):
        assert main(["review", str(tmp_path / "log"), "--export", kind]) == 0


def test_written_whole_or_not_at_all(
    log: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    quick: None,
) -> None:
    out = tmp_path / "page.html"
    out.write_text("before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["report", str(log), "--out", str(out)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("page.html", "before")]
    assert main(["report", str(log), "--out", str(tmp_path)]) == 2


def test_without_matplotlib(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["report", str(log), "--out", str(tmp_path / "x.html")]) == 2
    assert "rtdecode[report]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_long_lines_are_thinned_and_keep_their_peaks() -> None:
    y = np.zeros(100_000)
    y[54_321] = 9.0
    x, thinned = thin(np.arange(100_000.0).tolist(), y.tolist())
    assert len(x) == MOST
    assert x[thinned == 9.0].tolist() == [54_321.0]


def test_csv(log: Path, session: Session, tmp_path: Path) -> None:
    assert main(["review", str(log), "--export", "csv", "--out", str(tmp_path / "d.csv")]) == 0
    with (tmp_path / "d.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(session.decisions)
    assert rows[4]["text"] == HOSTILE
    assert float(rows[4]["session_s"]) == pytest.approx(session.decisions[4].t, abs=1e-5)
    assert (rows[0]["confidence"], rows[1]["confidence"], rows[30]["total_ms"]) == ("0.3", "", "400.0000")


def test_textgrid(log: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "words.TextGrid"
    assert main(["review", str(log), "--export", "textgrid", "--out", str(out)]) == 0
    text = out.read_text("utf-8")
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    end = float(re.findall(r"^xmax = (\S+)", text, re.MULTILINE)[0])
    tiers = re.split(r"    item \[\d+\]:\n", text)[1:]
    assert [re.findall(r'name = "(.*)"', tier)[0] for tier in tiers] == [
        "read",
        "confidence",
        "heard",
        "marks",
    ]
    for tier in tiers[:3]:
        pattern = r'xmin = (\S+)\n            xmax = (\S+)\n            text = "((?:[^"]|"")*)"\n'
        spans = re.findall(pattern, tier.split("intervals: size", 1)[1])
        assert len(spans) == int(re.findall(r"intervals: size = (\d+)", tier)[0])
        edges = [(float(a), float(b)) for a, b, _ in spans]
        assert edges[0][0] == 0
        assert edges[-1][1] == pytest.approx(end)
        assert all(a < b for a, b in edges)
        assert all(left[1] == right[0] for left, right in pairwise(edges))
    words = re.findall(r'text = "((?:[^"]|"")+)"\n', tiers[0])
    assert len(words) == 54
    assert words[2].replace('""', '"') == HOSTILE
    assert f"xmin = {session.decisions[0].words[0].start:.6f}" in tiers[0]


def test_words_that_overlap_are_cut_at_the_next() -> None:
    """Praat refuses a tier whose intervals overlap, or begin before it does."""
    found = [(1.0, 3.0, "a"), (-0.5, 0.5, "before"), (2.0, 2.5, "b"), (2.0, 2.6, "c"), (9.0, 12.0, "d")]
    assert _apart(found, 10.0) == [
        (0.0, 0.5, "before"), (0.5, 1.0, ""), (1.0, 2.0, "a"), (2.0, 2.6, "c"), (2.6, 9.0, ""),
        (9.0, 10.0, "d"),
    ]  # fmt: skip


def test_bids_events(log: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "events.tsv"
    assert main(["review", str(log), "--export", "bids", "--out", str(out)]) == 0
    head, *rows = [line.split("\t") for line in out.read_text("utf-8").splitlines()]
    assert head == ["onset", "duration", "trial_type", "value"]
    assert {len(row) for row in rows} == {4}
    onsets = [float(row[0]) for row in rows]
    assert onsets == sorted(onsets)
    sentence = next(row for row in rows if row[2] == "sentence_heard")
    assert float(sentence[0]) == pytest.approx(1.0, abs=0.05)  # from the first sample, at second 1
    assert sentence[1:] == ["18.000000", "sentence_heard", "planted"]
    assert sum(row[2] == "word_read" for row in rows) == 54
    assert [row[3] for row in rows if row[2] == "run"] == ["1", "2"]


@pytest.mark.live
def test_a_browser_opens_it_without_a_network(page: Path, tmp_path: Path) -> None:
    """Nothing is asked of the network, and what a log says is text to a real parser as well."""

    def opened(file: Path) -> tuple[str, list[str]]:
        net = tmp_path / f"{file.stem}.json"
        dom = browser.dump_dom(file, tmp_path / "profile", browser.LIGHT, f"--log-net-log={net}")
        return dom, re.findall(r'"url":"(https?://example\.[^"]*)"', net.read_text("utf-8"))

    dom, asked = opened(page)
    assert "<title>Session of " in dom
    assert "<script" not in dom
    assert "<img" not in dom
    assert dom.count('<svg xmlns="http://www.w3.org/2000/svg"') >= 8
    assert asked == []
    # the same look at a page that does ask finds it
    control = tmp_path / "control.html"
    control.write_text("<!DOCTYPE html><title>x</title><img src=http://example.invalid/x>")
    assert opened(control)[1] != []


@pytest.mark.live
@pytest.mark.parametrize("scheme", [browser.LIGHT, browser.DARK], ids=["light", "dark"])
def test_axe_finds_nothing(page: Path, tmp_path: Path, scheme: int, request: pytest.FixtureRequest) -> None:
    script = browser.axe_script(request.config.cache.mkdir("axe"))
    own = Path(shutil.copy(page, tmp_path / "page.html"))
    found = browser.axe(own, script, tmp_path / "profile", scheme)
    assert found["dark"] == (scheme == browser.DARK)
    assert found["passes"] > 20
    assert found["violations"] == []
