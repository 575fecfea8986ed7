"""Every key of the review screens under a pilot. The log is made by hand (review_story.py)."""

from pathlib import Path

import pytest

from rtdecode.errors import RecordingError
from rtdecode.tui.go import GoScreen
from rtdecode.tui.review import timeline
from rtdecode.tui.review.app import ReviewApp
from rtdecode.tui.review.data import Event, Story
from rtdecode.tui.review.modals import ExportScreen, ReviewHelp
from rtdecode.tui.review.pair import PairApp
from rtdecode.tui.review.sessions import SessionsApp
from tests.rtdecode.tui.review_story import GAP, LENGTH, LISTED, Doing, Still, story

# -- keys --------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, shown: Story | None = None, **options):
        self.now = 0.0
        self.log, self.doing = Still(shown or story()), Doing()
        self.app = ReviewApp(self.log, self.doing, clock=lambda: self.now, **options)

    def text(self, name):
        return self.app.panels[name].text


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_keys_move_the_cursor(size):
    bench = Bench(at_s=20.0)
    async with bench.app.run_test(size=size) as pilot:
        await pilot.pause()
        app = bench.app
        step = LENGTH / timeline.cells(size[0])
        assert "00:20.0" in bench.text("header") and "● LIVE" in bench.text("header")
        await pilot.press("right")
        assert app.cursor == pytest.approx(20 + step)
        await pilot.press("shift+right", "left")
        assert app.cursor == pytest.approx(20 + 10 * step)
        await pilot.press("shift+left")
        assert app.cursor == pytest.approx(20)
        await pilot.press("right_square_bracket")
        assert app.cursor == 40.0 and "LOST" not in bench.text("header")
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert app.cursor == 80.0
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert app.cursor == 10.0
        await pilot.press("end")
        assert app.cursor == LENGTH
        await pilot.press("right")
        assert app.cursor == LENGTH
        await pilot.press("home")
        assert app.cursor == 0.0
        assert "no decision yet" in bench.text("ranking")
        await pilot.press("plus", "plus", "minus")
        assert app.view.span == LENGTH / 2
        await pilot.press("0")
        assert app.view.span == LENGTH


async def test_what_is_shown_follows_the_cursor_and_is_read_once():
    bench = Bench(at_s=20.0)
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        k = bench.log.story.decision_at(20.0)
        assert bench.log.read == [k]
        await pilot.press("t", "t", "s", "S", "full_stop", "comma")
        assert bench.log.read == [k]
        assert "10 s" in bench.text("review-signals")
        await pilot.press("g", *"1:10", "enter")
        await pilot.pause()
        assert bench.app.cursor == 70.0
        assert "> 10" in bench.text("timeline") and "another" in bench.text("ranking")
        assert "block 1" in bench.text("review-events")
        bench.app.to(42.0)
        await pilot.pause()
        assert "nothing recorded here" in bench.text("review-signals")
        assert "✕ LOST" in bench.text("header")


async def test_going_to_a_time_can_be_left():
    bench = Bench(at_s=20.0)
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("g", "x", *"1:41", "enter")
        assert isinstance(bench.app.screen, GoScreen)
        assert "01:41 is beyond the end, 01:40" in bench.app.screen.panel.text
        await pilot.press("escape")
        assert not isinstance(bench.app.screen, GoScreen) and bench.app.cursor == 20.0
        await pilot.press("question_mark")
        assert isinstance(bench.app.screen, ReviewHelp)
        assert "Ten cells back" in bench.app.screen.panel.text
        await pilot.press("escape")
        assert not isinstance(bench.app.screen, ReviewHelp)


async def test_playing_keeps_the_clocks_time_and_ends_with_the_session():
    bench = Bench(at_s=95.0)
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("space")
        assert "▶ PLAYING" in bench.text("header")
        bench.now = 2.5
        bench.app.tick()
        assert bench.app.cursor == pytest.approx(97.5)
        bench.now = 20.0
        bench.app.tick()
        assert bench.app.cursor == LENGTH and bench.app.played is None
        await pilot.pause()
        assert "◧ REVIEW" in bench.text("header")


async def test_channels_are_judged_little_by_little():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for _ in range(5):
            bench.app.tick()
        assert set(bench.app.trouble[0]) == {s for s in range(100) if not GAP[0] <= s < GAP[1]}
        assert "▁▁▁" in bench.text("timeline")
        asked = []
        bench.log.trouble = lambda second: asked.append(second) or " "
        bench.app.trouble[0].clear()
        bench.app._asked = None
        bench.app.clock = lambda: bench.now + len(asked)  # every look takes a second
        bench.app.judge(bench.now + 3.0)
        assert len(asked) == 3, "a tick ends when its time is over"


