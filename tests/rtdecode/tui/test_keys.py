"""Every key of the live screen does what its tooltip says. A key without a test here fails the first test."""

from pathlib import Path

import pytest
from textual.binding import Binding

from rtdecode.tui import keymap, start_keys
from rtdecode.tui.app import LiveApp
from rtdecode.tui.help import HelpScreen
from rtdecode.tui.keybar import Entry, entries, fitting, line, ours
from rtdecode.tui.keys import KEYS, PANELS
from rtdecode.tui.lines import plain
from rtdecode.tui.pick import PickScreen
from rtdecode.tui.replay_keys import REPLAY_KEYS
from rtdecode.tui.review import keys as review_keys
from rtdecode.tui.review import sessions
from rtdecode.tui.several import SeveralApp
from tests.rtdecode.tui import test_modal_keys
from tests.rtdecode.tui.bench import SESSION, Bench, started

HERE = Path(__file__).parent
# keys that are tested in a file of their own: id -> that file, beside this one
ELSEWHERE = dict.fromkeys(("mark", "label", "record", "reconnect"), "test_marking.py")


def live(app):
    return app.panels["signals"].text


async def freeze(bench, pilot):
    await pilot.press("space")
    assert bench.app.frozen and "‖ FROZEN" in bench.said("header")
    await pilot.press("space")
    assert not bench.app.frozen


async def smaller(bench, pilot):
    before = bench.app.lens.limit
    await pilot.press("minus")
    assert bench.app.lens.limit > before
    assert f"±{bench.app.lens.limit:g} µV" in live(bench.app)


async def larger(bench, pilot):
    before = bench.app.lens.limit
    await pilot.press("plus")
    assert bench.app.lens.limit < before
    await pilot.press("minus", "equals_sign")
    assert bench.app.lens.limit < before


async def previous_channels(bench, pilot):
    await pilot.press("full_stop", "full_stop", "comma")
    assert "9–16 of 32" in live(bench.app)


async def next_channels(bench, pilot):
    await pilot.press("full_stop")
    assert "9–16 of 32" in live(bench.app)


async def window(bench, pilot):
    for seconds in (5, 10, 1, 2):
        await pilot.press("t")
        assert f"· {seconds} s " in live(bench.app)


async def filter_(bench, pilot):
    titles = []
    for _ in range(4):
        await pilot.press("f")
        titles.append(live(bench.app).splitlines()[0].split("──")[0])
    assert ["0.5–40 Hz  after" in titles[0], "1–40 Hz" in titles[1], "4–30 Hz" in titles[2]] == [True] * 3
    assert "after" not in titles[3]


async def average(bench, pilot):
    await pilot.press("F")
    assert "CAR  after" in live(bench.app)
    await pilot.press("F")
    assert "CAR" not in live(bench.app)


async def pick(bench, pilot):
    await pilot.press("c")
    await pilot.pause()
    assert isinstance(bench.app.screen, PickScreen)
    await pilot.press("ctrl+n", "o", "1", "space", "enter")
    await pilot.pause()
    assert bench.app.lens.picked == (8,)
    assert "1 ch picked of 32" in live(bench.app)


def panel(name):
    async def toggles(bench, pilot):
        number = str(PANELS.index(name) + 1)
        await pilot.press(number)
        await pilot.pause()
        assert name not in bench.there()
        assert bench.there() > set(PANELS) - {name}
        await pilot.press(number)
        await pilot.pause()
        assert name in bench.there()

    return toggles


async def zoom(bench, pilot):
    await pilot.press("z")
    await pilot.pause()
    assert bench.there() == {"header", "signals"}
    assert "Fp1" in live(bench.app) and "peak" in live(bench.app) and "1 of 32" in live(bench.app)
    await pilot.press("full_stop")
    assert "Fp2" in live(bench.app) and "2 of 32" in live(bench.app)
    await pilot.press("z")
    await pilot.pause()
    assert bench.there() >= set(PANELS)
    assert "1–8 of 32" in live(bench.app)


async def next_panel(bench, pilot):
    await pilot.press("tab")
    assert bench.app.focused is bench.app.panels["signals"]
    await pilot.press("tab", "z")
    await pilot.pause()
    assert bench.there() == {"header", "retrieved"}
    await pilot.press("tab")
    await pilot.pause()
    assert bench.there() == {"header", "health"}


async def previous_panel(bench, pilot):
    await pilot.press("4", "shift+tab")
    assert bench.app.focused is bench.app.panels["events"]
    await pilot.press("shift+tab")
    assert bench.app.focused is bench.app.panels["health"]  # text is off


