"""The page of a session: what was planted in a log is in it, and nothing in a log becomes markup.

Why it matters: the page is what is shown to others and kept, and a log holds whatever a stream's sender chose
to call its channels and markers.
"""

import errno
import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.commands.report import run_report
from rtdecode.report import plots
from rtdecode.report.facts import Session
from rtdecode.report.html import clean
from rtdecode.report.plots import MOST, thin
from rtdecode.report.style import DARK, LIGHT
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from tests import browser
from tests.session_logs import HOSTILE, LATE_MS

VOID = {"meta", "br", "img", "link", "input", "hr"}


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
