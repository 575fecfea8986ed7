"""The replay bar as text, and the keys of a replay under a pilot."""

from dataclasses import replace

import pytest
from textual.binding import Binding

from rtdecode.score import TopK
from rtdecode.snapshot import State
from rtdecode.tracking import Figures
from rtdecode.tui.bar import NO_TRUTH, Landmarks, Play, bar, track
from rtdecode.tui.go import GoScreen, seconds_of
from rtdecode.tui.keys import KEYS
from rtdecode.tui.lines import plain, width_of
from rtdecode.tui.picture import Session, Still
from rtdecode.tui.replay_keys import REPLAY_KEYS
from rtdecode.tui.replaying import SPEEDS, ReplayApp, next_speed, state
from tests.rtdecode.tui.bench import screen_text

SESSION = Session()
PLAY = Play(at_s=192.44, length_s=2467.0, speed=2.0)
LANDMARKS = Landmarks(marks=(1200.0,), sentences=(600.0, 1800.0, 1850.0))
FIGURES = Figures(12.0, TopK(345, 0.62, 0.91, 50), 0.31, 0.82, 400, "draw me a sheep", True, 1, 10)
SIZES = [(120, 36), (80, 24), (58, 18), (200, 50), (20, 8)]


def drawn(play=PLAY, figures=FIGURES, width=120, height=2, landmarks=LANDMARKS):
    return [plain(line) for line in bar(play, landmarks, figures, width, height)]


# -- the bar as text ---------------------------------------------------------------------------------------


def test_the_bar_as_it_is_drawn():
    first, second = drawn()
    assert first.startswith(" ▶ 03:12.4 ├━")
    assert "┤ 41:07  ×2   loop off   heard “draw me a sheep” · rank 1" in first
    assert second.split("   ")[1:5] == [
        "top-1 .62 (chance .02)",
        "top-10 .91 (chance .20)",
        "CER .31 (chance .82)",
        "n 345 since 00:12",
    ]


def test_places_on_the_track():
    cells = plain(track(Play(0.0, 100.0), Landmarks((50.0, 99.99), (0.0, 25.0, 50.0)), 102))
    assert cells == "├●" + "─" * 24 + "┊" + "─" * 24 + "◆" + "─" * 48 + "◆┤"
    assert plain(track(Play(100.0, 100.0), Landmarks(), 12)) == "├" + "━" * 9 + "●┤"
    assert plain(track(Play(), Landmarks(), 12)) == "├●" + "─" * 9 + "┤"


@pytest.mark.parametrize("width", [1, 20, 40, 60, 79, 80, 109, 110, 120, 160, 200])
@pytest.mark.parametrize("height", [1, 2, 3])
def test_every_line_has_its_width(width, height):
    for figures in (None, Figures(), FIGURES, replace(FIGURES, heard="[b]" + "an owl 貓 " * 40)):
        for play in (PLAY, Play(), replace(PLAY, broken="it ended [here]")):
            lines = bar(play, LANDMARKS, figures, width, height)
            assert len(lines) == height
            assert {width_of(line) for line in lines} == {width}


def test_what_is_heard_moves_nothing():
    before = drawn()[0].index("┤")
    for figures in (
        replace(FIGURES, heard="x"),
        replace(FIGURES, heard="word " * 30),
        replace(FIGURES, heard=""),
    ):
        assert drawn(figures=figures)[0].index("┤") == before


def test_a_long_sentence_gives_way_and_its_rank_does_not():
    first = drawn(figures=replace(FIGURES, heard="a very long sentence " * 5, rank=None))[0]
    assert "…” · rank >10" in first


def test_every_score_stands_beside_its_chance_at_80_columns():
    second = drawn(width=80)[1]
    assert "top-1 .62 (.02)  top-10 .91 (.20)  CER .31 (.82)  n 345" in second
    assert "rank 1" in second


def test_what_is_not_known_is_said():
    assert NO_TRUTH in drawn(figures=None)[0]
    assert "no truth" in drawn(figures=None, width=80)[1]
    assert "heard silence" in drawn(figures=replace(FIGURES, heard="", known=False))[0]
    assert "not in the bank" in drawn(figures=replace(FIGURES, known=False, rank=None))[0]
    assert "no score yet" in drawn(figures=Figures(since_s=62.0))[1]
    assert "since 01:02" in drawn(figures=Figures(since_s=62.0))[1]