async def picture(bench, pilot):
    await pilot.press("ctrl+s")
    await pilot.pause()
    (file,) = Path.cwd().glob("rtdecode-*.svg")
    assert "Retrieved" in file.read_text("utf-8")
    (notice,) = bench.app._notifications
    assert file.name in notice.message


async def help_(bench, pilot):
    await pilot.press("tab", "tab", "question_mark")
    await pilot.pause()
    assert isinstance(bench.app.screen, HelpScreen)
    said = bench.app.screen.panel.text
    assert said.index("Which candidate") < said.index("Hold the panels")
    await pilot.press("question_mark")
    assert not isinstance(bench.app.screen, HelpScreen)


async def quit_(bench, pilot):
    await pilot.press("q")
    await pilot.pause()
    assert bench.app._exit
    await pilot.pause()
    bench.app.on_unmount()
    assert bench.watcher.stopped


DOES = {
    "freeze": freeze, "smaller": smaller, "larger": larger, "previous-channels": previous_channels,
    "next-channels": next_channels, "window": window, "filter": filter_, "average": average, "pick": pick,
    **{f"panel-{name}": panel(name) for name in PANELS},
    "zoom": zoom, "next-panel": next_panel, "previous-panel": previous_panel, "picture": picture,
    "help": help_, "quit": quit_,
}  # fmt: skip


def test_every_key_has_an_id_a_tooltip_and_a_test():
    table = [binding for binding in KEYS if isinstance(binding, Binding)]
    assert len(table) == len(KEYS)
    assert all(binding.id and binding.tooltip and binding.description for binding in table)
    untested = {binding.id for binding in table} - set(DOES) - set(ELSEWHERE)
    assert not untested, f"keys without a test: {untested}: add them to DOES or to ELSEWHERE"
    for name, file in ELSEWHERE.items():
        assert f'"{keymap.defaults(KEYS)[name][0]}"' in (HERE / file).read_text("utf-8")


def test_every_key_of_every_other_screen_has_an_id_a_tooltip_and_a_test():
    for table in keymap.screens():
        assert all(key.id and key.tooltip and key.description for key in table if isinstance(key, Binding))
    tested = {*DOES, *ELSEWHERE, *test_modal_keys.DOES, *test_modal_keys.CHECKS}
    for table, file in (
        (REPLAY_KEYS, "test_replaying.py"),
        (SeveralApp.BINDINGS, "test_several.py"),
        (start_keys.KEYS, "test_start.py"),
        (sessions.KEYS, "test_review_keys.py"),
        (review_keys.KEYS, "test_review_keys.py"),
    ):
        text = (HERE / file).read_text("utf-8")
        tested |= {n for n, keys in keymap.defaults(table).items() if any(f'"{key}"' in text for key in keys)}
    untested = {name for table in keymap.screens() for name in keymap.defaults(table)} - tested
    assert not untested, f"keys without a test: {untested}"


@pytest.mark.parametrize("name", DOES)
async def test_the_key_does_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await DOES[name](bench, pilot)


def _works(app, binding):
    name, _, argument = binding.action.partition("(")
    return app.check_action(name, (argument,) if argument else ()) is not False


async def test_every_key_is_a_command_and_a_command_does_it():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        commands = {command.title: command for command in bench.app.get_system_commands(bench.app.screen)}
        works = {b.description for b in KEYS if isinstance(b, Binding) and _works(bench.app, b)}
        assert works | {"Theme"} == set(commands)
        assert "(ctrl+s)" in commands["Picture"].help
        await commands["Freeze"].callback()
        assert bench.app.frozen
        assert "Unfreeze" in {c.title for c in bench.app.get_system_commands(bench.app.screen)}


async def test_remapped_keys_work_and_are_shown(tmp_path, monkeypatch):
    bench = Bench()
    mapped = {"freeze": "f5", "larger": "plus,k", "help": "h", "zoom": "Z"}
    text = "[keys]\n" + "\n".join(f'{name} = "{keys}"' for name, keys in mapped.items())
    bench.app.set_keymap(keymap.parse(text, "keys.toml"))
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("f5")
        assert bench.app.frozen
        await pilot.press("space")
        assert bench.app.frozen
        await pilot.press("f5")
        assert not bench.app.frozen
        before = bench.app.lens.limit
        await pilot.press("k")
        assert bench.app.lens.limit < before
        await pilot.pause()
        bar = bench.app.query_one("#keys").text
        assert "f5 Freeze" in bar and "h Help" in bar and "Z Zoom" in bar
        await pilot.press("h")
        await pilot.pause()
        help_said = bench.app.screen.panel.text
        assert "f5 " in help_said and "+ k" in help_said and "space" not in help_said


