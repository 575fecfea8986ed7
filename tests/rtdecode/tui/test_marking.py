"""The keys that act on the session: what they ask for, when, and where they are not offered.

Why it matters: a mark that lies half a second off, or a recording ended by a slip of the finger, is found out
when it is too late.
"""

from dataclasses import replace

import pytest
from textual import events
from textual.widgets import Input

from rtdecode.snapshot import Event, Recording
from rtdecode.tui.asking import LabelScreen, LeaveScreen
from rtdecode.tui.events import render as render_events
from rtdecode.tui.header import render as render_header
from rtdecode.tui.lines import plain
from rtdecode.tui.marking import ACTIONS
from tests.rtdecode.tui.bench import SESSION, Bench, screen_text, started


class Fake:
    """A session that takes everything down. clock: its LSL time, set by hand."""

    def __init__(self):
        self.asked, self.clock, self.recording, self.takes = [], 1000.0, False, True
        self.into = "sessions/20260304T050607Z-[EEG]"

    def now(self):
        return self.clock

    def mark(self, text, t):
        self.asked.append(("mark", text, round(t, 1)))
        return self.takes

    def label(self, text):
        self.asked.append(("label", text))
        return self.takes

    def record(self):
        self.recording = self.takes
        self.asked.append(("record",))
        return self.takes

    def stop_recording(self):
        self.recording = False
        self.asked.append(("stop_recording",))
        return self.takes

    def reconnect(self):
        self.asked.append(("reconnect",))
        return self.takes

    def reset_counters(self):
        self.asked.append(("reset_counters",))
        return self.takes

    def drawn(self, ms):
        return self.takes

    def tick(self):
        pass


def acting():
    bench = Bench()
    bench.app.control = Fake()
    return bench, bench.app.control


async def test_a_mark_has_the_time_of_its_key_not_of_its_answer():
    bench, control = acting()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("m")
        assert control.asked == [("mark", "", 1000.0)]
        key = events.Key("m", "m")
        key.time -= 0.7  # it waited so long for the screen
        bench.app.post_message(key)
        await pilot.pause()
        assert control.asked[1:] == [("mark", "", 999.3)]


async def test_a_label_comes_later_the_time_does_not():
    bench, control = acting()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("M")
        assert isinstance(bench.app.screen, LabelScreen)
        control.clock = 1012.0
        await bench.show(pilot, SESSION.at(760.0))
        await pilot.press(*"m [/b] q")
        assert bench.app.screen.query_one(Input).value == "m [/b] q"
        bench.app.screen.draw()
        await pilot.pause()
        assert "pressed 12 s ago" in screen_text(bench.app)
        await pilot.press("enter")
        await pilot.pause()
        assert control.asked == [("mark", "m [/b] q", 1000.0)]
        assert not isinstance(bench.app.screen, LabelScreen)


async def test_enter_right_behind_the_words_loses_none_of_them():
    """As a terminal brings them: words and Enter in one piece."""
    bench, control = acting()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await pilot.press("M")
        for key in (*"block", "enter"):
            bench.app.post_message(events.Key(key, key if len(key) == 1 else "\r"))
        await pilot.pause()
        await pilot.pause()
        assert control.asked == [("mark", "block", 1000.0)]


async def test_escape_makes_no_mark():
    bench, control = acting()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        await pilot.press("M", "x", "escape")
        await pilot.pause()
        assert control.asked == []
        assert not isinstance(bench.app.screen, LabelScreen)


async def test_the_last_mark_is_labelled_from_the_palette():
    bench, control = acting()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        commands = {command.title: command for command in bench.app.get_system_commands(bench.app.screen)}
        commands["Label the last mark"].callback()
        await pilot.pause()
        await pilot.press("a", "enter")
        commands["Reset counters"].callback()
        assert control.asked == [("label", "a"), ("reset_counters",)]
        assert {"Mark", "Label", "Record", "Reconnect"} <= commands.keys()


async def test_recording_is_toggled_and_the_key_says_which_way():
    bench, control = acting()
    async with bench.app.run_test(size=(160, 40)) as pilot:
        await started(pilot, bench)
        assert "r Record " in screen_text(bench.app)
        await pilot.press("r")
        await pilot.pause()
        assert "r Stop recording" in screen_text(bench.app)
        await pilot.press("r")
        await pilot.pause()
        assert control.asked == [("record",), ("stop_recording",)]
        assert "r Record " in screen_text(bench.app)
        control.recording = True  # begun or ended elsewhere
        bench.app._follow()
        await pilot.pause()
        assert "r Stop recording" in screen_text(bench.app)


