"""Whole screens, cell by cell with their colours, beside those kept in snapshots/: live, review and check.

Time, session and theme are fixed. RTDECODE_UPDATE_SNAPSHOTS=1 keeps what is drawn now; look at it first.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from rtdecode.snapshot import Retry, State
from rtdecode.tui.checking import CheckApp
from rtdecode.tui.review.pair import PairApp
from rtdecode.tui.review.sessions import SessionsApp
from tests.rtdecode.tui import drawn
from tests.rtdecode.tui.bench import SESSION, Bench, started
from tests.rtdecode.tui.review_story import LISTED, Still, story
from tests.rtdecode.tui.test_checking import SHOWN as SHOWN_IN_CHECKS
from tests.rtdecode.tui.test_checking import Sat
from tests.rtdecode.tui.test_review_keys import Bench as ReviewBench

LIVE = SESSION.at(759.4)
STALE = replace(LIVE, state=State.STALE, state_s=0.84)
LOST = replace(
    SESSION.at(765.0),
    signal=LIVE.signal,
    text=LIVE.text,
    state=State.LOST,
    state_s=12.0,
    detail="there is no stream named 'actiCHamp-32'",
    retry=Retry("named 'actiCHamp-32'", 8, 1.2),
)
SHOWN = {
    "live-wide": ((120, 36), LIVE, ()),
    "live-narrow": ((80, 24), LIVE, ()),
    "huge": ((200, 60), LIVE, ()),
    "stale": ((120, 36), STALE, ()),
    "lost": ((120, 36), LOST, ()),
    "frozen": ((120, 36), LIVE, ("space",)),
    "zoom": ((120, 36), LIVE, ("z", "f", "full_stop")),
    "help": ((80, 24), LIVE, ("tab", "question_mark")),
}


@pytest.mark.parametrize("name", SHOWN)
async def test_the_screen_is_as_it_was(name):
    size, snapshot, keys = SHOWN[name]
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        await started(pilot, bench)
        await bench.show(pilot, snapshot)
        await pilot.press(*keys)
        await pilot.pause()
        bench.app.update(True)
        await pilot.pause()
        drawn.same(bench.app, name)


async def test_the_palette_is_as_it_was():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        await pilot.press("ctrl+p")
        field = bench.app.screen.query_one(Input)
        field.cursor_blink = False
        await pilot.press("z", "o", "o", "m")
        await bench.app.workers.wait_for_complete()
        await pilot.pause()
        drawn.same(bench.app, "palette")


async def laid_out(pilot, app):
    """Until every panel that is there was drawn at its size."""
    await pilot.pause()
    while any(len(panel.lines) != panel.size.height for panel in app.panels.values() if panel.is_on_screen):
        app.draw()
        await pilot.pause()


@pytest.mark.parametrize(("name", "size"), [("review", (120, 36)), ("review-narrow", (80, 24))])
async def test_the_review_of_a_session_is_as_it_was(name, size):
    bench = ReviewBench(at_s=20.0)
    async with bench.app.run_test(size=size) as pilot:
        await laid_out(pilot, bench.app)
        bench.app.tick()  # the clock stands still: every second is judged in one
        assert not bench.app.judge(0.02)
        await laid_out(pilot, bench.app)
        drawn.same(bench.app, name)


async def test_two_sessions_side_by_side_are_as_they_were():
    logs = Still(story()), Still(story(name="tuesday", length_s=60.0))
    app = PairApp(logs, clock=lambda: 0.0)
    async with app.run_test(size=(120, 36)) as pilot:
        await laid_out(pilot, app)
        app.to(42.0)
        app.tick()
        assert not app.judge(0.02)
        await laid_out(pilot, app)
        drawn.same(app, "review-pair")


async def test_the_list_of_sessions_is_as_it_was():
    app = SessionsApp(Path("/l"), lambda: LISTED)
    async with app.run_test(size=(120, 36)) as pilot:
        app.update()
        await pilot.press("space", "down")
        await laid_out(pilot, app)
        drawn.same(app, "sessions")


CHECKS = {"check": ("running", ()), "check-over": ("over", ("up",))}


@pytest.mark.parametrize("name", CHECKS)
async def test_the_check_is_as_it_was(name):
    state, keys = CHECKS[name]
    app = CheckApp(Sat(SHOWN_IN_CHECKS[state]), clock=lambda: 1.0)
    async with app.run_test(size=(120, 36)) as pilot:
        await laid_out(pilot, app)
        await pilot.press(*keys)
        await laid_out(pilot, app)
        drawn.same(app, name)


async def test_a_difference_names_both_files(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "FOLDER", tmp_path)
    monkeypatch.setenv("RTDECODE_UPDATE_SNAPSHOTS", "1")
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        drawn.same(bench.app, "it")
        monkeypatch.delenv("RTDECODE_UPDATE_SNAPSHOTS")
        drawn.same(bench.app, "it")
        await pilot.press("minus")
        await pilot.pause()
        with pytest.raises(pytest.fail.Exception, match=r"it\.txt.*\n.*\n.*\n.*it\.new\.txt"):
            drawn.same(bench.app, "it")
        assert (tmp_path / "it.new.svg").read_text().startswith("<svg")
        await pilot.press("plus")
        await pilot.pause()
        drawn.same(bench.app, "it")
        assert [path.name for path in tmp_path.iterdir()] == ["it.txt"]