async def test_every_panel_can_be_hidden_and_they_all_come_back():
    for size in ((120, 36), (60, 20)):
        bench = Bench()
        async with bench.app.run_test(size=size) as pilot:
            await started(pilot, bench)
            await pilot.press("1", "2", "3", "4", "5")
            await pilot.pause()
            await bench.show(pilot, SESSION.at(760.0))
            assert bench.there() == {"header", "enlarge"}
            assert "1–5 bring them back" in bench.said("enlarge")
            await pilot.press("4")
            await pilot.pause()
            assert "text" in bench.there()
            assert bench.app.panels["text"].size.height == size[1] - 2
            await pilot.press("4", "5")
            await pilot.pause()
            assert bench.app.panels["events"].size.height >= size[1] - 3


def test_the_key_line_gives_way_from_the_right_and_keeps_what_matters():
    found = [Entry("space", "Freeze", "freeze", True), Entry("a", "Aa", "a"), Entry("b", "Bb", "b")]
    found += [Entry("ctrl+p", "Commands", "p"), Entry("?", "Help", "h", True), Entry("q", "Quit", "q", True)]

    def said(width):
        return plain(line(fitting(found, width), width)).strip()

    assert said(80) == "space Freeze  a Aa  b Bb  ctrl+p Commands  ? Help  q Quit"
    assert said(52) == "space Freeze  a Aa  ctrl+p Commands  ? Help  q Quit"
    assert said(30) == "space Freeze  ? Help  q Quit"
    assert said(13) == "space Freeze"
    assert said(0) == ""


async def test_the_key_line_fits():
    bench = Bench()
    async with bench.app.run_test(size=(20, 24)) as pilot:
        for width in (20, 50, 60, 80, 120, 200):
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            bar = bench.app.query_one("#keys")
            bar.draw()
            assert len(bar.text) == width and "…" not in bar.text
            assert bar.text.startswith(" space Freeze")
            if width >= 50:
                assert "? Help" in bar.text and "q Quit" in bar.text
            if width >= 120:
                assert "- + Scale  , . Channels" in bar.text and "1-5 Panels" in bar.text


async def test_a_picture_that_cannot_be_saved_is_said(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr(bench.app, "save_screenshot", refuse)
        await pilot.press("ctrl+s")
        (notice,) = bench.app._notifications
        assert "cannot be written to (Permission denied)" in notice.message


async def test_a_browser_gets_the_picture_as_a_download(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LiveApp, "is_web", True)
    bench, sent = Bench(), []
    async with bench.app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr(bench.app, "deliver_screenshot", sent.append)
        await pilot.press("ctrl+s")
    assert len(sent) == 1 and sent[0].endswith(".svg")
    assert not list(tmp_path.iterdir())


async def test_a_click_on_the_key_line_is_the_key():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        at = bench.app.query_one("#keys").text.index("Freeze")
        await pilot.click("#keys", offset=(at, 0))
        assert bench.app.frozen
        await pilot.click("#keys", offset=(118, 0))


async def test_a_page_without_the_focus_shows_its_keys():
    """A browser's tab that was opened in the background: Textual's own footer stays empty there."""
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        bench.app.app_focus = False
        bench.app.query_one("#keys").show([])
        bench.app.refresh_bindings()
        await started(pilot, bench)
        assert "Freeze" in bench.app.query_one("#keys").text


async def test_what_acts_may_be_taken_away_by_a_subclass():
    class Looking(LiveApp):
        BINDINGS = [Binding("q", "quit", "Leave", id="quit", tooltip="Leave; the session goes on")]  # noqa: RUF012

        def check_action(self, action, parameters):
            return False if action == "picture" else super().check_action(action, parameters)

    bench = Bench()
    bench.app = Looking(bench.watcher, clock=lambda: 0.0)
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        actions = {binding.action for binding in ours(bench.app.screen.active_bindings)}
        assert "picture" not in actions and "quit" in actions
        assert "Picture" not in {c.title for c in bench.app.get_system_commands(bench.app.screen)}
        assert [e.text for e in entries(bench.app, bench.app.screen.active_bindings)][-1] == "Leave"
        await pilot.press("question_mark")
        await pilot.pause()
        said = bench.app.screen.panel.text
        assert "the session goes on" in said and "Stop the decoder" not in said
