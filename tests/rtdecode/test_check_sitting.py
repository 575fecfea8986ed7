"""A sitting: who tells what was heard, the steps in their order, what is written.

Why it matters: a sitting must go on when the stream does not, and must never place a story where it was not.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.checks.decode import story as decode_story
from rtdecode.checks.heard import Replayed, Table, find, on_stream
from rtdecode.checks.result import KEYS, PLANS, Measure, Outcome, exit_code, skipped, summary, text_lines
from rtdecode.checks.sitting import Sitting
from rtdecode.checks.stretch import Stretch, nothing
from rtdecode.checks.write import lines, prepare, report, write
from rtdecode.errors import RecordingError
from rtdecode.recordings import Marker
from rtdecode.score import Heard
from rtdecode.tui.checking import WHEN
from tests.bundles import LABELS, SFREQ, make_bundle, planted
from tests.check_signals import FRONTAL, LOOP, calm, measure, spoken, trained

# --- who tells what was heard


def test_the_replayed_recording_is_found_by_its_samples_also_in_a_loop():
    data = planted(8.0)
    teller = Replayed(Path("story.xdf"), spoken(data))
    twice = np.concatenate([data, data])[500 : 500 + 900]
    stamps = 77.0 + np.arange(len(twice)) / SFREQ
    info = dataclasses.replace(spoken(data).info, labels=LABELS[::-1])
    events = teller.tell(Stretch(twice[:, ::-1], stamps, stamps), info)
    starts = [e.start for e in events if e.text == "one"]
    # sample 500 is at 77 s: the recording began 500 / 128 s earlier, and again 8 s later
    assert min(abs(s - (77.0 - 500 / SFREQ + 0.5)) for s in starts) < 1e-6
    assert min(abs(s - (77.0 - 500 / SFREQ + 8.5)) for s in starts) < 1e-6


def test_another_stream_is_no_replay_of_it():
    teller = Replayed(Path("story.xdf"), spoken(planted(8.0)))
    other = planted(8.0, seed=1)
    with pytest.raises(RecordingError, match=r"is no replay of story[.]xdf: none of the stream"):
        teller.tell(Stretch(other, np.arange(len(other)) / SFREQ, np.zeros(len(other))), spoken(other).info)


def test_a_recording_without_truth_is_refused():
    silent = dataclasses.replace(spoken(planted(2.0)), markers=(Marker(1.0, "trigger 7"),))
    with pytest.raises(RecordingError, match="none of its 1 markers does"):
        Replayed(Path("x.xdf"), silent)


def test_samples_that_occur_twice_place_nothing():
    data = np.tile(planted(1.0), (3, 1))
    assert find(data, data[:64]) is None


def test_a_table_counts_from_the_first_sample(tmp_path):
    table = tmp_path / "events.tsv"
    table.write_text(
        "onset\tduration\ttrial_type\tvalue\tstimulus\n1.5\t2\tsentence\thello\ts1\n0\t9\tsound\t\ts1\n"
    )
    told = Table(table).tell(
        Stretch(np.zeros((2, 1)), np.array([50.0, 50.1]), np.zeros(2)), spoken(planted(1.0)).info
    )
    assert told == (Heard("sentence", 51.5, 2.0, "hello", "s1"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [("a\tb\n1\t2\n", "is no table of events"), ("onset\tduration\ttrial_type\tvalue\tstimulus\n", "0 rows")],
)
def test_what_is_no_table_is_refused(tmp_path, content, words):
    (tmp_path / "x.tsv").write_text(content)
    with pytest.raises(RecordingError, match=words):
        Table(tmp_path / "x.tsv")


def test_marks_of_another_clock_are_moved_to_the_streams():
    text = json.dumps({"kind": "sentence", "text": "a", "stimulus": "s", "duration": 1.0})
    odd = json.dumps({"kind": "sentence", "text": 3, "stimulus": "s", "duration": 1.0})
    assert [e.start for e in on_stream([(5.0, text), (6.0, odd), (7.0, "x")], 100.0, 40.0)] == [65.0]


# --- the sitting


class Fed:
    """A feed that gives what the test says, and a clock."""

    def __init__(self, spec, data, chunk_s=0.125):
        self.info = dataclasses.replace(spoken(planted(1.0)).info, labels=spec.stream.labels)
        self.channels = spec.stream.bind(self.info)
        self.connection, self.lost, self.now = 1, "", 0.0
        self._data, self._chunk, self._at = data.astype(np.float32), round(chunk_s * SFREQ), 0
        self.silent = False

    def take(self):
        if self.silent:
            return nothing(len(LABELS))
        at = np.arange(self._at, self._at + self._chunk)
        self._at += self._chunk
        stamps = at / SFREQ
        return Stretch(self._data[at % len(self._data)], stamps, np.full(len(at), stamps[-1] + 0.01), (0.0,))


class Bench:
    def __init__(self, bundle, data, **options):
        self.feed = Fed(bundle.spec, data)
        given = {"seconds": dict.fromkeys(KEYS, 4.0), "loop": lambda: LOOP, "aside": lambda work: work()}
        options = {"tell": lambda *a: skipped("story", "not here"), **given, **options}
        self.sitting = Sitting(bundle, self.feed, clock=lambda: self.feed.now, **options)

    def step(self, ticks=120):
        """Start the next step and let time go by until it ended."""
        self.sitting.start()
        for _ in range(ticks):
            if self.sitting.phase not in ("running", "working"):
                return
            self.feed.now += 0.125
            self.sitting.tick()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    made = make_bundle(tmp_path_factory.mktemp("checks") / "tiny")
    return dataclasses.replace(made, spec=trained(made.spec))


def test_all_steps_in_their_order(bundle):
    bench = Bench(bundle, calm())
    for _ in KEYS:
        bench.step()
    assert tuple(bench.sitting.outcomes) == KEYS
    assert [o.state for o in bench.sitting.outcomes.values()] == [
        "passed",
        "skipped",
        "passed",
        "passed",
        "skipped",
    ]
    assert bench.sitting.phase == "over"
    assert exit_code(bench.sitting.outcomes) == 0
    assert "3 passed, 2 skipped" in summary(bench.sitting.outcomes)


@pytest.mark.parametrize("phase", ["ready", "running", "working", "over"])
@pytest.mark.parametrize(
    ("key", "press"),
    [
        ("begin", Sitting.start),
        ("skip", Sitting.skip),
        ("repeat", Sitting.repeat),
        ("choose", lambda sitting: sitting.choose(1)),
    ],
)
def test_the_screen_offers_what_does_something(bundle, phase, key, press):
    sitting = Bench(bundle, calm()).sitting
    if phase == "over":
        for _ in KEYS:
            sitting.skip()
    elif phase != "ready":
        sitting.start()
        sitting.phase = phase  # its samples are under way to a thread, or not
    assert sitting.phase == phase
    before, parts = (sitting.phase, sitting.at, dict(sitting.outcomes)), sitting._parts
    press(sitting)
    did = (sitting.phase, sitting.at, sitting.outcomes) != before or sitting._parts is not parts
    assert did is (phase in WHEN[key])


def test_the_scale_takes_the_noise_floors_samples_and_no_time(bundle):
    bench = Bench(bundle, calm(), skip={"blink": "no"})
    bench.step()
    assert bench.sitting.key == "scale"
    bench.sitting.start()
    bench.sitting.tick()
    assert bench.sitting.outcomes["scale"].state == "passed"


def test_prompts_come_in_time_and_blinks_after_them_are_found(tmp_path):
    made = make_bundle(tmp_path / "frontal", labels=FRONTAL)
    made = dataclasses.replace(made, spec=trained(made.spec))
    bench = Bench(made, calm(), seconds={"noise": 4.0, "blink": 10.0})
    bench.step()
    sitting, shown = bench.sitting, []
    sitting.start()
    while sitting.phase == "running":
        bench.feed.now += 0.125
        before = sitting.prompts
        sitting.tick()
        if sitting.prompts > before:  # as a listener would, half a second later
            shown.append(sitting.shown().prompt)
            start = bench.feed._at + 64
            bench.feed._data[np.arange(start - 10, start + 10) % len(bench.feed._data), :2] += 600
    sitting.tick()
    assert shown == [True] * 5
    found = sitting.outcomes["blink"]
    assert (found.state, measure(found, "blinks seen").value) == ("passed", 5)


def test_a_stream_that_falls_silent_ends_the_step_in_words_and_can_be_repeated(bundle):
    bench = Bench(bundle, calm())
    bench.sitting.start()
    bench.sitting.tick()
    bench.feed.silent = True
    for _ in range(30):
        bench.feed.now += 0.125
        bench.sitting.tick()
    found = bench.sitting.outcomes["noise"]
    assert found.said == "No sample came for 3 s after 0.1 of 4.0 s."
    assert bench.sitting.shown().note == "no sample for 4 s"
    bench.feed.silent = False
    bench.sitting.repeat()
    for _ in range(40):
        bench.sitting.tick()
    assert bench.sitting.outcomes["noise"].state == "passed"


def test_a_stream_that_comes_back_anew_cuts_the_step(bundle):
    bench = Bench(bundle, calm())
    bench.sitting.start()
    bench.sitting.tick()
    bench.feed.connection = 2
    bench.sitting.tick()
    assert "The stream broke off" in bench.sitting.outcomes["noise"].said


def test_a_check_that_breaks_is_a_finding_and_not_the_end(bundle):
    def breaks(*_):
        raise ZeroDivisionError("here")

    bench = Bench(
        bundle, calm(), teller=Table.__new__(Table), tell=breaks, skip=dict.fromkeys(KEYS[:4], "no")
    )
    bench.step()
    assert "The check itself broke: ZeroDivisionError: here" in bench.sitting.outcomes["story"].said


def test_skip_choose_and_repeat(bundle):
    bench = Bench(bundle, calm())
    bench.sitting.skip()
    assert bench.sitting.outcomes["noise"].said == "Left out by hand."
    bench.sitting.choose(-1)
    assert bench.sitting.key == "noise"
    bench.step()
    assert bench.sitting.outcomes["noise"].state == "passed"
    assert bench.sitting.key == "blink"
    bench.sitting.choose(3)
    bench.sitting.choose(1)
    assert bench.sitting.key == "noise"


def test_the_real_decoder_finds_the_planted_story_and_no_other(bundle):
    """The tiny bundle's bank is its own recording: what is played is ranked first."""
    data = planted()
    info = spoken(data).info
    channels = bundle.spec.stream.bind(info)
    stamps = 40.0 + np.arange(len(data)) / SFREQ
    stretch = Stretch(data, stamps, stamps)

    class Planted:
        name = "the test"

        def __init__(self, late_s):
            self.late_s = late_s

        def tell(self, stretch, info):
            return (Heard("sentence", 40.0 + self.late_s, 20.0, "all", "planted"),)

    right = decode_story(bundle, channels, info, stretch, Planted(0.0))
    assert right.state == "passed"
    assert measure(right, "top-1").value > 0.9
    wrong = decode_story(bundle, channels, info, stretch, Planted(7.0))
    assert wrong.state == "failed"


