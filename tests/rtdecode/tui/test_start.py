"""The start screen under a pilot: its lists, every key, the mouse, every size."""

import dataclasses
from pathlib import Path

import pytest
from textual.widgets import Input

from rtdecode.found import Disk, Findings, FoundLog
from rtdecode.tui import start_keys
from rtdecode.tui.choose import ChooseScreen
from rtdecode.tui.keybar import KeyBar
from rtdecode.tui.lines import width_of
from rtdecode.tui.listing import Listing
from rtdecode.tui.start import StartApp
from rtdecode.tui.start_choice import Live, Memory, Replay, Review
from tests.rtdecode.tui.findings import bundle, findings, stream

SIZES = [(80, 24), (58, 18), (200, 50), (20, 8)]


class Bench:
    def __init__(self, found=None, memory=None, notice=""):
        self.found = found or findings()
        self.app = StartApp(lambda: self.found, memory, notice)

    def said(self, name):
        return self.app.panels[name].text

    async def show(self, pilot, found=None):
        self.found = found or self.found
        self.app.update()
        await pilot.pause()


async def ready(pilot, bench):
    await pilot.pause()
    await bench.show(pilot)


# -- lists -----------------------------------------------------------------------------------------------


def test_what_was_chosen_stays_chosen_while_the_list_changes():
    words = Listing[str](lambda w: w, lambda w: w)
    words.set(["b", "c", "d"])
    words.choose(1)
    words.set(["a", "b", "c", "d"])
    assert words.current == "c"
    words.filter("d")
    assert words.current == "d" and words.shown == ("d",)
    words.filter("")
    words.set(["x"])
    assert words.current == "x"
    words.set([])
    assert words.current is None
    words.move(1)


# -- the screen ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_and_every_finding_is_harmless(size):
    odd = stream("[red]x[/]\x1b]0;t\x07", labels=("[b]", "\x1b[2J"), unit="\x07")
    cases = [
        Findings(),
        Findings((), Disk()),
        Findings((), None, "LSL cannot be used: no liblsl"),
        findings(),
        findings(
            [odd, stream("silent", described=False), stream("m", dtype="string")], [bundle(problem="bad")]
        ),
        findings([stream(f"s{k}") for k in range(60)], [bundle(f"b{k}") for k in range(60)]),
    ]
    bench = Bench(Findings())
    async with bench.app.run_test(size=size) as pilot:
        for case in cases:
            bench.found = case
            bench.app.update()
            await pilot.press("down", "tab", "down", "u")
            for name, panel in bench.app.panels.items():
                room = panel.size.width
                assert all(width_of(line) <= max(room, 6) or name == "notice" for line in panel.lines), name
                assert "\x1b" not in panel.text


async def test_streams_bundles_and_their_fit_are_drawn():
    bench = Bench(
        findings([stream("amp"), stream("slow", sfreq=100.0)], [bundle(), bundle("old", "it is damaged")])
    )
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        assert "2 streams · 2 bundles" in bench.said("header")
        rows = bench.said("streams").splitlines()
        assert "✓ fits" in rows[1] and "amp" in rows[1] and "8 ch    128 Hz µV" in rows[1]
        assert "✕ misfit slow" in rows[2]
        assert "✕ broken old" in bench.said("bundles")
        assert "8/8 matched by name ✓; rate 128 Hz ✓; unit µV ✓" in bench.said("fit")
        assert "Enter decodes it live" in bench.said("fit")
        assert "replay a recording…   2 found" in bench.said("or")
        await pilot.press("down")
        assert "✕ does not fit" in bench.said("fit") and "set the amplifier to 128 Hz" in bench.said("fit")
        await pilot.press("tab", "down")
        assert "it is damaged" in bench.said("fit")


async def test_the_first_pair_that_fits_is_chosen_until_the_user_does():
    bench = Bench(findings([stream("a", sfreq=1.0)], [bundle("x", unit="fT"), bundle("y")]))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await bench.show(
            pilot, findings([stream("a", sfreq=1.0), stream("b")], [bundle("x", unit="fT"), bundle("y")])
        )
        assert bench.app.streams.current.info.name == "b" and bench.app.bundles.current.name == "y"
        await pilot.press("up")
        await bench.show(pilot, findings([stream("c"), stream("a", sfreq=1.0), stream("b")], [bundle("y")]))
        assert bench.app.streams.current.info.name == "a"


