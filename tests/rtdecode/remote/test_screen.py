"""The watching screen under a pilot: what looks works, what acts is off, what is refused ends it."""

from dataclasses import replace
from typing import Any, cast

from textual.binding import Binding

from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.remote.address import Address
from rtdecode.remote.screen import ACTS, LOOKS, WatchApp
from rtdecode.remote.viewer import Viewer
from rtdecode.snapshot import State
from rtdecode.tui.keys import KEYS
from rtdecode.tui.picture import Session, Still

SESSION = Session()


class Fake(Still):
    where = Address("127.0.0.1", 7700)
    refused: RtdecodeError | None = None


def watch(viewer: Fake) -> WatchApp:
    return WatchApp(cast(Viewer, viewer))


def test_of_every_key_it_is_known_whether_it_acts() -> None:
    actions = {key.action.partition("(")[0] for key in KEYS if isinstance(key, Binding)}
    assert actions <= ACTS | LOOKS
    assert not ACTS & LOOKS


async def test_it_shows_the_session_and_its_keys_look_only() -> None:
    viewer = Fake(replace(SESSION.at(60.0), published=0.0))
    app = watch(viewer)
    app.clock = lambda: 0.0
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.update(True)
        assert "LIVE" in app.panels["header"].text
        await pilot.press("space")
        assert app.frozen
        assert not any(app.check_action(action, ()) for action in ACTS)
        quit_ = app.active_bindings["q"].binding
        assert "session goes on" in quit_.tooltip
        await pilot.press("q")
    assert viewer.stopped


async def test_a_session_that_went_is_said_so_in_the_header() -> None:
    gone = replace(SESSION.at(60.0), state=State.LOST, state_s=3.0, detail="the session ended", published=0.0)
    app = watch(Fake(gone))
    app.clock = lambda: 0.0
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.update(True)
        header: Any = app.panels["header"].text
        assert "LOST" in header and "the session ended" in header


async def test_a_refusal_ends_it() -> None:
    viewer = Fake()
    app = watch(viewer)
    async with app.run_test() as pilot:
        viewer.refused = ConfigError("no")
        app.update()
        await pilot.pause()
    assert app.return_code == 0 and viewer.stopped