# --- what is written


def outcomes():
    return {
        "noise": Outcome(
            "noise", "failed", "Not good: Oz flat.", "Press it on.", (Measure("good", 7, "7", "8", False),)
        ),
        "blink": skipped("blink", "No eyes."),
    }


def test_the_text_holds_number_limit_and_remedy(bundle):
    text = "\n".join(lines(bundle, spoken(planted(1.0)).info, outcomes()))
    assert "✕ failed   1 Noise floor" in text
    assert "7   limit 8" in text
    assert "→ Press it on." in text
    assert "· not run  5 Known story" in text
    assert text.endswith("1 failed, 1 skipped, 3 not run")
    assert text_lines(2, PLANS[1], outcomes()["blink"])[0] == "– skipped  2 Blinks"


def test_exit_codes():
    assert exit_code(outcomes()) == 1
    passed = {key: Outcome(key, "passed", "") for key in KEYS}
    assert exit_code(passed) == 0
    assert exit_code({**passed, "blink": skipped("blink", "")}) == 0
    assert exit_code({"noise": passed["noise"]}) == 2
    assert exit_code({key: skipped(key, "") for key in KEYS}) == 2


def test_a_second_check_is_added_and_nothing_is_written_over(bundle, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    (log / "session.json").write_text("{}")
    (log / "events.jsonl").write_text('{"kind": "end"}\n')
    for _ in range(2):
        prepare(log)
        write(log, *report(bundle, spoken(planted(1.0)).info, outcomes()))
    names = sorted(path.name for path in log.iterdir())
    assert names == ["check-2.json", "check-2.txt", "check.json", "check.txt", "events.jsonl", "session.json"]
    assert (log / "events.jsonl").read_text() == '{"kind": "end"}\n'
    found = json.loads((log / "check.json").read_text())
    assert found["schema"] == 1
    assert [step["key"] for step in found["steps"]] == ["noise", "blink"]
    assert found["steps"][0]["measures"][0] == {
        "name": "good",
        "value": 7,
        "text": "7",
        "limit": "8",
        "ok": False,
    }


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(RecordingError, match=r"holds photo[.]jpg and is no session log"):
        prepare(tmp_path)


def test_numbers_that_are_none_do_not_reach_the_file():
    assert Measure("x", float("nan"), "?").value is None
