"""When decisions were seen is one more stage in what is said of a session, beside what the decoder took.

Why it matters: a reader who takes "3 ms" for the moment somebody knew is wrong by a screen's tenth of a
second.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.cli import main
from rtdecode.commands.review import run_review
from rtdecode.report import plots
from rtdecode.report.facts import gather
from rtdecode.report.over import SEEN
from rtdecode.session.reader import SessionLog
from tests.rtdecode.report.test_page import Document

TOLD: list[Any] = [80.0, 120.5, 95.25, 400]
DAMAGED: list[Any] = [-1, "x", None, True, [1], 1e300]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "_svg", lambda *_: "<svg></svg>")


@pytest.fixture
def seen(log: Path, tmp_path: Path) -> Path:
    """The planted session, watched on a screen, and some lines of no sense."""
    shutil.copytree(log, tmp_path / "log")
    lines = (tmp_path / "log" / "events.jsonl").read_text().splitlines()
    more = [
        {"kind": "drawn", "t": 5.0, "ms": [*TOLD[:2], *DAMAGED]},
        {"kind": "drawn", "t": "x", "ms": TOLD[2:]},
        {"kind": "drawn", "t": 6.0, "ms": "fast"},
        {"kind": "drawn"},
    ]
    lines[-1:-1] = [json.dumps(line) for line in more]
    (tmp_path / "log" / "events.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "log"


@pytest.mark.parametrize("hurry", [False, True])
def test_the_times_are_gathered_and_damage_is_left_out(seen: Path, hurry: bool) -> None:
    log = SessionLog(seen, hurry=hurry)
    assert log.closed and log.cut == ()
    assert gather(log).drawn == TOLD


def test_the_page_has_it_as_a_stage_and_says_what_it_is(seen: Path, quick: None) -> None:
    assert main(["report", str(seen)]) == 0
    document = Document(seen.with_suffix(".html").read_text("utf-8"))
    stages = document.table("Milliseconds per stage")
    assert list(stages)[-2:] == ["total", "screen"]
    assert stages["screen"] == ["4", *(f"{v:.2f}" for v in (*np.percentile(TOLD, [50, 90, 99]), 400.0))]
    assert SEEN in document.text


def test_where_nobody_looked_there_is_no_such_stage(log: Path, tmp_path: Path, quick: None) -> None:
    assert main(["report", str(log), "--out", str(tmp_path / "page.html")]) == 0
    document = Document((tmp_path / "page.html").read_text("utf-8"))
    assert "screen" not in document.table("Milliseconds per stage")
    assert SEEN not in document.text


def test_review_says_both(seen: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_review(seen) == 0
    said = capsys.readouterr().out
    assert "total: p50 3.00 ms, p99 3.00 ms, longest 400.00 ms of 108 decisions" in said
    assert "screen: p50 107.88 ms, p99 391.61 ms, longest 400.00 ms of 4 that were drawn" in said
    assert run_review(log) == 0
    assert "screen:" not in capsys.readouterr().out
