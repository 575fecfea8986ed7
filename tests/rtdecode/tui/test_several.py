"""The screen for several decoders: a strip of all, one shown, nothing of the other left on it."""

from dataclasses import replace

import pytest

from rtdecode.snapshot import State
from rtdecode.tui.asking import LeaveScreen
from rtdecode.tui.lines import plain, width_of
from rtdecode.tui.picture import Session, Still
from rtdecode.tui.several import Seat, SeveralApp, Shown, seat, strip

SESSION = Session()


class Core(Still):
    """A watcher whose picture and end are set by hand."""

    why = ""


def bench(*pictures):
    cores = [Core(picture) for picture in pictures]
    return cores, SeveralApp(
        [Shown(f"EEG-{k}", core) for k, core in enumerate(cores, 1)],
        clock=lambda: SESSION.at(759.4).published,
    )


def test_the_strip_tells_each_state_and_what_leads_it() -> None:
    live = SESSION.at(759.4)
    seats = [
        seat("A", live, 0.1, ""),
        seat("B", replace(live, state=State.LOST), 0.1, ""),
        seat("C", live, 9.0, ""),
        seat("D", None, 0.0, ""),
        seat("E", live, 0.1, "it fell over"),
    ]
    assert [s.word for s in seats] == ["LIVE", "LOST", "CORE NOT ANSWERING", "STARTING", "ENDED"]
    assert seats[0].leads and not seats[1].leads and not seats[2].leads  # what is old leads nothing
    (line,) = strip(seats, 1, 200)
    text = plain(line)
    assert "▸2 ✕ B LOST" in text and "1 ● A" in text and seats[0].leads[:10] in text and "E ENDED" in text


@pytest.mark.parametrize("width", [20, 58, 80, 120])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_strip_is_one_line_with_the_shown_one_in_it(width: int, count: int) -> None:
    seats = [Seat(f"amplifier [{k}]\x1b", "●", "LIVE", "good", "said [b] 0.62") for k in range(count)]
    for chosen in {0, count - 1}:
        (line,) = strip(seats, chosen, width)
        assert width_of(line) == width
        assert f"▸{chosen + 1} ●" in plain(line) and "\x1b" not in plain(line)


async def test_n_shows_the_next_and_nothing_of_the_one_before() -> None:
    cores, app = bench(SESSION.at(759.4), None)
    async with app.run_test(size=(120, 36)) as pilot:
        app.update(True)
        await pilot.press("plus")
        scale = app.lens.limit
        assert "LIVE" in app.panels["header"].text and app.panels["text"].text.strip()
        assert "▸1 ● EEG-1" in app.strip.text and "2 ○ EEG-2 STARTING" in app.strip.text
        await pilot.press("n")
        assert app.watcher is cores[1] and app.lens.limit != scale
        assert "LIVE" not in app.panels["header"].text and not app.panels["text"].text.strip()
        assert "▸2 ○ EEG-2" in app.strip.text and "1 ● EEG-1" in app.strip.text
        await pilot.press("N")
        assert app.watcher is cores[0] and app.lens.limit == scale
        assert "LIVE" in app.panels["header"].text and app.panels["text"].text.strip()


async def test_one_that_ended_says_why_and_the_other_is_live() -> None:
    cores, app = bench(SESSION.at(759.4), SESSION.at(759.4))
    async with app.run_test(size=(80, 24)) as pilot:
        cores[1].why = "the decoder stopped: exit code [-9]"
        app.update(True)
        await pilot.pause()
        assert "2 ✕ EEG-2 ENDED" in app.strip.text and "LIVE" in app.panels["header"].text
        await pilot.press("n")
        assert "ENDED  the decoder stopped: exit code [-9]" in app.panels["header"].text


class Acts:
    """A control that records when told so."""

    into, recording, ticks = "sessions/x", False, 0

    def __init__(self):
        self.marks = []

    def now(self) -> float:
        return 0.0

    def mark(self, text, t) -> bool:
        self.marks.append(text)
        return True

    def tick(self) -> None:
        self.ticks += 1


async def test_keys_act_on_the_one_that_is_shown_and_quitting_asks_for_any_that_is_recorded() -> None:
    cores, _ = bench(SESSION.at(759.4), SESSION.at(759.4))
    acts = [Acts(), Acts()]
    shown = [Shown(f"EEG-{k}", core, act) for k, (core, act) in enumerate(zip(cores, acts, strict=True), 1)]
    app = SeveralApp(shown, clock=lambda: SESSION.at(759.4).published)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("n")
        app.action_mark()
        assert (acts[0].marks, acts[1].marks) == ([], [""])
        app._follow()
        assert acts[0].ticks and acts[1].ticks
        await pilot.press("n")
        acts[1].recording = True
        await pilot.press("q")
        await pilot.pause()
        assert app.is_running and app.chosen == 1 and isinstance(app.screen, LeaveScreen)
