"""Every key of what lies over a screen, and of the check: by the key it has, and by one that the user chose.

A key of those tables without an entry in DOES or CHECKS fails test_keys.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key

from rtdecode.errors import ConfigError
from rtdecode.tui import keymap, modal_keys
from rtdecode.tui.asking import LabelScreen, LeaveScreen
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.card_screen import CardScreen
from rtdecode.tui.check_keys import KEYS
from rtdecode.tui.checking import CheckApp
from rtdecode.tui.choose import ChooseScreen
from rtdecode.tui.go import GoScreen
from rtdecode.tui.help import HelpScreen
from rtdecode.tui.keynames import USUAL, usual, written
from rtdecode.tui.listing import Listing
from rtdecode.tui.pick import PickScreen
from rtdecode.tui.review.modals import ExportScreen
from rtdecode.tui.start_keys import KeysScreen
from tests.rtdecode.tui.bench import Bench, screen_text, started
from tests.rtdecode.tui.findings import bundle
from tests.rtdecode.tui.findings import findings as found
from tests.rtdecode.tui.test_checking import SHOWN, Sat
from tests.rtdecode.tui.test_overlays import CHANNELS
from tests.rtdecode.tui.test_start import Bench as StartBench
from tests.rtdecode.tui.test_start import ready

STYLES = Path(keymap.__file__).parent
OPEN = "still open"


class Host(ScreenApp[None]):
    """Something with one screen over it. result: what that returned, OPEN before."""

    CSS_PATH = [STYLES / "app.tcss", STYLES / "start.tcss", STYLES / "review" / "review.tcss"]  # noqa: RUF012
    AUTO_FOCUS = None

    def show(self, over):
        self.over, self.result = over, OPEN
        self.push_screen(over, lambda result: setattr(self, "result", result))


@dataclass
class Does:
    """over: makes the screen;  done: whether the key has done it;  first: brings the screen there"""

    over: Callable[[], Any]
    done: Callable[[Host], bool]
    first: Callable[[Any], None] = lambda over: None


def returns(result):
    return lambda host: host.result == result


def line(first):
    return lambda host: host.over.first == first


def at(first):
    return lambda over: setattr(over, "first", first)


def long_help():
    return HelpScreen([(f"k{k}", "what it does") for k in range(60)], "signals")


def card():
    return CardScreen(bundle())


def choose():
    words = Listing[str](lambda word: word, lambda word: word)
    words.set([f"file {k}" for k in range(40)])
    return ChooseScreen(words, "Files", lambda word, width: ((word, "text"),), (), "takes it")


def row(index):
    return lambda host: host.over.listing.index == index


def on_row(index):
    return lambda over: over.listing.choose(index)


def pick():
    return PickScreen(CHANNELS * 4, (0, 1, 2), "µV")


def chosen(*numbers):
    return lambda host: host.over.choice.chosen == set(numbers)


def cursor(place):
    return lambda host: host.over.choice.at == place


def to(place):
    return lambda over: setattr(over.choice, "at", place)


def written_in(text):
    return lambda over: setattr(over.input, "value", text)


BAD = {2, 4, 6, 7}  # of every eight channels
DOES = {
    "help-close": Does(long_help, returns(None)),
    "help-up": Does(long_help, line(4), at(5)),
    "help-down": Does(long_help, line(1)),
    "help-page-up": Does(long_help, line(2), at(12)),
    "help-page-down": Does(long_help, line(10)),
    "card-close": Does(card, returns(None)),
    "card-up": Does(card, line(4), at(5)),
    "card-down": Does(card, line(1)),
    "card-page-up": Does(card, line(2), at(12)),
    "card-page-down": Does(card, line(10)),
    "choose-take": Does(choose, returns("file 3"), on_row(3)),
    "choose-filter": Does(choose, lambda host: host.over.query_one("#filter").has_focus),
    "choose-up": Does(choose, row(4), on_row(5)),
    "choose-down": Does(choose, row(1)),
    "choose-page-up": Does(choose, row(5), on_row(15)),
    "choose-page-down": Does(choose, row(10)),
    "choose-back": Does(choose, returns(None)),
    "pick-take": Does(pick, returns(((0, 1, 2),))),
    "pick-toggle": Does(pick, chosen(1, 2)),
    "pick-all": Does(pick, chosen(*range(32))),
    "pick-none": Does(pick, chosen()),
    "pick-bad": Does(pick, chosen(*(8 * k + i for k in range(4) for i in BAD))),
    "pick-up": Does(pick, cursor(4), to(5)),
    "pick-down": Does(pick, cursor(1)),
    "pick-page-up": Does(pick, cursor(5), to(15)),
    "pick-page-down": Does(pick, cursor(10)),
    "pick-back": Does(pick, lambda host: host.over.choice.typed == "e", lambda over: over.choice.type("e1")),
    "pick-leave": Does(pick, returns(None)),
    "label-take": Does(lambda: LabelScreen("Mark"), returns("block 2"), written_in(" block 2")),
    "label-close": Does(lambda: LabelScreen("Mark"), returns(None), written_in("x")),
    "go-take": Does(lambda: GoScreen(900.0), returns(90.0), written_in("1:30")),
    "go-close": Does(lambda: GoScreen(900.0), returns(None), written_in("1:30")),
    "leave": Does(lambda: LeaveScreen("sessions/a", ""), returns(True)),
    "stay": Does(lambda: LeaveScreen("sessions/a", ""), returns(False)),
    "export-csv": Does(ExportScreen, returns("csv")),
    "export-textgrid": Does(ExportScreen, returns("textgrid")),
    "export-bids": Does(ExportScreen, returns("bids")),
    "export-close": Does(ExportScreen, returns(None)),
}
MORE = {  # other screens with the same keys
    "help-close": [Does(lambda: KeysScreen([("Enter", "Open")]), returns(None))],
    "help-down": [Does(lambda: KeysScreen([("Enter", "Open")] * 30), line(1))],
}
CHECKS = {
    "check-begin": "start",
    "check-skip": "skip",
    "check-repeat": "repeat",
    "check-previous-step": "choose -1",
    "check-next-step": "choose 1",
    "check-smaller": "",
    "check-larger": "",
    "check-quit": "",
}


def mapped(chosen):
    text = "\n".join(f'{name} = "{key}"' for name, key in chosen.items())
    return keymap.parse(f"[keys]\n{text}", "keys.toml")


async def over(host, pilot, does):
    """The screen over it, brought to where its key has something to do."""
    while len(host.screen_stack) > 1:
        host.pop_screen()
    host.show(does.over())
    await pilot.pause()
    does.first(host.over)
    assert not does.done(host)


def every(table):
    return [(name, does) for name in keymap.defaults(table) for does in (DOES[name], *MORE.get(name, ()))]


@pytest.mark.parametrize("table", modal_keys.TABLES, ids=lambda table: table[0].id)
async def test_each_of_its_keys_does_it(table):
    host = Host()
    async with host.run_test(size=(80, 20)) as pilot:
        for name, does in every(table):
            for key in usual()[name]:
                await over(host, pilot, does)
                await pilot.press(key)
                await pilot.pause()
                assert does.done(host), (name, key)


@pytest.mark.parametrize("table", modal_keys.TABLES, ids=lambda table: table[0].id)
async def test_a_key_that_was_chosen_does_it_and_those_it_had_do_not(table):
    host = Host()
    chosen = {name: f"f{k}" for k, name in enumerate(keymap.defaults(table), 1)}
    host.set_keymap(mapped(chosen))
    async with host.run_test(size=(80, 20)) as pilot:
        for name, does in every(table):
            await over(host, pilot, does)
            await pilot.press(*usual()[name])
            await pilot.pause()
            assert not does.done(host), name
            await pilot.press(chosen[name])
            await pilot.pause()
            assert does.done(host), name


@pytest.mark.parametrize("name", ["label-take", "go-take"])
@pytest.mark.parametrize("again", ["enter", "escape"])
async def test_keys_that_come_at_once_end_it_once(name, again):
    for does in (DOES[name], *MORE.get(name, ())):
        host = Host()
        async with host.run_test(size=(80, 20)) as pilot:
            await over(host, pilot, does)
            for key in ("enter", again):  # both before the field reads any
                host.post_message(Key(key, None))
            await pilot.pause()
            await pilot.pause()
            assert host.result is not OPEN and len(host.screen_stack) == 1


@pytest.mark.parametrize("remapped", [False, True])
async def test_the_keys_of_a_check_do_it(remapped):
    sat = Sat(SHOWN["ready"])
    app = CheckApp(sat, clock=lambda: 1.0)
    chosen = {name: f"f{k}" for k, name in enumerate(CHECKS, 1)}
    if remapped:
        app.set_keymap(mapped(chosen))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.draw()
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert len(titles & {"Begin", "Skip", "Repeat", "Quit", "Theme"}) == 5
        if remapped:
            before = app.limit
            await pilot.press(*(key for keys in keymap.defaults(KEYS).values() for key in keys))
            assert (sat.did, app.limit, app._exit) == ([], before, False)
        for name, asked in CHECKS.items():
            for key in [chosen[name]] if remapped else usual()[name]:
                before = app.limit
                await pilot.press(key)
                if asked:
                    assert sat.did.pop() == asked and not sat.did
                else:
                    larger, smaller = app.limit < before, app.limit > before
                    assert {"check-smaller": smaller, "check-larger": larger}.get(name, app._exit)


# -- what the screens say of their keys --------------------------------------------------------------------


NAMED = [  # screen, id, what it says, and what with another key
    (long_help, "help-close", "? or Esc closes", "f12 closes"),
    (long_help, "help-down", "↑ ↓ ", "↑ f12 "),
    (lambda: KeysScreen([("Enter", "Open")]), "help-close", "? or Esc closes", "f12 closes"),
    (card, "card-close", "b or Esc closes", "f12 closes"),
    (card, "card-up", "  ↑ ↓", "  f12 ↓"),
    (choose, "choose-take", "Enter takes it · / filters · Esc goes back", "f12 takes it"),
    (choose, "choose-filter", "/ filters", "f12 filters"),
    (pick, "pick-bad", "ctrl+b bad", "f12 bad"),
    (lambda: LabelScreen("Mark"), "label-take", "Enter take  Esc leave", "f12 take"),
    (lambda: GoScreen(900.0), "go-close", "Enter go  Esc leave", "Enter go  f12 leave"),
    (lambda: LeaveScreen("a", ""), "leave", "y yes   n no", "f12 yes   n no"),
    (lambda: LeaveScreen("a", ""), "stay", "y yes   n no", "y yes   f12 no"),
    (ExportScreen, "export-bids", "b      BIDS", "f12    BIDS"),
    (ExportScreen, "export-close", "Esc leaves", "f12 leaves"),
]


async def test_screens_name_the_keys_as_they_are_mapped():
    host = Host()
    async with host.run_test(size=(80, 20)) as pilot:
        for make, name, usually, otherwise in NAMED:
            for keys, words in (({}, usually), (mapped({name: "f12"}), otherwise)):
                host.set_keymap(keys)
                host.show(make())
                await pilot.pause()
                await pilot.pause()
                assert words in screen_text(host)
                host.pop_screen()


async def test_other_screens_name_them_too():
    app = CheckApp(Sat(SHOWN["ready"]), clock=lambda: 1.0)
    app.set_keymap(mapped({"check-begin": "f12"}))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.draw()
        assert "f12 begins" in app.panels["now"].text
        app.sitting.now = SHOWN["over"]
        app.draw()
        assert "↑ ↓ looks at a step, r repeats it, q ends" in app.panels["now"].text
    bench = StartBench(found())
    bench.app.set_keymap(mapped({"start-open": "f12"}))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await ready(pilot, bench)
        assert "f12 decodes it live" in bench.said("fit")
        await pilot.press("question_mark")
        await pilot.pause()
        assert "f12 " in bench.app.screen.panel.text and "Enter" not in bench.app.screen.panel.text
    live = Bench()
    live.app.set_keymap(mapped({"panel-signals": "f12"}))
    async with live.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, live)
        await pilot.press("f12", "2", "3", "4", "5")
        await pilot.pause()
        live.app.update(True)
        assert "f12–5 bring them back" in live.said("enlarge")


def test_keys_as_they_are_written():
    said = {
        "question_mark": "?",
        "ctrl+a": "ctrl+a",
        "escape": "Esc",
        "f5": "f5",
        "plus": "+",
        "space": "space",
    }
    assert {key: written(key) for key in said} == said
    assert (USUAL("help-close"), USUAL("help-close", 2)) == ("?", "? or Esc")
    assert {name for table in modal_keys.TABLES for name in keymap.defaults(table)} <= set(usual())


# -- what may be chosen ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('pick-all = "a"', ["'a' to pick-all, where it is typed", "ctrl+a"]),
        ('label-take = "space"', ["'space' to label-take, where it is typed"]),
        ('go-close = "."', ["'full_stop' to go-close, where it is typed"]),
        ('go-close = "G"', ["where it is typed", "ctrl+g"]),
        ('leave = "n"', ["'n' to leave, which stay has"]),
        ('stay = "ctrl+c"', ["which is for copying"]),
        ('export-csv = "b"', ["which export-bids has"]),
        ('check-begin = "s"', ["'s' to check-begin, which check-skip has"]),
        ('check-begn = "b"', ["did you mean check-begin"]),
    ],
)
def test_what_does_not_fit_is_refused(text, said):
    with pytest.raises(ConfigError) as refusal:
        keymap.parse(f"[keys]\n{text}", "keys.toml")
    for words in said:
        assert words in str(refusal.value)


def test_keys_of_what_never_meets_may_be_the_same():
    text = (
        '[keys]\nchoose-take = "t"\nexport-csv = "x"\nexport-bids = "c"\npick-all = "f5"\ncheck-begin = "b"'
    )
    assert len(keymap.parse(text, "x")) == 5


@pytest.mark.parametrize("key", ["tab", "delete", "home", "ctrl+g"])
def test_a_key_that_writes_nothing_may_be_chosen_where_letters_are_typed(key):
    assert keymap.parse(f'[keys]\npick-leave = "{key}"', "x") == {"pick-leave": key}


async def test_what_lies_over_the_live_screen_has_tab_for_itself():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("tab")
        await pilot.pause()
        assert not any(panel.has_focus for panel in bench.app.panels.values())
        assert isinstance(bench.app.screen, PickScreen)
        await pilot.press("escape", "ctrl+p")
        await pilot.pause()
        titles = {command.title for command in bench.app.get_system_commands(bench.app.screen)}
        assert {"Next panel", "Previous panel"} <= titles  # the palette finds it
