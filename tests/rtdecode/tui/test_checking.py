"""The screen of a check: every phase at every size, every key, and nothing that leaves its box."""

from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len

from rtdecode.checks.result import KEYS, Channel, Measure, Outcome, skipped
from rtdecode.checks.shown import Shown
from rtdecode.snapshot import ChannelState
from rtdecode.tui import check_panels
from rtdecode.tui.checking import CheckApp
from rtdecode.tui.keybar import KeyBar
from rtdecode.tui.lines import plain

LABELS = ("Fp1", "Fp2", "Cz", "Pz", "Oz", "C3", "T7", "T8")
NASTY = "a [/b] [laughs] \x1b[31m日本語の長い文\n\u202eabc"
NOISE = Outcome(
    "noise",
    "failed",
    "Not good: Oz flat.",
    "Fill gel into the electrodes named.",
    (Measure("good channels", 7, "7 of 8", "at least 8", False), Measure("RMS", 12.0, "9 to 20 µV")),
    tuple(Channel(label, "12.0 µV", 0.5, "flat" if label == "Oz" else "") for label in LABELS),
)
STORY = Outcome(
    "story",
    "passed",
    "187 segments.",
    "",
    (
        Measure("top-10", 0.8, "80 %, 95 % from 60 % to 92 %", "interval above chance 5.3 %", True),
        Measure("shifted control", 0.05, "top-10 5.0 %"),
    ),
)
SIGNAL = 20 * np.sin(np.arange(1280)[:, None] / 9 + np.arange(8)).astype(np.float32)
READY = Shown(
    "actiCHamp",
    8,
    250.0,
    "lpp",
    "microvolts",
    total_s=20.0,
    quality=tuple(ChannelState(label, "✓", 12.4) for label in LABELS),
    signal=SIGNAL,
    signal_sfreq=128.0,
    frontal=(0, 1),
)
RUNNING = replace(READY, at=1, phase="running", outcomes=(NOISE, *(None,) * 4), elapsed_s=4.0, total_s=10.0)
SHOWN = {
    "ready": READY,
    "running": RUNNING,
    "blink": replace(RUNNING, prompt=True, prompts=2),
    "working": replace(RUNNING, phase="working"),
    "over": replace(READY, phase="over", outcomes=(NOISE, skipped("blink", "No eyes."), None, None, STORY)),
    "lost": replace(RUNNING, note="its sender closed the stream", times_real=100.0),
    "bare": Shown("x", 8, 250.0, "y", ""),
    "nasty": replace(
        READY,
        stream=NASTY,
        bundle=NASTY,
        note=NASTY,
        unit=NASTY,
        quality=tuple(ChannelState(NASTY, "✓", float("nan")) for _ in LABELS),
        outcomes=(
            Outcome(
                "noise",
                "failed",
                NASTY,
                NASTY,
                (Measure(NASTY, 1.0, NASTY, NASTY, False),),
                (Channel(NASTY, NASTY, 9.0, NASTY),),
            ),
            *(None,) * 4,
        ),
    ),
}  # fmt: skip
SIZES = [(118, 12), (60, 22), (78, 15), (44, 5), (20, 3), (5, 2), (0, 0)]


def drawn(name, shown, width, height):
    picture = shown.signal.T
    return {
        "header": lambda: check_panels.header(shown, width),
        "steps": lambda: check_panels.steps(shown, width, height),
        "now": lambda: check_panels.now(shown, width, height, picture, 40.0),
        "result": lambda: check_panels.result(shown, shown.outcomes[0], width, height),
    }[name]()


def said(lines):
    return "\n".join(plain(line) for line in lines)


@pytest.mark.parametrize("name", ["header", "steps", "now", "result"])
@pytest.mark.parametrize("state", SHOWN)
def test_nothing_leaves_its_box(name, state):
    for width, height in SIZES:
        lines = drawn(name, SHOWN[state], width, height)
        assert len(lines) == (1 if name == "header" else height)
        for line in lines:
            assert cell_len(plain(line)) == width
            assert plain(line).isprintable()


@pytest.mark.parametrize("height", [12, 7])
def test_a_failed_step_shows_glyph_word_number_limit_and_remedy(height):
    text = said(check_panels.steps(RUNNING, 118, height))
    assert "✕ 1 Noise floor   failed   7 of 8   limit at least 8" in text
    assert ("Fill gel into the electrodes named." in text) is (height == 12)
    assert "▸ · 2 Blinks        now" in text
    assert "1 of 5" in text


def test_the_number_that_failed_is_shown_not_the_first():
    wrong = replace(STORY, state="failed", measures=(STORY.measures[0], replace(STORY.measures[1], ok=False)))
    text = said(check_panels.steps(replace(READY, outcomes=(None,) * 4 + (wrong,)), 118, 12))
    assert "failed   shifted control top-10 5.0 %" in text


def test_while_a_step_runs_there_is_a_bar_and_the_word_when_it_is_time():
    calm, now = (said(drawn("now", SHOWN[state], 60, 22)) for state in ("running", "blink"))
    assert "4.0 / 10.0 s" in calm
    assert "█" in calm
    assert "B L I N K" in now
    assert "B L I N K" not in calm


def test_only_channels_above_the_eyes_are_drawn_while_blinks_are_looked_for():
    text = said(drawn("now", RUNNING, 60, 22))
    assert "Fp2" in text
    assert "Oz" not in text
    assert "Oz" in said(drawn("now", READY, 60, 22))


