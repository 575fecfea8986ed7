"""The start screen under a pilot: lists, the fit channel by channel, every key, the mouse, every size."""

import dataclasses
from pathlib import Path

import pytest
from textual.widgets import Input

from rtdecode.contract import Contract
from rtdecode.found import Disk, Findings, FoundBundle, FoundLog, FoundRecording, FoundStream
from rtdecode.tui import fit as fits
from rtdecode.tui import start_keys
from rtdecode.tui.choose import ChooseScreen
from rtdecode.tui.keybar import KeyBar
from rtdecode.tui.lines import plain, width_of
from rtdecode.tui.listing import Listing
from rtdecode.tui.start import StartApp
from rtdecode.tui.start_choice import Live, Memory, Replay, Review
from rtdecode.types import StreamInfo
from tests.bundles import LABELS, bundle_spec

SIZES = [(80, 24), (58, 18), (200, 50), (20, 8)]
CONTRACT = Contract(("Fz", "Cz", "T7", "T8"), "microvolts", 250.0)


def stream(name="EEG", labels=LABELS, unit="uV", sfreq=128.0, described=True, **more):
    info = StreamInfo(
        name, "EEG", labels, (unit,) * len(labels), sfreq, f"id-{name}", f"uid-{name}", "lab", **more
    )
    return FoundStream(info, described)


def bundle(name="tiny", problem="", **stream_changes):
    spec = bundle_spec()
    spec = dataclasses.replace(spec, name=name, stream=dataclasses.replace(spec.stream, **stream_changes))
    return FoundBundle(Path("bundles") / name, spec, problem, candidates=30)


def findings(streams=None, bundles=None, files=("a.xdf", "b.fif"), logs=("one", "two")):
    recordings = tuple(FoundRecording(Path("recordings") / name, "XDF", 3_000_000) for name in files)
    found_logs = tuple(
        FoundLog(Path("sessions") / name, "2026-01-02T03:04:05", "tiny", 1000) for name in logs
    )
    return Findings(
        (stream(),) if streams is None else tuple(streams),
        Disk((bundle(),) if bundles is None else tuple(bundles), recordings, found_logs),
    )


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


# -- the fit ---------------------------------------------------------------------------------------------


def compare(labels=CONTRACT.labels, unit="uV", sfreq=250.0, assume="", **more):
    return fits.compare(CONTRACT, stream(labels=labels, unit=unit, sfreq=sfreq, **more).info, assume)


def said(fit):
    return plain(fits.summary(fit))


def test_a_fit_says_so_channel_by_channel():
    fit = compare(("X", "T8", "Cz", "Fz", "T7"))
    assert fit.good and fit.remedies == ()
    assert said(fit) == "4/4 matched by name ✓; rate 250 Hz ✓; unit µV ✓; 1 not needed"
    assert plain(fits.grid(fit, 60, 2)[0]).split() == ["✓", "Fz", "✓", "Cz", "✓", "T7", "✓", "T8"]


def test_missing_channels_another_rate_and_no_unit_name_their_remedies():
    fit = compare(("Fz", "EEG T7-REF"), unit="", sfreq=500.0)
    assert not fit.good
    assert said(fit) == (
        "1/4 matched by name ✕; missing Cz T7 T8; rate 500 Hz, needs 250 ✕; unit not stated ✕; 1 not needed"
    )
    remedies = " ".join(fit.remedies)
    assert "set the amplifier to 250 Hz, or take a bundle trained at 500 Hz" in remedies
    assert "rename in the sender: EEG T7-REF to T7" in remedies
    assert "let the sender send Cz T8 too" in remedies and "--assume-unit" in remedies
    states = dict(zip(fit.needed, fit.states, strict=True))
    assert states == {"Fz": "unit", "Cz": "missing", "T7": "missing", "T8": "missing"}


def test_a_unit_is_converted_assumed_or_refused():
    assert said(compare(unit="volts")).endswith("unit V, converted to µV ✓")
    assert compare(unit="", assume="microvolts").good
    assert "unit µV as you say ✓" in said(compare(unit="", assume="microvolts"))
    tesla = compare(unit="fT")
    assert not tesla.good and "let the sender send µV, or take a bundle for fT" in tesla.remedies
    assert fits.assumable(CONTRACT)[0] == "microvolts" and "volts" in fits.assumable(CONTRACT)
    assert fits.assumable(dataclasses.replace(CONTRACT, unit="fT"))[0] == "femtotesla"
    assert fits.assumable(dataclasses.replace(CONTRACT, unit="counts")) == ("counts",)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"labels": ("", "", "", "")}, "name its channels"),
        ({"labels": ("Fz", "Fz", "Cz", "T7", "T8")}, "a name of its own"),
        ({"dtype": "string"}, "choose a stream of samples"),
        ({"labels": ()}, "choose a stream with channels"),
        ({"sfreq": 0.0}, "set the amplifier to 250 Hz:"),
    ],
)
def test_every_refusal_has_a_remedy(changes, remedy):
    fit = compare(**changes)
    assert not fit.good and any(remedy in words for words in fit.remedies)


def test_the_verdict_is_the_contracts_own():
    for labels in (CONTRACT.labels, ("Fz",), ("", ""), ("Fz", "Cz", "T7", "t8")):
        for unit in ("uV", "", "fT"):
            for sfreq in (250.0, 100.0):
                info = stream(labels=labels, unit=unit, sfreq=sfreq).info
                assert fits.compare(CONTRACT, info).good == (not CONTRACT.problems(info))


def test_too_many_channels_show_what_is_wrong_first():
    labels = tuple(f"MEG{k:04d}" for k in range(306))
    contract = dataclasses.replace(CONTRACT, labels=labels)
    fit = fits.compare(contract, stream(labels=labels[:-1], sfreq=250.0).info)
    rows = fits.grid(fit, 80, 3)
    assert len(rows) == 3 and plain(rows[0]).startswith("✕ MEG0305")
    assert "more" in plain(rows[-1]) and all(width_of(row) <= 80 for row in rows)


@pytest.mark.parametrize("size", [(120, 12), (78, 9), (40, 6), (20, 4), (20, 2), (8, 1)])
def test_the_fit_panel_keeps_its_size(size):
    for fit in (compare(), compare(("Fz",), unit="", sfreq=1.0), None):
        lines = fits.render(fit, ("a\x1b[2Jb", "[b]c"), ("why not",), *size)
        assert len(lines) == size[1]
        assert "\x1b" not in "".join(map(plain, lines))


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
