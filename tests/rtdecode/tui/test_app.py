"""The app under a pilot: states, keys, sizes, freezing. The watcher and the clock are set by hand."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from rtdecode.snapshot import Snapshot, State, TextLine
from rtdecode.tui.help import HelpScreen
from rtdecode.tui.picture import main
from tests.rtdecode.tui.bench import SESSION, Bench, started

SIZES = [(120, 36), (80, 24)]


@pytest.mark.parametrize("size", [*SIZES, (58, 18), (200, 50), (20, 8)])
async def test_an_empty_snapshot_of_any_state_is_harmless(size):
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        for state in State:
            await bench.show(pilot, Snapshot(state))
            assert state.value.upper()[:10] in bench.said("header")
        for key in ("minus", "plus", "comma", "full_stop", "t", "space", "space"):
            await pilot.press(key)


async def test_before_the_first_snapshot():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("space", "plus", "full_stop")
        await bench.show(pilot, None, now=2.0)
        assert "STARTING  2 s" in bench.said("header")
        assert not bench.app.frozen


async def test_a_silent_core_is_said_and_forgiven():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        assert "● LIVE" in bench.said("header")
        await bench.show(pilot, bench.watcher.snapshot, now=3.0)
        assert "CORE NOT ANSWERING  for 3 s" in bench.said("header")
        assert "LIVE" not in bench.said("header")
        assert bench.app.panels["health"].has_class("-old")
        assert "last↑" in bench.said("signals")
        await bench.show(pilot, SESSION.at(762.4, published=3.0), now=3.1)
        assert "● LIVE" in bench.said("header")
        assert not bench.app.panels["health"].has_class("-old")


async def test_it_says_how_long_a_decision_takes_to_be_drawn():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        assert "fps +" not in bench.said(
            "health"
        )  # how long the first one waited for the screen says nothing
        late = SESSION.at(763.0, published=3.0)
        # published at 3.0, which is `late.elapsed_s - late.decided_s` after the decision; drawn at 3.25
        await bench.show(pilot, late, now=3.25)
        expected_ms = 1e3 * (0.25 + late.elapsed_s - late.decided_s)
        assert bench.app.draw_ms.last == pytest.approx(expected_ms)
        await bench.show(pilot, late, now=9.0)  # the same decision again
        assert bench.app.draw_ms.last == pytest.approx(expected_ms)
        assert "fps +" in bench.said("health")
        await pilot.press("space")
        await bench.show(pilot, SESSION.at(764.0, published=10.0), now=10.0)
        assert bench.app.draw_ms.last == pytest.approx(expected_ms)


async def test_freeze_holds_the_panels_and_nothing_else():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("space")
        held = {name: bench.said(name) for name in ("signals", "retrieved", "text")}
        later = replace(SESSION.at(765.0), tentative="other", event_count=99)
        await bench.show(pilot, replace(later, health=replace(later.health, lost=777)))
        assert {name: bench.said(name) for name in held} == held
        assert "held at" in held["text"]
        assert "lost 777" in bench.said("health")
        assert "of 99" in bench.said("events")
        assert "‖ FROZEN" in bench.said("header")
        assert "12:45" in bench.said("header")
        assert "Unfreeze" in bench.app.export_screenshot()
        await pilot.press("space")
        assert bench.said("signals") != held["signals"]
        assert "‹other›" in bench.said("text")
        await pilot.pause()
        assert "Unfreeze" not in bench.app.export_screenshot()


async def test_a_frozen_picture_can_still_be_scaled_and_paged():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("space")
        before = bench.said("signals")
        await bench.show(pilot, SESSION.at(765.0))
        await pilot.press("full_stop", "minus")
        assert "9–16 of 32" in bench.said("signals")
        await pilot.press("comma", "plus")
        assert bench.said("signals") == before


@pytest.mark.parametrize(("size", "page"), [((120, 36), 8), ((80, 24), 2)])
async def test_channel_pages_stop_at_both_ends(size, page):
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        await started(pilot, bench)
        assert f"1–{page} of 32" in bench.said("signals")
        await pilot.press("comma")
        assert f"1–{page} of 32" in bench.said("signals")
        await pilot.press("full_stop")
        assert f"{page + 1}–{2 * page} of 32" in bench.said("signals")
        for _ in range(32 // page):
            await pilot.press("full_stop")
        assert f"{33 - page}–32 of 32" in bench.said("signals")


async def test_help_opens_over_the_screen_and_closes():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(bench.app.screen, HelpScreen)
        assert "Read a probability beside chance" in bench.app.screen.panel.text
        await bench.show(pilot, replace(SESSION.at(761.0), state=State.LOST))
        assert "LOST" in bench.said("header")
        await pilot.press("escape")
        assert not isinstance(bench.app.screen, HelpScreen)


async def test_a_small_screen_still_says_why():
    bench = Bench()
    async with bench.app.run_test(size=(50, 16)) as pilot:
        await started(pilot, bench)
        await bench.show(pilot, replace(SESSION.at(760.0), state=State.FAILED, detail="the engine stopped"))
        assert "enlarge for signals · the engine stopped" in bench.said("enlarge")


@pytest.mark.parametrize("size", SIZES)
async def test_brackets_are_words_not_markup(size):
    hostile = "[laughs] [/b] [red]x"
    snapshot = SESSION.at(759.4)
    hits = tuple(replace(hit, text=hostile, source=hostile) for hit in snapshot.decision.retrieved.hits)
    ranking = replace(snapshot.decision.retrieved, hits=hits)
    snapshot = replace(
        snapshot,
        text=(TextLine(1.0, hostile),),
        tentative=hostile,
        stream=replace(snapshot.stream, name="[/b]"),
        decision=replace(snapshot.decision, retrieved=ranking),
        channels=tuple(replace(channel, label="[/b]") for channel in snapshot.channels),
        detail=hostile,
    )
    bench = Bench(snapshot)
    async with bench.app.run_test(size=size) as pilot:
        await bench.show(pilot, snapshot)
        assert f"{hostile} ‹{hostile}›" in bench.said("text")
        assert "“[laughs]" in bench.said("retrieved")
        for state in State:
            await bench.show(pilot, replace(snapshot, state=state))
        assert "[/b]" in bench.said("signals")


async def test_panels_follow_what_the_bundle_can_do():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        card = SESSION.at(759.4).bundle
        await bench.show(pilot, replace(SESSION.at(759.4), bundle=replace(card, has_text=False)))
        assert not bench.app.panels["text"].display
        assert bench.app.panels["retrieved"].display
        await bench.show(pilot, replace(SESSION.at(759.5), bundle=replace(card, has_retrieval=False)))
        await pilot.pause()
        assert bench.app.panels["text"].display
        assert not bench.app.panels["retrieved"].display


async def test_numbers_are_calmer_than_traces():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        changes = {"signals": 0, "retrieved": 0, "health": 0}
        before = {name: bench.said(name) for name in changes}
        for i in range(30):  # two seconds of ticks
            later = SESSION.at(760.0 + i / 15)
            bench.watcher.snapshot = replace(
                later, health=replace(later.health, lost=100 + i), held_s=2.0 + i
            )
            bench.app.update()
            for name, was in before.items():
                changes[name] += bench.said(name) != was
                before[name] = bench.said(name)
        assert changes["signals"] == 30
        assert 6 <= changes["retrieved"] <= 10
        assert 6 <= changes["health"] <= 8


async def test_nothing_is_drawn_twice():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        drawn = []
        panel = bench.app.panels["signals"]
        panel.refresh = lambda *regions, **_: drawn.append(regions)  # type: ignore[method-assign]
        panel.show(list(panel.lines))
        assert drawn == []
        panel.show([*panel.lines[:-1], ((("x" * 76), "dim"),)])
        assert len(drawn) == 1


async def test_the_signal_may_vanish_and_change_shape():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("full_stop", "full_stop", "full_stop")
        empty = np.zeros((0, 0), np.float32)
        await bench.show(pilot, replace(SESSION.at(760.0), signal=empty, channels=(), signal_sfreq=0.0))
        few = replace(
            SESSION.at(761.0), signal=SESSION.at(761.0).signal[:, :4], channels=SESSION.channels[:4]
        )
        await bench.show(pilot, few)
        assert "4 ch · ±" in bench.said("signals")


def test_the_picture_command_writes_an_svg(tmp_path):
    out = tmp_path / "screen.svg"
    assert main([str(out)]) == 0
    assert out.read_text().startswith("<svg")
    assert "Retrieved" in out.read_text()


def test_the_screen_loads_no_decoder():
    heavy = ("torch", "pylsl", "mne", "onnxruntime", "rtdecode.engine")
    code = f"import sys, rtdecode.tui.app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