def test_the_state_of_a_replay():
    said = [
        plain(state(play))
        for play in (PLAY, replace(PLAY, speed=1.0), replace(PLAY, paused=True), replace(PLAY, ended=True))
    ]
    assert said == [
        " ▶ REPLAY ×2  03:12 / 41:07",
        " ▶ REPLAY  03:12 / 41:07",
        " ‖ REPLAY PAUSED ×2  03:12 / 41:07",
        " ■ REPLAY ENDED ×2  03:12 / 41:07",
    ]
    assert "REPLAY BROKE" in plain(state(replace(PLAY, broken="gone")))
    assert "it ended" in drawn(play=replace(PLAY, broken="it ended"))[0]


# -- small rules -------------------------------------------------------------------------------------------


def test_the_next_mark_or_sentence():
    assert [LANDMARKS.beside(t, 1) for t in (0.0, 600.0, 1300.0, 1850.0)] == [600.0, 1200.0, 1800.0, None]
    assert [LANDMARKS.beside(t, -1) for t in (2000.0, 1850.3, 601.0, 600.5)] == [1850.0, 1800.0, 600.0, None]


def test_speeds_step_and_stay_at_the_ends():
    up = [1.0]
    while next_speed(up[-1], 1) != up[-1]:
        up.append(next_speed(up[-1], 1))
    assert tuple(up) == SPEEDS[2:]
    assert next_speed(0.25, -1) == 0.25
    assert next_speed(3.0, 1) == 4.0 and next_speed(3.0, -1) == 2.0


def test_times_as_people_write_them():
    times = {"62.5": 62.5, "1:02.5": 62.5, "01:00:00": 3600.0, "0:07,5": 7.5, "0": 0.0, " 5 ": 5.0}
    for text, seconds in times.items():
        assert seconds_of(text) == seconds
    for text in ("", ":", "1:60", "1:2:3:4", "1.5:00", "a", "-1", "1e3", "٣", "1..2", "1:"):
        assert seconds_of(text) is None, text


def test_no_key_is_given_twice():
    owners: dict[str, set[str]] = {}
    for binding in (*KEYS, *REPLAY_KEYS):
        assert isinstance(binding, Binding) and binding.id and binding.tooltip
        for key in binding.key.split(","):
            owners.setdefault(key, set()).add(binding.id)
    assert {key: ids for key, ids in owners.items() if len(ids) > 1} == {}


# -- under a pilot -----------------------------------------------------------------------------------------


class Player:
    """Plays nothing and does at once what it is told."""

    def __init__(self, figures=FIGURES):
        self.landmarks, self.now, self.truth = LANDMARKS, PLAY, figures
        self.told, self.asked, self.anchors = [], [], {}

    def play(self):
        return self.now

    def second_of(self, stream, t):
        return t - self.anchors[stream] if stream in self.anchors else None

    def figures(self, fresh):
        self.asked.append(fresh)
        return self.truth

    def tell(self, do, **values):
        self.told.append((do, values))
        if do in ("pause", "loop", "speed"):
            self.now = replace(self.now, **{{"pause": "paused"}.get(do, do): values["to"]})


class Bench:
    def __init__(self, figures=FIGURES):
        self.watcher, self.player, self.now = Still(SESSION.at(759.4)), Player(figures), 0.0
        self.app = ReplayApp(self.watcher, self.player, clock=lambda: self.now)

    async def show(self, pilot, now=None, **changes):
        self.now = self.now if now is None else now
        self.watcher.snapshot = replace(SESSION.at(759.4, published=self.now), **changes)
        self.app.update(True)
        await pilot.pause()

    def said(self, name):
        return self.app.panels[name].text


@pytest.mark.parametrize("size", SIZES)
async def test_the_bar_is_on_the_screen_at_every_size(size):
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        await bench.show(pilot)
        assert bench.said("header").startswith(" ▶ REPLAY"[: size[0]])
        panel = bench.app.panels["bar"]
        assert panel.is_on_screen and panel.region.y == 1
        assert bench.said("bar").startswith(" ▶ 03:12.4")
        assert panel.size.height == (2 if size[0] >= 60 and size[1] >= 20 else 1)


async def test_nobody_says_of_a_recording_that_it_is_live():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await bench.show(pilot)
        assert "▶ REPLAY ×2  03:12 / 41:07" in bench.said("header")
        assert "LIVE" not in bench.said("header")
        for there in State:
            await bench.show(pilot, state=there, detail="why")
            assert (there.value.upper() in bench.said("header")) == (there is not State.LIVE)


async def test_a_silence_of_our_own_is_no_loss():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        bench.player.now = replace(PLAY, paused=True)
        await bench.show(pilot, state=State.LOST, state_s=5.0)
        assert "‖ REPLAY PAUSED ×2  03:12 / 41:07" in bench.said("header")
        assert "LOST" not in bench.said("header")
        bench.player.now = replace(PLAY, waiting=True)
        await bench.show(pilot, state=State.LOST, state_s=0.4)
        assert "○ moving" in bench.said("header") and "LOST" not in bench.said("header")
        bench.player.now = PLAY
        await bench.show(pilot, state=State.LOST, state_s=9.0)
        assert "✕ LOST" in bench.said("header")