@pytest.mark.parametrize(("key", "kind"), [("c", "csv"), ("t", "textgrid"), ("b", "bids")])
async def test_exports_say_where_they_are(key, kind):
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        assert isinstance(bench.app.screen, ExportScreen)
        await pilot.press(key)
        await bench.app.workers.wait_for_complete()
        await pilot.pause()
        assert bench.doing.done == [kind]
        assert f"✓ wrote /logs/monday.{kind}" in bench.text("notice")
        await pilot.press("e", "escape")
        assert bench.doing.done == [kind]


async def test_what_cannot_be_written_is_said_and_the_screen_stays():
    bench = Bench(notice="the engine [b] stopped")
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert "✕ the engine [b] stopped" in bench.text("notice")
        for problem in (RecordingError("the disk is full", hint="make room"), ZeroDivisionError("oh")):
            bench.doing.problem = problem
            await pilot.press("h")
            await bench.app.workers.wait_for_complete()
            await pilot.pause()
            assert "✕" in bench.text("notice") and str(problem.args[0]) in bench.text("notice")
        bench.doing.problem = None
        await pilot.press("h")
        await bench.app.workers.wait_for_complete()
        await pilot.pause()
        assert bench.doing.done == ["html"] and "wrote /logs/monday.html" in bench.text("notice")


async def test_enter_replays_from_the_cursor_and_q_does_not():
    bench = Bench(at_s=33.0)
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
    assert bench.app.return_value == pytest.approx(33.0)
    bench = Bench(at_s=33.0)
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
    assert bench.app.return_value is None


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (20, 8)])
async def test_panels_can_be_hidden_at_every_size(size):
    bench = Bench(at_s=20.0)
    async with bench.app.run_test(size=size) as pilot:
        await pilot.pause()
        for key in ("1", "2", "3", "4", "3"):
            await pilot.press(key)
            await pilot.pause()
            bench.app.tick()
            for panel in bench.app.panels.values():
                if panel.is_on_screen and panel.size.height > 1:
                    assert len(panel.lines) == panel.size.height, panel.id
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        bench.app.tick()
        assert len(bench.app.panels["timeline"].lines) == bench.app.panels["timeline"].size.height


async def test_brackets_are_words_not_markup():
    bench = Bench(
        story(stream="[/b]", name="[red]x", events=(Event(1.0, "mark", "[laughs] [/b]"),)), at_s=20.0
    )
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert "[/b]" in bench.text("header") and "[laughs] [/b]" in bench.text("review-events")
        assert "segment 1 [b]" in bench.text("ranking")


async def test_an_empty_session_is_harmless():
    bench = Bench(Story("nothing"))
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("left", "right", "plus", "minus", "right_square_bracket", "end", "space", "t", "s")
        await pilot.press("full_stop", "1", "2")
        assert "no state" in bench.text("header")


# -- two sessions, and the list ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_two_sessions_share_the_cursor(size):
    short = story(name="tuesday", length_s=60.0)
    app = PairApp((Still(story()), Still(short)), clock=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("g", *"0:42", "enter")
        await pilot.pause()
        for side in ("first", "second"):
            assert "lost" in app.panels[f"{side}-timeline"].text
        assert "1  monday" in app.panels["first-timeline"].text
        assert "2  tuesday" in app.panels["second-timeline"].text
        assert "length" in app.panels["difference"].text
        await pilot.press("end")
        assert app.cursor == LENGTH
        if size[0] > 100:
            assert "no decision yet" in app.panels["second-ranking"].text, "it was over by then"
            assert "another" in app.panels["first-ranking"].text
        await pilot.press("q")


async def test_keys_move_through_the_list():
    app = SessionsApp(Path("/l"), lambda: LISTED * 5)
    async with app.run_test(size=(120, 36)) as pilot:
        app.update()
        for key, index in {"down": 1, "j": 2, "up": 1, "k": 0, "end": 19, "home": 0}.items():
            await pilot.press(key)
            assert app.sessions.index == index
        await pilot.press("pagedown")
        assert app.sessions.index == 10
        await pilot.press("down", "pageup")
        assert app.sessions.index == 1


async def test_the_list_opens_one_or_two():
    app = SessionsApp(Path("/l"), lambda: LISTED)
    async with app.run_test(size=(120, 36)) as pilot:
        app.update()
        await pilot.pause()
        assert "reading 1 more" in app.panels["header"].text
        await pilot.press("end", "enter")
        assert app.is_running, "a damaged session is not opened"
        assert "no samples.xdf" in app.panels["about"].text
        await pilot.press("home", "space", "down", "enter")
    assert app.return_value == (Path("/l/c"), Path("/l/b"))
    app = SessionsApp(Path("/l"), lambda: LISTED, at=Path("/l/b"), notice="gone [b]")
    async with app.run_test(size=(80, 24)) as pilot:
        app.update()
        await pilot.pause()
        assert "gone [b]" in app.panels["about"].text
        await pilot.press("space", "enter")
    assert app.return_value == (Path("/l/b"),)
    app = SessionsApp(Path("/l"), tuple)
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.press("enter", "space", "down", "question_mark", "escape", "q")
    assert app.return_value is None
