"""The whole screen at every size and in every state: what is there, and that nothing is cut that matters."""

from dataclasses import replace

import pytest

from rtdecode.snapshot import Event, Snapshot, State
from rtdecode.tui.header import LOOKS
from rtdecode.tui.keys import PANELS
from tests.rtdecode.tui.bench import SESSION, Bench, cells, screen_text, started

LIVE = SESSION.at(759.4)
NARROW = {"header", "signals", "retrieved", "text", "line", "events"}
THERE = {
    (120, 36): {"header", *PANELS},
    (200, 60): {"header", *PANELS},
    (80, 24): NARROW,
    (60, 20): NARROW,
    (50, 15): {"header", "enlarge", "text", "line"},
}


@pytest.mark.parametrize("size", THERE)
async def test_every_state_at_every_size(size):
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        await started(pilot, bench)
        for state in State:
            shown = replace(
                LIVE, state=state, state_s=1.2, detail="" if state is State.LIVE else "the reason"
            )
            await bench.show(pilot, shown)
            assert bench.there() == THERE[size]
            text = screen_text(bench.app)
            lines = text.splitlines()
            assert [len(line) for line in lines] == [size[0]] * size[1]
            assert f"{LOOKS[state].glyph} {LOOKS[state].word}" in lines[0]
            assert "draw me a" in text and "‹she›" in text
            assert "delay" in text and lines[-1].startswith(" space Freeze")
            assert ("enlarge for signals" in text) is (size == (50, 15))
            if size != (50, 15):
                assert "chance .02" in text
                assert "the reason" in text or state is State.LIVE
                assert ("as of 12:39.3" in text) is LOOKS[state].old
            for name in bench.there() & set(PANELS):
                panel = bench.app.panels[name]
                assert len(panel.lines) == panel.size.height
                assert panel.has_class("-old") is (LOOKS[state].old and name not in ("health", "events"))


@pytest.mark.parametrize("size", [(120, 36), (60, 20)])
async def test_looking_for_a_stream(size):
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        looking = Snapshot(State.CONNECTING, state_s=3.2, detail="EEG", found=("actiCHamp-16", "mock [b]"))
        await bench.show(pilot, looking)
        text = screen_text(bench.app)
        assert "○ CONNECTING  EEG  3 s" in text
        assert "streams found:" in text and "  mock [b]" in text
        for words in ("no ranking yet", "no text yet", "not measured yet", "nothing yet"):
            assert words in text or (words in ("nothing yet",) and size == (60, 20))


async def test_filling_names_what_it_waits_for():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        filling = replace(
            LIVE, state=State.FILLING, detail="1.8 / 3.0 s", decision=None, text=(), tentative=""
        )
        await bench.show(pilot, filling)
        text = screen_text(bench.app)
        assert "◔ FILLING  1.8 / 3.0 s" in text
        assert text.count("waiting for 3.0 s of signal") == 2
        assert "Fp1" in text  # the traces run


async def test_an_exception_in_the_core_leaves_the_screen_up():
    bench = Bench()
    sentence = "the decoder stopped: ValueError: [shapes] (3,) and (4,) do not fit; session/core.log has more"
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        events = (*LIVE.events, Event(759.4, "error", sentence))
        await bench.show(pilot, replace(LIVE, state=State.FAILED, detail=sentence, events=events))
        text = screen_text(bench.app)
        assert "✕ FAILED" in text.splitlines()[0]
        assert "✕ error" in text and "[shapes] (3,) and (4,)" in text
        assert "as of 12:39" in text
        await pilot.press("t", "z", "z", "question_mark", "escape", "f")
        await bench.show(pilot, bench.watcher.snapshot, now=60.0)  # and stays, however long it is silent
        assert "✕ FAILED" in screen_text(bench.app)


async def test_frozen_stands_over_the_true_state():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("space")
        lost = replace(SESSION.at(765.0), state=State.LOST, state_s=12.0, detail="looking again")
        await bench.show(pilot, lost)
        text = screen_text(bench.app)
        assert "‖ FROZEN  ✕ LOST  12 s" in text.splitlines()[0]
        assert "held at 12:39.3" in text and "held↑" in text
        assert not bench.app.panels["text"].has_class("-old")
        await pilot.press("space")
        await bench.show(pilot, lost)
        assert "FROZEN" not in screen_text(bench.app)
        assert "as of" in screen_text(bench.app)


async def test_marks_are_on_the_axis():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        mark = Event(758.9, "mark", "block 2")
        await bench.show(pilot, replace(SESSION.at(759.6), events=(*LIVE.events, mark)))
        axis = next(line for line in bench.said("signals").splitlines() if "now↑" in line)
        assert "● block 2" in axis


async def test_without_colours_the_words_are_all_there(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        text = screen_text(bench.app)
        assert "● LIVE" in text and "‹she›" in text and "▲" in text


async def test_after_a_change_of_size_everything_is_drawn_anew():
    pages = {(200, 60): 16, (162, 50): 16, (120, 36): 8, (80, 24): 2, (60, 20): 2, (50, 15): 0}
    bench = Bench()
    async with bench.app.run_test(size=(50, 15)) as pilot:
        await started(pilot, bench)
        for size, page in pages.items():
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await bench.show(pilot, SESSION.at(760.0))
            assert bench.there() == THERE.get(size, THERE[120, 36])
            for name in bench.there():
                panel = bench.app.panels[name]
                assert len(panel.lines) == panel.size.height
            assert not page or f"1–{page} of 32" in bench.said("signals")
            if size[0] >= 160:  # two columns below: text and events
                text, events = bench.app.panels["text"].region, bench.app.panels["events"].region
                assert text.y == events.y and text.right <= events.x


async def test_every_theme_draws_and_a_state_is_never_told_by_colour_alone():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await bench.show(pilot, replace(LIVE, state=State.LOST))
        for theme in ("rtdecode", "ansi-dark", "ansi-light", "textual-light", "nord"):
            before = {segment.style for line in cells(bench.app) for segment in line}
            bench.app.theme = theme
            await pilot.pause()
            await bench.show(pilot, replace(LIVE, state=State.LOST))
            text = screen_text(bench.app)
            for words in ("✕ LOST", "F8 railed", "! warn", "‹she›", "· ok ─"):
                assert words in text
            now = {segment.style for line in cells(bench.app) for segment in line}
            if theme not in ("rtdecode", "ansi-light"):  # both ansi themes have the terminal's own colours
                assert not before & now  # nothing keeps the colours of the theme before
