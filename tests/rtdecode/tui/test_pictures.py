"""Eight whole screens, cell by cell with their colours, beside those kept in snapshots/.

Time, session and theme are fixed. RTDECODE_UPDATE_SNAPSHOTS=1 keeps what is drawn now; look at it first.
"""

from dataclasses import replace

import pytest
from textual.widgets import Input

from rtdecode.snapshot import State
from tests.rtdecode.tui import drawn
from tests.rtdecode.tui.bench import SESSION, Bench, started

LIVE = SESSION.at(759.4)
STALE = replace(LIVE, state=State.STALE, state_s=0.84)
LOST = replace(
    SESSION.at(765.0),
    signal=LIVE.signal,
    state=State.LOST,
    state_s=12.0,
    detail="outlet closed; looking again",
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