async def test_enter_on_a_fitting_pair_returns_it():
    bench = Bench(findings([stream("amp", unit="")]))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await pilot.press("enter")
        assert "does not fit tiny: no unit is stated for" in bench.said("notice")
        assert "What to do: look up the amplifier's unit" in bench.said("notice").replace("\n   ", " ")
        await pilot.press("u")
        assert bench.said("notice") == "" and "unit µV as you say ✓" in bench.said("fit")
        await pilot.press("enter")
    choice = bench.app.return_value
    assert isinstance(choice, Live) and choice.stream.info.name == "amp"
    assert (choice.bundle, choice.assume_unit) == (Path("bundles/tiny"), "microvolts")


async def test_units_go_round_and_belong_to_one_stream():
    bench = Bench(findings([stream("a", unit=""), stream("b", unit="")]))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        for unit in ("µV", "mV", "V"):
            await pilot.press("u")
            assert f"unit {unit}" in bench.said("fit")
        await pilot.press("down")
        assert "unit not stated" in bench.said("fit")


async def test_a_bundle_whose_files_are_still_read_says_so():
    unread = dataclasses.replace(bundle(), checked=False)
    blank = dataclasses.replace(unread, path=Path("bundles/x"), spec=None)
    bench = Bench(findings(bundles=[blank, unread]))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        assert "◔ reading" in bench.said("bundles") and "✓ fits" in bench.said("fit")
        await pilot.press("right", "up", "enter")
        assert "is being read" in bench.said("notice")


async def test_arrows_go_from_list_to_list():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        for key, zone in {"right": "bundles", "left": "streams", "l": "bundles", "h": "streams"}.items():
            await pilot.press(key)
            assert bench.app.zone == zone


async def test_every_key_is_in_the_palette():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)):
        titles = {command.title for command in bench.app.get_system_commands(bench.app.screen)}
        assert {"Open", "Filter", "Card", "Unit", "Help", "Quit", "Next", "Theme"} <= titles


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Findings((), Disk()), "Once a stream and a bundle are found"),
        (findings([]), "start the amplifier's LSL software"),
        (findings([stream(described=False)]), "announced but does not answer"),
        (findings(bundles=[]), "No bundle is chosen"),
        (findings(bundles=[bundle(problem="its file is damaged")]), "its file is damaged"),
        (findings([stream(sfreq=9.0)]), "rate is 9 Hz, the bundle needs 128 Hz"),
    ],
)
async def test_enter_on_what_cannot_be_decoded_says_why(found, words):
    bench = Bench(found)
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await pilot.press("enter")
        await pilot.pause()
        assert words in bench.said("notice")
        assert bench.app.is_running


async def test_a_filter_narrows_the_list_in_focus_and_escape_ends_it():
    bench = Bench(findings([stream(name) for name in ("alpha", "beta", "bravo")]))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await pilot.press("slash", "b", "q", "backspace", "r")  # letters that are keys elsewhere
        assert "bravo" in bench.said("streams") and "alpha" not in bench.said("streams")
        assert "/br 1 of 3" in bench.said("streams")
        await pilot.press("x")
        assert "nothing holds “brx”" in bench.said("streams")
        await pilot.press("backspace", "enter")
        assert not bench.app.query_one("#filter", Input).has_class("-shown")
        assert bench.app.streams.current.info.name == "bravo"
        await pilot.press("escape")
        assert "alpha" in bench.said("streams") and bench.app.streams.current.info.name == "bravo"


