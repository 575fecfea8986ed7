"""The review screens: timeline and panels as text, every key under a pilot. The log is made by hand."""

import numpy as np
import pytest
from rich.cells import cell_len

from rtdecode.tui.lines import plain
from rtdecode.tui.review import panels, timeline, traces
from rtdecode.tui.review.data import Decided, Event, Hit, Signal, Story, Stretch, View, Word
from rtdecode.tui.review.sessions import row
from rtdecode.tui.review.summary import difference
from rtdecode.tui.review.timeline import whole
from tests.rtdecode.tui.review_story import LENGTH, LISTED, NASTY, Still, said, story

SIZES = [(118, 15), (118, 9), (78, 10), (58, 6), (40, 20), (12, 3), (5, 2), (0, 0)]


def draw(shown: Story, cursor=10.0, width=118, height=15, view=None, trouble=None) -> list[str]:
    lines = timeline.render(shown, view or whole(LENGTH), cursor, trouble or {}, width, height)
    return said(lines).splitlines()


# -- the timeline ------------------------------------------------------------------------------------------


def cells_of(lines: list[str], label: str) -> str:
    line = next(line for line in lines if label in line)
    return line[2 + timeline.LABEL : -2 - timeline.VALUE]


def test_every_row_has_its_place_in_time():
    lines = draw(story(), cursor=90.0, trouble={20: "▁", 21: " ", 22: " ", 24: "×"})
    count = timeline.cells(118)

    def at(t):
        return int(t / LENGTH * count)

    state = cells_of(lines, "state")
    assert (state[at(1)], state[at(3)], state[at(20)], state[at(42)]) == ("┈", "╍", "━", "╳")
    gaps = cells_of(lines, "gaps")
    assert {i for i, c in enumerate(gaps) if c == "░"} == set(range(at(40), at(44) + 1))
    marks = cells_of(lines, "marks")
    assert (marks[at(10)], marks[at(44)], marks[at(80)], marks[at(3)]) == ("◆", "!", "◆", "┊")
    channels = cells_of(lines, "channels")
    assert (channels[at(20)], channels[at(22.3)], channels[at(24.5)]) == ("▁", "─", "×")
    assert [line for line in lines if line.startswith("│ p of #1")]
    assert "▲01:30.0" in lines[-2]


def test_a_short_loss_is_seen_at_every_zoom():
    moment = story(states=(Stretch(0.0, 9000.0, "live"), Stretch(9000.0, 9000.2, "lost"),
                           Stretch(9000.2, 36000.0, "live")), length_s=36000.0)  # fmt: skip
    for span in (36000.0, 3600.0, 60.0, 2.0):
        lines = draw(moment, view=View(9000.0 - span / 4, span), cursor=0.0)
        assert cells_of(lines, "state").count("╳") >= 1


def test_curves_are_high_where_the_values_are():
    lines = draw(story(), cursor=99.9)
    first = next(i for i, line in enumerate(lines) if "p of #1" in line)
    count = timeline.cells(118)
    rows = [line[2 + timeline.LABEL : -2 - timeline.VALUE] for line in lines[first : first + 3]]
    early, late, gap = int(0.2 * count), int(0.7 * count), int(0.425 * count)
    assert rows[0][early] != " " and rows[2][early] == " "
    assert rows[0][late] == " " and rows[2][late] != " "
    assert all(row[gap] == " " for row in rows), "nothing was decided in the gap"
    rank = next(i for i, line in enumerate(lines) if "rank" in line)
    assert lines[rank][2 + timeline.LABEL + early] != " ", "rank 1 is on top"
    assert lines[rank][2 + timeline.LABEL + late] == " "


def test_values_are_those_at_the_cursor():
    early, late = "\n".join(draw(story(), cursor=20.0)), "\n".join(draw(story(), cursor=70.0))
    assert ".90" in early and ".85" in early and "> 10" not in early
    assert ".10" in late and ".05" in late and "> 10" in late
    assert "4.0 s" in "\n".join(draw(story(), cursor=41.0))
    assert "lost" in "\n".join(draw(story(), cursor=41.0))


def test_why_no_rank_is_known_is_said():
    shown = story(rank=np.zeros(len(story().t), int), why="no marker in the log tells what was heard")
    lines = draw(shown)
    assert "rank unknown: no marker" in lines[-1]
    assert not any("rank 1" in line for line in lines)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["usual", "nasty", "empty"])
