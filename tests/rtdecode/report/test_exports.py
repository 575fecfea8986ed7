"""A session for other programs: every export holds what was planted, in the form its readers accept."""

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest

from rtdecode.cli import main
from rtdecode.report.export import _apart
from rtdecode.report.facts import Session
from tests.session_logs import HOSTILE


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