def test_a_result_shows_every_number_and_every_channel_the_bad_ones_in_words():
    text = said(check_panels.result(RUNNING, NOISE, 60, 20))
    assert "✕ good channels  7 of 8   at least 8" in text
    assert "→ Fill gel" in text
    assert all(label in text for label in LABELS)
    roles = {role for line in check_panels.result(RUNNING, NOISE, 60, 20) for _, role in line}
    assert {"bad", "good", "warn"} <= roles


def test_where_not_all_channels_fit_the_bad_one_does():
    many = replace(
        NOISE, channels=tuple(Channel(f"E{i}", "1 µV", 0.5, "flat" if i == 250 else "") for i in range(256))
    )
    text = said(check_panels.result(RUNNING, many, 60, 14))
    assert "E250" in text
    assert "E200" not in text


def test_the_storys_shares_are_bars_beside_each_other():
    lines = check_panels.result(SHOWN["over"], STORY, 60, 16)
    bars = [plain(line).count("█") for line in lines if "█" in plain(line)]
    assert len(bars) == 2
    assert bars[0] > 10 * max(1, bars[1]) or bars[0] > 8 * bars[1]


# --- the app


class Sat:
    """A sitting set by hand, which notes what the keys asked for."""

    def __init__(self, shown):
        self.now, self.did, self.ticks = shown, [], 0

    def tick(self):
        self.ticks += 1

    def shown(self):
        return self.now

    def start(self):
        self.did.append("start")

    def skip(self):
        self.did.append("skip")

    def repeat(self):
        self.did.append("repeat")

    def choose(self, steps):
        self.did.append(f"choose {steps}")


def app_of(state):
    sat = Sat(SHOWN[state])
    return CheckApp(sat, clock=lambda: 1.0), sat


async def laid_out(pilot, app):
    """Until the panels have their room."""
    while not app.panels["header"].size.width:
        await pilot.pause()
    app.draw()
    await pilot.pause()


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (200, 50), (58, 18), (20, 8)])
async def test_every_phase_is_drawn_at_every_size(size):
    app, sat = app_of("ready")
    word = {"ready": "READY", "blink": "LISTENING", "over": "DONE", "nasty": "NO STREAM", "bare": "READY"}
    async with app.run_test(size=size) as pilot:
        await laid_out(pilot, app)
        for state, said in word.items():
            sat.now = SHOWN[state]
            app.draw()
            await pilot.pause()
            assert said in app.panels["header"].text
            if size[0] > 58:
                assert "Known story" in app.panels["steps"].text


async def test_every_key_does_what_it_says():
    app, sat = app_of("ready")
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("space", "enter", "s", "r", "up", "down")
        assert sat.did == ["start", "start", "skip", "repeat", "choose -1", "choose 1"]
        await laid_out(pilot, app)
        before = app.limit
        await pilot.press("minus")
        assert app.limit > before
        await pilot.press("plus", "plus")
        assert app.limit < before
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_step_that_ended_shows_its_result_at_once_and_at_80_columns_in_place_of_the_signal():
    app, sat = app_of("running")
    sat.now = replace(RUNNING, outcomes=(None,) * 5)
    async with app.run_test(size=(80, 24)) as pilot:
        await laid_out(pilot, app)
        assert not app.panels["result"].is_on_screen
        sat.now = replace(RUNNING, phase="ready")
        app.draw()
        while not app.panels["result"].size.width:
            await pilot.pause()
        app.draw()
        assert app.panels["result"].is_on_screen
        assert "7 of 8" in app.panels["result"].text


async def test_a_chosen_step_shows_its_own_result():
    app, sat = app_of("over")
    async with app.run_test(size=(120, 36)) as pilot:
        await laid_out(pilot, app)
        assert "Known story" in app.panels["result"].text
        sat.now = replace(sat.now, at=KEYS.index("noise"))
        await pilot.press("up")
        assert "Noise floor" in app.panels["result"].text


async def test_time_ticks_the_sitting():
    app, sat = app_of("ready")
    async with app.run_test(size=(120, 36)) as pilot:
        before = sat.ticks
        app.update()
        await pilot.pause()
        assert sat.ticks > before


async def test_a_last_tick_finds_no_screen_any_more():
    app, sat = app_of("ready")
    async with app.run_test(size=(120, 36)) as pilot:
        await laid_out(pilot, app)
    sat.now = RUNNING
    app.update()


@pytest.mark.parametrize(
    ("phase", "dead"),
    [("ready", ""), ("running", "space up down"), ("working", "space s r up down"), ("over", "space s")],
)
async def test_keys_are_shown_where_they_do_something(phase, dead):
    app, sat = app_of("ready")
    async with app.run_test(size=(120, 36)) as pilot:
        await laid_out(pilot, app)
        sat.now = replace(READY, phase=phase)
        app.draw()
        for key in ("space", "s", "r", "up", "down"):
            sat.did.clear()
            await pilot.press(key)
            assert bool(sat.did) is (key not in dead.split()), key
        bar = app.query_one(KeyBar)
        bar.draw()
        shown = {entry.action for entry in bar.shown}
        assert ("begin" in shown, "skip" in shown) == ("space" not in dead, "s" not in dead.split())
