"""Corrections by a language model are listed beside the text, which is told as it was committed.

Why it matters: whoever reads only the page must not take a second opinion for what was decoded, nor miss it.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rtdecode.cli import main
from rtdecode.commands.review import run_review
from rtdecode.report import plots
from rtdecode.report.facts import gather
from rtdecode.report.rescored import Rescored, rescored
from rtdecode.report.said import LISTED
from rtdecode.session.reader import SessionLog
from tests.rtdecode.report.test_page import Document
from tests.session_logs import HOSTILE

WHOLE = {"run": 2, "utterance": 7, "said": "i scream", "now": "ice cream", "model": "Tiny-LM", "ms": 211.6,
         "confidence": 0.8123, "late": False}  # fmt: skip


def event(t: float, **more: Any) -> dict[str, Any]:
    return {"kind": "event", "t": t, "level": "info", "text": "≈ corrected: …", **more}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "_svg", lambda *_: "<svg></svg>")


def with_lines(log: Path, folder: Path, *more: dict[str, Any]) -> Path:
    """The planted session with these lines at its end."""
    shutil.copytree(log, folder)
    lines = (folder / "events.jsonl").read_text().splitlines()
    lines[-1:-1] = [json.dumps(line) for line in more]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def page(log: Path) -> Document:
    assert main(["report", str(log)]) == 0
    return Document(log.with_suffix(".html").read_text("utf-8"))


def test_every_correction_stands_beside_what_was_committed(log: Path, tmp_path: Path, quick: None) -> None:
    told = with_lines(
        log,
        tmp_path / "log",
        event(33.0, correction=WHOLE),
        event(33.5, correction={**WHOLE, "utterance": 8, "said": HOSTILE, "now": HOSTILE, "late": True}),
        event(34.0, text="rescored by Tiny-LM: 2 corrected, 5 confirmed", rescored={"corrected": 2}),
    )
    document = page(told)
    rows = next(r for c, r in document.tables.items() if c == "Corrected by a language model")
    assert rows[1] == ["33.0 s", "7 of run 2", "i scream", "ice cream", "81.2 %", "212", "Tiny-LM"]
    assert rows[2][1] == "8 of run 2" and rows[2][5] == "212, late" and rows[2][3].startswith("<script>")
    assert len(rows) == 3
    assert "Rescored by Tiny-LM: 2 corrected, 5 confirmed. A language model's readings stand" in document.text
    assert not any(tag == "script" for tag, _ in document.tags)
    # the corrections of the decoder itself are another matter, and the text is the one of the log without
    before = page(with_lines(log, tmp_path / "before"))
    for caption, timed in (("Corrected at the end of a sentence", 1), ("Words", 2)):
        assert [r[timed:] for r in document.tables[caption]] == [r[timed:] for r in before.tables[caption]]
    assert not any("language model" in caption for caption in before.tables)
    assert "language model" not in before.text


def test_many_are_cut_and_the_count_is_said(log: Path, tmp_path: Path, quick: None) -> None:
    document = page(with_lines(log, tmp_path / "log", *[event(33.0, correction=WHOLE)] * (LISTED + 2)))
    caption = f"Corrected by a language model, the first {LISTED} of {LISTED + 2}"
    assert len(document.tables[caption]) == LISTED + 1


@pytest.mark.parametrize(
    "told",
    [
        None,
        "i scream",
        [WHOLE],
        {},
        {**WHOLE, "said": 5},
        {**WHOLE, "now": None},
        {**WHOLE, "model": ["x"]},
    ],
)
def test_half_a_correction_is_none(told: Any) -> None:
    assert rescored(event(1.0, correction=told), 1.0) is None
    assert rescored(event(1.0), 1.0) is None


def test_what_is_unbelievable_of_one_is_left_out() -> None:
    strange = {**WHOLE, "run": True, "utterance": 1 << 40, "ms": float("nan"), "confidence": 7, "late": "no"}
    assert rescored(event(1.0, correction=strange), 1.0) == Rescored(
        1.0, 0, 0, "i scream", "ice cream", "Tiny-LM", None, None, False
    )


def test_a_log_of_corrections_alone_still_lists_them(log: Path, tmp_path: Path, quick: None) -> None:
    told = with_lines(log, tmp_path / "log", event(31.0, correction={"said": "a", "now": "b"}))
    lines = (told / "events.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["kind"] != "decision"]
    (told / "events.jsonl").write_text("\n".join(kept) + "\n")
    assert page(told).tables["Corrected by a language model"][1] == [
        "31.0 s", "? of run ?", "a", "b", "–", "–", "–",
    ]  # fmt: skip


@pytest.mark.parametrize("hurry", [False, True])
def test_they_are_gathered_in_order(log: Path, tmp_path: Path, hurry: bool) -> None:
    told = [event(30.0 + k, correction={**WHOLE, "utterance": k + 1}) for k in range(3)]
    found = gather(SessionLog(with_lines(log, tmp_path / "log", *told), hurry=hurry))
    assert [one.utterance for one in found.rescored] == [1, 2, 3]
    assert found.tally == ""


def test_review_shows_the_first_of_them(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = {**WHOLE, "said": "i \x1b[31mscream"}
    told = with_lines(log, tmp_path / "log", *[event(31.0, correction=one)] * 7)
    assert run_review(told) == 0
    said = capsys.readouterr().out
    assert "corrections by a language model: 7, beside the text\n" in said
    assert said.count("→ “ice cream”") == 5 and "and 2 more" in said
    assert "\x1b[31mscream" not in said
    assert run_review(log) == 0
    assert "language model" not in capsys.readouterr().out
