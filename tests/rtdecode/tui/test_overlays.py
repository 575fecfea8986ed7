"""What lies over the screen: the help and the list of channels, as text and under a pilot."""

from dataclasses import replace

import pytest

from rtdecode.snapshot import ChannelState
from rtdecode.tui import help, pick
from rtdecode.tui.lines import cell_len, plain
from rtdecode.tui.pick import Choice, PickScreen
from tests.rtdecode.tui.bench import SESSION, Bench, started

KEYS = [("space", "Hold the panels; header, health and events go on"), ("q", "Stop the decoder and leave")]
GLYPHS = "✓✓▁✓▲✓≈·"
CHANNELS = tuple(ChannelState(f"E{i}", glyph, 1.0 + i) for i, glyph in enumerate(GLYPHS))
SIZES = [(98, 30), (76, 20), (60, 18), (40, 10), (20, 4), (5, 2), (0, 0)]


def said(lines):
    return "\n".join(plain(line) for line in lines)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("panel", ["", *help.ABOUT])
def test_the_help_stays_in_its_box_and_scrolls_to_its_end(size, panel):
    width, height = size
    seen = ""
    for first in (0, 7, 500):
        lines = help.render(width, height, KEYS * 9, panel, first)
        assert len(lines) == height
        assert all(cell_len(plain(line)) == width for line in lines)
        seen += said(lines)
    if width >= 60:
        assert "budget, one hop" in seen
        if panel:
            assert panel.capitalize() in seen


def test_the_help_says_what_it_was_given():
    text = said(help.render(76, 30, KEYS, "retrieved"))
    assert text.index("Which candidate the last window resembles") < text.index("Hold the panels")
    assert "ctrl+p" in text and "? or Esc closes" in text


async def test_a_long_help_is_scrolled_by_keys():
    bench = Bench()
    async with bench.app.run_test(size=(60, 20)) as pilot:
        await started(pilot, bench)
        await pilot.press("question_mark")
        await pilot.pause()
        panel = bench.app.screen.panel
        top = panel.text
        await pilot.press("down", "down", "up", "j", "k")
        assert panel.text != top
        await pilot.press("up", "pageup")
        assert panel.text == top
        for _ in range(9):
            await pilot.press("pagedown")
        assert "budget, one hop" in panel.text
        await pilot.resize_terminal(100, 36)
        await pilot.pause()
        assert len(panel.text.splitlines()) == panel.size.height
        await pilot.press("escape")
        assert bench.app.screen is bench.app.screen_stack[0]


def test_a_choice_is_narrowed_toggled_and_taken():
    choice = Choice(CHANNELS, set(range(8)))
    assert choice.result is None
    choice.type("e4")
    assert choice.matching == [4]
    choice.toggle()
    assert choice.result == (0, 1, 2, 3, 5, 6, 7)
    choice.type("", back=1)
    assert len(choice.matching) == 8
    choice.none()
    assert choice.result is None  # none chosen is all: there is nothing to draw otherwise
    choice.move(-5)
    choice.toggle()
    choice.toggle()
    assert choice.result == (0, 1)
    choice.bad()
    assert choice.result == (2, 4, 6, 7)
    choice.all()
    assert choice.result is None


def test_bad_only_changes_nothing_where_all_is_well():
    choice = Choice(CHANNELS[:2], {1})
    choice.bad()
    assert choice.chosen == {1}


def test_nothing_matches():
    choice = Choice(CHANNELS, set())
    choice.type("[zz")
    choice.toggle()
    choice.move(1)
    assert "no channel has '[zz' in its name" in said(pick.render(choice, 70, 10))
    assert choice.chosen == set()


@pytest.mark.parametrize("size", SIZES)
def test_the_list_stays_in_its_box(size):
    nasty = tuple(replace(c, label="a [/b]\x1b[31m日本語" * (i + 1)) for i, c in enumerate(CHANNELS * 8))
    for channels in (CHANNELS, nasty, ()):
        choice = Choice(channels, {1})
        choice.move(40)
        lines = pick.render(choice, *size, "µV")
        assert len(lines) == size[1]
        assert all(cell_len(plain(line)) == size[0] and plain(line).isprintable() for line in lines)


def test_the_cursor_is_always_seen():
    channels = tuple(ChannelState(f"E{i}", "✓", 1.0) for i in range(300))
    choice = Choice(channels, set())
    for steps, name in ((0, "E0"), (150, "E150"), (500, "E299")):
        choice.move(steps)
        assert f"› □ {name} " in said(pick.render(choice, 70, 12))


async def test_every_key_of_the_list():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        await pilot.press("c")
        await pilot.pause()
        screen = bench.app.screen
        assert isinstance(screen, PickScreen)
        await pilot.press("ctrl+n", "down", "down", "up", "space")
        assert screen.choice.chosen == {1}
        await pilot.press("pagedown", "space", "pageup")
        assert screen.choice.chosen == {1, 12}
        await pilot.press("p", "o", "9", "backspace", "ctrl+a")
        assert {"PO9", "PO10"} <= {bench.app.quality[i].label for i in screen.choice.chosen}
        await pilot.press("ctrl+b")
        assert [bench.app.quality[i].label for i in sorted(screen.choice.chosen)] == ["F8", "T8"]
        await pilot.press("q")  # a letter here, not the end of the session
        assert screen.choice.typed == "poq"
        await pilot.press("escape")
        await pilot.pause()
        assert bench.app.lens.picked is None
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("ctrl+b", "enter")
        await pilot.pause()
        assert "2 ch picked of 32" in bench.said("signals")
        await bench.show(pilot, SESSION.at(760.0))
        assert "F8" in bench.said("signals").splitlines()[2] + bench.said("signals").splitlines()[3]


async def test_there_is_nothing_to_choose_before_there_are_channels():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert not isinstance(bench.app.screen, PickScreen)
        (notice,) = bench.app._notifications
        assert "no channels yet" in notice.message