async def test_reconnecting():
    bench, control = acting()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        await pilot.press("R")
        assert control.asked == [("reconnect",)]


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (50, 16)])
async def test_leaving_asks_only_while_something_is_recorded(size):
    bench, control = acting()
    async with bench.app.run_test(size=size) as pilot:
        await started(pilot, bench)
        control.recording = True
        await bench.show(pilot, replace(SESSION.at(760.0), recording=Recording(38.2)))
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(bench.app.screen, LeaveScreen)
        drawn = screen_text(bench.app)
        assert "Stop recording and leave?" in drawn and "38.2 MB" in drawn
        assert "-[EEG]" in drawn
        await pilot.press("n")
        await pilot.pause()
        assert not isinstance(bench.app.screen, LeaveScreen) and not bench.watcher.stopped
        await pilot.press("q")
        await pilot.press("y")
        await pilot.pause()
    assert bench.watcher.stopped


@pytest.mark.parametrize(("key", "recording"), [("q", False), ("ctrl+c", True)])
async def test_leaving_without_a_question(key, recording):
    bench, control = acting()
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await started(pilot, bench)
        control.recording = recording
        await pilot.press(key)
        await pilot.pause()
    assert bench.watcher.stopped


async def test_without_control_nothing_of_it_is_there():
    bench = Bench()
    async with bench.app.run_test(size=(160, 40)) as pilot:
        await started(pilot, bench)
        assert not any(bench.app.check_action(action, ()) for action in ACTIONS)
        await pilot.press("m", "M", "r", "R")
        assert len(bench.app.screen_stack) == 1
        assert "Mark" not in screen_text(bench.app).splitlines()[-1]
        titles = {command.title for command in bench.app.get_system_commands(bench.app.screen)}
        assert not titles & {"Mark", "Label", "Record", "Reset counters"}
        await pilot.press("q")
    assert bench.watcher.stopped


async def test_a_core_that_takes_nothing_is_said():
    bench, control = acting()
    control.takes = False
    async with bench.app.run_test(size=(120, 36), notifications=True) as pilot:
        await started(pilot, bench)
        await pilot.press("m")
        await pilot.pause()
        assert "takes no requests" in screen_text(bench.app)


async def test_a_mark_stands_in_events_and_on_the_axis():
    bench, _ = acting()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        shown = SESSION.at(759.5)
        mark = Event(758.6, "mark", "7 “[/b]”")
        await bench.show(pilot, replace(shown, events=(mark,), event_count=1))
        assert "12:38.6  ● mark  7 “[/b]”" in bench.said("events")
        assert "● 7 “[/b]”" in bench.said("signals").splitlines()[-2]


def text(lines):
    return "\n".join(map(plain, lines))


@pytest.mark.parametrize("width", [120, 80, 60])
@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (Recording(38.24), "● REC 38.2 MB"),
        (Recording(0.842), "● REC 842 kB"),
        (Recording(1.0, lost=300), "● REC 1.0 MB · 300 lost"),
        (Recording(5.0, silent=True), "✕ REC NO ANSWER"),
        (Recording(failed="disk full"), "✕ REC FAILED: disk full"),
        (Recording(failed="a\x1b[31m" + "b" * 99), "✕ REC FAILED: a�[31mbbb"),
    ],
)
def test_the_header_says_what_becomes_of_the_recording(width, recording, said):
    (line,) = render_header(replace(SESSION.at(759.4), recording=recording), width)
    assert said in plain(line)
    assert sum(len(span) for span, _ in line) == width
    role = next(role for span, role in line if said.split()[0] + " REC" in span)
    assert role == ("bad" if said.startswith("✕") else "accent")
    assert "REC" not in text(render_header(SESSION.at(759.4), width))


def test_marks_have_a_glyph_and_a_word():
    lines = render_events(replace(SESSION.at(759.4), events=(Event(1.0, "mark", "1"),)), 60, 4)
    assert "● mark  1" in text(lines)


async def test_a_recording_that_ends_with_the_screen_is_no_fault():
    bench, control = acting()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
    control.recording = True
    bench.app._follow()  # a last tick: there is no screen any more
