"""What is gathered from a log: where its decisions lie, how often they were right, which channels failed.

Why it matters: a number in the report is believed, and nothing in a log says when the decoder began.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.commands.review_screen import facts_of
from rtdecode.commands.review_story import OpenLog
from rtdecode.report.channels import channel_health
from rtdecode.report.clock import session_clock
from rtdecode.report.facts import Session, gather
from rtdecode.report.times import start_s
from rtdecode.report.truth import BEYOND, find_bundle, tell
from rtdecode.session.reader import SessionLog
from tests.bundles import make_bundle
from tests.session_logs import BEGAN, FLAT, GAP_S, GONE, RAILED, rank_of, truth_at, write_session


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


@pytest.mark.parametrize("begun", [3.0, 18.9, 62.0])
def test_a_log_that_was_begun_later_counts_from_its_beginning(
    bundle: Bundle, tmp_path: Path, begun: float
) -> None:
    """What the decoder did before is not in it: a timeline of it would be empty there."""
    whole = gather(SessionLog(write_session(tmp_path / "whole", bundle)))
    log = write_session(tmp_path / "late", bundle)
    lines = [json.loads(line) for line in (log / "events.jsonl").read_bytes().splitlines()]
    for line in lines:
        if line["kind"] in ("event", "state", "health"):
            line["t"] += begun
    (log / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    late = gather(SessionLog(log))
    first = 0.1  # second of the first line
    assert start_s(SessionLog(log)) == pytest.approx(begun + first)
    assert late.length_s == pytest.approx(whole.length_s - first, abs=0.01)
    assert [e.t for e in late.events] == pytest.approx([e.t - first for e in whole.events], abs=0.01)
    assert [d.t for d in late.decisions] == pytest.approx([d.t - first for d in whole.decisions], abs=0.01)
    assert [r.t for r in late.runs] == pytest.approx([r.t - first for r in whole.runs if r.t], abs=0.01)
    assert late.states[0].t == 0.0 and late.health[0]["t"] == pytest.approx(whole.health[0]["t"] - first)


def test_samples_that_are_older_than_a_later_log_belong_to_it(bundle: Bundle, tmp_path: Path) -> None:
    """They waited while the network was gone: what is on the screen begins with them."""
    log = write_session(tmp_path / "late", bundle)
    lines = [json.loads(line) for line in (log / "events.jsonl").read_bytes().splitlines()]
    kept = [line for line in lines if line["kind"] not in ("event", "state", "health") or line["t"] > 4]
    (log / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    late = gather(SessionLog(log))
    assert late.runs[0].t == pytest.approx(0.0, abs=0.01)
    assert late.length_s == pytest.approx(31.5, abs=0.1)


@pytest.mark.parametrize("begun", [0.0, 62.0])
@pytest.mark.parametrize("closed", [True, False])
def test_the_list_says_the_length_that_the_session_has(
    bundle: Bundle, tmp_path: Path, closed: bool, begun: float
) -> None:
    log = write_session(tmp_path / "log", bundle, closed=closed)
    lines = [json.loads(line) for line in (log / "events.jsonl").read_bytes().splitlines()]
    for line in lines:
        if line["kind"] in ("event", "state", "health"):
            line["t"] += begun
    (log / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    listed = facts_of(log)
    assert listed.length_s == gather(SessionLog(log)).length_s == OpenLog(log).story.length_s
    assert 32 < listed.length_s < 33, "not up to the last line of its health, at 30 s"