async def test_the_rest_opens_lists_and_returns_what_was_chosen():
    for press, expected in (
        (("enter", "down", "enter"), Replay(Path("recordings/b.fif"), Path("bundles/tiny"))),
        (("enter", "slash", "a", ".", "enter"), Replay(Path("recordings/a.xdf"), Path("bundles/tiny"))),
        (("down", "enter", "enter"), Review(Path("sessions/one"))),
    ):
        bench = Bench()
        async with bench.app.run_test(size=(120, 36)) as pilot:
            await ready(pilot, bench)
            await pilot.press("shift+tab")
            for key in press:
                await pilot.press(key)
                await pilot.pause()
        assert bench.app.return_value == expected


async def test_a_list_is_left_and_an_empty_one_says_what_to_do():
    bench = Bench(findings(files=(), logs=()))
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, bench)
        await pilot.press("shift+tab", "enter")
        await pilot.pause()
        assert isinstance(bench.app.screen, ChooseScreen)
        assert "no recordings under" in bench.app.screen.panel.text
        await pilot.press("enter", "slash", "x", "escape")
        assert isinstance(bench.app.screen, ChooseScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(bench.app.screen, ChooseScreen)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert "no session logs" in bench.app.screen.panel.text


async def test_a_broken_log_and_a_replay_without_a_bundle_are_refused():
    broken = FoundLog(Path("sessions/bad"), problem="session.json is damaged: it is not JSON")
    found = findings(bundles=[])
    bench = Bench(dataclasses.replace(found, disk=dataclasses.replace(found.disk, logs=(broken,))))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await pilot.press("shift+tab", "enter")
        assert "there is no bundle to decode a recording with" in bench.said("notice")
        await pilot.press("down", "enter")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert "it is not JSON" in bench.said("notice")


async def test_the_card_and_the_help_lie_over_the_screen():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await pilot.press("b")
        await pilot.pause()
        assert "Trained on" in bench.app.screen.panel.text
        await pilot.press("b")
        await pilot.pause()
        await pilot.press("question_mark")
        await pilot.pause()
        assert "The bundle card" in bench.app.screen.panel.text
        await pilot.press("q")
        await pilot.pause()
        assert len(bench.app.screen_stack) == 1
        await pilot.press("q")
    assert bench.app.return_value is None and bench.app.return_code == 0


async def test_mouse_clicks_choose_and_double_clicks_open():
    bench = Bench(findings([stream("a", sfreq=1.0), stream("b", sfreq=2.0), stream("c")]))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        await pilot.click("#streams", offset=(10, 2))
        assert bench.app.streams.current.info.name == "b"
        await pilot.click("#bundles", offset=(10, 9))  # below the last one: only the focus moves
        assert bench.app.zone == "bundles"
        await pilot.click("#or", offset=(10, 2))
        await pilot.pause()
        assert "Sessions" in bench.app.screen.panel.text
        await pilot.press("escape")
        await pilot.pause()
        await pilot.click("#streams", offset=(10, 3), times=2)
    assert isinstance(bench.app.return_value, Live) and bench.app.return_value.stream.info.name == "c"


async def test_what_was_chosen_and_what_went_wrong_come_back():
    memory = Memory()
    found = findings([stream("a"), stream("b")], [bundle("x"), bundle("y")])
    first = Bench(found, memory)
    async with first.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, first)
        await pilot.press("down", "right", "down", "enter")
    again = Bench(found, memory, "the stream 'b' is gone (was it switched off? [b])")
    async with again.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, again)
        assert again.app.streams.current.info.name == "b" and again.app.bundles.current.name == "y"
        assert "✕ the stream 'b' is gone (was it switched off? [b])" in again.said("notice")


async def test_keys_have_ids_and_the_footer_fits_eighty_columns():
    assert len({binding.id for binding in start_keys.KEYS}) == len(start_keys.KEYS)
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, bench)
        assert width_of(bench.app.query_one(KeyBar).lines[0]) <= 80
        picture = bench.app.export_screenshot()
        assert all(word in picture for word in ("Open", "Filter", "Card", "Unit", "Help", "Quit"))
    remapped = Bench()
    remapped.app.set_keymap({"start-card": "z"})
    async with remapped.app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, remapped)
        await pilot.press("z")
        await pilot.pause()
        assert "Trained on" in remapped.app.screen.panel.text