def test_nothing_leaves_its_box(size, kind):
    width, height = size
    shown = {
        "usual": story(),
        "nasty": story(
            name=NASTY, stream=NASTY, bundle=NASTY, started=NASTY, missing=(NASTY,), why=NASTY,
            states=(Stretch(0.0, LENGTH, NASTY),),
            events=(Event(5.0, NASTY, NASTY), Event(6.0, "mark", NASTY)),
            words=(Word(1.0, 0.0, 1.0, NASTY, 0.1, 0.5),),
        ),
        "empty": Story("nothing"),
    }[kind]  # fmt: skip
    log = Still(shown)
    decided = None if kind == "empty" else log.decision(3)
    nasty_hit = Hit(NASTY, NASTY, NASTY, 0.0, 0.1, float("nan"))
    if kind == "nasty":
        decided = Decided(5.0, 1, 2, (nasty_hit,), 0.5, 2, 1.0, NASTY, None, (NASTY,), (NASTY, NASTY), 1)
    signal = None if kind == "empty" else Signal(np.full((2, 50), np.nan), 1.0, 1.0, (NASTY, "b"), NASTY)
    drawn = {
        "timeline": timeline.render(shown, whole(shown.length_s), 5.0, {4: "×"}, width, height, "T"),
        "ranking": panels.ranking(decided, width, height),
        "text": panels.text(shown, 9.0, NASTY if kind == "nasty" else "", width, height),
        "events": panels.events(shown, 5.5, width, height),
        "signals": traces.signals(signal, 0, 50.0, width, height),
        "difference": difference(story(), story(), width, height),
    }
    for name, lines in drawn.items():
        assert len(lines) == height, name
        for line in lines:
            assert cell_len(plain(line)) <= max(width, 0), name
            assert "\x1b" not in plain(line) and "\n" not in plain(line), name
    (top,) = panels.header(shown, 5.0, False, max(width, 10))
    assert cell_len(plain(top)) == max(width, 10) and "\x1b" not in plain(top)


# -- panels ------------------------------------------------------------------------------------------------


def test_the_ranking_stands_beside_chance_and_truth():
    first = said(panels.ranking(Still(story()).decision(3), 60, 14))
    assert "top 10 of 50 · chance .02 · window 3.0 s" in first
    assert (
        "✓ “segment 1 [b]”" in first and "rank 1" in first and "margin .25 · took 12.5 ms · ! late" in first
    )
    late = said(panels.ranking(Still(story()).decision(150), 60, 14))
    assert "heard “another” not in the ten" in late and "✓" not in late
    damaged = said(panels.ranking(Decided(1.0, 1, 2, damaged=True), 60, 8))
    assert "✕ this line of the log is damaged" in damaged


def test_words_come_with_their_confidence_and_the_newest_with_its_delay():
    text = said(panels.text(story(), 11.5, "dra", 70, 8))
    assert "he said₄₂" in text and "draw" not in text.replace("‹dra›", "")
    assert "‹dra›" in text
    assert "“said” 00:10.0–00:10.4 · confidence .42 · certain after 1.25 s" in text
    later = said(panels.text(story(), 12.0, "", 70, 8))
    assert "draw₇₀" in later and "certain after" not in later
    assert "no text yet" in said(panels.text(story(), 1.0, "", 70, 8))


def test_events_before_and_after_the_cursor():
    lines = said(panels.events(story(), 44.0, 70, 8)).splitlines()
    here = next(line for line in lines if "▸" in line)
    assert "00:44.0 ! warn  samples are missing" in here
    assert "block 2" in lines[lines.index(here) + 1]
    assert "3 of 4 so far" in lines[0]


def test_a_flat_channel_and_missing_samples_are_drawn():
    x = np.vstack(
        [np.full(100, 7.0), np.concatenate([np.full(50, np.nan), np.ones(50)]), np.full(100, np.nan)]
    )
    lines = said(traces.signals(Signal(x, 0.0, 1.0, ("a", "b", "c"), "uV"), 0, 50.0, 80, 10)).splitlines()
    assert "0.00 µV" in lines[1]
    assert lines[5].strip("│ ").startswith("c") and "–" in lines[5]


def test_zooming_keeps_the_cursor_where_it_is():
    view = whole(LENGTH)
    for factor in (0.5, 0.5, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5):
        view = view.zoomed(factor, 30.0, LENGTH)
        assert view.start <= 30.0 <= view.start + view.span
        assert view.start >= 0 and view.start + view.span <= LENGTH + 1e-9
    assert view.span == 2.0
    for _ in range(9):
        view = view.zoomed(2, 30.0, LENGTH)
    assert view == whole(LENGTH)


def test_all_seconds_are_judged_coarse_ones_first():
    seen = timeline.seconds_seen(View(0.0, 1000.0), 118)
    count = timeline.cells(118)
    assert set(seen) >= set(range(1000)) and len(seen) == len(set(seen))
    assert max(np.diff(sorted(seen[:count]))) <= 1000 / count + 1


def test_figures_of_two_sessions_differ_by_what_they_differ():
    other = story(name="tuesday", summary=tuple(
        (what, words, None if x is None else x + 2) for what, words, x in story().summary
    ))  # fmt: skip
    table = said(difference(story(), other, 118, 13))
    assert "monday" in table and "tuesday" in table
    assert "+2" in table and "second less first" in table
    assert "50.0 % (2.0 %)" in table
    same = said(difference(story(), story(), 78, 20))
    assert "+" not in same and "=" in same


def test_rows_say_how_a_session_went():
    texts = [plain(row(item, 116)) for item in LISTED]
    assert "2026-03-03 09:00" in texts[0] and "1:02:05" in texts[0] and "✕ lost" in texts[0]
    assert (
        "36000 decisions" in texts[0]
        and "2 gaps" in texts[0]
        and "12 lost" in texts[0]
        and "7 marks" in texts[0]
    )
    assert "… no end" in texts[1] and "reading" in texts[2]
    assert "✕ damaged" in texts[3] and "it [has] no samples.xdf" in texts[3]
    assert all(
        cell_len(plain(row(item, width))) <= max(width, 60) for item in LISTED for width in (60, 76, 196)
    )