async def test_what_the_signal_is_stays_in_the_header():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        card = replace(SESSION.at(759.4).bundle, times_real=100.0)
        await bench.show(pilot, bundle=card)
        assert bench.said("header").rstrip().endswith("simulated · 100 x real EEG")


async def test_every_key_says_what_it_should():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await bench.show(pilot)
        for key, told in (
            ("left", ("seek", {"by": -1})),
            ("right", ("seek", {"by": 1})),
            ("shift+left", ("seek", {"by": -10})),
            ("shift+right", ("seek", {"by": 10})),
            ("right_square_bracket", ("seek", {"to": 600.0})),
            ("left_square_bracket", ("seek", {"to": 0.0})),
            ("greater_than_sign", ("speed", {"to": 4.0})),
            ("less_than_sign", ("speed", {"to": 2.0})),
            ("l", ("loop", {"to": True})),
            ("l", ("loop", {"to": False})),
            ("p", ("pause", {"to": True})),
            ("p", ("pause", {"to": False})),
        ):
            await pilot.press(key)
            assert bench.player.told[-1] == told, key
        assert len(bench.player.told) == 12
        assert "p Pause" in bench.app.query_one("#keys").text


async def test_keys_of_the_live_screen_still_work():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await bench.show(pilot)
        await pilot.press("space")
        assert bench.app.frozen and "FROZEN" in bench.said("header")
        bench.player.now = replace(PLAY, at_s=300.0)
        await bench.show(pilot)
        assert "05:00.0" in bench.said("bar")  # the bar tells the truth while the panels hold
        await pilot.press("space", "question_mark")
        await pilot.pause()
        assert "To the next mark or sentence" in bench.app.screen.panel.text


async def test_going_to_a_time():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await bench.show(pilot)
        await pilot.press("g", *"9:xx99:9", "enter")
        assert isinstance(bench.app.screen, GoScreen)
        assert "9:99:9 is no time" in bench.app.screen.panel.text
        assert "│ 9:99:9  " in screen_text(bench.app)  # inside of its frame
        await pilot.press("ctrl+u", *"59:00", "enter")
        assert "59:00 is beyond the end, 41:07" in bench.app.screen.panel.text
        assert bench.player.told == []
        await pilot.press("ctrl+u", *"12:30.5", "enter")
        assert not isinstance(bench.app.screen, GoScreen)
        assert bench.player.told == [("seek", {"to": 750.5})]
        await pilot.press("g", "5", "escape")
        assert not isinstance(bench.app.screen, GoScreen)
        assert len(bench.player.told) == 1


async def test_a_click_on_the_track_goes_there():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await bench.show(pilot)
        first = bench.said("bar").splitlines()[0]
        await pilot.click("#bar", offset=(first.index("◆"), 0))
        assert bench.player.told == [("seek", {"to": 1200.0})]
        await pilot.click("#bar", offset=(first.index("├") + 1, 0))
        assert bench.player.told[-1] == ("seek", {"to": 0.0})
        for x, y in ((first.index("├"), 0), (first.index("┤"), 0), (first.index("heard"), 0), (30, 1)):
            await pilot.click("#bar", offset=(x, y))
        assert len(bench.player.told) == 2


async def test_error_rates_are_counted_once_a_second_and_of_long_texts_more_rarely():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        bench.player.asked.clear()
        await bench.show(pilot, now=10.0)
        await bench.show(pilot, now=10.5)
        await bench.show(pilot, now=11.5)
        assert [fresh for fresh in bench.player.asked if fresh] == [True, True]
        bench.player.truth = replace(FIGURES, characters=20000)
        await bench.show(pilot, now=12.6)
        bench.player.asked.clear()
        await bench.show(pilot, now=27.0)
        assert True not in bench.player.asked
        await bench.show(pilot, now=29.0)
        assert True in bench.player.asked


async def test_without_truth_and_with_hostile_words():
    bench = Bench(figures=None)
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await bench.show(pilot)
        assert NO_TRUTH in bench.said("bar")
        bench.player.truth = replace(FIGURES, heard="[/b] \x1b[31m [laughs]")
        await bench.show(pilot)
        assert "[/b] �[31m [laughs]" in bench.said("bar")


async def test_a_pause_while_the_screen_ends_is_no_fault():
    bench = Bench()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await bench.show(pilot)
    bench.player.now = replace(PLAY, paused=True)
    bench.app.update()
