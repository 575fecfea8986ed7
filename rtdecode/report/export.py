"""A session log as tables for other tools: decisions as CSV, words as a Praat TextGrid, events as BIDS.

All times are seconds; zero is the session's start for CSV and TextGrid, and the first sample of the log for
BIDS, whose onsets count from the recording that the events belong to.
"""

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

from rtdecode.report.facts import Session, gather
from rtdecode.report.html import clean
from rtdecode.report.write import write_whole
from rtdecode.score import heard
from rtdecode.session.reader import SessionLog

ENDINGS = {"csv": ".csv", "textgrid": ".TextGrid", "bids": "_events.tsv"}
COLUMNS = ("session_s", "run", "index", "sample", "candidate", "text", "prob", "chance", "candidates",
           "second", "second_prob", "said", "confidence", "total_ms", "warnings")  # fmt: skip


def export(directory: Path, kind: str, out: Path) -> None:
    """Write one table, whole or not at all. kind: one of ENDINGS. RecordingError for a bad log or disk."""
    makers: dict[str, Callable[[Session], str]] = {"csv": decisions_csv, "textgrid": textgrid, "bids": bids}
    write_whole(out, makers[kind](gather(SessionLog(directory))))


def decisions_csv(session: Session) -> str:
    """One row a decision. said: what it committed; confidence: mean over the words of that."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for d in session.decisions:
        sure = [word.confidence for word in d.words if word.confidence is not None]
        best, second = (*d.hits[:2], ("", math.nan), ("", math.nan))[:2]
        total = d.stage_ms.get("total")
        writer.writerow((
            f"{d.t:.6f}", d.run, d.index, d.sample, _cell(best[0]), _cell(d.first), _number(best[1]),
            _number(d.chance if d.hits else math.nan), d.candidates or "", _cell(second[0]),
            _number(second[1]), _cell(d.delta), _number(sum(sure) / len(sure) if sure else math.nan),
            "" if total is None else f"{total:.4f}", _cell("; ".join(d.warnings)),
        ))  # fmt: skip
    return out.getvalue()


def _cell(text: str) -> str:
    """Spreadsheets run what begins like a formula: a quote before it keeps it text."""
    text = clean(text, 2000)
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def textgrid(session: Session) -> str:
    """Tiers read (words), confidence, heard (words that markers tell) and marks (points).

    Words that overlap are cut at the start of the next: Praat's intervals cannot overlap.
    """
    words = [word for decision in session.decisions for word in decision.words]
    read = [(word.start, word.stop, word.text) for word in words]
    sure = [(w.start, w.stop, f"{w.confidence:.3f}") for w in words if w.confidence is not None]
    told = heard((mark.t, mark.text) for mark in session.marks)
    pace = session.clock.pace if session.clock else 1.0
    spoken = [(h.start, h.start + h.duration / pace, str(h.text)) for h in told if h.kind == "word"]
    end = max([session.length_s, *(stop for _, stop, _ in read + spoken if math.isfinite(stop)), 1e-3])
    tiers = [
        _intervals(name, _apart(found, end), end)
        for name, found in (("read", read), ("confidence", sure), ("heard", spoken))
        if found
    ]
    points = [(mark.t, mark.text) for mark in session.marks if 0 <= mark.t <= end]
    if points or not tiers:
        tiers.append(_points("marks", points, end))
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {end:.6f}\n'
    body = "".join(f"    item [{n}]:\n{tier}" for n, tier in enumerate(tiers, 1))
    return f"{head}tiers? <exists>\nsize = {len(tiers)}\nitem []:\n{body}"


Spans = list[tuple[float, float, str]]


def _apart(found: Spans, end: float) -> Spans:
    """Without overlap, by time, with empty intervals between: from 0 to `end`, none without length."""
    spans, at = [], 0.0
    found = sorted(span for span in found if all(map(math.isfinite, span[:2])))
    for n, (start, stop, text) in enumerate(found):
        limit = found[n + 1][0] if n + 1 < len(found) else end
        start, stop = max(round(start, 6), at), round(min(stop, limit, end), 6)
        if stop <= start:
            continue
        if start > at:
            spans.append((at, start, ""))
        spans.append((start, stop, text))
        at = stop
    return [*spans, (at, end, "")] if end > at else spans


def _intervals(name: str, spans: Spans, end: float) -> str:
    rows = "".join(
        f"        intervals [{n}]:\n            xmin = {start:.6f}\n            xmax = {stop:.6f}\n"
        f"            text = {_quoted(text)}\n"
        for n, (start, stop, text) in enumerate(spans, 1)
    )
    return _tier("IntervalTier", name, end, f"        intervals: size = {len(spans)}\n{rows}")


def _points(name: str, found: list[tuple[float, str]], end: float) -> str:
    times = sorted({round(t, 6): text for t, text in found}.items())
    rows = "".join(
        f"        points [{n}]:\n            number = {t:.6f}\n            mark = {_quoted(text)}\n"
        for n, (t, text) in enumerate(times, 1)
    )
    return _tier("TextTier", name, end, f"        points: size = {len(times)}\n{rows}")


def _tier(kind: str, name: str, end: float, rows: str) -> str:
    head = f'        class = "{kind}"\n        name = "{name}"\n'
    return f"{head}        xmin = 0\n        xmax = {end:.6f}\n{rows}"


def _quoted(text: str) -> str:
    return '"' + clean(text, 2000).replace('"', '""') + '"'


def bids(session: Session) -> str:
    """events.tsv: onset, duration, trial_type, value. Words read, marks, runs and what the decoder said."""
    pace = session.clock.pace if session.clock else 1.0
    zero = next((run.t for run in session.runs if run.t is not None), 0.0)
    rows: list[tuple[float, float | None, str, str]] = []
    rows += [(run.t, run.length_s, "run", str(run.run)) for run in session.runs if run.t is not None]
    for decision in session.decisions:
        rows += [(word.start, word.stop - word.start, "word_read", word.text) for word in decision.words]
    for event in session.events:
        told = heard([(event.t, event.text)]) if event.level == "mark" else ()
        if told and math.isfinite(told[0].duration):
            rows.append((event.t, told[0].duration / pace, f"{told[0].kind}_heard", str(told[0].text)))
        else:
            rows.append((event.t, None, event.level, event.text))
    rows.sort(key=lambda row: row[0])
    lines = ["onset\tduration\ttrial_type\tvalue"]
    for onset, duration, kind, value in rows:
        # as the samples count, also where a replay ran at another speed
        length = "n/a" if duration is None else f"{pace * duration:.6f}"
        lines.append(f"{pace * (onset - zero):.6f}\t{length}\t{_bids(kind)}\t{_bids(value)}")
    return "\n".join(lines) + "\n"


def _bids(text: str) -> str:
    return clean(text, 2000).strip() or "n/a"
