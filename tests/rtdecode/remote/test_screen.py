"""The watching screen under a pilot: what looks works, what acts is off, what is refused ends it."""

from dataclasses import replace
from typing import Any, cast

from textual.binding import Binding

from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.remote.address import Address
from rtdecode.remote.screen import ACTS, LOOKS, WatchApp, WatchSeveralApp, names
from rtdecode.remote.viewer import Viewer
from rtdecode.snapshot import Snapshot, State
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


def two(first: Fake, second: Fake) -> WatchSeveralApp:
    app = WatchSeveralApp([cast(Viewer, first), cast(Viewer, second)])
    app.clock = lambda: 0.0
    return app


def of(name: str, bundle: str = "lpp", state: State = State.LIVE) -> Snapshot:
    picture = replace(SESSION.at(60.0), published=0.0, state=state)
    assert picture.stream and picture.bundle
    stream, card = replace(picture.stream, name=name), replace(picture.bundle, name=bundle)
    return replace(picture, stream=stream, bundle=card)


async def test_of_several_one_is_shown_and_all_are_told_of() -> None:
    app = two(Fake(of("LEFT")), Fake(of("RIGHT", state=State.LOST)))
    async with app.run_test(size=(120, 36)) as pilot:
        app.update(True)
        await pilot.pause()
        assert "▸1 ● LEFT" in app.strip.text and "2 ✕ RIGHT LOST" in app.strip.text
        assert "LIVE" in app.panels["header"].text
        await pilot.press("n")
        assert "1 ● LEFT" in app.strip.text and "▸2 ✕ RIGHT" in app.strip.text
        assert "LOST" in app.panels["header"].text
        assert not any(app.check_action(action, ()) for action in ACTS)
        await pilot.press("N", "q")
        assert app.watcher is app.shown[0].watcher
    assert app.return_code == 0


async def test_one_that_will_never_be_seen_says_why_and_the_other_goes_on() -> None:
    first, second = Fake(of("LEFT")), Fake()
    app = two(first, second)
    async with app.run_test(size=(120, 36)) as pilot:
        second.refused = ConfigError("the token is not the one", hint="set it")
        app.update(True)
        await pilot.pause()
        assert "2 ✕ 127.0.0.1:7700 ENDED" in app.strip.text
        await pilot.press("n")
        assert "the token is not the one" in app.panels["header"].text
        first.refused = second.refused
        app.update()
        await pilot.pause()
    assert app.return_code == 0


def test_they_are_named_by_what_differs() -> None:
    assert names([of("LEFT"), of("RIGHT")]) == ["LEFT", "RIGHT"]
    assert names([of("EEG", "english"), of("EEG", "dutch")]) == ["english", "dutch"]
    assert names([of("A", "x"), of("B", "y"), None]) == ["A · x", "B · y", ""]
    assert names([None, of("B")]) == ["", "B"]
    assert names([of("EEG"), of("EEG"), of("B")]) == ["", "", "B"], "two machines: their addresses do"
